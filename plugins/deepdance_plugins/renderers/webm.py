"""`webm`: VP9 with alpha, for web pages and OBS."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from deepdance.interfaces import Renderer, UInt8
from deepdance_plugins._colours import CutOutColours
from deepdance_plugins._ffmpeg.audio import Sound
from deepdance_plugins._ffmpeg.encoding import BT709, TO_BT709, paint, write_video

SPEED = ("-deadline", "good", "-cpu-used", "4", "-row-mt", "1", "-tile-columns", "2")
"""Half the time of libvpx's own speed, for a quarter more bytes; faster ones gain nothing."""


class WebmOptions(Sound, CutOutColours):
    """Quality and colours of the video."""

    crf: int = Field(20, ge=0, le=63, description="VP9's quality: 0 is the best, 63 is the smallest.")


class Webm(Renderer[WebmOptions]):
    """Writes VP9 with an alpha channel in WebM, with odd sizes padded by a line of ground."""

    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        """Write chunks `(n, height, width)` at `fps` to `path`."""
        filters = f"{paint(self.options, 2)},{TO_BT709},format=yuva420p"
        # an alternate reference frame is not shown, and the alpha of one that is not shown would be lost
        codec = ["-c:v", "libvpx-vp9", "-crf", str(self.options.crf), "-b:v", "0", "-auto-alt-ref", "0", *SPEED]
        words = ["-vf", filters, *codec, *BT709, "-f", "webm"]
        sound = ["-c:a", "libopus", "-b:a", "160k", "-f", "webm"]
        write_video(frames, repr(float(fps)), path, words, music=self.options.music, sound=sound)
