"""Frames into a video file: what the renderers that write with ffmpeg share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from deepdance.errors import RenderError
from deepdance.interfaces import UInt8
from deepdance_plugins._colours import TRANSPARENT, Colours, find_rgb
from deepdance_plugins._ffmpeg.audio import write_wav
from deepdance_plugins._ffmpeg.process import FfmpegProcess
from deepdance_plugins._files import show_path

TO_BT709 = "scale=out_color_matrix=bt709:out_range=tv"
"""A filter: RGB or greys become what a player takes a video for that says nothing else, and what these flags say."""
BT709 = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")


def write_video(
    frames: Iterable[UInt8],
    fps: str,
    path: Path,
    arguments: Sequence[str],
    *,
    music: str = "",
    sound: Sequence[str] = (),
) -> None:
    """Encode grey chunks `(n, height, width)` at `fps` into `path`; `arguments` are ffmpeg's output options.

    The file has the sound of `music`, cut or repeated to its length, encoded as `sound` says. Raises RenderError, and
    InputError for a file without sound.
    """
    if not music:
        _encode(frames, fps, path, [], arguments)
        return
    with TemporaryDirectory() as folder:
        # of other formats FFmpeg neither repeats every sample exactly, nor can it be trusted to end
        track = Path(folder) / "track.wav"
        write_wav(Path(music), track)
        looped = ["-stream_loop", "-1", "-i", f"file:{track}"]
        # `-shortest` leaves out whole packets, so they are small
        ending = ["-af", "asetnsamples=n=512:p=0", "-shortest"]
        _encode(frames, fps, path, looped, ["-map", "0:v", "-map", "1:a", *sound, *ending, *arguments])


def _encode(
    frames: Iterable[UInt8], fps: str, path: Path, more_inputs: Sequence[str], arguments: Sequence[str]
) -> None:
    chunks = iter(frames)
    first = next(chunks)
    height, width = first.shape[1:]
    reading = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{width}x{height}", "-framerate", fps, "-i", "pipe:0"]
    with FfmpegProcess(
        [*reading, *more_inputs, *arguments, "-y", f"file:{path.absolute()}"], reads_frames=True
    ) as process:
        try:
            for chunk in chain([first], chunks):
                process.write(chunk)
        except BrokenPipeError:
            pass
        status = process.finish()
        if status:
            reason = process.messages[0] if process.messages else f"it ended with status {status}"
            raise RenderError(f"{show_path(path)}: expected to write the video, but ffmpeg says: {reason}")


def paint(colours: Colours, multiple: int = 1) -> str:
    """Filters that make silhouettes coloured pictures, with sides that are multiples of `multiple`.

    What the format wants is padded with ground. Black on white stays grey; before a transparent ground the ink is
    everywhere, and alpha says how much of it is seen ("straight" alpha), so that no outline has a rim.
    """
    padded = f"pad=ceil(iw/{multiple})*{multiple}:ceil(ih/{multiple})*{multiple}:color=white"
    red, green, blue = find_rgb(colours.ink)
    if colours.ground == TRANSPARENT:
        inked = f"format=gbrp,lutrgb=r={red}:g={green}:b={blue}"
        return f"{padded},split[grey][mask];[grey]{inked}[ink];[mask]negate[alpha];[ink][alpha]alphamerge"
    if (colours.ink, colours.ground) == ("black", "white"):
        return padded
    levels = (
        f"{channel}='round({ink}+({ground}-{ink})*val/255)'"
        for channel, ink, ground in zip("rgb", (red, green, blue), find_rgb(colours.ground), strict=True)
    )
    return f"{padded},format=gbrp,lutrgb={':'.join(levels)}"
