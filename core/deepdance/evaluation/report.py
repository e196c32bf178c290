"""All that is measured of a run, and several runs beside one another. Each table is made once and kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deepdance import pipeline, runs
from deepdance.evaluation.codec import codec_table
from deepdance.evaluation.long_dances import long_table, video_table
from deepdance.evaluation.next_frame import next_frame_table
from deepdance.evaluation.tables import COPY, REAL, Column, Measured, Role, Table
from deepdance.events import Progress
from deepdance.frames import Silhouettes
from deepdance.inputs import expand_inputs, recipe_for
from deepdance.metrics.bootstrap import Figure
from deepdance.metrics.paper_table import Row
from deepdance.pipeline import Session
from deepdance.recipe import Recipe
from deepdance.splits import Split
from deepdance.workspace import Artifact, digest, read_json, write_json

Made = Mapping[str, Sequence[Artifact]]
Watch = Callable[[int, int], None]
Summary = tuple[tuple[str, str, int | None, str, int], ...]
LENGTH = 1000
SEEDS = 5
log = logging.getLogger("deepdance")


@dataclass(frozen=True)
class Evaluation:
    """A run's tables. `frames` tells one set of held-out frames from another."""

    run: str
    codec: str
    sequence: str
    frames: str
    paper_table: list[Row]
    tables: dict[str, Table]


@dataclass(frozen=True)
class Part:
    """A table of the evaluation: made from the artifacts of the stages that it `needs` and from `settings`.

    It is made again only if one of those changes.
    """

    name: str
    needs: tuple[str, ...]
    make: Callable[[Session, Recipe, Made, Watch], Table]
    settings: Mapping[str, Any] = field(default_factory=dict)


def _codec(session: Session, recipe: Recipe, made: Made, watch: Watch) -> Table:
    frames = _frames(made["silhouettes"])
    held_out = frames.between(_measured_from(frames, recipe), len(frames))
    return codec_table(pipeline.load_codec(session, recipe, made["codec"][0]), recipe.codec.name, held_out, watch)


def _next_frame(session: Session, recipe: Recipe, made: Made, watch: Watch) -> Table:
    frames = _frames(made["silhouettes"])
    return next_frame_table(
        pipeline.load_sequence(session, recipe, made["sequence"][0]),
        pipeline.load_codec(session, recipe, made["codec"][0]),
        recipe.sequence.name,
        frames,
        pipeline.load_latents(made["latents"][0]),
        _measured_from(frames, recipe),
        watch,
    )


def _long(session: Session, recipe: Recipe, made: Made, watch: Watch, *, length: int, seeds: int) -> Table:
    frames = _frames(made["silhouettes"])
    return long_table(
        pipeline.load_sequence(session, recipe, made["sequence"][0]),
        pipeline.load_codec(session, recipe, made["codec"][0]),
        f"{recipe.codec.name} × {recipe.sequence.name}",
        frames,
        pipeline.load_latents(made["latents"][0]),
        _measured_from(frames, recipe),
        recipe.fps,
        length=length,
        seeds=seeds,
        temperature=recipe.temperature,
        rng=recipe.seed,
        on_progress=watch,
    )


def _frames(prepared: Sequence[Artifact]) -> Silhouettes:
    return Silhouettes.load([artifact.folder for artifact in prepared])


def _measured_from(frames: Silhouettes, recipe: Recipe) -> int:
    return Split.of(frames.clips, recipe.validation).measured


def parts(recipe: Recipe, length: int, seeds: int) -> tuple[Part, ...]:
    """The tables of `dd evaluate`, in their order, with so many long dances of so many frames."""
    everything = ("silhouettes", "codec", "latents", "sequence")
    settings = {"length": length, "seeds": seeds, "temperature": recipe.temperature, "seed": recipe.seed}
    return (
        Part("codec", ("silhouettes", "codec"), _codec),
        Part("next_frame", everything, _next_frame),
        Part("long", everything, partial(_long, length=length, seeds=seeds), settings),
    )


SUMMARY: Summary = (
    ("codec", "iou", None, "IoU", 3),
    ("codec", "boundary_iou", None, "boundary IoU", 3),
    ("codec", "limb_recall", None, "limb recall", 3),
    ("codec", "grey_per_perimeter", None, "grey ÷ outline", 2),
    ("next_frame", "skill", 1, "latent skill, 1", 3),
    ("next_frame", "skill", 10, "latent skill, 10", 3),
    ("next_frame", "iou_skill", 1, "IoU skill, 1", 3),
    ("next_frame", "iou_skill", 10, "IoU skill, 10", 3),
)
"""What `dd compare` shows of each run: table, figure, horizon, heading, decimals."""
LONG_SUMMARY: Summary = (
    ("long", "motion_ratio", None, "motion", 2),
    ("long", "freeze_seconds", None, "freeze, s", 1),
    ("long", "several_bodies", None, "several bodies", 3),
    ("long", "grey_ratio", None, "grey", 2),
    ("long", "frechet_frames", None, "Fréchet", 2),
    ("long", "frechet_motion", None, "of motion", 2),
    ("long", "coverage", None, "coverage", 2),
    ("long", "nearest_ratio", None, "nearest", 2),
    ("long", "replay_seconds", None, "replay, s", 1),
)
"""The same of its long dances, in a table of their own."""
LONG_LEGEND = """\
motion, grey, nearest: ÷ real. Fréchet ÷ floor: 1 is as real, 0 would be the
training frames themselves. replay: of training frames in their order."""


