"""`png`: a numbered picture for each frame, which any program reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deepdance.interfaces import Renderer, UInt8
from deepdance_plugins._colours import CutOutColours
from deepdance_plugins._ffmpeg.encoding import paint, write_video


class PngOptions(CutOutColours):
    """Colours of the pictures."""


class Png(Renderer[PngOptions]):
    """Writes a folder of PNG pictures with alpha: `000001.png` and so on."""

    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        """Write each of chunks `(n, height, width)` to a file in the folder `path`."""
        path.mkdir(exist_ok=True)
        pattern = Path(str(path).replace("%", "%%")) / "%06d.png"
        filters = f"{paint(self.options)},format=rgba"
        write_video(frames, repr(float(fps)), pattern, ["-vf", filters, "-c:v", "png", "-pred", "up", "-f", "image2"])
