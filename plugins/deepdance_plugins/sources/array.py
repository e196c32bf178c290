"""`array`: frames or silhouettes that somebody saved with NumPy."""

from __future__ import annotations

import logging
import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from deepdance.errors import InputError
from deepdance.folders import show_path
from deepdance.interfaces import FrameSource, Options, SourceInfo, UInt8
from deepdance_plugins._files import CHUNK_BYTES, MAX_PIXELS, find_file, hash_files, shrink_to_fit
from deepdance_plugins.sources.array_values import (
    AS_THEY_ARE,
    Tones,
    UnfitError,
    find_scale,
    find_tones,
    is_stacked_last,
    lay_on_white,
    sample_frames,
    to_grey_levels,
)

WHAT = "a .npy or .npz file of frames"
DAMAGED = (ValueError, EOFError, OSError, RuntimeError, TypeError, zipfile.BadZipFile, zlib.error, SyntaxError)
"""What NumPy and zipfile raise when a file is cut short, is something else, or holds pickled objects."""

CHANNELS = (1, 3, 4)
"""Grey, RGB, RGBA."""
SMALLEST_SIDE = 8
"""Shorter axes than this are no side of a picture."""
LARGEST_BLOCK = 1 << 26
"""Arrays of more numbers are not looked at as a whole."""

log = logging.getLogger("deepdance")

Frames = npt.NDArray[Any]


class ArrayOptions(Options):
    """What the file may not say."""

    fps: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="Frames a second, in place of the file's own `fps`; with neither, each frame is a sample.",
    )
    array: str | None = Field(None, description="The name of the array in an .npz that holds several.")
    dancer: Literal["auto", "dark", "bright"] = Field(
        "auto",
        description="Which tone of silhouettes or masks is the dancer; `auto` takes the tone of the border that fills "
        "the larger part for the ground.",
    )


@dataclass(frozen=True)
class Layout:
    """What a file holds: an array of `shape` in `member` of an .npz, or alone."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    streamable: bool
    member: str | None = None
    fps: float | None = None
    shot_starts: tuple[int, ...] = ()

    @property
    def channels_first(self) -> bool:
        """`(n, c, h, w)`, as PyTorch has it."""
        return len(self.shape) == 4 and self.shape[1] in CHANNELS and self.shape[3] >= SMALLEST_SIDE

    @property
    def channels(self) -> int:
        """1 where there is no such axis."""
        return 1 if len(self.shape) == 3 else self.shape[1 if self.channels_first else 3]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a frame."""
        height, width = self.shape[2:] if self.channels_first else self.shape[1:3]
        return height, width


@dataclass(frozen=True)
class Values:
    """What the numbers of a file mean."""

    scale: int
    tones: Tones
    transparent: bool


