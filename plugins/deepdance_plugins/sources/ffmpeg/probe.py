"""What is known of a video file before it is read: which stream, how it is decoded, its rate and its length."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, NoReturn

import av
from av import VideoFormat, VideoStream
from av.container import InputContainer
from av.stream import Disposition

from deepdance.arrays import UInt8
from deepdance.errors import InputError
from deepdance_plugins._ffmpeg.process import SLOWEST_FRAME, STALL_SECONDS, FfmpegProcess, StalledError
from deepdance_plugins._files import MAX_PIXELS
from deepdance_plugins.sources.ffmpeg.command import (
    DEINTERLACE,
    LONGEST_STILL,
    MOST_SECONDS,
    SAFE_INPUT,
    SHOW,
    build_command,
)

PROBED_PACKETS = 500
PROBED_BYTES = 64 << 20
"""What the rate is measured on: at most so much of the beginning."""

LARGEST_BLOCK = 256 << 20
"""Bytes that FFmpeg may allocate in this process at once: the table of the frames of 90 hours."""

NO_MEMORY = (os.strerror(errno.ENOMEM), os.strerror(errno.EAGAIN), "get_buffer() failed")
"""What ffmpeg says if it has no memory for anything, for a thread, for a frame."""

SAME_RATE = 0.05
"""Of a rate: ms round one of 240 a second by so much."""

DEINTERLACED_SIDE = 16
"""ffmpeg does not deinterlace planes of a few pixels."""

NO_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""FFmpeg's own decoders of these leave the transparency out."""


@dataclass(frozen=True)
class Video:
    """The video stream that is read."""

    stream: int
    fps: float | None
    """Its native rate: that of the usual spacing of its frames, whatever gaps it has."""
    seconds: float | None
    """From its first frame to its end, gaps included."""
    decoder: str | None
    """Another decoder than FFmpeg's choice."""
    may_be_interlaced: bool
    pixels: int
    """Of a frame, as the headers say."""

    @property
    def decoding(self) -> list[str]:
        """What ffmpeg is told before it opens the file."""
        return [f"-c:{self.stream}", self.decoder] if self.decoder else []

    @property
    def pad(self) -> str:
        """Where its frames come from in a graph, with what makes whole frames of fields."""
        return f"[0:{self.stream}]" + (DEINTERLACE if self.may_be_interlaced else "")

    def count_samples(self, fps: float) -> int | None:
        """How many samples at `fps` its headers promise, if they promise a length."""
        if self.seconds is None:
            return None
        last_frame = self.seconds - (1 / self.fps if self.fps else 0)
        return max(1, int(last_frame * fps) + 1)


class Picture(NamedTuple):
    """The first frame as a player shows it: cropped, turned, with square pixels."""

    height: int
    width: int
    has_alpha: bool
    """Its format has an alpha channel."""
    is_transparent: bool
    """Some of it is not opaque."""


def probe_video(path: Path, name: str) -> Video:
    """Read the headers and the first packets; nothing is decoded for its picture. Raises InputError."""
    with _open(path, name) as container:
        streams = _list_streams(container, name)
        stamps = _read_stamps(container, streams, name)
        stream = _choose_stream(streams, stamps)
        _check_size(stream, name)
        return Video(
            stream.index,
            _measure_rate(stream, stamps[stream.index]),
            _read_seconds(container, stream),
            _choose_decoder(stream),
            _may_be_interlaced(stream),
            stream.width * stream.height,
        )


@cache
def _limit_blocks() -> None:
    """Refuse FFmpeg's libraries huge blocks: a table of a few bytes may claim any number of frames."""
    with contextlib.suppress(AttributeError):  # Windows finds in a library only what is its own
        set_limit = ctypes.CDLL(av._core.__file__).av_max_alloc
        set_limit.argtypes, set_limit.restype = [ctypes.c_size_t], None
        set_limit(LARGEST_BLOCK)


