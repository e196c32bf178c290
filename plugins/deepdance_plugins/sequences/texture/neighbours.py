"""Nearest neighbours among many rows, in memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deepdance.arrays import Bools, Int64
from deepdance.interfaces import Float32

BLOCK = 8
"""Of so many rows in a row only the most similar is kept: its neighbours would be the same jump again."""
COMPONENTS = 64
"""Principal components that similar rows are searched by; their distances are then exact."""
DISTANCES = 2**22
"""Distances that are in memory at once."""


class NearestNeighbours:
    """Rows `(n, f)`, successive ones next to one another, by their squared distance. Only those `allowed` are found."""

    def __init__(self, rows: Float32, allowed: Bools) -> None:
        self._rows = rows
        self._penalty = np.where(allowed, 0, np.inf).astype(np.float32)

    def find_nearest(self, queries: Float32) -> Int64:
        """The row nearest to each of `(b, f)`."""
        # |q - r|² = |q|² + |r|² - 2qr, and |q|² is the same for all rows: it does not change which is nearest.
        penalty = np.einsum("nf,nf->n", self._rows, self._rows) + self._penalty
        chunks = np.array_split(queries, max(1, len(queries) * len(self._rows) // DISTANCES))
        return np.concatenate([(penalty - 2 * chunk @ self._rows.T).argmin(axis=1) for chunk in chunks])

    def find_similar(self, count: int, apart: int, on_progress: Callable[[int, int], None]) -> tuple[Int64, Float32]:
        """For every row the `count` most similar, at least `apart` away, best first, and their squared distances.

        Both `(n, count)`; where there are fewer, the distance is infinite.
        """
        total = len(self._rows)
        queries, candidates = self._factor_distances()
        similar, squares = np.zeros((total, count), np.int64), np.full((total, count), np.inf, np.float32)
        kept = min(count, len(candidates) // BLOCK)
        size = max(1, DISTANCES // total)
        for start in range(0, total, size):
            here = np.arange(start, min(start + size, total))
            distances = (queries[here] @ candidates.T).reshape(len(here), BLOCK, -1)
            # A latent's own neighbours in time would be its most similar; row n lies at [n % BLOCK, n // BLOCK].
            for offset in range(1 - apart, apart):
                near = np.clip(here + offset, 0, total - 1)
                distances[here - start, near % BLOCK, near // BLOCK] = np.inf
            similar[here, :kept], squares[here, :kept] = self._choose_best(here, distances, kept)
            on_progress(int(here[-1]) + 1, total)
        return similar, squares

    def _factor_distances(self) -> tuple[Float32, Float32]:
        """Two arrays whose product is the squared distance of principal components, but for a constant a row.

        The second has its rows in the order `(BLOCK, blocks)`, with what is not allowed at infinity: the minimum over
        a block is then one over an axis that is not the last, which NumPy takes fastest.
        """
        points = _project(self._rows)
        far = np.einsum("nf,nf->n", points, points) + self._penalty
        # (p, 1) · (-2q, |q|² + penalty) = |p - q|² - |p|² + penalty: one matrix product gives all.
        queries = np.column_stack([points, np.ones(len(points), np.float32)])
        padding = -len(points) % BLOCK
        candidates = np.pad(np.column_stack([-2 * points, far]), ((0, padding), (0, 0)))
        candidates[len(points) :, -1] = np.inf
        order = np.arange(len(candidates)).reshape(-1, BLOCK).T.ravel()
        return queries, candidates[order]

    def _choose_best(self, here: Int64, distances: Float32, count: int) -> tuple[Int64, Float32]:
        """The nearest row of each of the `count` nearest blocks, with its true distance, best first."""
        nearest = distances.min(axis=1)
        blocks = nearest.argpartition(count - 1, axis=1)[:, :count]
        within = np.take_along_axis(distances, blocks[:, None], axis=2).argmin(axis=1)
        possible = np.isfinite(np.take_along_axis(nearest, blocks, axis=1))
        best = np.where(possible, blocks * BLOCK + within, 0)
        # The components have found them; what is left of the distance is not small beside that of near rows.
        differences = self._rows[here][:, None] - self._rows[best]
        squares = np.where(possible, np.einsum("mcf,mcf->mc", differences, differences), np.float32(np.inf))
        ranks = squares.argsort(axis=1, kind="stable")
        return np.take_along_axis(best, ranks, axis=1), np.take_along_axis(squares, ranks, axis=1)


def _project(rows: Float32) -> Float32:
    """The rows' first `COMPONENTS` principal components; `eigh` gives the largest last."""
    centred = rows - rows.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    projected: Float32 = centred @ axes[:, -COMPONENTS:]
    return projected
