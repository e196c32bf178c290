"""Long dances beside real ones: of a sequence model from several openings, or of videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepdance.arrays import Int64
from deepdance.evaluation.dance_report import DanceReport, report_copy, report_dances, report_real
from deepdance.evaluation.judge import KINDS, RealParts, Told, describe_verdict
from deepdance.evaluation.reference import Reference
from deepdance.evaluation.streams import OnProgress, ProgressMeter, Stream, ignore_progress
from deepdance.evaluation.tables import CEILING, COPY, REAL, Column, Figures, Row, Table
from deepdance.frames import Clip, Silhouettes
from deepdance.metrics.bootstrap import Estimate
from deepdance.metrics.features import WINDOW
from deepdance.metrics.two_sample import ALL, FOLDS
from deepdance.opened_runs import OpenedRun
from deepdance.pool import Pool

FRECHET_NEEDS = f"{WINDOW} frames, of the dance and held out"
MOTION_NEEDS = f"{WINDOW} stretches of {WINDOW} frames, of the dance and held out"
TOLD_NEEDS = f"{FOLDS} stretches of time, of the dance and real"
WHOLE = (
    Column("motion", "motion"),
    Column("motion_ratio", "motion ÷ real", 2),
    Column("motion_wasserstein", "motion, Wasserstein-1"),
    Column("motion_ks", "motion, Kolmogorov-Smirnov"),
    Column("freeze_seconds", "longest freeze, s", 1),
    Column("loop", "loop", 2),
    Column("several_bodies", "several bodies"),
    Column("area_outside", "unusual area"),
    Column("grey_ratio", "grey per outline ÷ real", 2),
    Column("frechet_frames", "Fréchet ÷ floor, frames", 2, needs=FRECHET_NEEDS),
    Column("frechet_motion", "Fréchet ÷ floor, motion", 2, needs=MOTION_NEEDS),
    Column("density", "density", 2),
    Column("coverage", "coverage", 2),
    Column("nearest_ratio", "nearest training frame ÷ real", 2),
    Column("replay_seconds", "longest replay, s", 1),
)
SPANS = (
    Column("first.grey_ratio", "frames 0-9: grey ÷ real", 2),
    Column("hundredth.grey_ratio", "frames 100-109: grey ÷ real", 2),
    Column("first.several_bodies", "frames 0-9: several bodies"),
    Column("hundredth.several_bodies", "frames 100-109: several bodies"),
    Column("first.nearest_ratio", "frames 0-9: nearest ÷ real", 2),
    Column("hundredth.nearest_ratio", "frames 100-109: nearest ÷ real", 2),
)
TOLD = (
    Column("told", "told from real", 2, needs=TOLD_NEEDS),
    *(Column(f"told.{kind}", f"by {kind} alone", 2, needs=TOLD_NEEDS) for kind in KINDS),
)
SLOPES = tuple(
    Column(f"slope.{name}", f"slope of {name}", 4, True, needs="dances of 1,500 frames, or one of 2,500")
    for name in ("area", "motion", "bodies", "grey")
)
LEGEND = (
    "Real: held-out frames against training frames, the floor; its longest freeze is that of all real frames. motion: "
    "1 − IoU of neighbours. several bodies, unusual area: shares of the frames; the area of 1 % of the real ones is "
    "unusual. Fréchet, grey and nearest: 1 is as real. loop: 0 never comes back. coverage: share of the training "
    "frames with a frame of the dance nearby. told: how often a classifier tells 1.6 s of the dance from as much of "
    "real frames; half of its answers are right by chance. Real: other real frames. slope: change per 1,000 frames; "
    "flat if its interval holds 0."
)


def measure_long_dances(
    run: OpenedRun, on_progress: OnProgress = ignore_progress, *, length: int, seeds: int, pool: Pool | None = None
) -> Table:
    """`seeds` dances of `length` frames beside a run's real ones; each starts from a real context, half held out."""
    recipe, frames = run.recipe, run.frames
    starts = choose_starts(frames.clips, run.evaluated_from, run.model.context, seeds)
    openings = run.latents[starts[:, None] + np.arange(run.model.context)]
    dances, cuts = run.model.generate_shots(openings, length, temperature=recipe.temperature, rng=recipe.seed)
    shots = [[0, *(np.flatnonzero(each[1:]) + 1).tolist()] for each in cuts]
    streams = [Stream(dance, begins, run.packed_codec) for dance, begins in zip(dances, shots, strict=True)]
    name, parts = f"{recipe.codec.name} × {recipe.sequence.name}", RealParts.choose(*_split(frames, run.evaluated_from))
    coded = Stream(run.latents[parts.frames], parts.starts, run.packed_codec)
    return _measure("Long dances", name, streams, frames, run.evaluated_from, on_progress, pool, coded)


