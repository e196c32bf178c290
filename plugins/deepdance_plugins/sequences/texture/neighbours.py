"""Moments of a dance that look alike: nearest neighbours among many rows, in memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from deepdance.interfaces import Float32

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
STRETCH = 8
"""Of so many latents in a row only the most similar is kept: its neighbours would be the same jump again."""
COMPONENTS = 64
"""Principal components that similar moments are searched by; what they cost is exact."""
DISTANCES = 2**22
"""Distances that are in memory at once."""


class Moments:
    """Windows of latents as rows `(n, f)`, found again by their squared distance. Only those `allowed` are found."""

    def __init__(self, rows: Float32, allowed: Bools) -> None:
        self._rows = rows
        self._penalty = np.where(allowed, 0, np.inf).astype(np.float32)

    def nearest(self, asked: Float32) -> Ints:
        """The row nearest to each of `(b, f)`."""
        penalty = np.einsum("nf,nf->n", self._rows, self._rows) + self._penalty
        chunks = np.array_split(asked, max(1, len(asked) * len(self._rows) // DISTANCES))
        return np.concatenate([(penalty - 2 * chunk @ self._rows.T).argmin(axis=1) for chunk in chunks])

    def most_similar(self, count: int, apart: int, progress: Callable[[int, int], None]) -> tuple[Ints, Float32]:
        """For every row the `count` most similar, at least `apart` away, best first, and their squared distances.

        Both `(n, count)`; where there are fewer, the distance is infinite.
        """
        total = len(self._rows)
        asked, offered = self._for_search()
        similar, cost = np.zeros((total, count), np.int64), np.full((total, count), np.inf, np.float32)
        kept = min(count, len(offered) // STRETCH)
        size = max(1, DISTANCES // total)
        for start in range(0, total, size):
            here = np.arange(start, min(start + size, total))
            distances = (asked[here] @ offered.T).reshape(len(here), STRETCH, -1)
            for offset in range(1 - apart, apart):
                near = np.clip(here + offset, 0, total - 1)
                distances[here - start, near % STRETCH, near // STRETCH] = np.inf
            similar[here, :kept], cost[here, :kept] = self._best(here, distances, kept)
            progress(int(here[-1]) + 1, total)
        return similar, cost

    def _for_search(self) -> tuple[Float32, Float32]:
        """Two arrays whose product is the squared distance of principal components, but for a constant a row.

        The second has its rows in the order `(STRETCH, stretches)`, with what is not allowed at infinity.
        """
        points = _principal(self._rows)
        far = np.einsum("nf,nf->n", points, points) + self._penalty
        asked = np.column_stack([points, np.ones(len(points), np.float32)])
        padding = -len(points) % STRETCH
        offered = np.pad(np.column_stack([-2 * points, far]), ((0, padding), (0, 0)))
        offered[len(points) :, -1] = np.inf
        order = np.arange(len(offered)).reshape(-1, STRETCH).T.ravel()
        return asked, offered[order]

    def _best(self, here: Ints, distances: Float32, count: int) -> tuple[Ints, Float32]:
        """The nearest row of each of the `count` nearest stretches, with its true distance, best first."""
        nearest = distances.min(axis=1)
        chosen = nearest.argpartition(count - 1, axis=1)[:, :count]
        within = np.take_along_axis(distances, chosen[:, None], axis=2).argmin(axis=1)
        possible = np.isfinite(np.take_along_axis(nearest, chosen, axis=1))
        best = np.where(possible, chosen * STRETCH + within, 0)
        differences = self._rows[here][:, None] - self._rows[best]
        true = np.where(possible, np.einsum("mcf,mcf->mc", differences, differences), np.float32(np.inf))
        ranks = true.argsort(axis=1, kind="stable")
        return np.take_along_axis(best, ranks, axis=1), np.take_along_axis(true, ranks, axis=1)


def _principal(rows: Float32) -> Float32:
    centred = rows - rows.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    projected: Float32 = centred @ axes[:, -COMPONENTS:]
    return projected