class ArraySource(FrameSource[ArrayOptions]):
    """Reads RGB or RGBA frames `(n, h, w, 3 or 4)`, or silhouettes and masks `(n, h, w)`.

    Numbers go from 0 to 255 or, as floats, from 0 to 1. Masks are recognized by their values, either way round, and
    what is made of them is told; True is the dancer. Transparent frames are laid on white.

    An .npz has its frames under `frames`, or as its only array with three or four axes; `fps` and `shot_starts`
    (camera cuts, counted in the file's frames) are used where present. Neither kind of file is loaded whole, but for
    an array in Fortran order within an .npz.
    """

    _cuts: tuple[int, ...] = ()

    @cached_property
    def _path(self) -> Path:
        return find_file(self.location, WHAT)

    @cached_property
    def _layout(self) -> Layout:
        with self._translate_damage():
            is_archive = zipfile.is_zipfile(self._path)
            layout = _read_npz_layout(self._path, self.options.array) if is_archive else _read_npy_layout(self._path)
            _check(layout)
        return layout

    @cached_property
    def _values(self) -> Values:
        layout = self._layout
        with self._translate_damage():
            sample = sample_frames(chunk for _, chunk in _read_chunks(self._path, layout))
            scale = find_scale(sample, colour=layout.channels > 1)
            grey = to_grey_levels(sample, scale)
        boolean = layout.dtype == np.bool_
        tones = AS_THEY_ARE if layout.channels > 1 else find_tones(grey, self.options.dancer, boolean=boolean)
        return Values(scale, tones, layout.channels == 4 and bool((grey[..., 3] < 255).any()))

    @property
    def _fps(self) -> float | None:
        return self.options.fps or self._layout.fps

    @contextmanager
    def _translate_damage(self) -> Iterator[None]:
        try:
            yield
        except UnfitError as error:
            raise InputError(self._refuse(*error.args)) from None
        except DAMAGED as error:
            raise InputError(self._refuse(str(error).split("\n")[0] or type(error).__name__)) from None

    def _refuse(self, got: str, advice: str = "save it again") -> str:
        return f"{show_path(self.location)}: expected {WHAT}, got: {got}; {advice}"

    def info(self) -> SourceInfo:
        """What the file's header says; of RGBA frames and of floats, the first are looked at."""
        height, width = self._layout.size
        seconds = self._layout.shape[0] / self._fps if self._fps else None
        grey = self._layout.channels == 1
        alpha = (self._layout.channels == 4 or self._layout.dtype.kind == "f") and self._values.transparent
        return SourceInfo(height, width, self._fps, seconds, silhouettes=grey, alpha=alpha)

    def fingerprint(self) -> str:
        """Size and hash of the whole file."""
        return hash_files([self._path])

    def frames(self, fps: float, size: tuple[int, int]) -> Iterator[UInt8]:
        """Yield chunks `(n, h, w, 3)`; silhouettes are repeated in the three channels."""
        layout = self._layout
        self._tell_doubts()
        chosen = choose_samples(layout.shape[0], self._fps or fps, fps)
        self._cuts = tuple(
            int(k) for k in np.unique(np.searchsorted(chosen, layout.shot_starts)) if 0 < k < len(chosen)
        )
        target = shrink_to_fit(layout.size, size)
        with self._translate_damage():
            for start, chunk in _read_chunks(self._path, layout):
                first, last = np.searchsorted(chosen, (start, start + len(chunk)))
                if first < last:
                    yield from _prepare(chunk, chosen[first:last] - start, target, self._values)

    def _tell_doubts(self) -> None:
        """Warn of what is taken for granted and changes the data."""
        name, layout, told = show_path(self.location), self._layout, self._values.tones.told
        if told:
            other = "dark" if self._values.tones.table[0] else "bright"
            log.warning("%s: %s; if that is wrong, --set source.dancer=%s", name, told, other)
        if len(layout.shape) == 3 and math.prod(layout.shape) <= LARGEST_BLOCK and is_stacked_last(self._load_block()):
            log.warning(
                "%s: %s looks like frames stacked along the last axis, which is read as their width; if so, save "
                "np.moveaxis(frames, -1, 0)", name, layout.shape,
            )  # fmt: skip

    def _load_block(self) -> Frames:
        with self._translate_damage():
            return np.concatenate([chunk for _, chunk in _read_chunks(self._path, self._layout)])

    def shot_starts(self) -> Sequence[int]:
        """The file's camera cuts, as samples of the last `frames`."""
        return self._cuts


def choose_samples(count: int, file_fps: float, fps: float) -> npt.NDArray[np.int64]:
    """The frame that each sample k is: the first whose time, frame / `file_fps`, has reached k / `fps`."""
    # The 1e-8 keeps a time that rounding puts just beside a sample, such as 1 / 3 · 3, on it.
    samples = math.floor((count - 1) * fps / file_fps + 1e-8) + 1
    frames: npt.NDArray[np.int64] = np.ceil(np.arange(samples) * (file_fps / fps) - 1e-8).astype(np.int64)
    return frames


def _read_npy_layout(path: Path) -> Layout:
    with path.open("rb") as file:
        shape, fortran, dtype = _read_header(file)
        return Layout(shape, dtype, streamable=not fortran)


def _read_npz_layout(path: Path, name: str | None) -> Layout:
    """Choose the member by the headers alone."""
    with zipfile.ZipFile(path) as archive:
        headers = {}
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as file:
                    headers[member.removesuffix(".npy")] = _read_header(file)
    name = _choose_member({key: shape for key, (shape, *_) in headers.items()}, name)
    shape, fortran, dtype = headers[name]
    with np.load(path, allow_pickle=False) as archive:
        fps = float(archive["fps"]) if "fps" in headers else None
        cuts = tuple(int(cut) for cut in archive["shot_starts"]) if "shot_starts" in headers else ()
    return Layout(shape, dtype, not fortran, f"{name}.npy", fps if fps and 0 < fps <= 1000 else None, cuts)


