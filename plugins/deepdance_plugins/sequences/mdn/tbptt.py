"""Clips of latents laid out side by side, so that a network's state can run through a clip from batch to batch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import numpy as np
import numpy.typing as npt

from deepdance.interfaces import Float32

Indices = npt.NDArray[np.int64]
SPANS = 4
"""A clip is at most so many spans long before its state begins anew, so that one long clip too fills several lanes."""
NOTHING = -1
"""The number of no span, where a lane has run out of clips."""


class Lanes:
    """Spans of `span` steps from one latent to the next; training spans are numbered first, then the held-out ones."""

    def __init__(self, train: Sequence[Float32], validation: Sequence[Float32], span: int, lanes: int) -> None:
        self._latents = np.concatenate([*train, *validation])
        self._span = span
        numbers, starts, lengths, begins = count(), [], [], []
        self._pieces: tuple[list[list[int]], list[list[int]]] = ([], [])
        position = 0
        for clip, held_out in [*((c, 0) for c in train), *((c, 1) for c in validation)]:
            for piece in range(0, len(clip) - 1, SPANS * span):
                offsets = range(piece, min(piece + SPANS * span, len(clip) - 1), span)
                self._pieces[held_out].append([next(numbers) for _ in offsets])
                starts += [position + offset for offset in offsets]
                lengths += [min(span, len(clip) - 1 - offset) for offset in offsets]
                begins += [offset == piece for offset in offsets]
            position += len(clip)
        self._starts, self._lengths, self._begins = np.array(starts), np.array(lengths), np.array(begins)
        self.lanes = min(lanes, len(self._pieces[0]))

    def order(self, rng: np.random.Generator | None = None) -> Indices:
        """The numbers of the spans, `lanes` at a time: the training's, shuffled by `rng`, or the held-out ones."""
        pieces = self._pieces[rng is None]
        lanes: list[list[int]] = [[] for _ in range(self.lanes)]
        for piece in np.arange(len(pieces)) if rng is None else rng.permutation(len(pieces)):
            min(lanes, key=len).extend(pieces[piece])
        longest = max(map(len, lanes))
        return np.array([lane + [NOTHING] * (longest - len(lane)) for lane in lanes], np.int64).T.ravel()

    def begins(self, spans: Indices) -> npt.NDArray[np.bool_]:
        """Whether the state is to be cleared before each of the spans."""
        begins: npt.NDArray[np.bool_] = self._begins[spans] | (spans == NOTHING)
        return begins

    def is_training(self, spans: Indices) -> bool:
        """Whether the spans are of the training clips."""
        return bool(spans.max() < sum(map(len, self._pieces[0])))

    def steps(self, spans: Indices) -> tuple[Float32, Float32, Float32]:
        """The spans' latents and those after them, `(b, span, d)`, and a weight `(b, span)`: 0 past a clip's end."""
        weights = np.arange(self._span) < np.where(spans == NOTHING, 0, self._lengths[spans])[:, None]
        places = self._starts[spans][:, None] + np.arange(self._span) * weights
        return self._latents[places], self._latents[places + 1], weights.astype(np.float32)
