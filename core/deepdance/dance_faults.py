"""What is wrong with the latents of a new dance, whatever model made them: told with its second.

Limits are far from what real frames do, so that a pause, a jump or a new pose is no fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

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


class FaultWatch:
    """Follows a new dance, however long it is, beside the latents `(m, d)` of `clips`; both have `fps` a second."""

    def __init__(self, learned: Float32, clips: Sequence[Clip], fps: float) -> None:
        self._fps = fps
        self._mean = learned.mean(axis=0)
        self._farthest = FARTHEST * float(max(_measure_norms(learned - self._mean).max(), np.finfo(np.float32).tiny))
        rests = [_measure_norms(np.diff(learned[clip.start : clip.stop], axis=0)) for clip in clips]
        self._least = STILL * float(np.median(np.concatenate(rests)))
        usual = max(find_longest_run(steps <= self._least) for steps in rests)
        self._longest = max(LONGEST_REST * fps, 2 * usual)
        self._done = self._rest = 0
        self._last = learned[:0]
        self._lost: int | None = None
        self._frozen: int | None = None

    def follow(self, chunks: Iterable[tuple[Float32, Bools]]) -> Iterator[tuple[Float32, Bools]]:
        """The same chunks `(n, d)`, each with what stands beside it."""
        for latents, cuts in chunks:
            self._look(latents)
            yield latents, cuts

    def list_faults(self) -> Iterator[str]:
        """What was wrong with what went by."""
        if self._lost is not None:
            yield f"the dance leaves what was learned from at {self._lost / self._fps:.1f} s"
        if self._frozen is not None:
            yield f"the dance stands still from {self._frozen / self._fps:.1f} s on"

    def _look(self, latents: Float32) -> None:
        lost = _measure_norms(latents - self._mean) > self._farthest
        if self._lost is None and lost.any():
            self._lost = self._done + int(lost.argmax())
        steps = np.diff(np.concatenate([self._last, latents]), axis=0)
        first = self._done - len(self._last)
        for number, still in enumerate(_measure_norms(steps) <= self._least, start=first):
            self._rest = self._rest + 1 if still else 0
            if self._frozen is None and self._least and self._rest > self._longest:
                self._frozen = number + 1 - self._rest
        self._last, self._done = latents[-1:].copy(), self._done + len(latents)


def _measure_norms(rows: Float32) -> Float64:
    """In float64, which holds the square of any float32, and without a copy of all rows."""
    norms: Float64 = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    return norms
