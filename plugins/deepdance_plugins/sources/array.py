"""`array`: frames or silhouettes that somebody saved with NumPy."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from deepdance.errors import InputError
from deepdance.interfaces import FrameSource, Options, SourceInfo, UInt8
from deepdance_plugins._files import CHUNK_BYTES, MAX_PIXELS, find_file, hash_files, show_path, shrink_to_fit

WHAT = "a .npy or .npz file of frames"
DAMAGED = (ValueError, EOFError, OSError, RuntimeError, TypeError, zipfile.BadZipFile, zlib.error, SyntaxError)
"""What NumPy and zipfile raise when a file is cut short, is something else, or holds pickled objects."""

Frames = npt.NDArray[Any]


class ArrayOptions(Options):
    """What the file may not say."""

    fps: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="Frames a second, in place of the file's own `fps`; with neither, each frame is a sample.",
    )


@dataclass(frozen=True)
class Layout:
    """What a file holds: frames of `shape` (n, h, w) or (n, h, w, 3), in `member` of an .npz."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    streamable: bool
    member: str | None = None
    fps: float | None = None
    shot_starts: tuple[int, ...] = ()


class ArraySource(FrameSource[ArrayOptions]):
    """Reads `(n, h, w, 3)` uint8 RGB frames, or `(n, h, w)` silhouettes: uint8, or bool where True is the dancer.

    An .npz has them under `frames`, or as its only array with three or four axes; `fps` and `shot_starts` (camera
    cuts, counted in the file's frames) are used where present. Neither kind of file is loaded whole, but for an
    array in Fortran order within an .npz.
    """

    _cuts: tuple[int, ...] = ()

    @cached_property
    def _path(self) -> Path:
        return find_file(self.location, WHAT)

    @cached_property
    def _layout(self) -> Layout:
        with self._translate_damage():
            layout = _read_npz_layout(self._path) if zipfile.is_zipfile(self._path) else _read_npy_layout(self._path)
            _check(layout)
        return layout

    @property
    def _fps(self) -> float | None:
        return self.options.fps or self._layout.fps

    @contextmanager
    def _translate_damage(self) -> Iterator[None]:
        try:
            yield
        except DAMAGED as error:
            reason = str(error).split("\n")[0] or type(error).__name__
            raise InputError(f"{show_path(self.location)}: expected {WHAT}, got: {reason}; save it again") from None

    def info(self) -> SourceInfo:
        """What the file's header says."""
        count, height, width = self._layout.shape[:3]
        seconds = count / self._fps if self._fps else None
        return SourceInfo(height, width, self._fps, seconds, silhouettes=len(self._layout.shape) == 3)

    def fingerprint(self) -> str:
        """Size and hash of the whole file."""
        return hash_files([self._path])

    def frames(self, fps: float, size: tuple[int, int]) -> Iterator[UInt8]:
        """Yield chunks `(n, h, w, 3)`; silhouettes are repeated in the three channels."""
        layout = self._layout
        chosen = sample_frames(layout.shape[0], self._fps or fps, fps)
        self._cuts = tuple(
            int(k) for k in np.unique(np.searchsorted(chosen, layout.shot_starts)) if 0 < k < len(chosen)
        )
        target = shrink_to_fit((layout.shape[1], layout.shape[2]), size)
        with self._translate_damage():
            for start, chunk in _read_chunks(self._path, layout):
                first, last = np.searchsorted(chosen, (start, start + len(chunk)))
                if first < last:
                    yield from _prepare(chunk, chosen[first:last] - start, target)

    def shot_starts(self) -> Sequence[int]:
        """The file's camera cuts, as samples of the last `frames`."""
        return self._cuts


def sample_frames(count: int, file_fps: float, fps: float) -> npt.NDArray[np.int64]:
    """The frame that each sample k is: the first whose time, frame / `file_fps`, has reached k / `fps`."""
    # The 1e-8 keeps a time that rounding puts just beside a sample, such as 1 / 3 · 3, on it.
    samples = math.floor((count - 1) * fps / file_fps + 1e-8) + 1
    frames: npt.NDArray[np.int64] = np.ceil(np.arange(samples) * (file_fps / fps) - 1e-8).astype(np.int64)
    return frames


