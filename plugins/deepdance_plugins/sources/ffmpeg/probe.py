"""What a video file says of itself: its stream, its size as a player shows it, its rate and its length."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from pathlib import Path

import av
from av import VideoFrame, VideoStream
from av.container import InputContainer
from av.stream import Disposition

from deepdance.errors import InputError
from deepdance_plugins._files import MAX_PIXELS

SAFE_INPUT = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,avi,gif,mpegts,mpeg,flv,ogg,asf,ivf,h264,hevc,m4v",
    "max_pixels": str(MAX_PIXELS),
}
"""No network, no playlists or scripts that open other files, no frame that fills the memory."""

PROBED_PACKETS = 500
"""A video without one frame that can be decoded among so many packets is given up."""


@dataclass(frozen=True)
class Video:
    """The video stream that is read, as a player shows it: rotated, with square pixels."""

    stream: int
    height: int
    width: int
    fps: float | None
    seconds: float | None

    def count_samples(self, fps: float) -> int | None:
        """How many samples at `fps` its headers promise, if they promise a length."""
        if self.seconds is None:
            return None
        last_frame = self.seconds - (1 / self.fps if self.fps else 0)
        return max(1, math.floor(last_frame * fps) + 1)


def probe_video(path: Path, name: str) -> Video:
    """Read the headers and decode one frame, which alone tells the rotation. Raises InputError."""
    try:
        container = av.open(f"file:{path}", options=SAFE_INPUT, metadata_errors="ignore")
    except (av.FFmpegError, ValueError) as error:
        raise InputError(
            f"{name}: expected a video, got something that ffmpeg cannot open ({_explain(error)}); "
            "copy it again or convert it to MP4"
        ) from None
    with container:
        stream = _choose_stream(container, name)
        frame = _decode_frame(container, stream, name)
        height, width = _measure_display(stream, frame)
        return Video(stream.index, height, width, _read_rate(stream), _read_seconds(container, stream))


def _explain(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _choose_stream(container: InputContainer, name: str) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise InputError(f"{name}: expected a video, got a file without a video stream; choose another file")
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise InputError(f"{name}: expected a video that ffmpeg can decode, got an unknown codec; convert it to H.264")
    if stream.width * stream.height > MAX_PIXELS:
        raise InputError(
            f"{name}: expected frames of at most {MAX_PIXELS} pixels, got {stream.width}×{stream.height}; scale it down"
        )
    context.options = {"max_pixels": SAFE_INPUT["max_pixels"]}
    return stream


def _decode_frame(container: InputContainer, stream: VideoStream, name: str) -> VideoFrame:
    with contextlib.suppress(av.FFmpegError):
        for number, packet in enumerate(container.demux(stream)):
            if packet.has_sidedata("encryption_info"):
                raise InputError(f"{name}: expected a video, got an encrypted one; use a copy without protection")
            with contextlib.suppress(av.FFmpegError):
                for frame in packet.decode():
                    return frame
            if number >= PROBED_PACKETS:
                break
    raise InputError(
        f"{name}: expected a video, got no frame that can be decoded, or only frames of more than {MAX_PIXELS} pixels; "
        "copy it again or choose another"
    )


def _measure_display(stream: VideoStream, frame: VideoFrame) -> tuple[int, int]:
    """Height and width as a player shows them: square pixels, rotation applied."""
    aspect = float(stream.sample_aspect_ratio or 1)
    width = max(1, round(frame.width * aspect)) if aspect > 0 else frame.width
    return (width, frame.height) if frame.rotation % 180 else (frame.height, width)


def _read_rate(stream: VideoStream) -> float | None:
    rate = float(stream.average_rate or stream.base_rate or 0)
    return rate if 0 < rate <= 1000 else None


def _read_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration else None
