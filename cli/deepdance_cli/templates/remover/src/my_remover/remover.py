"""`my-remover`: the border of a picture shows how bright the background is, and what is much darker is the dancer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from deepdance.frames import BACKGROUND
from deepdance.interfaces import BackgroundRemover, Options, UInt8
from pydantic import Field


class MyRemoverOptions(Options):
    """Where the background is looked for, and how much darker the dancer is."""

    border: float = Field(0.05, gt=0, le=0.5, description="width of the border, as a share of the smaller side")
    darker: float = Field(0.3, gt=0, lt=1, description="share of the border's brightness below which is the dancer")


class MyRemover(BackgroundRemover[MyRemoverOptions]):
    """For a dark dancer in light of any strength, also one that changes: every frame is judged by its own border.

    Brightness is that of the brightest channel, and the border's is a median, so the dancer may hide nearly half of it.
    A remover that keeps state from frame to frame keeps it in `self`: a new instance is made for every clip.
    """

    def remove(self, frames: UInt8) -> UInt8:
        """`(n, h, w, 3)` RGB → `(n, h, w)`, 0 or 255 alone."""
        silhouettes = np.empty(frames.shape[:3], np.uint8)
        border = _border(frames.shape[1:3], self.options.border)
        for frame, silhouette in zip(frames, silhouettes, strict=True):
            brightness = frame.max(axis=2)
            level = self.options.darker * np.median(brightness[border])
            silhouette[:] = np.where(brightness < level, 0, BACKGROUND)
        return silhouettes


def _border(size: tuple[int, ...], share: float) -> npt.NDArray[np.bool_]:
    """`(h, w)`, True at the border, which is one pixel wide at least."""
    width = max(1, round(share * min(size)))
    border = np.ones(size, bool)
    border[width:-width, width:-width] = False
    return border
