"""`mp4`: H.264 that plays everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from deepdance.interfaces import Options, Renderer, UInt8
from deepdance_plugins._ffmpeg.encoding import write_video


class Mp4Options(Options):
    """Quality and size of the video."""

    crf: int = Field(18, ge=0, le=51, description="x264's quality: 0 is lossless, 18 looks it, 51 is the smallest.")
    scale: int = Field(4, ge=1, le=16, description="Enlarge by this: 4 makes 800×480 of 120×200 silhouettes.")


class Mp4(Renderer[Mp4Options]):
    """Writes H.264 in MP4, enlarged, with odd sizes padded by a white line, as players want even ones."""

    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        """Write chunks `(n, height, width)` at `fps` to `path`."""
        scale = self.options.scale
        filters = (
            f"scale=iw*{scale}:ih*{scale}:flags=bicubic,pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white,"
            "scale=out_range=tv,format=yuv420p"
        )
        codec = ["-c:v", "libx264", "-crf", str(self.options.crf), "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
        write_video(frames, repr(float(fps)), path, ["-vf", filters, *codec, "-f", "mp4"])
