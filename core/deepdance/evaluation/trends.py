"""How a figure develops over a long dance: means per 1,000 frames, their slope, runs and loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deepdance.interfaces import Float32, Float64

BLOCK = 1000
LOOP_SECONDS = (0.5, 30.0)


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


def longest_run(flags: npt.NDArray[np.bool_]) -> int:
    """The most consecutive true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def loop_strength(features: Float32, starts: Sequence[int], fps: float) -> float:
    """How strongly `(n, d)` features come back: 0 for a walk that never does or that stands still, up to 2.

    `r(τ)` is the autocorrelation of the features less their mean in each clip (`starts`). It falls from 1 and, in a
    loop, rises again: the figure is the highest rise of r over the lowest value before it, at lags of 0.5 to 30 s, at
    most half the block.
    """
    rows = features.astype(np.float64)
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        rows[start:stop] -= rows[start:stop].mean(axis=0)
    low, high = (min(round(seconds * fps), len(rows) // 2) for seconds in LOOP_SECONDS)
    moved, total = np.square(rows).sum(), np.square(features, dtype=np.float64).sum()
    if moved <= 1e-6 * total or high <= low:
        return 0.0
    spectrum = np.fft.rfft(rows, 2 * len(rows), axis=0)
    sums = np.fft.irfft(np.square(np.abs(spectrum)).sum(axis=1))[: high + 1]
    r = sums / moved * len(rows) / (len(rows) - np.arange(high + 1))
    return float(np.max((r - np.minimum.accumulate(r))[low:]))
