"""`ffmpeg`: any video file, read through a pipe from ffmpeg."""

from __future__ import annotations

import errno
import logging
import math
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from itertools import chain, pairwise, repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deepdance.errors import InputError
from deepdance.frames import spread_evenly
from deepdance.interfaces import FrameSource, SourceInfo, UInt8
from deepdance_plugins._ffmpeg.process import SIDE_FILE, FfmpegProcess, StalledError
from deepdance_plugins._files import (
    Version,
    find_file,
    hash_files,
    show_path,
    shrink_to_fit,
    tell_version,
)
from deepdance_plugins.sources.ffmpeg import command, cuts
from deepdance_plugins.sources.ffmpeg.options import FfmpegOptions
from deepdance_plugins.sources.ffmpeg.probe import (
    Picture,
    Video,
    check_memory,
    is_complete,
    probe_picture,
    probe_video,
    refuse_empty,
    refuse_long,
    refuse_stalled,
)

log = logging.getLogger("deepdance")

QUICK_PIXELS = 5e8
"""A video of fewer pixels in all is decoded in a second, so a look at it need not jump."""
LOOKS_AT_ONCE = 3
STAMP_ERROR = 1e-6
"""Seconds: ffmpeg prints six digits."""
LOOK_RATE = 3.0
"""Frames a second, at least, of what must be read for a look."""


@lru_cache
def _probe_video(path: Path, name: str, version: Version) -> Video:
    return probe_video(path, name)


@lru_cache
def _probe_picture(path: Path, video: Video, name: str, version: Version) -> Picture:
    return probe_picture(path, video, name)


class Crop(NamedTuple):
    """A part of the picture, in pixels as a player shows them."""

    left: int
    top: int
    width: int
    height: int


