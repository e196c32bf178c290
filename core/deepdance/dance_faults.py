"""What is wrong with the latents of a new dance, whatever model made them: told with its second.

Limits are far from what real frames do, so that a pause, a jump or a new pose is no fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from deepdance.arrays import Float32, Float64
from deepdance.frames import Clip
from deepdance.metrics.motion import find_longest_run

STILL = 0.01
"""Share of the video's median step, up to which a step is none."""
LONGEST_REST = 2.0
"""Seconds that a dance may stand still, or twice as long as the video does."""
FARTHEST = 4.0
"""Times as far from the mean latent as the video's farthest. Frames held out of short videos lie within 2.7."""


class FaultFinder:
    """Looks at a dance part by part, beside the latents `(m, d)` of `clips`; both have `fps` a second."""

    def __init__(self, learned: Float32, clips: Sequence[Clip], fps: float) -> None:
        self._fps = fps
        self._mean = learned.mean(axis=0)
        self._farthest = FARTHEST * float(max(_measure_norms(learned - self._mean).max(), np.finfo(np.float32).tiny))
        rests = [_measure_norms(np.diff(learned[clip.start : clip.stop], axis=0)) for clip in clips]
        self._least = STILL * float(np.median(np.concatenate(rests)))
        self._longest = max(LONGEST_REST * fps, 2 * max(find_longest_run(steps <= self._least) for steps in rests))
        self._last, self._done, self._resting = learned[:0], 0, 0
        self._told: set[str] = set()

    def look(self, latents: Float32) -> Iterator[str]:
        """What is wrong with a dance that comes to its next latents `(n, d)`, each fault once."""
        lost = _measure_norms(latents - self._mean) > self._farthest
        if lost.any():
            yield from self._tell("the dance leaves what was learned from at ", self._done + int(lost.argmax()), "")
        steps = np.diff(np.concatenate([self._last, latents]), axis=0)
        for number, rests in enumerate(_measure_norms(steps) <= self._least, self._done - len(self._last)):
            self._resting = self._resting + 1 if rests else 0
            if self._least and self._resting > self._longest:
                yield from self._tell("the dance stands still from ", number + 1 - self._resting, " on")
        self._last, self._done = latents[-1:].copy(), self._done + len(latents)

    def _tell(self, what: str, number: int, end: str) -> Iterator[str]:
        if what not in self._told:
            self._told.add(what)
            yield f"{what}{number / self._fps:.1f} s{end}"


def _measure_norms(rows: Float32) -> Float64:
    """In float64, which holds the square of any float32, and without a copy of all rows."""
    norms: Float64 = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    return norms