def _open(path: Path, name: str) -> InputContainer:
    _limit_blocks()
    try:
        container: InputContainer = av.open(
            f"file:{path}", options=SAFE_INPUT, metadata_errors="ignore", timeout=STALL_SECONDS
        )
    except av.error.ExitError:
        raise InputError(
            f"{name}: expected a video, but ffmpeg sought its headers for more than {STALL_SECONDS:.0f} s; "
            "copy it again or convert it to MP4"
        ) from None
    except (av.FFmpegError, ValueError) as error:
        raise InputError(
            f"{name}: expected a video, got something that ffmpeg cannot open ({_explain(error)}); "
            "copy it again or convert it to MP4"
        ) from None
    return container


def _explain(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _list_streams(container: InputContainer, name: str) -> list[VideoStream]:
    streams = [stream for stream in container.streams.video if not stream.disposition & NO_VIDEO]
    if not streams:
        raise InputError(f"{name}: expected a video, got a file without a video stream; choose another file")
    # the type of codec_context does not say that it is None for a codec that nobody knows
    known: list[VideoStream] = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise InputError(f"{name}: expected a video that ffmpeg can decode, got an unknown codec; convert it to H.264")
    return known


def _read_stamps(container: InputContainer, streams: list[VideoStream], name: str) -> dict[int, list[int]]:
    """The presentation times of each stream's first frames, in ticks, sorted."""
    stamps: dict[int, set[int]] = {stream.index: set() for stream in streams}
    size = 0
    with contextlib.suppress(av.FFmpegError):
        for number, packet in enumerate(container.demux(streams)):
            if packet.has_sidedata("encryption_info"):
                raise InputError(f"{name}: expected a video, got an encrypted one; use a copy without protection")
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and packet.size:
                stamps[packet.stream.index].add(stamp)
            size += packet.size
            if number >= PROBED_PACKETS or size >= PROBED_BYTES:
                break
    return {index: sorted(found) for index, found in stamps.items()}


def _choose_stream(streams: list[VideoStream], stamps: Mapping[int, list[int]]) -> VideoStream:
    """The one that a player shows: it moves, is flagged as the default, and is the largest."""

    def rank(stream: VideoStream) -> tuple[bool, bool, int, int]:
        moves = max(stream.frames, len(stamps[stream.index])) > 1
        return moves, bool(stream.disposition & Disposition.default), stream.width * stream.height, -stream.index

    return max(streams, key=rank)


def _check_size(stream: VideoStream, name: str) -> None:
    if stream.width * stream.height > MAX_PIXELS:
        raise InputError(
            f"{name}: expected frames of at most {MAX_PIXELS} pixels, got {stream.width}×{stream.height}; scale it down"
        )


def _measure_rate(stream: VideoStream, stamps: list[int]) -> float | None:
    """Frames a second by the median spacing; a declared rate near it is more exact, as stamps are often rounded to ms.

    The mean rate is of no use: one frame that comes late makes it anything.
    """
    declared = [float(rate) for rate in (stream.average_rate, stream.base_rate) if rate and 0 < rate <= 1000]
    measured = declared[0] if declared else None
    if len(stamps) > 1 and stream.time_base:
        ticks = statistics.median(after - before for before, after in pairwise(stamps))
        measured = 1 / float(ticks * stream.time_base)
    if measured is None:
        return None
    rate = next((rate for rate in declared if abs(rate / measured - 1) < SAME_RATE), measured)
    return min(1000.0, max(rate, 1 / LONGEST_STILL))


def _read_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """The length of the stream itself where it is told, for sound may go on for longer."""
    tick = stream.time_base or Fraction(0)
    if stream.duration and tick:
        return float(stream.duration * tick)
    end = _parse_duration(stream.metadata) or (container.duration or 0) / 1e6  # both count from 0, not from the start
    seconds = end - max(0.0, float((stream.start_time or 0) * tick))
    return seconds if seconds > 0 else None


def _parse_duration(metadata: Mapping[str, str]) -> float | None:
    """Matroska's tag: `00:00:08.000000000`, under `DURATION` or a name with a language, such as `DURATION-eng`."""
    text = next((value for key, value in metadata.items() if key.partition("-")[0] == "DURATION"), "")
    with contextlib.suppress(ValueError):
        hours, minutes, seconds = map(float, text.split(":"))
        return 3600 * hours + 60 * minutes + seconds
    return None


def _choose_decoder(stream: VideoStream) -> str | None:
    has_alpha = any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())
    return ALPHA_DECODERS.get(stream.codec_context.name) if has_alpha else None


