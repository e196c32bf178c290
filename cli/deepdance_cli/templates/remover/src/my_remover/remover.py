"""`my-remover`: the border of a picture shows how bright the background is, and what is much darker is the dancer."""

import numpy as np
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
        brightness = frames.max(axis=3)
        width = max(1, round(self.options.border * min(brightness.shape[1:])))
        border = np.ones(brightness.shape[1:], bool)
        border[width:-width, width:-width] = False
        level = self.options.darker * np.median(brightness[:, border], axis=1)
        return np.where(brightness < level[:, None, None], np.uint8(0), np.uint8(BACKGROUND))
