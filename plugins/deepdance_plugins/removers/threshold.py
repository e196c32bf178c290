"""`threshold`: the paper's rule, for a dark dancer before a bright ground."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from deepdance.interfaces import BackgroundRemover, Options, UInt8

WHITE = 255


class ThresholdOptions(Options):
    """What counts as background."""

    level: Annotated[int, Field(ge=0, le=764)] | Literal["auto"] = Field(
        230,
        description="A pixel with R+G+B above this is background; `auto` sets it for every frame by Otsu's method "
        "on the brightest channel.",
    )
    invert: bool = Field(False, description="The dancer is brighter than the ground.")


class Threshold(BackgroundRemover[ThresholdOptions]):
    """R+G+B > `level` becomes white, any other pixel black; `invert` swaps the two."""

    def remove(self, frames: UInt8) -> UInt8:
        """`(n, h, w, 3)` RGB → `(n, h, w)`, 0 or 255 alone."""
        out = np.empty(frames.shape[:3], np.uint8)
        planes = np.empty((3, *frames.shape[1:3]), np.uint8)
        for frame, target in zip(frames, out, strict=True):
            self._remove_one(frame, planes, target)
        return out

    def _remove_one(self, frame: UInt8, planes: UInt8, target: UInt8) -> None:
        """`(h, w, 3)` → `target`; `planes` `(3, h, w)` is scratch: three planes that stay in the cache are fastest."""
        import cv2

        level = self.options.level
        kind = cv2.THRESH_BINARY_INV if self.options.invert else cv2.THRESH_BINARY
        if level != "auto" and level >= WHITE:
            above = frame.sum(axis=2, dtype=np.uint16) > level
            target[:] = np.where(above != self.options.invert, WHITE, 0)
            return
        cv2.split(frame, list(planes))
        combine = cv2.max if level == "auto" else cv2.add  # add stops at 255, above every level left
        bright = combine(combine(planes[0], planes[1], dst=planes[0]), planes[2], dst=planes[0])
        if level == "auto":
            cv2.threshold(bright, 0, WHITE, kind | cv2.THRESH_OTSU, dst=target)
        else:
            cv2.threshold(bright, level, WHITE, kind, dst=target)