def measure_videos(
    name: str,
    videos: Sequence[Silhouettes],
    frames: Silhouettes,
    evaluated_from: int,
    on_progress: OnProgress = ignore_progress,
    *,
    pool: Pool | None = None,
) -> Table:
    """Videos, each one dance at the rate of the real `frames`, beside those, held out from `evaluated_from`."""
    return _measure("Videos", name, list(map(Stream.of, videos)), frames, evaluated_from, on_progress, pool)


def choose_starts(clips: Sequence[Clip], evaluated_from: int, context: int, count: int) -> Int64:
    """First frames `(count,)` of contexts of one clip each, evenly chosen: half held out, half from before.

    Where one part has no clip that long all are from the other.
    """
    held_out = [np.arange(max(clip.start, evaluated_from), clip.stop - context + 1) for clip in clips]
    train = [np.arange(clip.start, min(clip.stop, evaluated_from) - context + 1) for clip in clips]
    later, earlier = (np.concatenate(places).astype(np.int64) for places in (held_out, train))
    from_earlier = 0 if not len(earlier) else count if not len(later) else count // 2
    return np.concatenate([_choose_evenly(later, count - from_earlier), _choose_evenly(earlier, from_earlier)])


def _choose_evenly(places: Int64, count: int) -> Int64:
    """So many of the places, none of them at an end."""
    return places[np.linspace(0, len(places) - 1, count + 2)[1:-1].round().astype(int)] if count else places[:0]


def _measure(
    title: str,
    name: str,
    streams: Sequence[Stream],
    frames: Silhouettes,
    evaluated_from: int,
    on_progress: OnProgress,
    pool: Pool | None,
    coded: Stream | None = None,
) -> Table:
    """Streams, the real dance, and the last training frame held, with curves over time.

    With `coded`, the real frames that stand for a dance, also what a classifier tells those by when only the codec has
    changed them.
    """
    train, held_out = _split(frames, evaluated_from)
    total = len(frames) + sum(len(stream) for stream in [*streams, coded] if stream)
    meter = ProgressMeter(total, on_progress, pool)
    reference = Reference.fit(train, held_out, meter)
    report, real = report_dances(reference, streams, meter), report_real(reference)
    copied = report_copy(reference, report.frames // report.dances)
    rows = [
        Row(name, "model", _collect_figures(report)),
        Row(REAL, "real", _collect_figures(real) | _collect_floor(report, real)),
        Row(COPY, "copy", _collect_figures(copied)),
    ]
    verdicts = [describe_verdict(name, report.told, real.told)]
    if coded:
        told = reference.judge.judge(reference.measure([coded], meter))
        rows.append(Row(CEILING, "ceiling", _collect_told(told)))
        verdicts.append(describe_verdict(CEILING, told, real.told))
    count = "1 dance" if report.dances == 1 else f"{report.dances} dances"
    legend = "\n".join([f"{count}, {report.frames:,} frames in all, {report.fps:g} a second.", LEGEND, *verdicts])
    curves = {name: report.curves, REAL: real.curves}
    return Table(title, (*WHOLE, *TOLD, *SPANS, *SLOPES), rows, legend, upright=True, curves=curves)


def _split(frames: Silhouettes, evaluated_from: int) -> tuple[Silhouettes, Silhouettes]:
    """Training and held-out frames; with nothing held out all serve as both: there is no floor."""
    train = frames.between(0, evaluated_from or len(frames))
    return train, frames.between(evaluated_from, len(frames)) if evaluated_from else train


def _collect_figures(report: DanceReport) -> Figures:
    figures: Figures = {column.key: Estimate.of(report.figures[column.key]) for column in (*WHOLE, *SPANS)}
    figures |= _collect_told(report.told)
    return figures | {column.key: report.slopes[column.key.removeprefix("slope.")] for column in SLOPES}


def _collect_told(told: Told) -> Figures:
    return {"told": told.get(ALL), **{f"told.{kind}": told.get(kind) for kind in KINDS}}


def _collect_floor(report: DanceReport, real: DanceReport) -> Figures:
    """Of the real row: what depends on how many frames the dance has, and the longest freeze of all real frames."""
    freezes = (real.figures["freeze_seconds"], real.figures["real_freeze_seconds"])
    floor = {
        "density": report.figures["floor_density"],
        "coverage": report.figures["floor_coverage"],
        "freeze_seconds": max(freeze for freeze in freezes if freeze is not None),
    }
    return {key: Estimate.of(value) for key, value in floor.items()}
