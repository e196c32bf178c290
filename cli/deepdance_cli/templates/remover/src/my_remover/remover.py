"""`my-remover`: the border of a picture shows the background, and what has another colour is the dancer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from deepdance.frames import BACKGROUND
from deepdance.interfaces import BackgroundRemover, Options, UInt8
from pydantic import Field


class MyRemoverOptions(Options):
    """Where the background is looked for, and how much it may vary."""

    border: float = Field(0.05, gt=0, le=0.5, description="width of the border, as a share of the smaller side")
    tolerance: int = Field(40, ge=0, le=254, description="grey levels by which the background may differ in a channel")


class MyRemover(BackgroundRemover[MyRemoverOptions]):
    """For a plain ground of any colour. The border's colour is a median, so the dancer may hide nearly half of it.

    Every frame is judged alone, so light that changes does no harm. A remover that keeps state from frame to frame
    keeps it in `self`: a new instance is made for every clip.
    """

    def remove(self, frames: UInt8) -> UInt8:
        """`(n, h, w, 3)` RGB → `(n, h, w)`, 0 or 255 alone."""
        silhouettes = np.empty(frames.shape[:3], np.uint8)
        border = _border(frames.shape[1:3], self.options.border)
        for frame, silhouette in zip(frames, silhouettes, strict=True):
            ground = np.rint(np.median(frame[border], axis=0)).astype(np.uint8)
            apart = (np.maximum(frame, ground) - np.minimum(frame, ground)).max(axis=2)
            silhouette[:] = np.where(apart > self.options.tolerance, 0, BACKGROUND)
        return silhouettes


def _border(size: tuple[int, ...], share: float) -> npt.NDArray[np.bool_]:
    """`(h, w)`, True at the border, which is one pixel wide at least."""
    width = max(1, round(share * min(size)))
    border = np.ones(size, bool)
    border[width:-width, width:-width] = False
    return border
