"""Long dances beside real ones: of a sequence model from several starts, or of videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float32, UInt8
from deepdance.evaluation.dance import DanceReport, Moment, Reference
from deepdance.evaluation.streams import counted
from deepdance.evaluation.tables import COPY, REAL, Column, Measured, Table
from deepdance.frames import Clip, Silhouettes
from deepdance.interfaces import FrameCodec, SequenceModel
from deepdance.metrics.bootstrap import Figure
from deepdance.metrics.trends import Slope

CHUNK = 64
PLAIN = (
    Column("motion", "motion"),
    Column("motion_ratio", "motion ÷ real", 2),
    Column("motion_wasserstein", "motion, Wasserstein-1"),
    Column("motion_ks", "motion, Kolmogorov-Smirnov"),
    Column("freeze_seconds", "longest freeze, s", 1),
    Column("loop", "loop", 2),
    Column("several_bodies", "several bodies"),
    Column("area_outside", "unusual area"),
    Column("grey_ratio", "grey per outline ÷ real", 2),
    Column("frechet_frames", "Fréchet ÷ floor, frames", 2),
    Column("frechet_motion", "Fréchet ÷ floor, motion", 2),
    Column("density", "density", 2),
    Column("coverage", "coverage", 2),
    Column("nearest_ratio", "nearest training frame ÷ real", 2),
    Column("replay_seconds", "longest replay, s", 1),
)
MOMENTS = (
    Column("first.grey_ratio", "frames 0-9: grey ÷ real", 2),
    Column("hundredth.grey_ratio", "frames 100-109: grey ÷ real", 2),
    Column("first.several_bodies", "frames 0-9: several bodies"),
    Column("hundredth.several_bodies", "frames 100-109: several bodies"),
    Column("first.nearest_ratio", "frames 0-9: nearest ÷ real", 2),
    Column("hundredth.nearest_ratio", "frames 100-109: nearest ÷ real", 2),
)
SLOPES = tuple(Column(f"slope.{name}", f"slope of {name}", 4, True) for name in ("area", "motion", "bodies", "grey"))
LEGEND = """\
Real: held-out frames against training frames, the floor; its longest freeze
is that of all real frames. motion: 1 − IoU of neighbours. several bodies,
unusual area: shares of the frames; the area of 1 % of the real ones is
unusual. Fréchet, grey and nearest: 1 is as real. loop: 0 never comes back.
coverage: share of the training frames with a frame of the dance nearby.
slope: change per 1,000 frames, with half a 95 % interval; flat if it holds 0."""


def long_table(
    model: SequenceModel[Any],
    codec: FrameCodec[Any],
    name: str,
    frames: Silhouettes,
    latents: Float32,
    cut: int,
    fps: float,
    *,
    length: int,
    seeds: int,
    temperature: float,
    rng: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """`seeds` dances of `length` frames beside the real `frames` and `latents` `(n, d)`, held out from `cut`.

    Each starts from a real context, half of them held out.
    """
    meter = _Meter(len(frames) + seeds * length, on_progress)
    reference = reference_of(frames, cut, fps, meter)
    starts = starting_frames(frames.clips, cut, model.context, seeds)
    opening = latents[starts[:, None] + np.arange(model.context)]
    dances = model.generate(opening, length, temperature=temperature, rng=rng)
    report = reference.report([counted(_decoded(codec, dance), meter) for dance in dances])
    return dance_table("Long dances", name, report, reference)


def video_table(
    name: str,
    videos: Sequence[Silhouettes],
    frames: Silhouettes,
    cut: int,
    fps: float,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """Videos, each one dance at `fps`, beside the real `frames`, held out from `cut`."""
    meter = _Meter(len(frames) + sum(map(len, videos)), on_progress)
    reference = reference_of(frames, cut, fps, meter)
    report = reference.report([counted(video.chunks(), meter) for video in videos])
    return dance_table("Videos", name, report, reference)


def reference_of(frames: Silhouettes, cut: int, fps: float, tell: Callable[[int], None]) -> Reference:
    """What is real; with nothing held out (`cut` 0) all frames serve as both parts, and there is no floor."""
    return Reference.fit(frames.between(0, cut or len(frames)), frames.between(cut, len(frames)), fps, tell)


def starting_frames(clips: Sequence[Clip], cut: int, context: int, number: int) -> npt.NDArray[np.int64]:
    """First frames `(number,)` of contexts of one clip each, evenly chosen: half held out, half from before `cut`.

    Where one part has no clip that long all are from the other.
    """
    held_out = [np.arange(max(clip.start, cut), clip.stop - context + 1) for clip in clips]
    train = [np.arange(clip.start, min(clip.stop, cut) - context + 1) for clip in clips]
    here, before = (np.concatenate(places).astype(np.int64) for places in (held_out, train))
    from_before = 0 if not len(before) else number if not len(here) else number // 2
    return np.concatenate([_evenly(here, number - from_before), _evenly(before, from_before)])


def dance_table(title: str, name: str, report: DanceReport, reference: Reference) -> Table:
    """A dance, the real one, and the last training frame held, with their curves per 1,000 frames."""
    real, copied = reference.real(), reference.copy_last(report.frames // report.streams)
    floor = {
        "density": _figure(report.floor_density),
        "coverage": _figure(report.floor_coverage),
        "freeze_seconds": Figure(max(real.freeze_seconds, real.real_freeze_seconds)),
    }
    rows = [
        Measured(name, "model", _figures(report)),
        Measured(REAL, "real", _figures(real) | floor),
        Measured(COPY, "copy", _figures(copied)),
    ]
    curves = {name: report.curves, REAL: real.curves}
    dances = "1 dance" if report.streams == 1 else f"{report.streams} dances"
    legend = f"{dances}, {report.frames:,} frames in all, {report.fps:g} a second.\n{LEGEND}"
    return Table(title, (*PLAIN, *MOMENTS, *SLOPES), rows, legend, upright=True, curves=curves)


def _figures(report: DanceReport) -> dict[str, Figure | None]:
    plain = {column.key: _figure(getattr(report, column.key)) for column in PLAIN}
    moments = {column.key: _moment(report, *column.key.split(".")) for column in MOMENTS}
    slopes = {column.key: _slope(report.slopes[column.key.removeprefix("slope.")]) for column in SLOPES}
    return {**plain, **moments, **slopes}


def _slope(slope: Slope | None) -> Figure | None:
    return None if slope is None else Figure(slope.value, slope.low, slope.high)


def _moment(report: DanceReport, when: str, figure: str) -> Figure | None:
    moment: Moment | None = getattr(report, when)
    return None if moment is None else _figure(getattr(moment, figure))


def _figure(value: float | None) -> Figure | None:
    return None if value is None else Figure(value)


def _evenly(places: npt.NDArray[np.int64], number: int) -> npt.NDArray[np.int64]:
    return places[np.linspace(0, len(places) - 1, number + 2)[1:-1].round().astype(int)] if number else places[:0]


def _decoded(codec: FrameCodec[Any], latents: Float32) -> Iterator[UInt8]:
    return (codec.decode(latents[start : start + CHUNK]) for start in range(0, len(latents), CHUNK))


class _Meter:
    """Adds up the frames that it is told of."""

    def __init__(self, total: int, on_progress: Callable[[int, int], None]) -> None:
        self._done = 0
        self._total = total
        self._on_progress = on_progress

    def __call__(self, frames: int) -> None:
        self._done += frames
        self._on_progress(self._done, self._total)
