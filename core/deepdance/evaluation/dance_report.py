"""Is a long generated dance like the real one? The figures of dances that were compared with a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepdance.arrays import Float32, Float64, sample_evenly
from deepdance.errors import InputError
from deepdance.evaluation.judge import Told
from deepdance.evaluation.reference import Comparison, Reference
from deepdance.evaluation.streams import ProgressMeter, Stream, StreamMeasures
from deepdance.metrics.bootstrap import Estimate
from deepdance.metrics.distributions import density_coverage, frechet_distance
from deepdance.metrics.features import SAMPLE, WINDOW
from deepdance.metrics.motion import find_longest_run, measure_loop_strength
from deepdance.metrics.trends import cut_blocks, fit_slope

Values = dict[str, float | None]
"""Figures by name; `None` where there was too little to measure."""
SPANS = {"first": slice(0, 10), "hundredth": slice(100, 110)}
"""Short spans of every dance: is the opening as good as the rest?"""
ALL = slice(None)
STILL_PERCENTILE = 1
"""Motion at or below this percentile of the real motion stands still."""
USUAL_AREA = (0.5, 99.5)
"""Percentiles of the real area; outside lies 1 % of the real frames."""
CURVES = ("area", "motion", "bodies", "grey", "loop")


@dataclass(frozen=True)
class DanceReport:
    """The figures of one or more dances together, named as in the table of long dances.

    Ratios are to the training frames, unless a held-out floor is named; `real_…` and `floor_…` are the same figure of
    those. `curves` has per figure and dance one mean per 1,000 frames, `slopes` their change.
    """

    frames: int
    dances: int
    fps: float
    figures: Values
    curves: dict[str, list[list[float | None]]]
    slopes: dict[str, Estimate | None]
    told: Told
    """How often a classifier tells these dances from real frames."""


def report_dances(reference: Reference, streams: Sequence[Stream], meter: ProgressMeter | None = None) -> DanceReport:
    """Measure streams, one dance each, at the reference's rate and size.

    As in the real frames, a cut is no motion. Raises InputError for another size or an empty stream.
    """
    if not streams:
        raise InputError("expected a dance to measure, got none; give at least one stream")
    return _report(reference, reference.compare(streams, meter))


def report_real(reference: Reference) -> DanceReport:
    """The held-out frames, as if they had been generated: the floor."""
    return replace(_report(reference, [reference.held_out], judged=False), told=reference.judge.floor)


def report_copy(reference: Reference, frames: int) -> DanceReport:
    """The last training frame, held for so many frames: the baseline."""
    (once,) = reference.measure([Stream(reference.last_frame)])
    return _report(reference, [reference.place(once.hold(frames))])


def _report(reference: Reference, dances: Sequence[Comparison], *, judged: bool = True) -> DanceReport:
    fps, streams = reference.fps, [dance.stream for dance in dances]
    curves = {name: [_compute_curve(stream, name, fps) for stream in streams] for name in CURVES}
    figures = {
        **_measure_motion(reference.training, streams, fps),
        "loop": float(np.mean(np.concatenate(curves["loop"]))),
        "real_loop": float(np.mean(_compute_curve(reference.training, "loop", fps))),
        **_measure_shapes(reference.training, streams),
        **_measure_distributions(reference, dances),
        "nearest_ratio": _compare_distances(reference, dances),
        "replay_seconds": max(dance.replay for dance in dances) / fps,
    }
    for name, span in SPANS.items():
        figures |= {f"{name}.{key}": value for key, value in _measure_span(reference, dances, span).items()}
    return DanceReport(
        sum(map(len, streams)),
        len(dances),
        fps,
        figures,
        {name: [[None if np.isnan(x) else float(x) for x in curve] for curve in curves[name]] for name in CURVES},
        {name: fit_slope([curve[~np.isnan(curve)] for curve in curves[name]]) for name in CURVES},
        reference.judge.judge(streams) if judged else {},
    )


def _measure_motion(real: StreamMeasures, streams: Sequence[StreamMeasures], fps: float) -> Values:
    """Mean motion, the distances of its distribution from the real one, and the longest freeze."""
    from scipy.stats import ks_2samp, wasserstein_distance

    still = float(np.percentile(real.motion, STILL_PERCENTILE)) if len(real.motion) else 0.0
    motion = np.concatenate([stream.motion for stream in streams])
    figures: Values = dict.fromkeys(("motion", "motion_ratio", "motion_wasserstein", "motion_ks"))
    if len(motion) and len(real.motion):
        figures = {
            "motion": float(motion.mean()),
            "motion_ratio": _divide(float(motion.mean()), float(real.motion.mean())),
            "motion_wasserstein": float(wasserstein_distance(real.motion, motion)),
            "motion_ks": float(ks_2samp(real.motion, motion).statistic),
        }
    return figures | {
        "freeze_seconds": _find_freeze(streams, still) / fps,
        "real_freeze_seconds": _find_freeze([real], still) / fps,
    }


def _find_freeze(streams: Sequence[StreamMeasures], still: float) -> int:
    # Where a clip begins motion is NaN, which is not at or below anything: a freeze never crosses a cut.
    return max(find_longest_run(stream.frames["motion"] <= still) for stream in streams)


def _measure_shapes(real: StreamMeasures, streams: Sequence[StreamMeasures]) -> Values:
    """Shares of frames with several bodies or an unusual area, and how grey the outlines are."""
    area = _pool(streams, "area")
    low, high = np.percentile(real.frames["area"], USUAL_AREA)
    grey = _measure_grey(streams)
    return {
        "several_bodies": float(np.mean(_pool(streams, "bodies") > 1)),
        "area_outside": float(np.mean((area < low) | (area > high))),
        "grey_per_perimeter": grey,
        "grey_ratio": _divide(grey, _measure_grey([real])),
    }


def _measure_distributions(reference: Reference, dances: Sequence[Comparison]) -> Values:
    """Fréchet distances to training as multiples of the held-out frames' own; density and coverage."""
    training, held_out = reference.training.features, reference.held_out
    features = np.concatenate([dance.stream.features for dance in dances])
    motions = np.concatenate([dance.motions for dance in dances])
    count = min(len(features), len(held_out.stream), SAMPLE)
    real = training[sample_evenly(len(training), SAMPLE)]
    density, coverage = density_coverage(real, _sample_rows(features, count))
    # Coverage grows with the number of rows, so that the floor is of as many as the dance has.
    floor_density, floor_coverage = density_coverage(real, _sample_rows(held_out.stream.features, count))
    return {
        "frechet_frames": _compare_frechet(training, held_out.stream.features, features),
        "frechet_motion": _compare_frechet(reference.training_motions, held_out.motions, motions),
        "density": density,
        "coverage": coverage,
        "floor_density": floor_density,
        "floor_coverage": floor_coverage,
    }