class FfmpegSource(FrameSource[FfmpegOptions]):
    """Reads the video stream that a player would choose.

    Interlaced frames are deinterlaced, transparency is laid on white. Where a clock jumps, or nothing is shown for
    long, the time is left out: a shot ends there, and a warning tells it.
    """

    _shot_starts: Sequence[int] = ()

    @cached_property
    def _path(self) -> Path:
        return find_file(self.location, "a video file")

    @property
    def _name(self) -> str:
        return show_path(self.location)

    @cached_property
    def _video(self) -> Video:
        return _probe_video(self._path, self._name, tell_version(self._path))

    @cached_property
    def _picture(self) -> Picture:
        return _probe_picture(self._path, self._video, self._name, tell_version(self._path))

    @cached_property
    def _part(self) -> Crop:
        """What is read of the picture, which is all of it unless `crop` says otherwise."""
        picture = self._picture
        part = Crop(*(self.options.crop or (0, 0, picture.width, picture.height)))
        fits = part.left + part.width <= picture.width and part.top + part.height <= picture.height
        if not fits or min(part.left, part.top) < 0 or min(part.width, part.height) < 1:
            raise InputError(
                f"{self._name}: expected a crop within its {picture.width}×{picture.height} pixels, "
                f"got left, top, width, height {','.join(map(str, part))}; choose a smaller part"
            )
        return part

    def info(self) -> SourceInfo:
        """What the headers, the first packets and the first frame say."""
        video, part = self._video, self._part
        return SourceInfo(part.height, part.width, video.fps, video.seconds, alpha=self._picture.is_transparent)

    def fingerprint(self) -> str:
        """Size and hash of the whole file."""
        return hash_files([self._path])

    def frames(self, fps: float, size: tuple[int, int]) -> Iterator[UInt8]:
        """Yield chunks `(n, h, w, 3)` of about 8 MB; what a damaged file still holds is read, with a warning."""
        shape = self._fit(size)
        self._shot_starts = ()
        words = self._build_reading(fps, shape, find_cuts=self.options.cuts)
        with (
            tempfile.TemporaryFile() as points,
            FfmpegProcess(words, side_file=points, pixels=self._video.pixels) as process,
        ):
            count = 0
            for chunk in self._chunks(process, shape, fps):
                count += len(chunk)
                yield chunk
            jumps = _list_jumps(process.printed["error"])
            self._report_damage(process, count, self._count_promised(fps, jumps))
            self._report_jumps(jumps)
            starts = {
                *cuts.find_cuts(points, process.printed["fatal"], fps),
                *(int(at * fps + STAMP_ERROR * fps) + 1 for at, _ in jumps),
            }
            self._shot_starts = sorted(start for start in starts if start < count)

    def shot_starts(self) -> Sequence[int]:
        """Where the last `frames` left out time, and the camera cuts that it found: none with `cuts` off, or if the
        dancer is not nearly black."""
        return self._shot_starts

    def sample(self, count: int, size: tuple[int, int]) -> UInt8:
        """Jump to keyframes, or read all of what is short or does not let itself be jumped in."""
        shape = self._fit(size)
        seconds, rate = self._video.seconds, self._video.fps or 30
        if seconds and seconds * rate * self._picture.height * self._picture.width > QUICK_PIXELS:
            found = self._look_around([(k + 0.5) * seconds / count for k in range(count)], shape)
            if 2 * len(found) > count:
                return np.stack(found)
        return np.stack(self._look_through(count, shape))

    def _look_around(self, times: Sequence[float], shape: tuple[int, int]) -> list[UInt8]:
        """The keyframes before some times; a time without one, or with the one before, adds none."""
        with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
            looks = [look for look in pool.map(self._look_at, times, repeat(shape)) if look is not None]
        return looks[:1] + [look for last, look in pairwise(looks) if not np.array_equal(look, last)]

    def _look_at(self, seconds: float, shape: tuple[int, int]) -> UInt8 | None:
        graph = f"{self._video.pad}{self._build_picture(shape)}[out]"
        seeking = ["-ss", f"{seconds:.3f}", "-noaccurate_seek", "-skip_frame", "nokey"]
        words = self._build_command(graph, ["-frames:v", "1", *command.RAW], seeking)
        with FfmpegProcess(words, pixels=self._video.pixels) as process:
            return next(chain.from_iterable(self._chunks(process, shape, 1)), None)

    def _look_through(self, count: int, shape: tuple[int, int]) -> list[UInt8]:
        """Frames from all of it: at a rate that finds enough even if the length told is mostly gaps."""
        video = self._video
        rate = min(max(LOOK_RATE, count / video.seconds if video.seconds else 0), video.fps or 30)
        words = self._build_reading(rate, shape, find_cuts=False)
        with FfmpegProcess(words, pixels=self._video.pixels) as process:
            found = spread_evenly(chain.from_iterable(self._chunks(process, shape, rate)), count)
            return found or refuse_empty(self._name, process)

    def _fit(self, size: tuple[int, int]) -> tuple[int, int]:
        return shrink_to_fit((self._part.height, self._part.width), size)

    def _lay_on_white(self, label: str) -> str:
        return command.lay_on_white(label) if self._picture.has_alpha else ""

    @property
    def _crop(self) -> str:
        """The filters that cut out the part; `scale` first, for `crop` does not notice if the size changes midway."""
        if not self.options.crop:
            return ""
        left, top, width, height = self._part
        return f"scale={self._picture.width}:{self._picture.height},crop={width}:{height}:{left}:{top}:exact=1,"

    def _build_picture(self, shape: tuple[int, int]) -> str:
        height, width = shape
        return f"{self._lay_on_white('f')}{self._crop}scale={width}:{height}:flags=area,format={command.PLANES}"

    def _build_reading(self, fps: float, shape: tuple[int, int], *, find_cuts: bool) -> list[str]:
        """The command for frames to the standard output and, to find cuts, points to the side file.

        Both are outputs of one filter graph. With a graph each, ffmpeg can stand still: until the slower output has
        written, it holds back the graph of the other, whose full queue then holds back the decoder of both.
        """
        start = f"{self._video.pad}{command.close_gaps(self._video.fps)},"
        frames = f"{command.sample_at(fps, self._build_picture(shape))}[out]"
        if not find_cuts:
            return self._build_command(f"{start}{frames}", command.RAW)
        points = f"{self._crop}{cuts.build_filters(self._lay_on_white('p'))}[points]"
        words = self._build_command(f"{start}split[a][b];[a]{frames};[b]{points}", command.RAW)
        return [*words, "-map", "[points]", *command.RAW, SIDE_FILE]

    def _build_command(self, graph: str, output: Sequence[str], seeking: Sequence[str] = ()) -> list[str]:
        return command.build_command(self._path, [*self._video.decoding, *seeking], graph, output)

    def _chunks(self, process: FfmpegProcess, shape: tuple[int, int], fps: float) -> Iterator[UInt8]:
        count = 0
        try:
            for planes in process.chunks((3, *shape)):
                count += len(planes)
                if count > command.MOST_SECONDS * fps:
                    refuse_long(self._name)
                yield _interleave(planes)
        except StalledError:
            refuse_stalled(self._name, count)
        _check_disk(process.finish(), process.messages)
        check_memory(self._name, process)

    def _count_promised(self, fps: float, jumps: Sequence[tuple[float, float]]) -> int | None:
        promised = self._video.count_samples(fps)
        return promised and max(1, promised - math.ceil(fps * sum(max(0.0, length) for _, length in jumps)))

    def _report_damage(self, process: FfmpegProcess, count: int, promised: int | None) -> None:
        reason = f" (ffmpeg: {process.messages[0]})" if process.messages else ""
        if not count:
            refuse_empty(self._name, process)
        short = promised is not None and count + 1 < 0.9 * promised
        if short and (process.messages or not is_complete(self._path, self._name)):
            log.warning(
                "%s: %d of about %d frames could be read; the file is damaged or cut short%s",
                self._name, count, promised, reason,
            )  # fmt: skip
        elif process.message_count:
            log.warning(
                "%s: %d frames were read, but ffmpeg complained %d times; the file is damaged (first: %s)",
                self._name, count, process.message_count, process.messages[0],
            )  # fmt: skip

    def _report_jumps(self, jumps: Sequence[tuple[float, float]]) -> None:
        if jumps:
            at, length = jumps[0]
            log.warning(
                "%s: its clock jumps%s by %+.0f s after %.1f s; that time is left out, and no move is learnt across it",
                self._name, f" {len(jumps)} times, first" if len(jumps) > 1 else "", length, at,
            )  # fmt: skip


def _interleave(planes: UInt8) -> UInt8:
    """`PLANES` `(n, 3, h, w)` as pixels `(n, h, w, 3)`, red first."""
    import cv2

    count, channels, height, width = planes.shape
    frames = np.empty((count, height, width, channels), np.uint8)
    for (green, blue, red), target in zip(planes, frames, strict=True):
        cv2.merge([red, green, blue], target)
    return frames


def _list_jumps(printed: Sequence[float]) -> list[tuple[float, float]]:
    """After what time, and by how many seconds, the clock jumps: what `close_gaps` printed."""
    return list(zip(printed[::2], printed[1::2], strict=False))


def _check_disk(status: int, messages: Sequence[str]) -> None:
    """Raise OSError if there was no room for the points that cuts are found by: the frames then end there too."""
    killed = -status == getattr(signal, "SIGXFSZ", None)
    for number in (errno.ENOSPC, errno.EFBIG):
        reported = any(os.strerror(number) in message for message in messages)
        if reported or (killed and number == errno.EFBIG):
            raise OSError(number, os.strerror(number))
