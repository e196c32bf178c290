"""How a figure develops over a long dance: means per 1,000 frames, and their slope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepdance.arrays import Float64

BLOCK = 1000


@dataclass(frozen=True)
class Slope:
    """Change per 1,000 frames with its 95% interval; `flat` if that holds 0: not distinguishable from no change."""

    value: float
    low: float
    high: float
    flat: bool


def blocks(count: int) -> list[slice]:
    """Blocks of 1,000 frames; what is left over counts if it is half a block, or all there is."""
    starts = [start for start in range(0, count, BLOCK) if start == 0 or count - start >= BLOCK / 2]
    return [slice(start, min(start + BLOCK, count)) for start in starts]


def slope(curves: Sequence[Float64]) -> Slope | None:
    """The slope that all curves (one a seed, one value a block) share, each with its own level.

    Least squares; the 95% t-interval takes the blocks' deviations as independent. None with fewer than three blocks
    or no degree of freedom left.
    """
    from scipy.stats import t

    curves = [curve for curve in curves if len(curve) > 1]
    free = sum(map(len, curves)) - len(curves) - 1
    if free < 1:
        return None
    x = np.concatenate([np.arange(len(curve)) - (len(curve) - 1) / 2 for curve in curves])
    y = np.concatenate([curve - curve.mean() for curve in curves])
    value = float(x @ y / (x @ x))
    error = float(np.sqrt(np.sum((y - value * x) ** 2) / free / (x @ x)))
    reach = float(t.ppf(0.975, free)) * error
    return Slope(value, value - reach, value + reach, abs(value) <= reach)
