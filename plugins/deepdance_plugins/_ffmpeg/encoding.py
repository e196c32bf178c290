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

    The file has the sound of `music`, cut or repeated to its length, with the options `sound`, the format's among them.
    Raises RenderError, and InputError for a file without sound.
    """
    if not music:
        _encode(frames, fps, path, arguments)
        return
    with TemporaryDirectory(dir=path.absolute().parent, prefix=".") as folder:
        track, silent = Path(folder) / "track.wav", Path(folder) / f"silent{path.suffix}"
        write_wav(Path(music), track)
        seconds = _encode(frames, fps, silent, arguments) / float(fps)
        _add_sound(silent, track, seconds, path, sound)


def _encode(frames: Iterable[UInt8], fps: str, path: Path, arguments: Sequence[str]) -> int:
    """How many frames there were."""
    chunks = iter(frames)
    first = next(chunks)
    count, (height, width) = 0, first.shape[1:]
    reading = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{width}x{height}", "-framerate", fps, "-i", "pipe:0"]
    with FfmpegProcess([*reading, *arguments, "-y", f"file:{path.absolute()}"], reads_frames=True) as process:
        try:
            for chunk in chain([first], chunks):
                process.write(chunk)
                count += len(chunk)
        except BrokenPipeError:
            pass
        _finish(process, path)
    return count


def _add_sound(silent: Path, track: Path, seconds: float, path: Path, sound: Sequence[str]) -> None:
    """The pictures as they are, with as much of the track, repeated, as they last: `-shortest` errs by some packets."""
    reading = ["-nostdin", "-i", f"file:{silent}", "-stream_loop", "-1", "-i", f"file:{track}"]
    writing = ["-map", "0:v", "-map", "1:a", "-c:v", "copy", "-af", f"atrim=end={seconds!r}", *sound]
    with FfmpegProcess([*reading, *writing, "-y", f"file:{path.absolute()}"]) as process:
        _finish(process, path)


def _finish(process: FfmpegProcess, path: Path) -> None:
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
