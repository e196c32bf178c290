"""Is a long generated dance like the real one? Everything is measured against the training frames; the held-out
frames are measured in the same way, as if they had been generated, and are the floor of every figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from deepdance.arrays import Float32, Float64, UInt8, sample_evenly
from deepdance.errors import InputError
from deepdance.evaluation.streams import Seen, compared, counted, watch
from deepdance.frames import Silhouettes
from deepdance.metrics.copying import Memory
from deepdance.metrics.distributions import NEIGHBOURS, density_coverage, frechet_distance
from deepdance.metrics.features import (
    COORDINATES,
    FEATURES,
    SAMPLE,
    SPAN,
    Components,
    motion_windows,
    signed_distance,
)
from deepdance.metrics.motion import longest_run, loop_strength
from deepdance.metrics.trends import Slope, blocks, slope

OPENING = slice(0, 10)
HUNDREDTH = slice(100, 110)
REPLAY_PERCENTILE = 10
"""Closer to a training frame than this percentile of the held-out frames is close enough to be a copy."""


@dataclass(frozen=True)
class Moment:
    """A short span of every stream: sharpness and distance as ratios to real, and the share with several bodies."""

    grey_ratio: float | None
    several_bodies: float
    nearest_ratio: float | None


@dataclass(frozen=True)
class DanceReport:
    """The figures of one or more streams (seeds) together. None: too short to measure.

    Ratios are to the training frames, unless a held-out floor is named; `real_…` is the same figure of those.
    """

    frames: int
    streams: int
    fps: float
    motion: float | None
    """Mean of `1 - IoU(t, t + 1)`."""
    motion_ratio: float | None
    motion_wasserstein: float | None
    """Wasserstein-1 distance of the distributions of motion, in units of motion."""
    motion_ks: float | None
    """Kolmogorov-Smirnov distance of the same."""
    freeze_seconds: float
    """The longest run of motion at or below the real 1st percentile."""
    real_freeze_seconds: float
    loop: float
    """`loop_strength` of blocks of 1,000 frames, mean."""
    real_loop: float
    several_bodies: float
    """Share of frames with more than one body."""
    area_outside: float
    """Share of frames whose area lies outside the real 0.5–99.5% (real: .01)."""
    grey_per_perimeter: float | None
    grey_ratio: float | None
    frechet_frames: float | None
    """Fréchet distance to training ÷ that of as many held-out rows; here of frames, next of motions of 16 frames."""
    frechet_motion: float | None
    density: float | None
    coverage: float | None
    """Against at most 5,000 training frames; `floor_…` is the same of as many held-out frames."""
    floor_density: float | None
    floor_coverage: float | None
    nearest_ratio: float | None
    """Median distance to the nearest training frame ÷ that of the held-out frames."""
    replay_seconds: float
    """The longest stretch of training that is replayed."""
    first: Moment | None
    """Frames 0–9, beside frames 100–109."""
    hundredth: Moment | None
    curves: dict[str, list[list[float | None]]]
    """Per figure and stream, one mean per 1,000 frames."""
    slopes: dict[str, Slope | None]


@dataclass(frozen=True)
class Reference:
    """What a real dance is like: `fit` it once, then `report` on as many generated ones as there are."""

    fps: float
    size: tuple[int, int]
    field: Components
    movement: Components | None
    training: Seen
    held_out: Seen
    memory: Memory
    threshold: float
    last: UInt8

    @classmethod
    def fit(
        cls,
        train: Silhouettes,
        held_out: Silhouettes,
        fps: float,
        tell: Callable[[int], None] = lambda frames: None,
    ) -> Reference:
        """Learn features from training frames and measure both parts. `fps`: the frames' rate, which streams share.

        `tell` is called with the frames of each chunk that has been watched, of both parts in all.
        Raises InputError where a part is empty.
        """
        if len(train) <= NEIGHBOURS or not len(held_out):
            raise InputError(
                f"expected training and held-out frames to compare with, got {len(train)} and {len(held_out)}; "
                "give a longer video"
            )
        field = fit_field(train)
        (measures, coordinates, starts), held = (
            watch(counted(part.chunks(), tell), field, [clip.start for clip in part.clips])
            for part in (train, held_out)
        )
        windows = motion_windows(coordinates, starts)
        movement = Components.fit(windows[sample_evenly(len(windows), SAMPLE)], FEATURES) if len(windows) else None
        memory = Memory.of(coordinates[:, :FEATURES], starts)
        motions = movement(windows) if movement else windows
        training = Seen(measures, memory.features, motions, starts, np.zeros(len(train)), 0)
        nearest, _ = memory.compare(held[1][:, :FEATURES], 0.0)
        threshold = float(np.percentile(nearest, REPLAY_PERCENTILE))
        seen = compared(held, movement, memory, threshold)
        return cls(fps, train.size, field, movement, training, seen, memory, threshold, train[len(train) - 1 :])

    def report(self, streams: Sequence[Iterable[UInt8]]) -> DanceReport:
        """Measure streams of chunks `(n, h, w)`, one continuous dance each, at the reference's rate and size.

        A stream is read once, chunk by chunk. Raises InputError for another size or an empty stream.
        """
        seen = [
            compared(watch(self._checked(stream), self.field, [0]), self.movement, self.memory, self.threshold)
            for stream in streams
        ]
        if not seen:
            raise InputError("expected a dance to measure, got none; give at least one stream")
        return _report(self, seen)

    def real(self) -> DanceReport:
        """The held-out frames, as if they had been generated: the floor."""
        return _report(self, [self.held_out])

    def copy_last(self, frames: int) -> DanceReport:
        """The last training frame, held for so many frames: the baseline."""
        return self.report([(self.last for _ in range(frames))])

    def _checked(self, stream: Iterable[UInt8]) -> Iterator[UInt8]:
        count = 0
        for chunk in stream:
            if chunk.dtype != np.uint8 or chunk.shape[1:] != self.size:
                raise InputError(
                    f"expected uint8 frames of {self.size} like the training frames, got {chunk.dtype} of "
                    f"{chunk.shape[1:]}; scale them first"
                )
            count += len(chunk)
            yield chunk
        if not count:
            raise InputError("expected frames to measure, got none; is the video empty?")


def fit_field(frames: Silhouettes) -> Components:
    """128 components of the distance field of at most 5,000 evenly chosen frames."""
    chosen = sample_evenly(len(frames), SAMPLE)
    chunks = np.array_split(chosen, range(256, len(chosen), 256))
    return Components.fit(np.concatenate([signed_distance(frames[chunk]) for chunk in chunks]), COORDINATES)


def _report(reference: Reference, seen: Sequence[Seen]) -> DanceReport:
    real, held_out, fps = reference.training, reference.held_out, reference.fps
    area, bodies = _pooled(seen, "area"), _pooled(seen, "bodies")
    low, high = np.percentile(real.measures["area"], [0.5, 99.5])
    still = float(np.percentile(real.motion, 1)) if len(real.motion) else 0.0
    features = np.concatenate([one.features for one in seen])
    grey = _grey_per_perimeter(seen)
    curves = {name: [_curve(one, name, fps) for one in seen] for name in ("area", "motion", "bodies", "grey", "loop")}
    count = min(len(features), len(held_out.features), SAMPLE)
    density, coverage = _density_coverage(real, features, count)
    floor_density, floor_coverage = _density_coverage(real, held_out.features, count)
    return DanceReport(
        frames=len(area),
        streams=len(seen),
        fps=fps,
        **_motion_figures(real.motion, np.concatenate([one.motion for one in seen])),
        freeze_seconds=_freeze(seen, still) / fps,
        real_freeze_seconds=_freeze([real], still) / fps,
        loop=float(np.mean(np.concatenate(curves["loop"]))),
        real_loop=float(np.mean(_curve(real, "loop", fps))),
        several_bodies=float(np.mean(bodies > 1)),
        area_outside=float(np.mean((area < low) | (area > high))),
        grey_per_perimeter=grey,
        grey_ratio=_ratio(grey, _grey_per_perimeter([real])),
        frechet_frames=_frechet_ratio(real.features, held_out.features, features),
        frechet_motion=_frechet_ratio(real.motions, held_out.motions, np.concatenate([one.motions for one in seen])),
        density=density,
        coverage=coverage,
        floor_density=floor_density,
        floor_coverage=floor_coverage,
        nearest_ratio=_nearest_ratio(seen, held_out),
        replay_seconds=max(one.replay for one in seen) / fps,
        first=_moment(seen, OPENING, reference),
        hundredth=_moment(seen, HUNDREDTH, reference),
        curves={name: [[_plain(x) for x in curve] for curve in figures] for name, figures in curves.items()},
        slopes={name: slope([curve[~np.isnan(curve)] for curve in figures]) for name, figures in curves.items()},
    )


def _pooled(seen: Sequence[Seen], name: str, span: slice = slice(None)) -> Float64:
    return np.concatenate([one.measures[name][span] for one in seen])


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _ratio(value: float | None, real: float | None) -> float | None:
    return None if value is None or not real else value / real


def _motion_figures(real: Float64, made: Float64) -> dict[str, float | None]:
    from scipy.stats import ks_2samp, wasserstein_distance

    names = "motion", "motion_ratio", "motion_wasserstein", "motion_ks"
    if not len(made) or not len(real):
        return dict.fromkeys(names)
    mean = float(made.mean())
    distances = float(wasserstein_distance(real, made)), float(ks_2samp(real, made).statistic)
    return dict(zip(names, (mean, _ratio(mean, float(real.mean())), *distances), strict=True))


def _freeze(seen: Sequence[Seen], still: float) -> int:
    return max(longest_run(one.measures["motion"] <= still) for one in seen)


def _grey_per_perimeter(seen: Sequence[Seen], span: slice = slice(None)) -> float | None:
    return _ratio(float(_pooled(seen, "grey", span).sum()), float(_pooled(seen, "perimeter", span).sum()))


def _nearest_ratio(seen: Sequence[Seen], held_out: Seen, span: slice = slice(None)) -> float | None:
    made = np.concatenate([one.nearest[span] for one in seen])
    return _ratio(float(np.median(made)), float(np.median(held_out.nearest)))


def _frechet_ratio(train: Float32, held_out: Float32, made: Float32) -> float | None:
    """Of equally many rows, for few rows bias the distance; no fewer than one motion's frames."""
    count = min(len(held_out), len(made), SAMPLE)
    if count < SPAN:
        return None
    floor, distance = (frechet_distance(train, rows[sample_evenly(len(rows), count)]) for rows in (held_out, made))
    return _ratio(distance, floor)


