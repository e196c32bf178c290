"""`luma`: no decision at all, just the brightness."""

from __future__ import annotations

import numpy as np

from deepdance.interfaces import BackgroundRemover, Options, UInt8


class Luma(BackgroundRemover[Options]):
    """The grey value (ITU-R BT.601) of every pixel; a pixel whose three channels are equal keeps their value."""

    def remove(self, frames: UInt8) -> UInt8:
        """`(n, h, w, 3)` RGB → `(n, h, w)`."""
        import cv2

        out = np.empty(frames.shape[:3], np.uint8)
        for frame, target in zip(frames, out, strict=True):
            cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY, dst=target)
        return out
