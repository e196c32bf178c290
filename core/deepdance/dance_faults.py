"""What is wrong with the latents of a new dance, whatever model made them: told with its second.

Limits are far from what real frames do, so that a pause, a jump or a new pose is no fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from deepdance.arrays import Bools, Float32, Float64
from deepdance.frames import Clip
from deepdance.metrics.motion import find_longest_run

STILL = 0.01
"""Share of the video's median step, up to which a step is none."""
LONGEST_REST = 2.0
"""Seconds that a dance may stand still, or twice as long as the video does."""
FARTHEST = 4.0
"""Times as far from the mean latent as the video's farthest. Frames held out of short videos lie within 2.7."""
AT_ONCE = 4096
"""Latents whose steps are measured at once: a dance may be hours long."""


class FaultFinder:
    """Looks at a dance part by part, beside the latents `(m, d)` of `clips`; both have `fps` a second."""

    def __init__(self, learned: Float32, clips: Sequence[Clip], fps: float) -> None:
        self._fps = fps
        self._mean = learned.mean(axis=0)
        self._farthest = FARTHEST * max(_measure_lengths(learned, self._mean).max(), np.finfo(np.float32).tiny)
        rests = [_measure_steps(learned[clip.start : clip.stop]) for clip in clips]
        self._least = STILL * float(np.median(np.concatenate(rests)))
        self._longest = max(LONGEST_REST * fps, 2 * max(find_longest_run(steps <= self._least) for steps in rests))
        self._last, self._resting = learned[:0], np.empty(0, bool)
        self._done = 0
        self._told: set[str] = set()

    def look(self, latents: Float32) -> Iterator[str]:
        """What is wrong with a dance that comes to its next latents `(n, d)`, each fault once."""
        lost = _measure_lengths(latents, self._mean) > self._farthest
        if lost.any():
            yield from self._tell("leaves what was learned from at", self._done + int(lost.argmax()), "")
        joined = np.concatenate([self._last, latents])
        resting = np.concatenate([self._resting, _measure_steps(joined) <= self._least])
        frozen = _find_run(resting, self._longest)
        first = self._done - len(self._last) - len(self._resting)
        if self._least and frozen is not None:
            yield from self._tell("stands still from", first + frozen, " on")
        # A rest may go on; of a longer one than this all was told.
        self._resting = _take_last_run(resting)[-int(self._longest) - 1 :]
        self._last, self._done = joined[-1:], self._done + len(latents)

    def _tell(self, what: str, number: int, end: str) -> Iterator[str]:
        if what not in self._told:
            self._told.add(what)
            yield f"the dance {what} {number / self._fps:.1f} s{end}"


def _take_last_run(flags: Bools) -> Bools:
    """The true values that the flags end with."""
    false = np.flatnonzero(~flags)
    return flags[false[-1] + 1 :] if len(false) else flags


def _measure_lengths(latents: Float32, mean: Float32) -> Float64:
    starts = range(0, len(latents), AT_ONCE)
    return np.concatenate([_measure_norms(latents[start : start + AT_ONCE] - mean) for start in starts])


def _measure_steps(latents: Float32) -> Float64:
    starts = range(0, max(len(latents) - 1, 1), AT_ONCE)
    return np.concatenate([_measure_norms(np.diff(latents[start : start + AT_ONCE + 1], axis=0)) for start in starts])


def _measure_norms(rows: Float32) -> Float64:
    """In float64, which holds the square of any float32."""
    norms: Float64 = np.linalg.norm(rows.astype(np.float64), axis=1)
    return norms


def _find_run(flags: Bools, longer: float) -> int | None:
    """Where the first run of more than `longer` true values begins."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    found = starts[stops - starts > longer]
    return int(found[0]) if len(found) else None
