"""How a figure develops over a long dance: means per 1,000 frames, and their slope."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepdance.arrays import Float64
from deepdance.metrics.bootstrap import Estimate

BLOCK = 1000


def cut_blocks(count: int) -> list[slice]:
    """Blocks of 1,000 frames; what is left over counts if it is half a block, or all there is."""
    starts = [start for start in range(0, count, BLOCK) if start == 0 or count - start >= BLOCK / 2]
    return [slice(start, min(start + BLOCK, count)) for start in starts]


def fit_slope(curves: Sequence[Float64]) -> Estimate | None:
    """The slope per block that all curves (one a dance, one value a block) share, each with its own level.

    Least squares; the 95 % t-interval takes the blocks' deviations as independent. It holds 0 where no change can be
    told. None with fewer than three blocks or no degree of freedom left.
    """
    from scipy.stats import t

    curves = [curve for curve in curves if len(curve) > 1]  # one value has a level and no slope
    degrees_of_freedom = sum(map(len, curves)) - len(curves) - 1  # values less one level a curve and the slope
    if degrees_of_freedom < 1:
        return None
    # With its mean taken off each curve the levels drop out, and one line through the origin is left to fit.
    x = np.concatenate([np.arange(len(curve)) - (len(curve) - 1) / 2 for curve in curves])
    y = np.concatenate([curve - curve.mean() for curve in curves])
    slope = float(x @ y / (x @ x))
    error = float(np.sqrt(np.sum((y - slope * x) ** 2) / degrees_of_freedom / (x @ x)))
    margin = float(t.ppf(0.975, degrees_of_freedom)) * error
    return Estimate(slope, slope - margin, slope + margin)
