"""All that is measured of a run, and several runs beside one another. Each table is made once and kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from deepdance import pipeline, runs
from deepdance.arrays import Float32
from deepdance.evaluation.codec import measure_codec
from deepdance.evaluation.long_dances import measure_long_dances, measure_videos
from deepdance.evaluation.next_frame import measure_next_frame
from deepdance.evaluation.streams import OnProgress
from deepdance.evaluation.tables import COPY, REAL, Column, Figures, Role, Row, Table
from deepdance.events import Progress
from deepdance.frames import Silhouettes
from deepdance.inputs import expand_inputs, recipe_for
from deepdance.interfaces import FrameCodec, SequenceModel
from deepdance.metrics.paper_table import PaperRow
from deepdance.pipeline import Session
from deepdance.recipe import Recipe
from deepdance.splits import Split
from deepdance.workspace import Artifact, digest, read_json, write_json

LENGTH = 1000
SEEDS = 5
SUMMARY = (
    Column("codec.iou", "IoU"),
    Column("codec.boundary_iou", "boundary IoU"),
    Column("codec.limb_recall", "limb recall"),
    Column("codec.grey_per_perimeter", "grey ÷ outline", 2),
    Column("next_frame.skill.1", "latent skill, 1"),
    Column("next_frame.skill.10", "latent skill, 10"),
    Column("next_frame.iou_skill.1", "IoU skill, 1"),
    Column("next_frame.iou_skill.10", "IoU skill, 10"),
)
"""What `dd compare` shows of each run: table, figure and, where it differs, how many frames ahead."""
LONG_SUMMARY = (
    Column("long.motion_ratio", "motion", 2),
    Column("long.freeze_seconds", "freeze, s", 1),
    Column("long.several_bodies", "several bodies"),
    Column("long.grey_ratio", "grey", 2),
    Column("long.frechet_frames", "Fréchet", 2),
    Column("long.frechet_motion", "of motion", 2),
    Column("long.coverage", "coverage", 2),
    Column("long.nearest_ratio", "nearest", 2),
    Column("long.replay_seconds", "replay, s", 1),
)
"""The same of its long dances, in a table of their own."""
LONG_LEGEND = """\
motion, grey, nearest: ÷ real. Fréchet ÷ floor: 1 is as real, 0 would be the
training frames themselves. replay: of training frames in their order."""

log = logging.getLogger("deepdance")


@dataclass(frozen=True)
class Evaluation:
    """A run's tables. `frames` tells one set of held-out frames from another."""

    run: str
    codec: str
    sequence: str
    frames: str
    paper_table: list[PaperRow]
    tables: dict[str, Table]


@dataclass(frozen=True)
class EvaluatedRun:
    """What a run has made, each opened once and only when it is asked for, and what is measured of it."""

    session: Session
    recipe: Recipe
    artifacts: Mapping[str, Sequence[Artifact]]

    @cached_property
    def frames(self) -> Silhouettes:
        """All frames of the run's videos."""
        return Silhouettes.load([artifact.folder for artifact in self.artifacts["silhouettes"]])

    @property
    def evaluated_from(self) -> int:
        """The first frame that figures are taken from."""
        return Split.of(self.frames.clips, self.recipe.validation).evaluated_from

    @cached_property
    def codec(self) -> FrameCodec[Any]:
        """The trained codec."""
        return pipeline.load_codec(self.session, self.recipe, self.artifacts["codec"][0])

    @cached_property
    def latents(self) -> Float32:
        """The latents `(n, d)` of all frames."""
        return pipeline.load_latents(self.artifacts["latents"][0])

    @cached_property
    def model(self) -> SequenceModel[Any]:
        """The trained sequence model."""
        return pipeline.load_sequence(self.session, self.recipe, self.artifacts["sequence"][0])

    def measure_codec(self, on_progress: OnProgress) -> Table:
        """What the codec loses of the held-out frames."""
        held_out = self.frames.between(self.evaluated_from, len(self.frames))
        return measure_codec(self.codec, self.recipe.codec.name, held_out, on_progress)

    def measure_next_frame(self, on_progress: OnProgress) -> Table:
        """How well the sequence model predicts held-out frames."""
        name, data = self.recipe.sequence.name, (self.frames, self.latents, self.evaluated_from)
        return measure_next_frame(self.model, self.codec, name, *data, on_progress)

    def measure_long_dances(self, on_progress: OnProgress, *, length: int, seeds: int) -> Table:
        """`seeds` dances of `length` frames beside the real frames."""
        return measure_long_dances(
            self.model,
            self.codec,
            f"{self.recipe.codec.name} × {self.recipe.sequence.name}",
            self.frames,
            self.latents,
            self.evaluated_from,
            length=length,
            seeds=seeds,
            temperature=self.recipe.temperature,
            rng=self.recipe.seed,
            on_progress=on_progress,
        )

    def build_table(
        self,
        name: str,
        stages: Sequence[str],
        measure: Callable[[OnProgress], Table],
        settings: Mapping[str, Any] | None = None,
    ) -> Table:
        """The table `measure` makes, kept as an artifact: made anew only if one of `stages` or a setting changes."""
        stage = f"{name}_table"

        def work(folder: Path) -> dict[str, Any]:
            table = measure(lambda done, total: self.session.listen(Progress(stage, done, total)))
            write_json(folder / "table.json", table.as_json())
            return {}

        keys = {made: [artifact.key for artifact in self.artifacts[made]] for made in stages}
        inputs = {"artifacts": keys, "settings": dict(settings or {}), "version": runs.VERSION}
        artifact = self.session.make(stage, inputs, work)
        return Table.from_json(read_json(artifact.folder / "table.json"))


