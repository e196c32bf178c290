"""`array`: frames or silhouettes that somebody saved with NumPy."""

from __future__ import annotations

import logging
import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from deepdance.array_files import (
    DAMAGED,
    describe_damage,
    open_archive,
    read_header,
    read_headers,
    read_member,
)
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
ZIP_BEGINS = (b"PK\3\4", b"PK\5\6")
CHANNELS = (1, 3, 4)
"""Grey, RGB, RGBA."""
SMALLEST_SIDE = 8
"""Shorter axes than this are no side of a picture."""
LARGEST_BLOCK = 1 << 26
"""Arrays of more bytes are not looked at as a whole."""
LARGEST_FRAME = 1 << 28
"""Bytes of a frame: one of `MAX_PIXELS` is RGBA of 8 bits, or grey of 32."""
LARGEST_WHOLE = 1 << 29
"""Bytes of an array in Fortran order within an .npz, which cannot be read in pieces."""
LARGEST_TABLE = 1 << 23
"""Bytes of `fps` and `shot_starts`."""
SLOWEST, FASTEST = 0.1, 1000
"""What is believed of a file's `fps`: one of a thousandth would repeat each frame ten thousand times."""
MOST_SAMPLES = 1 << 24
"""Two weeks at 10 a second."""

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

    @property
    def frame_bytes(self) -> int:
        """What a frame takes in memory."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """What all frames take in memory."""
        return self.shape[0] * self.frame_bytes


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
    an array in Fortran order within an .npz, which may have 512 MB.
    """

    _cuts: tuple[int, ...] = ()

    @cached_property
    def _path(self) -> Path:
        return find_file(self.location, WHAT)

    @cached_property
    def _layout(self) -> Layout:
        with self._translate_damage():
            layout = _read_layout(self._path, self.options.array)
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
            raise InputError(self._refuse(describe_damage(error))) from None

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
        chosen = self._choose_samples(fps)
        self._cuts = tuple(
            int(k) for k in np.unique(np.searchsorted(chosen, layout.shot_starts)) if 0 < k < len(chosen)
        )
        target = shrink_to_fit(layout.size, size)
        with self._translate_damage():
            for start, chunk in _read_chunks(self._path, layout):
                first, last = np.searchsorted(chosen, (start, start + len(chunk)))
                if first < last:
                    yield from _prepare(chunk, chosen[first:last] - start, target, self._values)

    def _choose_samples(self, fps: float) -> npt.NDArray[np.int64]:
        count, own = self._layout.shape[0], self._fps or fps
        if count * fps / own > MOST_SAMPLES:
            got = f"{count:,} frames at {own:g} a second, more than {MOST_SAMPLES:,} samples at {fps:g}"
            raise InputError(self._refuse(got, "save fewer of them, or give --set source.fps"))
        return choose_samples(count, own, fps)

    def _tell_doubts(self) -> None:
        """Warn of what is taken for granted and changes the data."""
        name, layout, told = show_path(self.location), self._layout, self._values.tones.told
        if told:
            other = "dark" if self._values.tones.table[0] else "bright"
            log.warning("%s: %s; if that is wrong, --set source.dancer=%s", name, told, other)
        if len(layout.shape) == 3 and layout.nbytes <= LARGEST_BLOCK and is_stacked_last(self._load_block()):
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


def _read_layout(path: Path, name: str | None) -> Layout:
    """By the headers alone."""
    with path.open("rb") as file:
        if file.read(4) not in ZIP_BEGINS:
            file.seek(0)
            header = read_header(file)
            header.check(path.stat().st_size)
            return Layout(header.shape, header.dtype, streamable=not header.fortran)
    with open_archive(path) as archive:
        return _read_archive_layout(path, archive, name)


def _read_archive_layout(path: Path, archive: zipfile.ZipFile, name: str | None) -> Layout:
    headers = read_headers(archive)
    name = _choose_member({key: header.shape for key, header in headers.items()}, name)
    header = headers[name]
    header.check(archive.getinfo(f"{name}.npy").file_size)
    tables = {key: read_member(archive, key, LARGEST_TABLE) for key in ("fps", "shot_starts") if key in headers}
    fps = _believe(float(tables["fps"]), path) if "fps" in tables else None
    cuts = tuple(int(cut) for cut in tables.get("shot_starts", ()))
    return Layout(header.shape, header.dtype, not header.fortran, name, fps, cuts)


def _believe(fps: float, path: Path) -> float | None:
    if SLOWEST <= fps <= FASTEST:
        return fps
    told = "%s: its fps of %g, not from %g to %g, is not used; --set source.fps gives another"
    log.warning(told, show_path(path), fps, SLOWEST, FASTEST)
    return None


def _choose_member(shapes: dict[str, tuple[int, ...]], name: str | None) -> str:
    """The array of this name, else `frames`, else the only one that could be frames."""
    fitting = [key for key, shape in shapes.items() if len(shape) in (3, 4)]
    candidates = [key for key in (name or "frames",) if key in shapes] or ([] if name else fitting)
    if len(candidates) == 1:
        return candidates[0]
    if not fitting and len(shapes) == 1 and not name:
        return next(iter(shapes))  # what is wrong with its shape is told as of any array
    known = ", ".join(f"{show_path(key)} {shape}" for key, shape in list(shapes.items())[:6]) or "nothing"
    one = f"choose one, such as --set source.array={show_path(fitting[0])}" if fitting else ""
    raise UnfitError(f"no array {name or 'frames'!r}, but {known}", one or "save frames (n, h, w) in it")


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
    if layout.frame_bytes > LARGEST_FRAME:
        raise UnfitError(
            f"frames of {layout.frame_bytes:,} bytes where at most {LARGEST_FRAME:,} are wanted", "save them as uint8"
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
    length = max(1, CHUNK_BYTES // 4 // layout.frame_bytes)
    if layout.streamable:
        with _open_numbers(path, layout) as file:
            yield from _stream(file, layout, length)
        return
    frames = _load_whole(path, layout.member) if layout.member else np.load(path, mmap_mode="r", allow_pickle=False)
    for start in range(0, len(frames), length):
        yield start, frames[start : start + length]


def _load_whole(path: Path, member: str) -> Frames:
    with open_archive(path) as archive:
        return read_member(archive, member, LARGEST_WHOLE)


@contextmanager
def _open_numbers(path: Path, layout: Layout) -> Iterator[IO[bytes]]:
    """The numbers of an array. They are read, not mapped: a file that is cut meanwhile would end the program."""
    with ExitStack() as opened:
        if layout.member:
            file = opened.enter_context(opened.enter_context(open_archive(path)).open(f"{layout.member}.npy"))
        else:
            file = opened.enter_context(path.open("rb"))
        read_header(file)
        yield file


def _stream(file: IO[bytes], layout: Layout, length: int) -> Iterator[tuple[int, Frames]]:
    for start in range(0, layout.shape[0], length):
        count = min(length, layout.shape[0] - start)
        data = file.read(count * layout.frame_bytes)
        if len(data) < count * layout.frame_bytes:
            raise EOFError(f"only {start + len(data) // layout.frame_bytes} of {layout.shape[0]} frames")
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
