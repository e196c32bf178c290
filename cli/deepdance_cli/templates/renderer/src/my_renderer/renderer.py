"""`my-renderer`: a chronophotograph, the dance as figures that lie over each other on one picture."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from deepdance.interfaces import Options, Renderer, UInt8
from pydantic import Field

FINER = 4
"""Outlines are followed on frames enlarged by this, which makes them smooth."""


class MyRendererOptions(Options):
    """How many figures, and how they look."""

    every: float = Field(0.5, gt=0, description="seconds from one figure to the next")
    opacity: float = Field(0.1, ge=0, le=1, description="of a figure's inside: 0 leaves its outline alone")


class MyRenderer(Renderer[MyRendererOptions]):
    """Writes an SVG as Marey's pictures of 1882 were made: every so often a figure, all on one plate."""

    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        """A figure is written as soon as its frame comes: a dance may last for hours."""
        step = max(1, round(self.options.every * fps))
        with path.open("w", encoding="utf-8") as file:
            for number, frame in enumerate(frame for chunk in frames for frame in chunk):
                if not number:
                    file.write(self._build_head(*frame.shape))
                if not number % step:
                    file.write(_draw_figure(frame))
            file.write("</g>\n</svg>\n")

    def _build_head(self, height: int, width: int) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">\n'
            '<rect width="100%" height="100%" fill="white"/>\n'
            f'<g fill-opacity="{self.options.opacity}" fill-rule="evenodd" stroke="black">\n'
        )


def _draw_figure(frame: UInt8) -> str:
    """A silhouette's outlines as one SVG path, in pixels of the frame."""
    large = cv2.resize(frame, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_CUBIC)
    inside = np.where(large < 128, np.uint8(255), np.uint8(0))
    outlines, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_L1)
    rings = [np.round((outline[:, 0] + 0.5) / FINER, 2).tolist() for outline in outlines]
    drawn = " ".join("M" + " ".join(f"{x:g},{y:g}" for x, y in ring) + "Z" for ring in rings)
    return f'<path stroke-width="0.3" d="{drawn}"/>\n'
