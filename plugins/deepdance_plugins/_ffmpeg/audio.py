"""The sound of a file, whatever FFmpeg reads it from: for its beats, and for the videos that carry it."""

from __future__ import annotations

import re
import wave
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from pydantic import Field

from deepdance.arrays import Float32, UInt8
from deepdance.errors import InputError
from deepdance.interfaces import Options
from deepdance_plugins._ffmpeg.process import STALL_SECONDS, FfmpegProcess, StalledError
from deepdance_plugins._files import show_path
from deepdance_plugins.sources.ffmpeg.formats import FORMATS

SOUNDS = "mp3,flac,wav,w64,ogg,aac,aiff,caf,au,ac3,eac3,amr,ape,tta,wv,mp2,mpc,mpc8,opus,dsf,xm,libopenmpt"
"""FFmpeg's readers of sound alone, beside those of videos: none opens another file than the one that is named."""
RATE, CHANNELS = 48000, 2
"""Of the sound that a video carries."""
MOST_SECONDS = 20 * 60
"""Of a track: what follows is not heard."""


class Sound(Options):
    """The sound of a video."""

    music: str = Field(
        "", description="A file whose sound the video carries, cut or repeated to its length; --music sets it."
    )


def read_audio(path: Path, rate: int, most_seconds: float) -> Float32:
    """Mono samples `(n,)` at `rate`, of at most the first `most_seconds`. Raises InputError."""
    chunks = _decode(path, most_seconds, ["-ac", "1", "-ar", str(rate), "-f", "f32le"], 4)
    return np.concatenate(list(chunks)).reshape(-1).view("<f4").astype(np.float32, copy=False)


def write_wav(track: Path, path: Path) -> None:
    """The sound of a track as a WAV file that can be repeated without a gap. Raises InputError."""
    words = ["-ac", str(CHANNELS), "-ar", str(RATE), "-f", "s16le"]
    with wave.open(str(path), "wb") as file:
        file.setparams((CHANNELS, 2, RATE, 0, "NONE", ""))
        for chunk in _decode(track, MOST_SECONDS, words, 2 * CHANNELS):
            file.writeframesraw(chunk.tobytes())


def _decode(path: Path, most_seconds: float, output: Sequence[str], width: int) -> Iterator[UInt8]:
    """Chunks of samples `(n, width)` in bytes, none empty. Raises InputError, where it hangs or has no sound too."""
    guards = ["-nostdin", "-protocol_whitelist", "file", "-format_whitelist", ",".join([*FORMATS, SOUNDS])]
    cut = ["-map", "0:a:0", "-t", repr(float(most_seconds)), *output, "pipe:1"]
    # a megapixel stands for the decoder's tables: sound has no frames that fill more
    with FfmpegProcess([*guards, "-i", f"file:{path.absolute()}", *cut], pixels=1 << 20) as process:
        try:
            chunks = process.chunks((width,))
            first = next(chunks, None)
            if first is None:
                process.finish()
                raise InputError(f"{show_path(path)}: expected a file with sound, {_explain(process.messages)}")
            yield from chain([first], chunks)
        except StalledError:
            raise InputError(
                f"{show_path(path)}: expected sound, but ffmpeg delivered none for {STALL_SECONDS:.0f} s; "
                "convert it to WAV"
            ) from None


def _explain(messages: Sequence[str]) -> str:
    if not messages or any("matches no streams" in message for message in messages):
        return "got one without; choose another file"
    reason = re.sub(r" on whitelist '.*'", " known", messages[0])
    return f"but ffmpeg says: {reason}; choose another file"