def evaluate(session: Session, name: str, length: int = LENGTH, seeds: int = SEEDS) -> Evaluation:
    """Every table of a run, measured on its held-out frames or read from what an earlier evaluation kept.

    `seeds` dances of `length` keyframes are generated for the last one.

    Raises InputError for a run that has not trained, WorkspaceError for one that is not there.
    """
    record, recipe = session.workspace.open_run(name)
    made = runs.open_artifacts(session, record)
    paper = runs.paper_table(session, recipe, record)
    tables = {part.name: _kept(session, recipe, made, part) for part in parts(recipe, length, seeds)}
    write_json(
        session.workspace.run_folder(name) / "evaluation.json",
        {key: table.as_json() for key, table in tables.items()},
    )
    frames = digest([[artifact.key for artifact in made["silhouettes"]], recipe.validation])
    return Evaluation(name, recipe.codec.name, recipe.sequence.name, frames, paper, tables)


def _kept(session: Session, recipe: Recipe, made: Made, part: Part) -> Table:
    stage = f"{part.name}_table"
    keys: dict[str, Any] = {need: [artifact.key for artifact in made[need]] for need in part.needs}

    def work(folder: Any) -> dict[str, Any]:
        table = part.make(session, recipe, made, lambda done, total: session.listen(Progress(stage, done, total)))
        write_json(folder / "table.json", table.as_json())
        return {}

    inputs = {"artifacts": keys, "settings": dict(part.settings), "version": runs.VERSION}
    artifact = session.make(stage, inputs, work)
    return Table.from_json(read_json(artifact.folder / "table.json"))


def evaluate_videos(
    session: Session,
    name: str,
    locations: Sequence[str],
    remover: str | None = None,
    settings: Sequence[str] = (),
) -> Table:
    """Videos beside the frames that the run `name` learned from: what `evaluate` says of long dances.

    They are read as the run's videos were, at its rate and size, but for another `remover` and for `settings` such as
    `source.crop=54,44,335,200`. Raises InputError, OptionError, WorkspaceError.
    """
    record, recipe = session.workspace.open_run(name)
    made = {"silhouettes": runs.open_artifacts(session, record)["silhouettes"]}
    inputs = expand_inputs(session.registry, locations)
    read_as = [recipe_for(recipe, session.registry, location, remover, settings) for location in inputs]
    videos = [pipeline.prepare(session, one, location) for one, location in zip(read_as, inputs, strict=True)]
    shown = Path(inputs[0]).name if len(inputs) == 1 else f"{len(inputs)} videos"

    def make(session: Session, recipe: Recipe, made: Made, watch: Watch) -> Table:
        frames = _frames(made["silhouettes"])
        return video_table(
            shown, [_frames([video]) for video in videos], frames, _measured_from(frames, recipe), recipe.fps, watch
        )

    keys = {"videos": [video.key for video in videos], "validation": recipe.validation, "name": shown}
    return _kept(session, recipe, made, Part("videos", ("silhouettes",), make, keys))


def comparison(evaluations: Sequence[Evaluation]) -> dict[str, Table]:
    """One row a run, then what real frames and copying reach on the first run's held-out frames; so two tables."""
    if len({evaluation.frames for evaluation in evaluations}) > 1:
        log.warning("these runs hold out different frames, so their figures are not quite comparable")
    models = "\n".join(f"{e.run}: {e.codec} × {e.sequence}" for e in evaluations)
    ahead = f"{models}\nskill, so many frames ahead: 0 is copying, 1 is perfect."
    return {
        "frames": _compared("Comparison", SUMMARY, evaluations, ahead),
        "long": _compared("Long dances", LONG_SUMMARY, evaluations, LONG_LEGEND),
    }


def _compared(title: str, summary: Summary, evaluations: Sequence[Evaluation], legend: str) -> Table:
    rows = [Measured(evaluation.run, "model", _summary(summary, evaluation, "model")) for evaluation in evaluations]
    rows += [
        Measured(REAL, "real", _summary(summary, evaluations[0], "real")),
        Measured(COPY, "copy", _summary(summary, evaluations[0], "copy")),
    ]
    columns = [Column(_key(table, key, horizon), title, decimals) for table, key, horizon, title, decimals in summary]
    return Table(title, columns, rows, legend)


def _summary(summary: Summary, evaluation: Evaluation, role: Role) -> dict[str, Figure | None]:
    return {
        _key(table, key, horizon): evaluation.tables[table].figure(role, key, horizon)
        for table, key, horizon, _, _ in summary
    }


def _key(table: str, key: str, horizon: int | None) -> str:
    return f"{table}.{key}" if horizon is None else f"{table}.{key}.{horizon}"
