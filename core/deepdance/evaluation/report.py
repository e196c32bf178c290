"""All that is measured of a run, and several runs beside one another. Each table is made once and kept."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from deepdance import opened_runs, preparation
from deepdance.evaluation.codec import measure_codec
from deepdance.evaluation.long_dances import (
    FRECHET_NEEDS,
    MOTION_NEEDS,
    TOLD_NEEDS,
    measure_long_dances,
    measure_videos,
)
from deepdance.evaluation.next_frame import measure_next_frame
from deepdance.evaluation.streams import OnProgress
from deepdance.evaluation.tables import (
    CEILING,
    COPY,
    REAL,
    Column,
    Figures,
    PaperTable,
    Role,
    Row,
    Table,
    Tables,
    join_paper_tables,
)
from deepdance.events import Progress
from deepdance.frames import Silhouettes
from deepdance.inputs import expand_inputs, recipe_for
from deepdance.opened_runs import OpenedRun
from deepdance.pool import Pool, open_pool
from deepdance.session import TABLES, Session
from deepdance.storage import digest, read_as, write_json

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
    Column("long.frechet_frames", "Fréchet", 2, needs=FRECHET_NEEDS),
    Column("long.frechet_motion", "Fréchet, motion", 2, needs=MOTION_NEEDS),
    Column("long.told", "told", 2, needs=TOLD_NEEDS),
    Column("long.coverage", "coverage", 2),
    Column("long.nearest_ratio", "nearest", 2),
    Column("long.replay_seconds", "replay, s", 1),
)
"""The same of its long dances, in a table of their own."""
CEILING_LEGEND = f"{CEILING}: real frames, encoded and decoded, which no sequence model does better than with it."
LONG_LEGEND = (
    "motion, grey, nearest: ÷ real. Fréchet ÷ floor: 1 is as real, 0 would be the training frames themselves. told: "
    "how often a classifier tells it from real frames, .5 by chance. replay: of training frames in their order. "
    f"{CEILING_LEGEND}"
)

log = logging.getLogger("deepdance")


@dataclass(frozen=True)
class Evaluation:
    """A run's tables. `frames` tells one set of held-out frames from another."""

    run: str
    codec: str
    sequence: str
    frames: str
    paper_table: PaperTable
    tables: Tables

    @property
    def all_tables(self) -> Tables:
        """The paper's table as the first, then the others."""
        return Tables.of([self.run], paper=self.paper_table.as_table(), **self.tables)

    def __str__(self) -> str:
        return str(self.all_tables)

    def _repr_html_(self) -> str:
        return self.all_tables._repr_html_()


def evaluate(
    session: Session, name: str, length: int = LENGTH, seeds: int = SEEDS, *, fresh: str | None = None
) -> Evaluation:
    """Every table of a run, measured on its held-out frames or read from what an earlier evaluation kept.

    `seeds` dances of `length` keyframes are generated for the last one. `fresh` names a table that is measured anew,
    with all after it.

    Raises OptionError, InputError for a run that has not trained, WorkspaceError for one that is not there.
    """
    session = session.make_anew(fresh, TABLES)
    record, recipe = session.workspace.open_run(name)
    run = opened_runs.open_run(session, recipe, record)
    paper = PaperTable(opened_runs.measure_paper_table(run, name))
    everything = ("silhouettes", "codec", "latents", "sequence")
    settings = {"length": length, "seeds": seeds, "temperature": recipe.temperature, "seed": recipe.seed}
    with open_pool(session) as pool:
        measure_long = partial(measure_long_dances, run, length=length, seeds=seeds, pool=pool)
        tables = Tables(
            codec=_build_table(run, "codec", ("silhouettes", "codec"), partial(_measure_codec, run, pool)),
            next_frame=_build_table(run, "next_frame", everything, partial(measure_next_frame, run, pool=pool)),
            long=_build_table(run, "long", everything, measure_long, settings),
        )
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
    run = opened_runs.open_run(session, recipe, record)
    inputs = expand_inputs(session.registry, locations)
    read_as = [recipe_for(recipe, session.registry, location, remover, settings) for location in inputs]
    prepared = preparation.prepare_all(session, read_as, inputs)
    for one, location, artifact in zip(read_as, inputs, prepared, strict=True):
        preparation.check_dancer(session, one, location, artifact, force=True)
    shown = Path(inputs[0]).name if len(inputs) == 1 else f"{len(inputs)} videos"

    def measure(on_progress: OnProgress) -> Table:
        videos = [Silhouettes.load([artifact.folder]) for artifact in prepared]
        with open_pool(session) as pool:
            return measure_videos(shown, videos, run.frames, run.evaluated_from, on_progress, pool=pool)

    keys = {"videos": [artifact.key for artifact in prepared], "validation": recipe.validation, "name": shown}
    return _build_table(run, "videos", ("silhouettes",), measure, keys)


