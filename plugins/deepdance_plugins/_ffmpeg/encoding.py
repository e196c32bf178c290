"""Frames into a video file: what the renderers that write with ffmpeg share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from deepdance.errors import RenderError
from deepdance.interfaces import UInt8
from deepdance_plugins._ffmpeg.process import FfmpegProcess
from deepdance_plugins._files import show_path


def write_video(frames: Iterable[UInt8], fps: str, path: Path, arguments: Sequence[str]) -> None:
    """Encode grey chunks `(n, height, width)` at `fps` into `path`; `arguments` are ffmpeg's output options.

    Raises RenderError.
    """
    chunks = iter(frames)
    first = next(chunks)
    height, width = first.shape[1:]
    reading = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{width}x{height}", "-framerate", fps, "-i", "pipe:0"]
    target = f"file:{path.absolute()}"
    with FfmpegProcess([*reading, *arguments, "-y", target], reads_frames=True) as process:
        try:
            for chunk in chain([first], chunks):
                process.write(chunk)
        except BrokenPipeError:
            pass
        status = process.finish()
        if status:
            reason = process.messages[0] if process.messages else f"it ended with status {status}"
            raise RenderError(f"{show_path(path)}: expected to write the video, but ffmpeg says: {reason}")
