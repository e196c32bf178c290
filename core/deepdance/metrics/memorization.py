"""Does a dance repeat what was learned? Distance to the nearest training frame, and the longest replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from deepdance.arrays import Float32, Float64, Int64
from deepdance.metrics.distributions import squared_distances

CHUNK = 256
"""Frames compared at once, so that memory holds a stripe of the distances and never all of them."""
STEPS = (0, 1, 2)
"""How many training frames a replay may advance from one frame to the next: up to twice the speed."""


@dataclass(frozen=True)
class TrainingIndex:
    """The training frames' features `(n, d)`, and how many frames each has before it in its clip `(n,)`."""

    features: Float32
    position: Int64

    @classmethod
    def build(cls, features: Float32, starts: Sequence[int]) -> Self:
        """`starts` holds the first frame of every clip."""
        frames = np.arange(len(features))
        return cls(features, frames - np.array(starts)[np.searchsorted(starts, frames, side="right") - 1])

    def find_copies(self, features: Float32, threshold: float) -> tuple[Float64, int]:
        """Distance of each of the consecutive frames `(m, d)` to its nearest training frame, and the longest replay.

        A replay is a path through frames that each lie within `threshold` of a training frame, which advances by 0 to
        2 frames within one training clip. Its length is the number of training frames it advances, so a frozen video
        replays nothing.

        Dynamic programming: `replay[j]` is the longest replay that ends with the frame before at training frame j, or
        -1 where that frame is not near j. Each frame overwrites only the entries near it and near its predecessor.
        """
        distances = np.empty(len(features))
        replay = np.full(len(self.features), -1)
        near_before = np.empty(0, np.intp)
        longest = 0
        for start in range(0, len(features), CHUNK):
            squares = squared_distances(features[start : start + CHUNK], self.features)
            distances[start : start + CHUNK] = np.sqrt(squares.min(axis=1))
            for is_near in squares <= threshold**2:
                near = np.flatnonzero(is_near)
                lengths = self._extend(replay, near)
                # The old entries go only now: `_extend` needed them, and a training frame may be near twice in a row.
                replay[near_before] = -1
                replay[near] = lengths
                near_before = near
                longest = max(longest, int(lengths.max(initial=0)))
        return distances, longest

    def _extend(self, replay: Int64, near: Int64) -> Int64:
        """The longest replay that ends at each training frame of `near`, given those of the frame before."""
        lengths = np.zeros(len(near), np.int64)
        for step in STEPS:
            # `near - step` may point into the clip before, or wrap round to the last one: `position` rules that out.
            earlier = replay[near - step]
            continues = (self.position[near] >= step) & (earlier >= 0)
            lengths = np.maximum(lengths, np.where(continues, earlier + step, 0))
        return lengths
