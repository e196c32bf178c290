"""How much of what the dancer does a dance has shown, so that it comes by all of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from math import ceil

import numpy as np
from scipy.cluster.vq import kmeans2, vq

from deepdance.arrays import Int64
from deepdance.interfaces import Float32
from deepdance_plugins.sequences.motion_field.options import MotionFieldOptions

REGIONS, PACES = 100, 3
"""Poses are told apart in so many regions, and what follows them, in each, by so many paces from calm to lively."""
CLUSTERED = 10_000
"""Motion states, evenly spaced, that regions are found from."""
FAR = np.float32(1e6)
"""How much farther a movement seems that was shown a while ago, so that the dance does not go back to it at once."""
REST = 4
"""For so many movements, of the longest, what was followed is not taken up again, nor what lies around it."""
LEANING, LEANS = 0.3, (0.25, 4.0)
"""How strongly temperature leans to calm or lively movements, and between which temperatures."""


class Coverage:
    """What a dance has shown so far, so that it comes by every pose and pace about as often as the video does.

    Movements that were followed lately, or whose region and pace were shown too often, seem farther away.
    """

    def __init__(
        self,
        starts: Int64,
        regions: Int64,
        framings: Int64,
        liveliness: Float32,
        temperature: float,
        options: MotionFieldOptions,
    ) -> None:
        self._starts, self._regions, self._liveliness, self._options = starts, regions, liveliness, options
        self._material = np.bincount(framings)[framings]
        self._shown = np.zeros(REGIONS * PACES)
        self._rests_until = np.zeros(len(regions), np.int64)
        self._leans_by = np.nan
        self.lean(temperature)

    def lean(self, temperature: float) -> None:
        """Want calm movements more often, or lively ones."""
        if self._leans_by == temperature:
            return
        self._leans_by = temperature
        # How often each latent is wanted beside the video: all alike at temperature 1, where the exponent is 0.
        preference = self._liveliness ** np.float32(LEANING * np.log2(np.clip(temperature, *LEANS)))
        self._target = np.bincount(self._regions, preference, minlength=len(self._shown)) / preference.sum()
        self._factor = 1 / preference[self._starts] ** 2  # squared, as the distances are

    def stretch(self, distances: Float32, now: int) -> None:
        """Multiply squared distances `(m,)` from all starts by how little each movement is wanted at frame `now`."""
        # Shown beside what should have been by now; one more of each, or the first movements would decide alone.
        ratio = (self._shown + 1) / (self._shown.sum() * self._target + 1)
        overshown = ratio ** (2 * self._options.variety)
        distances *= overshown[self._regions[self._starts]].astype(np.float32) * self._factor
        # Far, but not excluded: in a short video everything may be resting. The very latent that a shot begins at has
        # no distance to enlarge.
        resting = self._rests_until[self._starts] > now
        distances[resting] = FAR * np.maximum(distances[resting], distances.mean() / 1000)

    def add(self, start: int, stop: int, now: int) -> None:
        """Note that the movement from `start` up to `stop` was followed, which took until frame `now`."""
        self._shown += np.bincount(self._regions[start + 1 : stop], minlength=len(self._shown))
        margin = min(2 * self._options.longest, int(self._material[start]) // 8)
        rest = min(REST * self._options.longest, int(self._material[start]) // 4)
        self._rests_until[max(0, start - margin) : stop - 1 + margin] = now + rest


def assign_regions(compute_states: Callable[[Int64], Float32], liveliness: Float32, seed: int) -> Int64:
    """Which region (k-means) and pace each latent's motion state is of, `(n,)`; a region has as many of every pace.

    The states are asked for a part at a time: all of a long video's are three times its latents.
    """
    numbers = np.arange(len(liveliness))
    some = compute_states(numbers[:: ceil(len(numbers) / CLUSTERED)])
    with warnings.catch_warnings(action="ignore"):  # an empty region harms nothing
        centres, _ = kmeans2(some, min(REGIONS, len(some)), iter=8, minit="points", rng=seed)
    parts = np.array_split(numbers, ceil(len(numbers) / CLUSTERED))
    regions = np.concatenate([vq(compute_states(part), centres)[0] for part in parts]).astype(np.int64)
    # Sorted by region and in it by liveliness, the rank of a state in its region tells its pace.
    calm_first = np.lexsort((liveliness, regions))
    sizes = np.bincount(regions)
    firsts = np.cumsum(sizes) - sizes
    ranks = np.empty_like(regions)
    ranks[calm_first] = np.arange(len(regions)) - firsts[regions[calm_first]]
    return regions * PACES + ranks * PACES // sizes[regions]
