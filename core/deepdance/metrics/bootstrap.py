"""95 % intervals by a block bootstrap: frames next to one another are alike, so whole stretches are drawn, not frames.

Every figure here is a function of sums over frames (a mean, a ratio of sums, a skill), so a resample only adds up the
sums of the blocks it drew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float64, Int64
from deepdance.strict_json import Number


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; `None` where there was too little to tell the interval from."""

    value: Number
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, value: float | None) -> Self | None:
        """A value without an interval, if there is a value."""
        return None if value is None else cls(value)


def divide_sums(sums: Float64) -> Float64:
    """Sums `(…, 2)` → the first divided by the second: a mean if the second counts, else a pooled figure."""
    quotient: Float64 = sums[..., 0] / sums[..., 1]
    return quotient


def bootstrap(
    terms: Sequence[npt.ArrayLike],
    blocks: Int64,
    statistic: Callable[[Float64], Float64] = divide_sums,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate | None:
    """`statistic` of the sums of `terms`, with its percentile interval over resampled `blocks` `(n,)`.

    `terms` are k arrays `(n,)`, or numbers that hold for each frame; `statistic` takes sums `(…, k)` to `(…,)`.
    `None` if it has no finite value. Efron & Tibshirani, An Introduction to the Bootstrap (1993), ch. 13; blocks:
    Künsch, Annals of Statistics 17 (1989).
    """
    columns = np.stack([np.broadcast_to(np.asarray(term, np.float64), blocks.shape) for term in terms], axis=-1)
    distinct, block_of_frame = np.unique(blocks, return_inverse=True)
    count = len(distinct)
    sums = np.zeros((count, len(terms)))
    np.add.at(sums, block_of_frame, columns)
    # Too few blocks may draw a denominator of 0: such resamples have no value and are left out of the percentiles.
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(sums.sum(axis=0)))
        if not np.isfinite(value):
            return None
        if count < 2:
            return Estimate(value)
        # How often each block occurs among `count` blocks drawn with replacement is multinomial, so that a resample's
        # sums are one row of a product of matrices, and no frame is copied.
        occurrences = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
        resampled = statistic(occurrences @ sums)
    low, high = np.quantile(resampled[np.isfinite(resampled)], (0.025, 0.975)).tolist()
    return Estimate(value, low, high)


def bootstrap_mean(values: npt.NDArray[Any], blocks: Int64) -> Estimate | None:
    """The mean of `(n,)` values with its interval."""
    return bootstrap([values, 1], blocks)
