"""`gif`: a loop for a web page or a chat."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from deepdance.interfaces import Options, Renderer, UInt8
from deepdance_plugins._ffmpeg.encoding import write_video

SHORTEST_DELAY = 2
"""Hundredths of a second; browsers slow down anything faster to ten."""

GREYS = "lutyuv=y=round(val/17)*17"
"""16 greys are enough for an outline and halve the file."""


class GifOptions(Options):
    """Size of the loop."""

    scale: int = Field(2, ge=1, le=16, description="Enlarge by this: 2 makes 400×240 of 120×200 silhouettes.")


class Gif(Renderer[GifOptions]):
    """Writes an endless GIF of 16 greys.

    A GIF counts time in hundredths of a second, so the rate becomes the nearest 100/n, n ≥ 2: 30 fps play at 33⅓.
    """

    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        """Write chunks `(n, height, width)` at about `fps` to `path`."""
        scale = self.options.scale
        filters = f"scale=iw*{scale}:ih*{scale}:flags=bicubic,format=gray,{GREYS}"
        output = ["-vf", filters, "-c:v", "gif", "-pix_fmt", "gray", "-loop", "0", "-f", "gif"]
        write_video(frames, f"100/{compute_delay(fps)}", path, output)


def compute_delay(fps: float) -> int:
    """Hundredths of a second that one frame stays."""
    return max(SHORTEST_DELAY, round(100 / fps))
