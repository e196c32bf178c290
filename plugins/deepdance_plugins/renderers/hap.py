"""`hap`: Hap Alpha, for VJ programs, which decode it on the graphics card."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deepdance.interfaces import Renderer, UInt8
from deepdance_plugins._colours import CutOutColours
from deepdance_plugins._ffmpeg.audio import Sound
from deepdance_plugins._ffmpeg.encoding import paint, write_video

BLOCK = 4
"""Hap compresses squares of so many pixels."""


class HapOptions(Sound, CutOutColours):
    """Colours of the video."""


class Hap(Renderer[HapOptions]):
    """Writes Hap Alpha in QuickTime; each side is padded with ground to a multiple of four."""

    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        """Write chunks `(n, height, width)` at `fps` to `path`."""
        filters = f"{paint(self.options, BLOCK)},format=rgba"
        codec = ["-c:v", "hap", "-format", "hap_alpha"]
        words = ["-vf", filters, *codec, "-f", "mov"]
        sound = ["-c:a", "pcm_s16le", "-f", "mov"]
        write_video(frames, repr(float(fps)), path, words, music=self.options.music, sound=sound)
