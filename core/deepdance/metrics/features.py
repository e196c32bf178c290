"""Features of frames and of motion that need no trained weights: principal components of a signed distance field.

A frame is described by how far each place is from the outline, which changes smoothly when a limb moves, unlike pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from deepdance.arrays import Float32, UInt8
from deepdance.metrics.shapes import dancer

FEATURES = 64
"""Components that describe a frame, and that describe a motion."""
COORDINATES = 128
"""Components of the field that the differences of a motion are taken from."""
REACH = 8 / 120
"""The field is cut at this distance from the outline, in frame heights (8 px at the paper's size)."""
SHRINK = 3
SPAN = 16
"""Frames in one motion."""
STRIDE = 4
"""Frames between the starts of two motions."""
SAMPLE = 5000
"""Rows that components are fitted on, at most."""


@dataclass(frozen=True)
class Components:
    """Principal components: `mean` `(d,)` and an orthonormal `basis` `(d, k)`, float32."""

    mean: Float32
    basis: Float32

    @classmethod
    def fit(cls, rows: Float32, count: int) -> Self:
        """The `count` directions of largest variance of `(n, d)` rows, or fewer if n or d is smaller."""
        from scipy.linalg import eigh

        mean: Float32 = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = rows - mean
        few_rows = len(rows) < rows.shape[1]
        products = centred @ centred.T if few_rows else centred.T @ centred
        size = len(products)
        _, vectors = eigh(products, subset_by_index=(max(size - count, 0), size - 1))
        basis = vectors[:, ::-1]
        if few_rows:
            basis, _ = np.linalg.qr(centred.T @ basis)
        return cls(mean, np.array(basis, np.float32, order="C"))

    def __call__(self, rows: Float32) -> Float32:
        """`(n, d)` rows as `(n, k)` coordinates."""
        coordinates: Float32 = np.matmul(rows - self.mean, self.basis)
        return coordinates


def signed_distance(frames: UInt8) -> Float32:
    """Distance to the outline in px, positive inside, cut at ±8 px (at 120 rows): `(n, h, w)` → `(n, h/3 · w/3)`.

    The distance is taken at full size, so that thin limbs count, and then area-averaged to a third.
    """
    import cv2

    height, width = frames.shape[1:]
    reach = REACH * height
    small = max(1, round(width / SHRINK)), max(1, round(height / SHRINK))
    out = np.empty((len(frames), small[0] * small[1]), np.float32)
    for inside, row in zip(dancer(frames), out, strict=True):
        field = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
        field -= cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
        row[:] = cv2.resize(np.clip(field, -reach, reach), small, interpolation=cv2.INTER_AREA).ravel()
    return out


def motion_windows(coordinates: Float32, starts: Sequence[int]) -> Float32:
    """Differences between neighbours over 16 consecutive frames of one clip, every 4 frames: `(m, 15 · k)`.

    `coordinates` is `(n, k)`; `starts` holds the first frame of every clip.
    """
    steps = np.diff(coordinates, axis=0)
    stops = [*starts[1:], len(coordinates)]
    begins = [
        begin for start, stop in zip(starts, stops, strict=True) for begin in range(start, stop - SPAN + 1, STRIDE)
    ]
    index = np.array(begins, np.intp)[:, None] + np.arange(SPAN - 1)
    rows: Float32 = steps[index].reshape(len(begins), (SPAN - 1) * coordinates.shape[1])
    return rows