def _compare_frechet(training: Float32, held_out: Float32, generated: Float32) -> float | None:
    """Fréchet distance to training ÷ that of as many held-out rows; `None` with fewer than one motion has frames."""
    # Few rows bias the distance upwards, by an amount that falls with their number: of equally many it cancels.
    count = min(len(held_out), len(generated), SAMPLE)
    if count < WINDOW:
        return None
    floor, distance = (frechet_distance(training, _sample_rows(rows, count)) for rows in (held_out, generated))
    return _divide(distance, floor)


def _sample_rows(rows: Float32, count: int) -> Float32:
    return rows[sample_evenly(len(rows), count)]


def _compare_distances(reference: Reference, dances: Sequence[Comparison], span: slice = ALL) -> float | None:
    """Median distance to the nearest training frame ÷ that of the held-out frames."""
    distances = np.concatenate([dance.distances[span] for dance in dances])
    return _divide(float(np.median(distances)), float(np.median(reference.held_out.distances)))


def _measure_span(reference: Reference, dances: Sequence[Comparison], span: slice) -> Values:
    """Sharpness, bodies and distance in a short span of every dance, `None` if one is too short for it."""
    streams = [dance.stream for dance in dances]
    if any(len(stream) < span.stop for stream in streams):
        return dict.fromkeys(("grey_ratio", "several_bodies", "nearest_ratio"))
    return {
        "grey_ratio": _divide(_measure_grey(streams, span), _measure_grey([reference.training])),
        "several_bodies": float(np.mean(_pool(streams, "bodies", span) > 1)),
        "nearest_ratio": _compare_distances(reference, dances, span),
    }


def _measure_grey(streams: Sequence[StreamMeasures], span: slice = ALL) -> float | None:
    """Grey pixels for each pixel of outline, pooled: more than the real ones' is blur."""
    return _divide(float(_pool(streams, "grey", span).sum()), float(_pool(streams, "perimeter", span).sum()))


def _pool(streams: Sequence[StreamMeasures], name: str, span: slice = ALL) -> Float64:
    return np.concatenate([stream.frames[name][span] for stream in streams])


def _divide(value: float | None, real: float | None) -> float | None:
    return None if value is None or not real else value / real


def _compute_curve(stream: StreamMeasures, name: str, fps: float) -> Float64:
    """One value for every 1,000 frames; `grey` is per perimeter; NaN where there is nothing to measure."""
    blocks = cut_blocks(len(stream))
    if name == "loop":
        return np.array([_measure_loop(stream, block, fps) for block in blocks])
    if name == "grey":
        return np.array([_measure_grey([stream], block) for block in blocks], np.float64)  # None becomes NaN
    values = (stream.frames[name][block] for block in blocks)
    return np.array([np.nan if np.isnan(x).all() else np.nanmean(x) for x in values])


def _measure_loop(stream: StreamMeasures, block: slice, fps: float) -> float:
    starts = [0, *(start - block.start for start in stream.starts if block.start < start < block.stop)]
    return measure_loop_strength(stream.features[block], starts, fps)
