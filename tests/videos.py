"""Videos whose frames carry their number, for the tests of what is read."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from deepdance_plugins.sources.ffmpeg.source import FfmpegOptions, FfmpegSource

BOX = (480, 800)
CELL, BITS = 8, 10
TICKS = 90_000


def source(path: Path | str) -> FfmpegSource:
    return FfmpegSource(str(path), FfmpegOptions())


def read(path: Path, fps: float, box: tuple[int, int] = BOX) -> np.ndarray:
    return np.concatenate(list(source(path).frames(fps, box)))


def write_numbered(
    path: Path, times: Sequence[Fraction], *, size: tuple[int, int] = (2 * CELL, BITS * CELL), first: int = 0
) -> Path:
    """A video whose frames, shown at `times` (seconds), carry their number in black and white cells."""
    import av

    height, width = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "1", "video_track_timescale": str(TICKS)})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        for number, seconds in enumerate(times, first):
            bits = [255 * (number >> bit & 1) for bit in range(BITS)]
            cells = np.repeat(np.array(bits, np.uint8), width // BITS)[None, :, None]
            frame = av.VideoFrame.from_ndarray(np.tile(cells, (height, 1, 3)), format="rgb24")
            frame.pts, frame.time_base = round(seconds * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def numbers(frames: np.ndarray) -> list[int]:
    width = frames.shape[2] // BITS
    middles = frames[:, frames.shape[1] // 2, width // 2 :: width, 1][:, :BITS] > 127
    return [int(sum(1 << bit for bit in np.flatnonzero(row))) for row in middles]


def constant(rate: Fraction | int, count: int, start: Fraction | int = 0) -> list[Fraction]:
    return [start + Fraction(k) / Fraction(rate) for k in range(count)]
