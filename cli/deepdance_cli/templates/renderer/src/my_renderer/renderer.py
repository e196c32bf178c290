"""`my-renderer`: a chronophotograph, the dance as rows of figures on one picture."""

from collections.abc import Iterable
from itertools import islice
from os import SEEK_END
from pathlib import Path

import cv2
import numpy as np
from deepdance.interfaces import Options, Renderer, UInt8
from pydantic import Field

FINER = 4
"""Outlines are followed on frames enlarged by this, which makes them smooth."""


class MyRendererOptions(Options):
    """How many figures, and how they stand."""

    every: float = Field(0.5, gt=0, description="seconds from one figure to the next")
    columns: int = Field(10, ge=1, le=100, description="figures in a row")


class MyRenderer(Renderer[MyRendererOptions]):
    """Writes an SVG as Marey's pictures were made: every so often a figure, one beside the other, in rows."""

    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        """A figure is written as soon as its frame comes: a dance may last for hours."""
        step = max(1, round(self.options.every * fps))
        shown = islice((frame for chunk in frames for frame in chunk), None, None, step)
        with path.open("w", encoding="utf-8") as file:
            for number, frame in enumerate(shown):
                row, column = divmod(number, self.options.columns)
                height, width = frame.shape
                if not column:  # only now is it known that there is a row more
                    file.seek(0)
                    file.write(_build_head(height * (row + 1), width * self.options.columns))
                    file.seek(0, SEEK_END)
                file.write(_draw_figure(frame, column * width, row * height))
            file.write("</svg>\n")


def _build_head(height: int, width: int) -> str:
    """Of one length, whatever the height: it is written over as the picture grows."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:<9}">\n'
        '<rect width="100%" height="100%" fill="white"/>\n'
    )


def _draw_figure(frame: UInt8, left: int, top: int) -> str:
    """A silhouette's outlines as one SVG path, in pixels of the picture."""
    large = cv2.resize(frame, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_CUBIC)
    inside = np.where(large < 128, np.uint8(255), np.uint8(0))
    outlines, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_L1)
    rings = [np.round((outline[:, 0] + 0.5) / FINER + (left, top), 2).tolist() for outline in outlines]
    drawn = " ".join("M" + " ".join(f"{x:.9g},{y:.9g}" for x, y in ring) + "Z" for ring in rings)
    return f'<path fill-rule="evenodd" d="{drawn}"/>\n'