def _measure_codec(run: OpenedRun, pool: Pool, on_progress: OnProgress) -> Table:
    return measure_codec(run.packed_codec, run.recipe.codec.name, run.held_out, on_progress, pool=pool)


def _build_table(
    run: OpenedRun,
    name: str,
    stages: Sequence[str],
    measure: Callable[[OnProgress], Table],
    settings: Mapping[str, Any] | None = None,
) -> Table:
    """The table that `measure` makes, kept as an artifact: made anew only if one of `stages` or a setting changes."""
    stage = f"{name}_table"

    def work(folder: Path) -> dict[str, Any]:
        with run.translate_misfit():
            table = measure(lambda done, total: run.session.listen(Progress(stage, done, total)))
        write_json(folder / "table.json", table.as_json())
        return {}

    artifact = run.session.make(stage, {**run.describe(stages), "settings": dict(settings or {})}, work)
    return read_as(artifact.folder / "table.json", Table)


def compare(evaluations: Sequence[Evaluation]) -> Tables:
    """One row a run, then what real frames and copying reach on the first run's held-out frames, and what each codec
    alone does; so two tables. The third is the paper's.
    """
    if len({evaluation.frames for evaluation in evaluations}) > 1:
        log.warning("these runs hold out different frames, so their figures are not quite comparable")
    named: dict[str, list[str]] = {}
    for each in evaluations:
        named.setdefault(f"{each.codec} × {each.sequence}", []).append(each.run)
    models = "\n".join(f"{', '.join(runs)}: {model}." for model, runs in named.items())
    legend = f"{models}\nskill, so many frames ahead: 0 is copying, 1 is perfect. {CEILING_LEGEND}"
    return Tables.of(
        [e.run for e in evaluations],
        frames=_compare("Comparison", SUMMARY, evaluations, legend),
        long=_compare("Long dances", LONG_SUMMARY, evaluations, LONG_LEGEND),
        paper=join_paper_tables({e.run: e.paper_table for e in evaluations}),
    )


def _compare(title: str, columns: Sequence[Column], evaluations: Sequence[Evaluation], legend: str) -> Table:
    first = evaluations[0]
    rows = [Row(evaluation.run, "model", _summarize(columns, evaluation, "model")) for evaluation in evaluations]
    baselines = [
        Row(REAL, "real", _summarize(columns, first, "real")),
        Row(COPY, "copy", _summarize(columns, first, "copy")),
    ]
    return Table(title, columns, [*rows, *baselines, *_list_ceilings(columns, evaluations)], legend)


def _list_ceilings(columns: Sequence[Column], evaluations: Sequence[Evaluation]) -> Iterator[Row]:
    """What each codec alone reaches, where anything was measured of it: of runs that share one, the first's figures."""
    different: list[Evaluation] = []
    for each in evaluations:
        if all((each.codec, each.tables["codec"]) != (other.codec, other.tables["codec"]) for other in different):
            different.append(each)
    counts = Counter(each.codec for each in different)
    for each in different:
        figures = _summarize(columns, each, "ceiling")
        if any(figures.values()):
            own = f" of {each.run}" if counts[each.codec] > 1 else ""
            yield Row(f"{CEILING}, {each.codec}{own}", "ceiling", figures)


def _summarize(columns: Sequence[Column], evaluation: Evaluation, role: Role) -> Figures:
    figures: Figures = {}
    for column in columns:
        table, key, *horizon = column.key.split(".")
        figures[column.key] = evaluation.tables[table].figure(role, key, int(horizon[0]) if horizon else None)
    return figures
