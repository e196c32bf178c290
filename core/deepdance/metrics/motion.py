"""How frames follow one another: how far they move, how long they rest, how often they come back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepdance.arrays import Bools, Float32, Float64, UInt8
from deepdance.metrics.shapes import iou

LOOP_SECONDS = (0.5, 30.0)
"""The shortest and the longest loop looked for."""
STILL = 1e-6
"""Features that vary by less than this share of their size stand still; rounding is all that is left to correlate."""


def measure_motion(frames: UInt8) -> Float64:
    """`1 - IoU(t, t + 1)` of the dancer in `(n, h, w)`, float64 `(n - 1,)`; two empty frames do not move."""
    return 1 - iou(frames[:-1], frames[1:])


def find_longest_run(flags: Bools) -> int:
    """The most consecutive true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def measure_loop_strength(features: Float32, starts: Sequence[int], fps: float) -> float:
    """How strongly `(n, d)` features come back: 0 for a walk that never does or that stands still, up to 2.

    `r(τ)` is the autocorrelation of the features less their mean in each clip (`starts`). It falls from 1 and, in a
    loop, rises again: the figure is the highest rise of r over the lowest value before it, at lags of 0.5 to 30 s, at
    most half the block.
    """
    rows = features.astype(np.float64)
    # With one mean for all clips two places that are filmed in turn would look like a loop.
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        rows[start:stop] -= rows[start:stop].mean(axis=0)
    shortest, longest = (min(round(seconds * fps), len(rows) // 2) for seconds in LOOP_SECONDS)
    variation, size = np.square(rows).sum(), np.square(features, dtype=np.float64).sum()
    if variation <= STILL * size or longest <= shortest:
        return 0.0
    autocorrelation = _autocorrelate(rows, longest)
    # The rise, not the value: a slow drift correlates highly at every lag, but only ever falls.
    rises = autocorrelation - np.minimum.accumulate(autocorrelation)
    return float(np.max(rises[shortest:]))


def _autocorrelate(rows: Float64, longest: int) -> Float64:
    """Autocorrelation of rows `(n, d)` of mean 0 at lags of 0 to `longest` rows, `(longest + 1,)`; 1 at lag 0."""
    # Wiener-Khinchin: the inverse transform of the power spectrum. Padded to 2n, for it would wrap round otherwise.
    spectrum = np.fft.rfft(rows, 2 * len(rows), axis=0)
    sums = np.fft.irfft(np.square(np.abs(spectrum)).sum(axis=1))[: longest + 1]
    # Lag τ has only n - τ pairs: without this a perfect loop would seem to fade.
    unbiased: Float64 = sums / np.square(rows).sum() * len(rows) / (len(rows) - np.arange(longest + 1))
    return unbiased