def _read_npy_layout(path: Path) -> Layout:
    with path.open("rb") as file:
        shape, fortran, dtype = _read_header(file)
        return Layout(shape, dtype, streamable=not fortran)


def _read_npz_layout(path: Path) -> Layout:
    """Choose the member by the headers alone."""
    with zipfile.ZipFile(path) as archive:
        headers = {}
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as file:
                    headers[member.removesuffix(".npy")] = _read_header(file)
    candidates = (
        ["frames"] if "frames" in headers else [key for key, (shape, *_) in headers.items() if len(shape) in (3, 4)]
    )
    if len(candidates) != 1:
        raise ValueError(f"no array `frames` and {len(candidates)} others with three or four axes")
    shape, fortran, dtype = headers[candidates[0]]
    with np.load(path, allow_pickle=False) as archive:
        fps = float(archive["fps"]) if "fps" in headers else None
        cuts = tuple(int(cut) for cut in archive["shot_starts"]) if "shot_starts" in headers else ()
    return Layout(shape, dtype, not fortran, f"{candidates[0]}.npy", fps if fps and 0 < fps <= 1000 else None, cuts)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and dtype; leaves `file` at the first number."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def _check(layout: Layout) -> None:
    shape = layout.shape
    if layout.dtype not in (np.dtype(np.uint8), np.dtype(bool)):
        raise ValueError(f"{layout.dtype} numbers where uint8 (0 to 255) or bool are wanted")
    if len(shape) != 3 and not (len(shape) == 4 and shape[3] == 3 and layout.dtype == np.uint8):
        raise ValueError(f"shape {shape} where (n, h, w), or uint8 (n, h, w, 3), is wanted")
    if 0 in shape or shape[1] * shape[2] > MAX_PIXELS:
        raise ValueError(f"shape {shape} where at least one frame of 1 to {MAX_PIXELS} pixels is wanted")


def _read_chunks(path: Path, layout: Layout) -> Iterator[tuple[int, Frames]]:
    """The file's frames in order, each chunk with the number of its first frame."""
    frame_bytes = math.prod(layout.shape[1:])
    length = max(1, CHUNK_BYTES // 4 // frame_bytes)
    if layout.member and layout.streamable:
        with zipfile.ZipFile(path) as archive, archive.open(layout.member) as file:
            _read_header(file)
            for start in range(0, layout.shape[0], length):
                count = min(length, layout.shape[0] - start)
                data = file.read(count * frame_bytes)
                if len(data) < count * frame_bytes:
                    raise EOFError(f"only {start + len(data) // frame_bytes} of {layout.shape[0]} frames")
                yield start, np.frombuffer(data, layout.dtype).reshape(count, *layout.shape[1:])
        return
    if layout.member:
        with np.load(path, allow_pickle=False) as archive:
            frames = archive[layout.member.removesuffix(".npy")]
    else:
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    for start in range(0, len(frames), length):
        yield start, frames[start : start + length]


def _prepare(chunk: Frames, indices: npt.NDArray[np.int64], size: tuple[int, int]) -> Iterator[UInt8]:
    """The frames at `indices` of a chunk as RGB of `size`, a bounded number at a time: indices may repeat."""
    length = max(1, CHUNK_BYTES // (size[0] * size[1] * 3))
    for start in range(0, len(indices), length):
        part = chunk[indices[start : start + length]]
        grey = np.where(part, np.uint8(0), np.uint8(255)) if part.dtype == bool else part
        small = _shrink(grey, size)
        yield small if small.ndim == 4 else np.repeat(small[..., np.newaxis], 3, axis=3)


def _shrink(frames: UInt8, size: tuple[int, int]) -> UInt8:
    import cv2

    if frames.shape[1:3] == size:
        return frames
    height, width = size
    return np.stack(
        [np.asarray(cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA), np.uint8) for f in frames]
    )
