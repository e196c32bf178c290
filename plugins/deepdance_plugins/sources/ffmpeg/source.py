"""`ffmpeg`: any video file, read through a pipe from ffmpeg."""

from __future__ import annotations

import errno
import logging
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from deepdance.errors import InputError
from deepdance.interfaces import FrameSource, SourceInfo, UInt8
from deepdance_plugins._ffmpeg.process import SIDE_FILE, STALL_SECONDS, FfmpegProcess, StalledError
from deepdance_plugins._files import find_file, hash_files, show_path, shrink_to_fit
from deepdance_plugins.sources.ffmpeg import cuts
from deepdance_plugins.sources.ffmpeg.options import FfmpegOptions
from deepdance_plugins.sources.ffmpeg.probe import SAFE_INPUT, Video, probe_video

log = logging.getLogger("deepdance")


class Crop(NamedTuple):
    """A part of the picture, in pixels as a player shows them."""

    left: int
    top: int
    width: int
    height: int


class FfmpegSource(FrameSource[FfmpegOptions]):
    """Reads the first video stream of a file; pictures attached to music do not count as video."""

    _shot_starts: Sequence[int] = ()

    @cached_property
    def _path(self) -> Path:
        return find_file(self.location, "a video file")

    @property
    def _name(self) -> str:
        return show_path(self.location)

    @cached_property
    def _video(self) -> Video:
        return probe_video(self._path, self._name)

    @cached_property
    def _part(self) -> Crop:
        """What is read of the picture, which is all of it unless `crop` says otherwise."""
        video = self._video
        part = Crop(*(self.options.crop or (0, 0, video.width, video.height)))
        fits = part.left + part.width <= video.width and part.top + part.height <= video.height
        if not fits or min(part.left, part.top) < 0 or min(part.width, part.height) < 1:
            raise InputError(
                f"{self._name}: expected a crop within its {video.width}×{video.height} pixels, "
                f"got left, top, width, height {','.join(map(str, part))}; choose a smaller part"
            )
        return part

    def info(self) -> SourceInfo:
        """What the headers and the first frame say."""
        video = self._video
        return SourceInfo(self._part.height, self._part.width, video.fps, video.seconds)

    def fingerprint(self) -> str:
        """Size and hash of the whole file."""
        return hash_files([self._path])

    def frames(self, fps: float, size: tuple[int, int]) -> Iterator[UInt8]:
        """Yield chunks `(n, h, w, 3)` of about 16 MB; what a damaged file still holds is read, with a warning."""
        video = self._video
        part = self._part
        height, width = shrink_to_fit((part.height, part.width), size)
        self._shot_starts = ()
        crop = _build_crop_filter(video, part) if self.options.crop else ""
        frames = f"{_build_sampling_filter(fps)},scale={width}:{height}:flags=area,format=rgb24"
        command = _build_command(self._path, f"[0:{video.stream}]{crop}", frames, find_cuts=self.options.cuts)
        with tempfile.TemporaryFile() as points, FfmpegProcess(command, side_file=points) as process:
            yield from self._chunks(process, (height, width, 3), video.count_samples(fps))
            self._shot_starts = cuts.find_cuts(points, fps)

    def shot_starts(self) -> Sequence[int]:
        """The camera cuts found by the last `frames`; none with `cuts` off, or if the dancer is not nearly black."""
        return self._shot_starts

    def _chunks(self, process: FfmpegProcess, shape: tuple[int, ...], promised: int | None) -> Iterator[UInt8]:
        count = 0
        try:
            for chunk in process.chunks(shape):
                count += len(chunk)
                yield chunk
        except StalledError:
            raise InputError(
                f"{self._name}: expected frames, but ffmpeg delivered none for {STALL_SECONDS:.0f} s after "
                f"{count}; convert the video to H.264 and try again"
            ) from None
        _check_disk(process.finish(), process.messages)
        self._report_damage(process, count, promised)

    def _report_damage(self, process: FfmpegProcess, count: int, promised: int | None) -> None:
        reason = f" (ffmpeg: {process.messages[0]})" if process.messages else ""
        if not count:
            raise InputError(f"{self._name}: expected a video, got no frame that can be decoded{reason}; copy it again")
        if promised is not None and count + 1 < 0.9 * promised:
            log.warning(
                "%s: %d of about %d frames could be read; the file is damaged or cut short%s",
                self._name, count, promised, reason,
            )  # fmt: skip
        elif process.message_count:
            log.warning(
                "%s: %d frames were read, but ffmpeg complained %d times; the file is damaged (first: %s)",
                self._name, count, process.message_count, process.messages[0],
            )  # fmt: skip


def _check_disk(status: int, messages: Sequence[str]) -> None:
    """Raise OSError if there was no room for the points that cuts are found by: the frames then end there too."""
    killed = -status == getattr(signal, "SIGXFSZ", None)
    for number in (errno.ENOSPC, errno.EFBIG):
        reported = any(os.strerror(number) in message for message in messages)
        if reported or (killed and number == errno.EFBIG):
            raise OSError(number, os.strerror(number))


def _build_command(path: Path, picture: str, frames: str, *, find_cuts: bool) -> list[str]:
    """Frames to the standard output and, to find cuts, points to the side file.

    Both are outputs of one filter graph. With a graph each, ffmpeg can stand still: until the slower output has
    written, it holds back the graph of the other, whose full queue then holds back the decoder of both.
    """
    guards = [word for name, value in SAFE_INPUT.items() for word in (f"-{name}", value)]
    reading = ["-nostdin", *guards, "-reinit_filter", "0", "-i", f"file:{path}"]
    if not find_cuts:
        return [*reading, "-filter_complex", f"{picture}{frames}[frames]", *_build_output("frames", "pipe:1")]
    graph = f"{picture}split[a][b];[a]{frames}[frames];[b]{cuts.build_filters()}[points]"
    return [*reading, "-filter_complex", graph, *_build_output("frames", "pipe:1"), *_build_output("points", SIDE_FILE)]


def _build_output(label: str, target: str) -> list[str]:
    return ["-map", f"[{label}]", "-fps_mode", "passthrough", "-f", "rawvideo", target]


def _build_crop_filter(video: Video, part: Crop) -> str:
    """The filters that cut out `part`; `scale` first, for `crop` does not notice if the size changes midway."""
    left, top, width, height = part
    return f"scale={video.width}:{video.height},crop={width}:{height}:{left}:{top}:exact=1,"


def _build_sampling_filter(fps: float) -> str:
    """The filters that make sample k the first frame with pts · fps ≥ k.

    A frame at time t satisfies every k up to ⌊t · fps⌋, so it is taken if no frame before satisfied that k, and
    stands for all samples since the one before: it is stamped with the first of them, and the `fps` filter repeats
    it up to the next stamp. `setpts` stamps the end of the stream too, which makes the last repetition right.
    A stamp counts samples in units of 1000 s, which any time base can tell apart.
    """

    def sample(time: str) -> str:
        return f"floor({time}*{float(fps)!r}+1e-8)"

    return ",".join(
        [
            "setpts=PTS-STARTPTS",
            f"select='isnan(prev_selected_t)+gt({sample('t')},{sample('prev_selected_t')})'",
            f"setpts='if(N,{sample('PREV_INPTS*TB')}+1,0)*1000/TB'",
            "fps=1/1000:start_time=0",
        ]
    )
