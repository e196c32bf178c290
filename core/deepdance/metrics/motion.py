"""How frames follow one another: how far they move, how long they rest, how often they come back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepdance.arrays import Bools, Float32, Float64, UInt8
from deepdance.metrics.shapes import iou

LOOP_SECONDS = (0.5, 30.0)


def motion_energy(frames: UInt8) -> Float64:
    """`1 - IoU(t, t + 1)` of the dancer in `(n, h, w)`, float64 `(n - 1,)`; two empty frames do not move."""
    return 1 - iou(frames[:-1], frames[1:])


def longest_run(flags: Bools) -> int:
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
