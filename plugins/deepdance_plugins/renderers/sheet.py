"""`sheet`: the whole dance at a glance, as one PNG."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import Field

from deepdance.frames import BACKGROUND
from deepdance.interfaces import Renderer, UInt8
from deepdance_plugins._colours import Colours, make_colour_table

BORDER = 160
"""The grey of the one-pixel lines between frames."""

SPARE = 4
"""Frames kept for each one shown, so that those shown are evenly spaced."""


class SheetOptions(Colours):
    """How many frames are shown, and in which colours."""

    columns: int = Field(6, ge=1, le=64, description="Frames in a row.")
    rows: int = Field(5, ge=1, le=64, description="Rows; fewer where the dance has fewer frames.")


class Sheet(Renderer[SheetOptions]):
    """Writes evenly spaced frames, the first and the last among them, side by side."""

    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        """Write a PNG of chunks `(n, height, width)` to `path`; memory does not grow with the dance."""
        import cv2

        kept = pick_evenly(frames, self.options.columns * self.options.rows)
        colours = make_colour_table(self.options)
        channels = [0] if (colours == colours[:, :1]).all() else [2, 1, 0, 3][: colours.shape[1]]  # as OpenCV has them
        _, png = cv2.imencode(".png", colours[:, channels][tile_frames(kept, self.options.columns)])
        path.write_bytes(png.tobytes())


def pick_evenly(frames: Iterable[UInt8], count: int) -> list[UInt8]:
    """At most `count` frames `(height, width)` of a stream of chunks, none empty, whose length is not known.

    Every 2^k-th frame is kept; when there are too many, every other one of them goes and k grows.
    """
    kept: list[UInt8] = []
    stride, number = 1, 0
    for chunk in frames:
        for frame in chunk:
            if number % stride == 0:
                kept.append(frame.copy())
            if len(kept) > SPARE * count:
                kept, stride = kept[::2], stride * 2
            number += 1
        last = chunk[-1].copy()
    # At least twice as many are kept as are shown, so none is farther than a quarter of their spacing from its place.
    positions = np.linspace(0, number - 1, min(count, number))
    chosen = [kept[min(len(kept) - 1, round(position / stride))] for position in positions]
    return [*chosen[:-1], last] if len(chosen) > 1 else chosen


def tile_frames(frames: list[UInt8], columns: int) -> UInt8:
    """Lay frames `(height, width)` in rows with a thin line around each; what is left over is white."""
    height, width = frames[0].shape
    columns = min(columns, len(frames))
    rows = math.ceil(len(frames) / columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), BORDER, np.uint8)
    for index in range(rows * columns):
        top, left = index // columns * (height + 1) + 1, index % columns * (width + 1) + 1
        sheet[top : top + height, left : left + width] = frames[index] if index < len(frames) else BACKGROUND
    return sheet