def evaluate(session: Session, name: str, length: int = LENGTH, seeds: int = SEEDS) -> Evaluation:
    """Every table of a run, measured on its held-out frames or read from what an earlier evaluation kept.

    `seeds` dances of `length` keyframes are generated for the last one.

    Raises InputError for a run that has not trained, WorkspaceError for one that is not there.
    """
    record, recipe = session.workspace.open_run(name)
    run = EvaluatedRun(session, recipe, runs.open_artifacts(session, record))
    paper = runs.measure_paper_table(session, recipe, record)
    everything = ("silhouettes", "codec", "latents", "sequence")
    settings = {"length": length, "seeds": seeds, "temperature": recipe.temperature, "seed": recipe.seed}
    measure_long = partial(run.measure_long_dances, length=length, seeds=seeds)
    tables = {
        "codec": run.build_table("codec", ("silhouettes", "codec"), run.measure_codec),
        "next_frame": run.build_table("next_frame", everything, run.measure_next_frame),
        "long": run.build_table("long", everything, measure_long, settings),
    }
    as_json = {key: table.as_json() for key, table in tables.items()}
    write_json(session.workspace.run_folder(name) / "evaluation.json", as_json)
    frames = digest([[artifact.key for artifact in run.artifacts["silhouettes"]], recipe.validation])
    return Evaluation(name, recipe.codec.name, recipe.sequence.name, frames, paper, tables)


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
    run = EvaluatedRun(session, recipe, runs.open_artifacts(session, record))
    inputs = expand_inputs(session.registry, locations)
    read_as = [recipe_for(recipe, session.registry, location, remover, settings) for location in inputs]
    prepared = [pipeline.prepare(session, one, location) for one, location in zip(read_as, inputs, strict=True)]
    shown = Path(inputs[0]).name if len(inputs) == 1 else f"{len(inputs)} videos"

    def measure(on_progress: OnProgress) -> Table:
        videos = [Silhouettes.load([artifact.folder]) for artifact in prepared]
        return measure_videos(shown, videos, run.frames, run.evaluated_from, on_progress)

    keys = {"videos": [artifact.key for artifact in prepared], "validation": recipe.validation, "name": shown}
    return run.build_table("videos", ("silhouettes",), measure, keys)


def comparison(evaluations: Sequence[Evaluation]) -> dict[str, Table]:
    """One row a run, then what real frames and copying reach on the first run's held-out frames; so two tables."""
    if len({evaluation.frames for evaluation in evaluations}) > 1:
        log.warning("these runs hold out different frames, so their figures are not quite comparable")
    models = "\n".join(f"{e.run}: {e.codec} × {e.sequence}" for e in evaluations)
    legend = f"{models}\nskill, so many frames ahead: 0 is copying, 1 is perfect."
    return {
        "frames": _compare("Comparison", SUMMARY, evaluations, legend),
        "long": _compare("Long dances", LONG_SUMMARY, evaluations, LONG_LEGEND),
    }


def _compare(title: str, columns: Sequence[Column], evaluations: Sequence[Evaluation], legend: str) -> Table:
    first = evaluations[0]
    rows = [Row(evaluation.run, "model", _summarize(columns, evaluation, "model")) for evaluation in evaluations]
    baselines = [
        Row(REAL, "real", _summarize(columns, first, "real")),
        Row(COPY, "copy", _summarize(columns, first, "copy")),
    ]
    return Table(title, columns, rows + baselines, legend)


def _summarize(columns: Sequence[Column], evaluation: Evaluation, role: Role) -> Figures:
    figures: Figures = {}
    for column in columns:
        table, key, *horizon = column.key.split(".")
        figures[column.key] = evaluation.tables[table].figure(role, key, int(horizon[0]) if horizon else None)
    return figures
