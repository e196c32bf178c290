"""Features of frames and of motion that need no trained weights: principal components of a signed distance field.

A frame is described by how far each place is from the outline, which changes smoothly when a limb moves, unlike pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from deepdance.arrays import Float32, UInt8
from deepdance.blas import sum_by_threads
from deepdance.metrics.shapes import mask_dancer

FEATURES = 64
"""Components that describe a frame, and that describe a motion."""
COORDINATES = 128
"""Components of the field that a motion's differences are taken from: small moves need finer ones than a frame does."""
REACH = 8 / 120
"""The field is cut at this distance from the outline, in frame heights (8 px at the paper's size)."""
SHRINK = 3
WINDOW = 16
"""Frames in one motion, 1.6 s at 10 a second: the usual clip of video features (C3D, Tran et al., ICCV 2015)."""
STRIDE = 4
"""Frames between the starts of two motions: neighbouring windows are nearly the same."""
SAMPLE = 5000
"""Rows that components are fitted on, at most."""


@dataclass(frozen=True)
class PrincipalComponents:
    """`mean` `(d,)` and an orthonormal `basis` `(d, k)`, float32, largest variance first."""

    mean: Float32
    basis: Float32

    @classmethod
    def fit(cls, rows: Float32, count: int) -> Self:
        """The `count` directions of largest variance of `(n, d)` rows, or fewer if n or d is smaller."""
        from scipy.linalg import eigh

        mean: Float32 = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = rows - mean
        # X Xᵀ `(n, n)` and Xᵀ X `(d, d)` have the same eigenvalues: the smaller one is decomposed.
        few_rows = len(rows) < rows.shape[1]
        products = centred @ centred.T if few_rows else centred.T @ centred
        size = len(products)
        with sum_by_threads(1):
            _, vectors = eigh(products, subset_by_index=(max(size - count, 0), size - 1))
        basis = vectors[:, ::-1]  # `eigh` gives the smallest eigenvalue first
        if few_rows:
            # Xᵀ turns eigenvectors of X Xᵀ into directions, at lengths of their own, some nearly 0: QR makes them unit.
            basis, _ = np.linalg.qr(centred.T @ basis)
        return cls(mean, np.array(basis, np.float32, order="C"))

    def project(self, rows: Float32) -> Float32:
        """`(n, d)` rows as `(n, k)` coordinates."""
        coordinates: Float32 = np.matmul(rows - self.mean, self.basis)
        return coordinates


def compute_signed_distances(frames: UInt8) -> Float32:
    """Distance to the outline in px, positive inside, cut at ±8 px (at 120 rows): `(n, h, w)` → `(n, h/3 · w/3)`."""
    import cv2

    height, width = frames.shape[1:]
    reach = REACH * height
    small = max(1, round(width / SHRINK)), max(1, round(height / SHRINK))
    out = np.empty((len(frames), small[0] * small[1]), np.float32)
    for inside, row in zip(mask_dancer(frames), out, strict=True):
        # Taken at full size, so that limbs of a pixel or two count, and only then averaged down.
        field = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
        field -= cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
        row[:] = cv2.resize(np.clip(field, -reach, reach), small, interpolation=cv2.INTER_AREA).ravel()
    return out


def stack_motions(coordinates: Float32, starts: Sequence[int]) -> Float32:
    """Differences between neighbours over 16 consecutive frames of one clip, every 4 frames: `(m, 15 · k)`.

    `coordinates` is `(n, k)`; `starts` holds the first frame of every clip.
    """
    steps = np.diff(coordinates, axis=0)
    stops = [*starts[1:], len(coordinates)]
    begins = [
        begin for start, stop in zip(starts, stops, strict=True) for begin in range(start, stop - WINDOW + 1, STRIDE)
    ]
    index = np.array(begins, np.intp)[:, None] + np.arange(WINDOW - 1)
    rows: Float32 = steps[index].reshape(len(begins), (WINDOW - 1) * coordinates.shape[1])
    return rows
