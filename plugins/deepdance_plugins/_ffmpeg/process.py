"""One ffmpeg child at a time: frames out of it, frames into it, and never a child left behind."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BufferedReader, FileIO
from typing import IO, Self, cast

import numpy as np

from deepdance.errors import PluginError
from deepdance.interfaces import UInt8
from deepdance_plugins._children import ChildProcess
from deepdance_plugins._files import CHUNK_BYTES

STALL_SECONDS = 60.0
"""An ffmpeg that delivers nothing for so long is taken for hung and killed."""

SLOWEST_FRAME = 10.0
"""Seconds that a frame may take on average: one that delivers at a trickle is killed too."""

MEMORY_BYTES = 448 << 20
"""What ffmpeg may fill beside its pictures and the stacks of its threads."""

MOST_CORES = 16
"""FFmpeg starts no more threads than for so many, and one more, in each decoder and filter."""
THREADED_PARTS = 8
OTHER_THREADS = 16
USUAL_STACK = 8 << 20

MEMORY_PER_PIXEL = 96
"""Bytes for the frames under way: with 16 threads H.264 of 3840×2160 took 641 MB, 10-bit HEVC of 7680×4320 3 GB."""

SIDE_FILE = "pipe:0"
"""What ffmpeg calls its side file: its standard input, which can be written to if it is a file opened for that."""

PIPE_BYTES = 1 << 20
KEPT_MESSAGES = 20
PRINTED = re.compile(rb"\[Eval @ 0x[0-9a-f]+\] \[(error|fatal)\] ")
"""How a line begins that an expression of a filter printed, and nothing else, with the level that it printed at."""


class StalledError(Exception):
    """ffmpeg delivered nothing for `STALL_SECONDS`, or less than a frame in `SLOWEST_FRAME`."""


class FfmpegProcess:
    """An ffmpeg child with its standard error collected, killed and reaped when the block is left.

    A `side_file` is one more that it can write to; being handed over open, it needs no name and vanishes with the last
    process that holds it.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        reads_frames: bool = False,
        side_file: IO[bytes] | int = subprocess.DEVNULL,
        pixels: int | None = None,
    ) -> None:
        self.messages: list[str] = []
        """The first lines it wrote to standard error; with `-v error` each one is a complaint."""
        self.message_count = 0
        self.printed = {"error": array("d"), "fatal": array("d")}
        """What `print` wrote in the expressions of its filters, at levels 16 and 8."""
        self._received = 0
        self._patience = STALL_SECONDS
        self._child = ChildProcess(
            [_find_executable(), "-hide_banner", "-v", "repeat+level+error", *arguments],
            stdin=subprocess.PIPE if reads_frames else side_file,
            stdout=subprocess.DEVNULL if reads_frames else subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.memory = _limit_memory(self._child.pid, pixels) if pixels else None
        """Bytes that it may fill, if it is told of how many pixels the frames are that it decodes; only on Linux."""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                _widen(pipe)

    def _listen(self) -> None:
        for line in BufferedReader(_cast_pipe(self._child.stderr)):
            text = _strip_prefix(line)
            if printed := PRINTED.match(line):
                self.printed[printed[1].decode()].append(float(line[printed.end() :]))
                continue
            self.message_count += bool(text)
            if text and len(self.messages) < KEPT_MESSAGES:
                self.messages.append(text)

    def chunks(self, shape: tuple[int, ...]) -> Iterator[UInt8]:
        """Yield what it writes as arrays `(n, *shape)` of about `CHUNK_BYTES`, reading one ahead. Raises StalledError.

        A last frame that is cut short is dropped.
        """
        with ThreadPoolExecutor(1) as reader:
            try:
                pending = reader.submit(self._read_chunk, shape)
                while len(chunk := self._wait_for(pending, int(np.prod(shape)))):
                    pending = reader.submit(self._read_chunk, shape)
                    yield chunk
            finally:
                if not pending.done():
                    self._child.end()

    def read(self) -> UInt8:
        """All bytes that it writes. Raises StalledError."""
        return np.concatenate([np.empty(0, np.uint8), *self.chunks(())])

    def _read_chunk(self, shape: tuple[int, ...]) -> UInt8:
        frame_bytes = int(np.prod(shape))
        pipe = _cast_pipe(self._child.stdout)
        chunk = np.empty((max(1, CHUNK_BYTES // frame_bytes), *shape), np.uint8)
        space, filled = chunk.reshape(-1).data, 0
        while filled < chunk.nbytes and (count := pipe.readinto(space[filled:])):
            filled += count
            self._received += count
        return chunk[: filled // frame_bytes]

    def _wait_for(self, pending: Future[UInt8], frame_bytes: int) -> UInt8:
        while True:
            before, begin = self._received // frame_bytes, time.monotonic()
            try:
                return pending.result(timeout=self._patience)
            except TimeoutError:
                if self._received // frame_bytes == before:
                    raise StalledError from None
            finally:
                earned = SLOWEST_FRAME * (self._received // frame_bytes - before)
                self._patience = min(STALL_SECONDS, self._patience + earned - (time.monotonic() - begin))

    def write(self, frames: UInt8) -> None:
        """Give it frames. Raises BrokenPipeError once it has died."""
        pipe = _cast_pipe(self._child.stdin)
        rest = np.ascontiguousarray(frames).reshape(-1).data
        while rest:
            rest = rest[pipe.write(rest) :]

    def finish(self) -> int:
        """Tell it that no more frames come, let it end, and return its exit status."""
        if self._child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.close()
        status = self._child.wait()
        self._listener.join()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._child.close()
        self._listener.join()
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _find_executable() -> str:
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        raise PluginError(
            "expected an ffmpeg program with imageio-ffmpeg, found none; install one and set IMAGEIO_FFMPEG_EXE to it"
        ) from None


def _limit_memory(pid: int, pixels: int) -> int | None:
    """Bytes that an ffmpeg may fill from now on. Only Linux lets another process say so, and counts stacks in full."""
    if sys.platform != "linux":
        return None
    import resource

    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    # Not `count_cores`: ffmpeg starts threads by the machine's processors, whatever share of them a container has.
    threads = THREADED_PARTS * (min(MOST_CORES, os.cpu_count() or 1) + 1) + OTHER_THREADS
    stacks = threads * (USUAL_STACK if stack == resource.RLIM_INFINITY else stack)
    size = MEMORY_BYTES + stacks + MEMORY_PER_PIXEL * pixels
    with contextlib.suppress(OSError):  # it has ended already
        resource.prlimit(pid, resource.RLIMIT_DATA, (size, size))
    return size


def _cast_pipe(pipe: IO[bytes] | None) -> FileIO:
    """Popen's own pipe: without buffering it is a FileIO, which its type does not say."""
    return cast(FileIO, pipe)


def _widen(pipe: IO[bytes]) -> None:
    """Let a Linux pipe hold about one frame, so that both sides are woken less often."""
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        return


def _strip_prefix(line: bytes) -> str:
    """A line of ffmpeg's standard error without the part's name and address and the level: `[mov @ 0x5590] [error]`."""
    text = line.decode(errors="replace").strip()
    return re.sub(r"^(\[([^\]]* @ 0x[0-9a-f]+|error|fatal|panic)\] ?)+", "", text)
