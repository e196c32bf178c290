"""A run's dance without an end, decoded a little ahead of the time it is shown at."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from typing import Self

import numpy as np

from deepdance.arrays import Bools, Float32, UInt8
from deepdance.frames import redraw
from deepdance.generation import interpolate, take_opening
from deepdance.opened_runs import OpenedRun
from deepdance.recipe import Opening

RATE = 15
"""Pictures of a second of dance that are decoded. Those between are mixed of two, as a slow shutter would.

Of `sdf-ae` that many cost about a twentieth of a core."""
SHARE = 0.5
"""Of the time, which decoding may take: a codec that would need more of it shows fewer pictures, and never stops."""
BLOCK = 30
"""Pictures that are decoded at once: one alone costs a Keras network two thirds of that."""
KEYS_AT_ONCE = 8


class LiveDance:
    """Pictures of an endless dance as its time goes on, from somewhere in the run's video.

    A block ahead is decoded in another thread. A new `stream.temperature` is seen in the block after that. Raises what
    the run's models raise.
    """

    def __init__(self, run: OpenedRun, size: tuple[int, int], seed: int) -> None:
        self._run, self._size = run, size
        opening = take_opening(Opening("random"), run.model.context, run.latents, run.frames.clips, seed)
        self.stream = run.model.stream(opening[None], temperature=run.recipe.temperature, rng=seed)
        recipe = run.recipe
        keys = self._generate_keys(opening)
        self._rate = self._choose_rate(opening)
        self._latents = interpolate(keys, recipe.fps, self._rate, sys.maxsize, curve=recipe.curve)
        self._ahead = np.empty((0, opening.shape[1] + 1), np.float32)
        self._pictures, self._shots = self._decode(size)
        self._position = 0.0
        self._pool = ThreadPoolExecutor(1)
        self._next = self._begin_block()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def resize(self, size: tuple[int, int]) -> None:
        """From now on pictures are of this size (height, width); those that are decoded already are redrawn."""
        if size != self._size:
            self._size = size
            self._pictures = redraw(self._pictures, size)

    def advance(self, seconds: float) -> UInt8:
        """The picture `(height, width)` so many seconds of dance later; it stands still where no more is decoded."""
        self._position += seconds * self._rate
        if self._position >= len(self._pictures) - 1 and self._next.done():
            self._take_block()
        self._position = min(self._position, len(self._pictures) - 1)
        return self._mix(int(self._position), self._position % 1)

    def _mix(self, index: int, share: float) -> UInt8:
        """The picture `share` of the way from one to the next; nothing is mixed across a cut."""
        following = min(index + 1, len(self._pictures) - 1)
        here, there = self._pictures[index], self._pictures[following]
        if self._shots[index] != self._shots[following]:
            share = round(share)
        weight = round(256 * share)
        mixed = (256 - weight) * here.astype(np.uint16) + weight * there.astype(np.uint16)
        return np.asarray(mixed >> 8, np.uint8)

    def _choose_rate(self, some: Float32) -> float:
        """Pictures a second that the codec keeps up with."""
        self._draw(some, self._size)  # the first call compiles, and is slower than any other
        start = monotonic()
        self._draw(some, self._size)
        return min(SHARE * len(some) / max(monotonic() - start, 1e-6), RATE)

    def _draw(self, latents: Float32, size: tuple[int, int]) -> UInt8:
        with self._run.translate_misfit():
            return self._run.codec.decode_at(latents, size)

    def _begin_block(self) -> Future[tuple[UInt8, Bools]]:
        return self._pool.submit(self._decode, self._size)

    def _take_block(self) -> None:
        """Go on with the next block, after the last picture of this one."""
        pictures, shots = self._next.result()
        self._next = self._begin_block()
        self._position -= len(self._pictures) - 1
        self._pictures = np.concatenate([self._pictures[-1:], redraw(pictures, self._size)])
        self._shots = np.concatenate([self._shots[-1:], shots])

    def _decode(self, size: tuple[int, int]) -> tuple[UInt8, Bools]:
        """The next pictures `(BLOCK, *size)`, and whether each is of an odd shot, `(BLOCK,)`."""
        while len(self._ahead) < BLOCK:
            self._ahead = np.concatenate([self._ahead, next(self._latents)])
        block, self._ahead = self._ahead[:BLOCK], self._ahead[BLOCK:]
        return self._draw(np.ascontiguousarray(block[:, 1:]), size), block[:, 0] > 0

    def _generate_keys(self, opening: Float32) -> Iterator[tuple[Float32, Bools]]:
        """Keyframes `(k, 1 + d)`: the first number tells odd shots from even ones.

        Curves do not cross a cut, so between keys too it is 0 or 1.
        """
        shot = 0
        yield np.insert(opening[-1:], 0, 0, axis=1), np.zeros(1, bool)
        while True:
            with self._run.translate_misfit():
                latents, cuts = (part[0] for part in self.stream.take(KEYS_AT_ONCE))
            shots = (shot + np.cumsum(cuts)) % 2
            shot = int(shots[-1])
            yield np.insert(latents, 0, shots, axis=1), cuts
