"""Does a dance repeat what was seen? Distance to the nearest training frame, and the longest replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float32, Float64
from deepdance.metrics.distributions import squared_distances

CHUNK = 256
STEPS = (0, 1, 2)
"""How many training frames a replay may advance from one frame to the next."""


@dataclass(frozen=True)
class Memory:
    """The training frames' features `(n, d)`, and how many frames each has before it in its clip."""

    features: Float32
    position: npt.NDArray[np.intp]

    @classmethod
    def of(cls, features: Float32, starts: Sequence[int]) -> Memory:
        """`starts` holds the first frame of every clip."""
        frames = np.arange(len(features))
        return cls(features, frames - np.array(starts)[np.searchsorted(starts, frames, side="right") - 1])

    def compare(self, features: Float32, threshold: float) -> tuple[Float64, int]:
        """Distance of each of the consecutive frames `(m, d)` to its nearest training frame, and the longest replay.

        A replay is a path through frames that each lie within `threshold` of a training frame, which advances by 0 to
        2 frames within one training clip. Its length is the number of training frames it advances, so a frozen video
        replays nothing.
        """
        nearest = np.empty(len(features))
        path = np.full(len(self.features), -1)
        before = np.empty(0, np.intp)
        longest = 0
        for start in range(0, len(features), CHUNK):
            squares = squared_distances(features[start : start + CHUNK], self.features)
            nearest[start : start + CHUNK] = np.sqrt(squares.min(axis=1))
            for close in squares <= threshold**2:
                here = np.flatnonzero(close)
                lengths = self._extended(path, here)
                path[before] = -1
                path[here] = lengths
                before = here
                longest = max(longest, int(lengths.max(initial=0)))
        return nearest, longest

    def _extended(self, path: npt.NDArray[np.intp], here: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """The longest replay that ends at each training frame of `here`, given those of the frame before."""
        lengths = np.zeros(len(here), np.intp)
        for step in STEPS:
            earlier = path[here - step]
            goes_on = (self.position[here] >= step) & (earlier >= 0)
            lengths = np.maximum(lengths, np.where(goes_on, earlier + step, 0))
        return lengths
