"""The error of fields that are rebuilt from their components: what `sdf-ae` is trained by, and encodes by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.special import expit

from deepdance.interfaces import Float32

LEAST_CHANGE = 0.5
"""Pixels of a field whose deviation, in px, is smaller lie far outside the dancer."""
FAR = 0.1
"""What a pixel far from the outline counts: what is deep inside or far outside does not show."""
COVER = 16.0
"""What a pixel on the wrong side counts beside a square of a pixel of distance."""
SOFTNESS = 0.7
"""Pixels of distance over which a pixel goes from background to dancer."""


@dataclass(frozen=True)
class FieldError:
    """`share · mean((far + exp(-(f/2)²)) · (g - f)² + cover · KL(σ(f/s) ‖ σ(g/s)))` of true and rebuilt fields f, g.

    The squares of distances, near outlines above all, and the cross-entropy of what is covered, less its least: a limb
    is thin, so its distances are small, and squares alone let it go.
    """

    basis: Float32
    """The change of the field, `(k, p)`, that a component makes at the pixels that are looked at."""
    mean: Float32
    """`(p,)`"""
    share: float
    """Of all pixels that may change; the error of the others, which stay outside, is taken for 0."""

    @classmethod
    def of(cls, basis: Float32, mean: Float32, deviations: Float32) -> Self:
        """Of components in deviations of the first, given the basis `(k, p)`, its mean and deviations `(k,)`."""
        scaled = basis * deviations[0]
        changing = np.sqrt(np.square(basis * deviations[:, None]).sum(axis=0)) > LEAST_CHANGE
        if not changing.any():  # one and the same picture all the time
            changing[:] = True
        return cls(scaled[:, changing], mean[changing], float(changing.mean()))

    def thin(self, apart: int) -> Self:
        """The same from fewer pixels: one of so many."""
        return replace(self, basis=np.ascontiguousarray(self.basis[:, ::apart]), mean=self.mean[::apart])

    def measure_slope(self, truth: Float32, rebuilt: Float32) -> Float32:
        """The slope of the sum of all errors by the rebuilt components, `(n, k)`."""
        field = truth @ self.basis + self.mean
        change = (rebuilt - truth) @ self.basis
        slope = (2 * FAR + 2 * np.exp(-np.square(field / 2))) * change
        sides = expit((field + change) / SOFTNESS) - expit(field / SOFTNESS)
        slope += np.float32(COVER / SOFTNESS) * sides
        return np.asarray(slope @ self.basis.T * np.float32(self.share / len(self.mean)), np.float32)

    def measure_curvature(self, truth: Float32) -> Float32:
        """The second derivative of the error by the field, `(n, p)`, where true components are rebuilt."""
        field = truth @ self.basis + self.mean
        inside = expit(field / SOFTNESS)
        curvature = 2 * FAR + 2 * np.exp(-np.square(field / 2))
        curvature += COVER / SOFTNESS**2 * inside * (1 - inside)
        return np.asarray(curvature * (self.share / len(self.mean)), np.float32)
