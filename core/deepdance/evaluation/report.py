"""All that is measured of a run, and several runs beside one another. Each table is made once and kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import deepdance
from deepdance import pipeline, runs
from deepdance.evaluation.bootstrap import Figure
from deepdance.evaluation.codec_table import codec_table
from deepdance.evaluation.next_frame import next_frame_table
from deepdance.evaluation.paper_table import Row
from deepdance.evaluation.tables import COPY, REAL, Column, Measured, Role, Table
from deepdance.events import Progress
from deepdance.frames import Silhouettes
from deepdance.pipeline import Studio
from deepdance.recipe import Recipe
from deepdance.workspace import Artifact, digest, read_json, write_json

Made = Mapping[str, Sequence[Artifact]]
Watch = Callable[[int, int], None]
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
    """A table of the evaluation: made from the artifacts of the stages that it `needs`, again only if one changes."""

    name: str
    needs: tuple[str, ...]
    make: Callable[[Studio, Recipe, Made, Watch], Table]


def _codec(studio: Studio, recipe: Recipe, made: Made, watch: Watch) -> Table:
    frames = Silhouettes.load([artifact.folder for artifact in made["silhouettes"]])
    held_out = frames.between(_cut(frames, recipe), len(frames))
    return codec_table(pipeline.load_codec(studio, recipe, made["codec"][0]), recipe.codec.name, held_out, watch)


def _next_frame(studio: Studio, recipe: Recipe, made: Made, watch: Watch) -> Table:
    frames = Silhouettes.load([artifact.folder for artifact in made["silhouettes"]])
    return next_frame_table(
        pipeline.load_sequence(studio, recipe, made["sequence"][0]),
        pipeline.load_codec(studio, recipe, made["codec"][0]),
        recipe.sequence.name,
        frames,
        pipeline.load_latents(made["latents"][0]),
        _cut(frames, recipe),
        watch,
    )


def _cut(frames: Silhouettes, recipe: Recipe) -> int:
    """The first held-out frame; all are measured on if the recipe holds none out."""
    cut = pipeline.split_point(len(frames), recipe.validation)
    return cut if cut < len(frames) else 0


PARTS = (
    Part("codec", ("silhouettes", "codec"), _codec),
    Part("next_frame", ("silhouettes", "codec", "latents", "sequence"), _next_frame),
)
"""The tables of `dd evaluate`, in their order."""

SUMMARY: tuple[tuple[str, str, int | None, str, int], ...] = (
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


def evaluate(studio: Studio, name: str) -> Evaluation:
    """Every table of a run, measured on its held-out frames or read from what an earlier evaluation kept.

    Raises InputError for a run that has not trained, WorkspaceError for one that is not there.
    """
    record, recipe = studio.workspace.open_run(name)
    made = runs.artifacts_of(studio, record)
    paper = runs.paper_table(studio, recipe, record)
    tables = {part.name: _kept(studio, recipe, made, part) for part in PARTS}
    write_json(
        studio.workspace.run_folder(name) / "evaluation.json",
        {key: table.as_json() for key, table in tables.items()},
    )
    frames = digest([[artifact.key for artifact in made["silhouettes"]], recipe.validation])
    return Evaluation(name, recipe.codec.name, recipe.sequence.name, frames, paper, tables)


def _kept(studio: Studio, recipe: Recipe, made: Made, part: Part) -> Table:
    stage = f"{part.name}_table"
    keys = {need: [artifact.key for artifact in made[need]] for need in part.needs}

    def work(folder: Any) -> dict[str, Any]:
        table = part.make(studio, recipe, made, lambda done, total: studio.listen(Progress(stage, done, total)))
        write_json(folder / "table.json", table.as_json())
        return {}

    artifact = studio.make(stage, {"artifacts": keys, "version": deepdance.__version__}, work)
    return Table.from_json(read_json(artifact.folder / "table.json"))


def comparison(evaluations: Sequence[Evaluation]) -> Table:
    """One row a run, then what real frames and copying reach on the first run's held-out frames."""
    if len({evaluation.frames for evaluation in evaluations}) > 1:
        log.warning("these runs hold out different frames, so their figures are not quite comparable")
    rows = [Measured(evaluation.run, "model", _summary(evaluation, "model")) for evaluation in evaluations]
    rows += [
        Measured(REAL, "real", _summary(evaluations[0], "real")),
        Measured(COPY, "copy", _summary(evaluations[0], "copy")),
    ]
    columns = [Column(_key(table, key, horizon), title, decimals) for table, key, horizon, title, decimals in SUMMARY]
    models = "\n".join(f"{e.run}: {e.codec} × {e.sequence}" for e in evaluations)
    return Table("Comparison", columns, rows, f"{models}\nskill, so many frames ahead: 0 is copying, 1 is perfect.")


def _summary(evaluation: Evaluation, role: Role) -> dict[str, Figure | None]:
    return {
        _key(table, key, horizon): evaluation.tables[table].figure(role, key, horizon)
        for table, key, horizon, _, _ in SUMMARY
    }


def _key(table: str, key: str, horizon: int | None) -> str:
    return f"{table}.{key}" if horizon is None else f"{table}.{key}.{horizon}"
