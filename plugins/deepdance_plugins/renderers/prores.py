"""`prores`: ProRes 4444 with alpha, for editing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deepdance.interfaces import Renderer, UInt8
from deepdance_plugins._colours import CutOutColours
from deepdance_plugins._ffmpeg.audio import Sound
from deepdance_plugins._ffmpeg.encoding import BT709, TO_BT709, paint, write_video


class ProresOptions(Sound, CutOutColours):
    """Colours of the video."""


class Prores(Renderer[ProresOptions]):
    """Writes ProRes 4444 with straight alpha in QuickTime, as editing and compositing programs take it."""

    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        """Write chunks `(n, height, width)` at `fps` to `path`."""
        filters = f"{paint(self.options, 2)},{TO_BT709},format=yuva444p10le"
        # flat pictures need no search for the quantizer, which takes four times as long and saves nothing;
        # some programs open files of this vendor alone
        speed = ["-qscale:v", "4", "-vendor", "apl0"]
        codec = ["-c:v", "prores_ks", "-profile:v", "4444", "-alpha_bits", "8", *speed]
        words = ["-vf", filters, *codec, *BT709, "-f", "mov"]
        sound = ["-c:a", "pcm_s16le", "-f", "mov"]
        write_video(frames, repr(float(fps)), path, words, music=self.options.music, sound=sound)
