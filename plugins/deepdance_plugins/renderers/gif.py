"""`gif`: a loop for a web page or a chat."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deepdance.interfaces import Renderer, UInt8
from deepdance_plugins._colours import TRANSPARENT, Colours, find_rgb
from deepdance_plugins._ffmpeg.encoding import paint, write_video

SHORTEST_DELAY = 2
"""Hundredths of a second; browsers slow down anything faster to ten."""

GREYS = "lutyuv=y=round(val/17)*17"
"""16 greys are enough for an outline and halve the file."""


class GifOptions(Colours):
    """Colours of the loop."""


class Gif(Renderer[GifOptions]):
    """Writes an endless GIF of 16 colours, between ink and ground; before a transparent ground of one, without greys.

    A GIF counts time in hundredths of a second, so the rate becomes the nearest 100/n, n ≥ 2: 30 fps play at 33⅓.
    """

    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        """Write chunks `(n, height, width)` at about `fps` to `path`."""
        rate = f"100/{compute_delay(fps)}"
        graph = (
            f"format=gray,{GREYS},{paint(self.options)},format=rgba[picture];"
            f"{_draw_palette(self.options)}[palette];[picture][palette]paletteuse=dither=none"
        )
        output = ["-filter_complex", graph, "-r", rate, "-c:v", "gif", "-loop", "0", "-f", "gif"]
        write_video(frames, rate, path, output)


def _draw_palette(colours: Colours) -> str:
    """Filters that draw 16 colours in the 256 pixels that ffmpeg takes a palette from; the last one may be clear."""
    number = "min(15,X+16*Y)"
    ink = find_rgb(colours.ink)
    ground = ink if colours.ground == TRANSPARENT else find_rgb(colours.ground)
    alpha = "if(eq(X+Y,30),0,255)" if colours.ground == TRANSPARENT else "255"
    levels = (f"round({one}+({other}-{one})*{number}/15)" for one, other in zip(ink, ground, strict=True))
    values = ":".join(f"{channel}='{level}'" for channel, level in zip("rgba", (*levels, alpha), strict=True))
    return f"color=s=16x16:d=1:r=1,format=gbrap,geq={values},format=rgba"


def compute_delay(fps: float) -> int:
    """Hundredths of a second that one frame stays."""
    return max(SHORTEST_DELAY, round(100 / fps))