def _density_coverage(real: Seen, rows: Float32, count: int) -> tuple[float, float]:
    balls = real.features[sample_evenly(len(real.features), SAMPLE)]
    return density_coverage(balls, rows[sample_evenly(len(rows), count)])


def _moment(seen: Sequence[Seen], span: slice, reference: Reference) -> Moment | None:
    if any(len(one.features) < span.stop for one in seen):
        return None
    grey = _grey_per_perimeter(seen, span)
    return Moment(
        _ratio(grey, _grey_per_perimeter([reference.training])),
        float(np.mean(_pooled(seen, "bodies", span) > 1)),
        _nearest_ratio(seen, reference.held_out, span),
    )


def _curve(one: Seen, name: str, fps: float) -> Float64:
    """One value for every 1,000 frames; `grey` is per perimeter; NaN where there is nothing to measure."""
    spans = blocks(len(one.features))
    if name == "loop":
        return np.array([_block_loop(one, span, fps) for span in spans])
    if name == "grey":
        values = (_grey_per_perimeter([one], span) for span in spans)
        return np.array([np.nan if value is None else value for value in values])
    figures = (one.measures[name][span] for span in spans)
    return np.array([np.nan if np.isnan(x).all() else np.nanmean(x) for x in figures])


def _block_loop(one: Seen, span: slice, fps: float) -> float:
    starts = [0, *(start - span.start for start in one.starts if span.start < start < span.stop)]
    return loop_strength(one.features[span], starts, fps)
