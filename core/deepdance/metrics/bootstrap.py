"""95 % intervals by a block bootstrap: frames next to one another are alike, so whole stretches are drawn, not frames.

Every figure here is a function of sums over frames (a mean, a ratio of sums, a skill), so a resample only adds up the
sums of the blocks it drew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float64


@dataclass(frozen=True)
class Figure:
    """An estimate with its 95 % interval; `None` where there were fewer than two blocks to draw from."""

    value: float
    low: float | None = None
    high: float | None = None


def ratio(sums: Float64) -> Float64:
    """Sums `(…, 2)` → the first divided by the second: a mean if the second counts, else a pooled figure."""
    quotient: Float64 = sums[..., 0] / sums[..., 1]
    return quotient


def bootstrap(
    terms: Sequence[npt.ArrayLike],
    blocks: npt.NDArray[np.int64],
    statistic: Callable[[Float64], Float64] = ratio,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Figure | None:
    """`statistic` of the sums of `terms`, with its percentile interval over resampled `blocks`.

    `terms` are k arrays `(n,)`, or numbers that hold for each frame; `statistic` takes sums `(…, k)` to `(…,)`.
    `None` if it has no finite value. Efron & Tibshirani, An Introduction to the Bootstrap (1993), ch. 13; blocks:
    Künsch, Annals of Statistics 17 (1989).
    """
    columns = np.stack([np.broadcast_to(np.asarray(term, np.float64), blocks.shape) for term in terms], axis=-1)
    drawn_from, block = np.unique(blocks, return_inverse=True)
    sums = np.zeros((len(drawn_from), len(terms)))
    np.add.at(sums, block, columns)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(sums.sum(axis=0)))
        if not np.isfinite(value):
            return None
        if len(sums) < 2:
            return Figure(value)
        draws = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), resamples)
        resampled = statistic(draws @ sums)
    low, high = np.quantile(resampled[np.isfinite(resampled)], (0.025, 0.975)).tolist()
    return Figure(value, low, high)


def mean(values: npt.NDArray[Any], blocks: npt.NDArray[np.int64]) -> Figure | None:
    """The mean of `(n,)` values with its interval."""
    return bootstrap([values, 1], blocks)
