"""How a finished dance looks beside the video that was learned from: measured while it is written, and told in a line.

It is cheap, and no evaluation: the first minute alone, and no figure has an interval. `dd evaluate` measures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from deepdance.arrays import Float32, Float64, Int64, UInt8, sample_evenly
from deepdance.frames import Silhouettes, find_middle, fit_size, shrink
from deepdance.metrics.memorization import TrainingIndex
from deepdance.metrics.motion import find_longest_run, measure_motion
from deepdance.metrics.shapes import iou, measure_frames

SECONDS = 60
"""Of the dance that are looked at, from its beginning."""
REAL_FRAMES = 3000
"""Of the video that are looked at, the last ones."""
SHAPES = 150
"""Frames of either whose pieces are counted."""
HELD_OUT = 300
"""Frames that say how near a new one usually comes to an old one."""
USUAL, REST, NEAR, SMALL = 95, 1, 10, 1
"""Percentiles of the video's figures: as many pieces, as little movement, as near to an old frame, as small a figure is
still usual."""
LOST = 0.9
"""Share of the height or the area of the video's `SMALL` figures, below which something is missing.

A new pose may be a little smaller; one without legs is much so. Of real frames that were held out 1 % are below it.
"""
LEAST_WHOLE = 0.95
LIVELY = (0.75, 1.35)
FREEZE_SECONDS = 1.0
REPLAY_SECONDS = 4.0
"""Beyond these an artist would notice."""
LEAST_REPLAY = 0.5
"""Less is a pose that comes again, and no repetition."""


@dataclass(frozen=True)
class Impression:
    """How a dance looks; None is not known.

    `whole`: share of the frames with a body and no more loose parts than the video has. `complete`: share of them whose
    figures are not much lower or smaller than any of the video's. `motion`: how much it moves, of the video's motion.
    `freeze_seconds`: the longest rest; `rest_seconds`: the video's own. `replay_seconds`: the most of the video that
    comes again in one go.
    """

    whole: float
    complete: float
    motion: float | None
    freeze_seconds: float
    rest_seconds: float
    replay_seconds: float | None

    @property
    def sentence(self) -> str:
        """The dance in a sentence, with what to try where something is off."""
        *others, last = [*self._tell_bodies(), *self._tell_motion(), *self._tell_replay()]
        advice = self._advise()
        return f"It {', '.join(others)}, and {last}{f'; to change that, try {advice}' if advice else ''}."

    @property
    def is_whole(self) -> bool:
        """Whether hardly a frame has loose parts."""
        return self.whole >= LEAST_WHOLE

    @property
    def is_complete(self) -> bool:
        """Whether hardly a frame lacks limbs, or a dancer."""
        return self.complete >= LEAST_WHOLE

    @property
    def freezes(self) -> bool:
        """Whether it stands still for longer than the video does."""
        return self.freeze_seconds > max(FREEZE_SECONDS, self.rest_seconds)

    def _tell_bodies(self) -> Iterator[str]:
        if self.is_whole and self.is_complete:
            yield "shows whole bodies"
        if not self.is_whole:
            yield f"has loose or lost parts in {1 - self.whole:.0%} of the frames"
        if not self.is_complete:
            yield f"lacks limbs or a dancer in {1 - self.complete:.0%} of the frames"

    def _tell_motion(self) -> Iterator[str]:
        if self.motion is not None:
            calm, wild = LIVELY
            yield f"moves {'' if calm <= self.motion <= wild else f'{self.motion:.0%} '}as much as the video"
        yield f"stands still for {self.freeze_seconds:.1f} s" if self.freezes else "never freezes"

    def _tell_replay(self) -> Iterator[str]:
        if self.replay_seconds is not None:
            seconds = f"at most {self.replay_seconds:.1f} s" if self.replay_seconds >= LEAST_REPLAY else "nothing"
            yield f"repeats {seconds} of the video in one go"

    def _advise(self) -> str:
        calm, wild = LIVELY
        if not self.is_complete:
            return "--from random, another --seed, or a new run with --seq texture"
        if not self.is_whole or (self.motion or 0) > wild:
            return "--temperature 0.5 or another --seed"
        if self.freezes or (self.motion is not None and self.motion < calm):
            return "--temperature 1.5 or another --seed"
        if (self.replay_seconds or 0) > REPLAY_SECONDS:
            return "--temperature 1.5 or a longer video"
        return ""


class Watch:
    """Follows the frames of a dance while they are written, and keeps the keyframes of its beginning, small."""

    def __init__(self, fps: float, render_fps: float, size: tuple[int, int]) -> None:
        self._fps = fps
        self._stride = render_fps / fps
        self._size = size
        self._kept: list[UInt8] = []

    def follow(self, chunks: Iterable[UInt8]) -> Iterator[UInt8]:
        """The same chunks `(n, h, w)`, of any size."""
        done = 0
        for chunk in chunks:
            picks = self._pick(done, done + len(chunk)) - done
            if len(picks):
                self._kept.append(self._shrink(chunk[picks]))
            yield chunk
            done += len(chunk)

    def _shrink(self, frames: UInt8) -> UInt8:
        """At the video's size, without the margins of a wider or higher picture, which would make the dancer small."""
        _, height, width = frames.shape
        rows, columns = find_middle(fit_size(*self._size, (height, width)), (height, width))
        return shrink(frames[:, rows, columns], self._size)

    def _pick(self, start: int, stop: int) -> Int64:
        """The frames from `start` up to `stop` that are nearest to a keyframe, of the first minute."""
        count = min(np.ceil(stop / self._stride) + 1, SECONDS * self._fps)
        frames = np.unique(np.rint(np.arange(count) * self._stride).astype(np.int64))
        return frames[(frames >= start) & (frames < stop)]

    def compare(self, latents: Float32, real: Silhouettes, learned: Float32, evaluated_from: int) -> Impression:
        """The dance, whose latents are `(n, d)`, beside the silhouettes and latents `(m, d)` that were learned from.

        Those of the dance's first minute are enough. Those of the others from `evaluated_from` on were held out.
        """
        fps, dance = self._fps, np.concatenate(self._kept)
        moved, rested = measure_motion(dance), _measure_real_motion(real)
        still = float(np.percentile(rested, REST)) if len(rested) else 0.0
        usual = measure_frames(real[sample_evenly(len(real), SHAPES)])
        shown = measure_frames(dance[sample_evenly(len(dance), SHAPES)])
        bodies, most = shown["bodies"], max(np.percentile(usual["bodies"], USUAL), 1)
        return Impression(
            whole=float(np.mean((bodies > 0) & (bodies <= most))),
            complete=1 - max(0.0, _share_small(shown, usual) - _share_small(usual, usual)),
            motion=float(moved.mean() / rested.mean()) if len(moved) and len(rested) and rested.any() else None,
            freeze_seconds=find_longest_run(moved <= still) / fps,
            rest_seconds=find_longest_run(rested <= still) / fps,
            replay_seconds=self._find_replay(latents, real, learned, evaluated_from),
        )

    def _find_replay(self, latents: Float32, real: Silhouettes, learned: Float32, evaluated_from: int) -> float | None:
        """How much of the video comes again in one go; None where nothing says how near is a copy."""
        if not evaluated_from or evaluated_from >= len(learned):
            return None
        index = TrainingIndex.build(learned[:evaluated_from], [clip.start for clip in real.clips])
        held_out = learned[evaluated_from:]
        usual, _ = index.find_copies(held_out[sample_evenly(len(held_out), HELD_OUT)], 0.0)
        keys = latents[self._pick(0, len(latents))]
        return index.find_copies(keys, float(np.percentile(usual, NEAR)))[1] / self._fps


def _measure_real_motion(real: Silhouettes) -> Float64:
    pairs = real.between(max(0, len(real) - REAL_FRAMES), len(real)).neighbours()
    return np.concatenate([np.empty(0), *(1 - iou(before, after) for before, after in pairs)])


def _share_small(figures: Mapping[str, Float64], usual: Mapping[str, Float64]) -> float:
    """The share of frames whose figures are lower or smaller than what is usual."""
    small = [figures[name] < LOST * np.percentile(usual[name], SMALL) for name in ("height", "area")]
    return float(np.logical_or(*small).mean())