def _may_be_interlaced(stream: VideoStream) -> bool:
    """Frames say it each for itself; only planes of luma and chroma are looked at, as video cameras write them."""
    name = stream.codec_context.pix_fmt
    if not name or min(stream.width, stream.height) < DEINTERLACED_SIDE:
        return False
    return name.startswith("yuv") and bool(VideoFormat(name).is_planar)


def probe_picture(path: Path, video: Video, name: str) -> Picture:
    """Let ffmpeg itself show the first frame: it alone knows how it crops and turns it. Raises InputError."""
    graph = f"{video.pad}{SHOW},format=rgb24|rgba[out]"
    output = ["-frames:v", "1", "-c:v", "pam", "-f", "image2pipe"]
    words = build_command(path, [*video.decoding, "-threads", "1"], graph, output)
    with FfmpegProcess(words, pixels=video.pixels) as process:
        try:
            content = process.read()
        except StalledError:
            refuse_stalled(name, 0)
        process.finish()
        check_memory(name, process)
        return _parse_picture(content) or refuse_empty(name, process)


def _parse_picture(content: UInt8) -> Picture | None:
    """From a PAM file, whose header is lines of text and whose pixels are RGB or RGBA bytes; nothing if it is empty."""
    header, end, _ = content[:1000].tobytes().partition(b"ENDHDR\n")
    fields = {key: int(value) for key, value in re.findall(rb"(WIDTH|HEIGHT|DEPTH) (\d+)", header)}
    if not end:
        return None
    has_alpha = fields[b"DEPTH"] == 4
    opaque = not has_alpha or bool((content[len(header) + len(end) + 3 :: 4] == 255).all())
    return Picture(fields[b"HEIGHT"], fields[b"WIDTH"], has_alpha, not opaque)


def refuse_stalled(name: str, count: int) -> NoReturn:
    """Raise InputError: ffmpeg hangs after some frames."""
    raise InputError(
        f"{name}: expected a frame in at most {SLOWEST_FRAME:.0f} s, but ffmpeg delivered none for "
        f"{STALL_SECONDS:.0f} s, or fewer for long, after {count}; "
        "convert the video to H.264 and try again"
    ) from None


def check_memory(name: str, process: FfmpegProcess) -> None:
    """Raise InputError if ffmpeg needed more memory than it may have."""
    if process.memory and any(lack in message for message in process.messages for lack in NO_MEMORY):
        raise InputError(
            f"{name}: expected a video that ffmpeg reads with at most {process.memory >> 20} MB, got one that takes "
            "more; convert it to H.264 or scale it down"
        )


def refuse_long(name: str) -> NoReturn:
    """Raise InputError: there is no end."""
    raise InputError(
        f"{name}: expected a video of at most {MOST_SECONDS // 3600} hours, got more, or a few pictures that are "
        "shown for longer; give a part of it"
    )


def refuse_empty(name: str, process: FfmpegProcess) -> NoReturn:
    """Raise InputError: ffmpeg ended without a frame."""
    reason = f" (ffmpeg: {process.messages[0]})" if process.messages else ""
    raise InputError(
        f"{name}: expected a video, got no frame that can be decoded, or only frames of more than {MAX_PIXELS} pixels"
        f"{reason}; copy it again or choose another"
    )


def is_complete(path: Path, name: str) -> bool:
    """Whether packets of some stream reach the end that the headers promise: reads the whole file."""
    with _open(path, name) as container:
        promised = (container.duration or 0) / 1e6
        return _find_end(container) >= 0.9 * promised


def _find_end(container: InputContainer) -> float:
    def list_ends() -> Iterable[float]:
        with contextlib.suppress(av.FFmpegError):
            for packet in container.demux():
                if packet.pts is not None and packet.time_base:
                    yield float((packet.pts + (packet.duration or 0)) * packet.time_base)

    return max(list_ends(), default=0.0)