def _choose_member(shapes: dict[str, tuple[int, ...]], name: str | None) -> str:
    """The array of this name, else `frames`, else the only one that could be frames."""
    fitting = [key for key, shape in shapes.items() if len(shape) in (3, 4)]
    candidates = [key for key in (name or "frames",) if key in shapes] or ([] if name else fitting)
    if len(candidates) == 1:
        return candidates[0]
    if not fitting and len(shapes) == 1 and not name:
        return next(iter(shapes))  # what is wrong with its shape is told as of any array
    known = ", ".join(f"{key} {shape}" for key, shape in list(shapes.items())[:6]) or "nothing"
    choice = f"choose one, such as --set source.array={fitting[0]}" if fitting else "save frames (n, h, w) in it"
    raise UnfitError(f"no array {name or 'frames'!r}, but {known}", choice)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and dtype; leaves `file` at the first number."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def _check(layout: Layout) -> None:
    """Raise UnfitError for anything but frames."""
    shape = layout.shape
    if layout.dtype.kind not in "buif":
        raise UnfitError(f"{layout.dtype} values where numbers are wanted", "save the frames as uint8")
    _refuse_single_picture(shape)
    if len(shape) not in (3, 4) or (len(shape) == 4 and layout.channels not in CHANNELS):
        raise UnfitError(f"shape {shape} where (n, h, w) or (n, h, w, 3) is wanted", "reshape it and save it again")
    if 0 in shape or math.prod(layout.size) > MAX_PIXELS:
        raise UnfitError(
            f"shape {shape} where at least one frame of 1 to {MAX_PIXELS} pixels is wanted", "save other frames"
        )


def _refuse_single_picture(shape: tuple[int, ...]) -> None:
    colour = len(shape) == 3 and shape[2] in CHANNELS and min(shape[:2]) >= SMALLEST_SIDE
    if len(shape) == 2 or colour:
        raise UnfitError(f"one picture of shape {shape}", "a dance is many: save np.stack(pictures)")


def _read_chunks(path: Path, layout: Layout) -> Iterator[tuple[int, Frames]]:
    """The file's frames in order, `(n, h, w)` or `(n, h, w, c)`, each chunk with the number of its first frame."""
    for start, chunk in _read_stored_chunks(path, layout):
        frames = np.moveaxis(chunk, 1, -1) if layout.channels_first else chunk
        yield start, frames[..., 0] if frames.ndim == 4 and layout.channels == 1 else frames


def _read_stored_chunks(path: Path, layout: Layout) -> Iterator[tuple[int, Frames]]:
    frame_bytes = math.prod(layout.shape[1:]) * layout.dtype.itemsize
    length = max(1, CHUNK_BYTES // 4 // frame_bytes)
    if layout.member and layout.streamable:
        yield from _stream_member(path, layout, frame_bytes, length)
        return
    if layout.member:
        with np.load(path, allow_pickle=False) as archive:
            frames = archive[layout.member.removesuffix(".npy")]
    else:
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    for start in range(0, len(frames), length):
        yield start, frames[start : start + length]


def _stream_member(path: Path, layout: Layout, frame_bytes: int, length: int) -> Iterator[tuple[int, Frames]]:
    with zipfile.ZipFile(path) as archive, archive.open(layout.member or "") as file:
        _read_header(file)
        for start in range(0, layout.shape[0], length):
            count = min(length, layout.shape[0] - start)
            data = file.read(count * frame_bytes)
            if len(data) < count * frame_bytes:
                raise EOFError(f"only {start + len(data) // frame_bytes} of {layout.shape[0]} frames")
            yield start, np.frombuffer(data, layout.dtype).reshape(count, *layout.shape[1:])


def _prepare(chunk: Frames, indices: npt.NDArray[np.int64], size: tuple[int, int], values: Values) -> Iterator[UInt8]:
    """The frames at `indices` of a chunk as RGB of `size`, a bounded number at a time: indices may repeat."""
    length = max(1, CHUNK_BYTES // (size[0] * size[1] * 3))
    for start in range(0, len(indices), length):
        grey = to_grey_levels(chunk[indices[start : start + length]], values.scale)
        if grey.ndim == 4:
            yield _shrink(lay_on_white(grey) if grey.shape[3] == 4 else grey, size)
        else:
            small = _shrink(values.tones.table[grey], size)
            yield np.repeat(small[..., np.newaxis], 3, axis=3)


def _shrink(frames: UInt8, size: tuple[int, int]) -> UInt8:
    import cv2

    if frames.shape[1:3] == size:
        return frames
    height, width = size
    return np.stack(
        [np.asarray(cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA), np.uint8) for f in frames]
    )
