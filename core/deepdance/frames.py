"""Silhouettes on disk: memory-mapped uint8 frames with a table of the clips they come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from deepdance.array_files import read_header, translate_damage
from deepdance.arrays import Float32, Int64, UInt8
from deepdance.errors import WorkspaceError
from deepdance.folders import show_path
from deepdance.html import write_html_picture
from deepdance.storage import read_as

BACKGROUND = 255
SHEET, SHEET_WIDTH, SHEET_GREY = (3, 6), 720, 192
"""Rows and columns of the contact sheet in a notebook, its pixels at most, and the grey of its lines."""
MIDDLE = BACKGROUND / 2
"""The grey at which an outline runs."""

SMOOTHING = 0.5
"""Pixels. At 1080 lines the outline of the demo dancer's 120×200 frames lies .52 pixels from the true one; without
this and the spline .51, but in ripples."""
FINER = 3
"""The spline's samples a pixel: what lies between them OpenCV interpolates without a ripple."""
REACH = 1 / 15
"""Of a frame's height: farther from the outline, distances are all the same."""
LEAST_SLOPE = BACKGROUND / 4
"""Grey levels a pixel: where an outline is softer than four pixels, a codec's haze stays a little soft."""


MOST_FPS = 1000
"""Frames a second of a clip."""


@dataclass(frozen=True)
class Clip:
    """Frames `start` up to, not including, `stop`: one continuous take of one source at `fps` samples a second."""

    start: int
    stop: int
    source: str
    fps: float

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class _StoredFrames:
    """Frames of a file, which is open only while they are read: a process may have some hundreds open, of thousands."""

    path: Path
    shape: tuple[int, ...]
    offset: int
    """Bytes before the first frame."""

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Int64) -> UInt8:
        with translate_damage(self.path):
            return np.asarray(np.memmap(self.path, np.uint8, "r", self.offset, self.shape)[index])

    def cut(self, start: int, stop: int) -> Self:
        size = self.shape[1:]
        return replace(self, offset=self.offset + start * prod(size), shape=(stop - start, *size))


Part = UInt8 | _StoredFrames


class Silhouettes:
    """Frames `(n, height, width)`, uint8, 0 the dancer, read lazily from one or more arrays laid end to end."""

    def __init__(self, parts: Sequence[Part], clips: Sequence[Clip]) -> None:
        if not parts or len({part.shape[1:] for part in parts}) != 1:
            raise ValueError(f"expected arrays of one frame size, got {[part.shape for part in parts]}")
        self._parts = list(parts)
        self._ends = np.cumsum([len(part) for part in parts])
        self.clips = list(clips)

    @classmethod
    def of(cls, frames: UInt8, *, source: str = "array", fps: float = 1.0) -> Self:
        """One array as one clip."""
        return cls([frames], [Clip(0, len(frames), source, fps)])

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a frame."""
        height, width = self._parts[0].shape[1:]
        return height, width

    def __getitem__(self, index: slice | npt.NDArray[np.integer]) -> UInt8:
        """The frames at a slice or an array of indices, copied into memory."""
        indices = self._number(index)
        out = np.empty((len(indices), *self.size), np.uint8)
        owners = np.searchsorted(self._ends, indices, side="right")
        for owner in np.unique(owners):
            mine = owners == owner
            part = self._parts[owner]
            out[mine] = part[indices[mine] - (self._ends[owner] - len(part))]
        return out

    def _number(self, index: slice | npt.NDArray[np.integer]) -> Int64:
        """The numbers of the frames that an index means, from 0; without a list of all, of which there may be many."""
        if isinstance(index, slice):
            return np.arange(*index.indices(len(self)))
        given = np.asarray(index)
        if given.dtype == bool:
            return np.arange(len(self))[given]
        beyond = (given < -len(self)) | (given >= len(self))
        if beyond.any():
            raise IndexError(f"expected frames below {len(self)}, got {given[beyond][0]}")
        return np.where(given < 0, given + len(self), given).astype(np.int64)

    def chunks(self, length: int = 256) -> Iterator[UInt8]:
        """All frames in order, at most `length` at a time."""
        for start in range(0, len(self), length):
            yield self[start : start + length]

    def neighbours(self, length: int = 256) -> Iterator[tuple[UInt8, UInt8]]:
        """Frames beside those that follow them in their clip, `(before, after)`, at most `length` at a time."""
        after = np.concatenate([np.arange(clip.start + 1, clip.stop) for clip in self.clips] or [np.arange(0)])
        for chunk in np.array_split(after, range(length, len(after), length)):
            if len(chunk):
                yield self[chunk - 1], self[chunk]

    def between(self, start: int, stop: int) -> Silhouettes:
        """The frames from `start` up to `stop`, with the clips cut to fit."""
        parts = [
            _cut(part, *np.clip((start - end + len(part), stop - end + len(part)), 0, len(part)).tolist())
            for part, end in zip(self._parts, self._ends, strict=True)
        ]
        clips = [
            replace(clip, start=max(clip.start, start) - start, stop=min(clip.stop, stop) - start)
            for clip in self.clips
            if max(clip.start, start) < min(clip.stop, stop)
        ]
        return Silhouettes(parts, clips)

    def __repr__(self) -> str:
        return f"<Silhouettes: {self._describe()}>"

    def _describe(self) -> str:
        height, width = self.size
        clips = f"{len(self.clips)} clip" + "s" * (len(self.clips) != 1)
        return f"{len(self)} of {height}×{width} in {clips}"

    def _repr_html_(self) -> str:
        """A contact sheet of a few frames, spread over all."""
        import cv2

        if not len(self):
            return "no silhouettes"
        picks = np.unique(np.linspace(0, len(self) - 1, SHEET[0] * SHEET[1]).round().astype(int))
        blank = np.full((SHEET[0] * SHEET[1], *self.size), BACKGROUND, np.uint8)
        blank[: len(picks)] = self[picks]
        framed = np.pad(blank, ((0, 0), (1, 1), (1, 1)), constant_values=SHEET_GREY)
        sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in np.split(framed, SHEET[0])])
        scale = min(1.0, SHEET_WIDTH / sheet.shape[1])
        _, png = cv2.imencode(".png", cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        told = f"silhouettes: {self._describe()}"
        return f"{write_html_picture(png.tobytes(), 'image/png', told)}<p><small>{told}</small></p>"

    @classmethod
    def load(cls, folders: Sequence[Path]) -> Self:
        """The silhouettes that a `SilhouetteWriter` left in each folder, one after the other."""
        parts: list[_StoredFrames] = []
        clips: list[Clip] = []
        offset = 0
        for folder in folders:
            parts.append(_find_frames(folder / "silhouettes.npy", parts[0].shape[1:] if parts else None))
            for clip in _read_clips(folder / "clips.json", len(parts[-1])):
                clips.append(replace(clip, start=clip.start + offset, stop=clip.stop + offset))
            offset += len(parts[-1])
        return cls(parts, clips)


def _cut(part: Part, start: int, stop: int) -> Part:
    return part.cut(start, stop) if isinstance(part, _StoredFrames) else part[start:stop]


def _find_frames(path: Path, size: tuple[int, ...] | None) -> _StoredFrames:
    """The frames `(n, height, width)`, n at least 1, of a file; of this size, where it is known."""
    with translate_damage(path), path.open("rb") as file:
        header = read_header(file)
        header.check(path.stat().st_size)
    shape = header.shape
    whole = header.dtype == np.uint8 and not header.fortran and len(shape) == 3 and header.nbytes
    if not whole or size not in (None, shape[1:]):
        wanted = "(n, height, width)" if size is None else f"(n, {size[0]}, {size[1]})"
        raise WorkspaceError(
            f"{show_path(path)}: expected silhouettes {wanted}, uint8, got {header.dtype} {shape}; "
            f"delete the folder {show_path(path.parent)} and run again"
        )
    return _StoredFrames(path, shape, header.data_start)


def _read_clips(path: Path, frames: int) -> list[Clip]:
    """The clips of so many frames, one after the other. Raises WorkspaceError."""
    clips = read_as(path, list[Clip])
    ends = [0, *(clip.stop for clip in clips)]
    pairs = zip(ends, clips, strict=False)
    fitting = all(end <= clip.start < clip.stop and 0 < clip.fps <= MOST_FPS for end, clip in pairs)
    if not clips or not fitting or ends[-1] > frames:
        raise WorkspaceError(
            f"{show_path(path)}: expected clips of {frames} frames, one after the other, got others; "
            f"delete the folder {show_path(path.parent)} and run again"
        )
    return clips


class SilhouetteWriter:
    """Streams frames into `silhouettes.npy`, whose length is filled in at the end."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self._folder = folder
        self._size = size
        self._file = (folder / "silhouettes.npy").open("wb")
        self.count = 0
        self._write_header()

    def _write_header(self) -> None:
        self._file.seek(0)
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.count, *self._size)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def write(self, frames: UInt8) -> None:
        """Append `(n, height, width)` frames."""
        if frames.shape[1:] != self._size or frames.dtype != np.uint8:
            raise ValueError(f"expected uint8 frames of size {self._size}, got {frames.dtype} {frames.shape}")
        self._file.write(np.ascontiguousarray(frames).data)
        self.count += len(frames)

    def finish(self, *, source: str, fps: float, shot_starts: Sequence[int] = ()) -> None:
        """Write the final length and the clip table, one clip a shot."""
        self._write_header()
        cuts = sorted({0, *(start for start in shot_starts if 0 < start < self.count)})
        clips = [Clip(a, b, source, fps) for a, b in zip(cuts, [*cuts[1:], self.count], strict=True)]
        table = json.dumps([asdict(clip) for clip in clips])
        (self._folder / "clips.json").write_text(table, encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()


def spread_evenly(frames: Iterable[UInt8], count: int) -> list[UInt8]:
    """At most `count` of the frames, spread over all of them; never more than twice as many are held."""
    kept: list[UInt8] = []
    step = 1
    for number, frame in enumerate(frames):
        if number % step == 0:
            kept.append(frame.copy())  # a view would hold the whole chunk that it came in
        if len(kept) >= 2 * count:
            kept, step = kept[::2], 2 * step
    places = (np.arange(min(count, len(kept))) + 0.5) * max(1.0, len(kept) / count)
    return [kept[int(place)] for place in places]


def fit_size(height: int, width: int, box: tuple[int, int]) -> tuple[int, int]:
    """The largest size of the same shape that fits into `box` (height, width)."""
    scale = min(box[0] / height, box[1] / width)
    return max(1, min(box[0], round(height * scale))), max(1, min(box[1], round(width * scale)))


def find_middle(inner: tuple[int, int], size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of what is `inner` (height, width) large, in the middle of a picture of `size`."""
    top, left = ((outer - side) // 2 for side, outer in zip(inner, size, strict=True))
    return slice(top, top + inner[0]), slice(left, left + inner[1])


def shrink(silhouettes: UInt8, size: tuple[int, int]) -> UInt8:
    """Area-average `(n, h, w)` frames into `size`, keeping their shape; what is left over is background.

    At the paper's sizes this is the mean of each 4×4 block, which makes the anti-aliased outline.
    """
    import cv2

    def average(frame: UInt8, width: int, height: int) -> UInt8:
        if frame.shape == (4 * height, 4 * width):
            return _quarter(frame)
        way = cv2.INTER_AREA if height < frame.shape[0] else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(frame, (width, height), interpolation=way))

    return _fit_into(silhouettes, size, average)


def redraw(silhouettes: UInt8, size: tuple[int, int]) -> UInt8:
    """`(n, h, w)` silhouettes at any `size`, keeping their shape; what is left over is background.

    Smaller ones are averaged. Of larger ones the outline is drawn anew: smooth, and about a pixel of grey wide, however
    soft it was. Frames of `size` are given back as they are.
    """
    _, given_height, given_width = silhouettes.shape
    larger = fit_size(given_height, given_width, size)[0] > given_height
    return _fit_into(silhouettes, size, _enlarge) if larger else shrink(silhouettes, size)


def measure_distances(frame: UInt8) -> Float32:
    """Distance of each pixel of a silhouette `(h, w)` from the outline in px, below 0 in the dancer, cut at `REACH`.

    Beside the outline the grey says where in its pixel it runs.
    """
    import cv2

    inside = (frame < 128).astype(np.uint8)
    reach = REACH * len(frame)
    inner, outer = (cv2.distanceTransform(mask, cv2.DIST_L2, 5) for mask in (inside, 1 - inside))
    far = np.clip(outer - inner - np.sign(outer - inner) / 2, -reach, reach)
    return np.asarray(np.where(inner + outer <= 1, frame / np.float32(255) - np.float32(0.5), far), np.float32)


def draw_distances(field: Float32) -> Float32:
    """Grey levels `(h, w)` of the silhouette with these distances from the outline, which is a pixel of grey wide."""
    return np.asarray(BACKGROUND * np.clip(field + np.float32(0.5), 0, 1), np.float32)


def blur_error(field: Float32) -> Float32:
    """A difference of distances `(h, w)` without the steps of their pixels, which would make an outline rough."""
    import cv2

    return np.asarray(cv2.GaussianBlur(field, (0, 0), len(field) / 200), np.float32)


def is_grey(frame: UInt8) -> bool:
    """Whether it is a picture, such as the remover `luma` leaves, and has no outline."""
    import cv2

    return bool(np.mean(cv2.inRange(frame, 26, 229)) > MIDDLE)


def _fit_into(silhouettes: UInt8, size: tuple[int, int], resize: Callable[[UInt8, int, int], UInt8]) -> UInt8:
    if silhouettes.shape[1:] == size:
        return silhouettes
    _, given_height, given_width = silhouettes.shape
    height, width = fit_size(given_height, given_width, size)
    middle = find_middle((height, width), size)
    out = np.full((len(silhouettes), *size), BACKGROUND, np.uint8)
    for frame, target in zip(silhouettes, out, strict=True):
        target[middle] = resize(frame, width, height)
    return out


def _enlarge(frame: UInt8, width: int, height: int) -> UInt8:
    import cv2

    if is_grey(frame):
        return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC))
    # The grey of an outline says where in its pixel it runs. Interpolation through these samples would show the pixels
    # as ripples, so they are smoothed: a little, and by a cubic B-spline that need not pass through them (Unser 1999),
    # which is each sample as a box, blurred by three boxes more.
    field = cv2.GaussianBlur(frame.astype(np.float32) - MIDDLE, (0, 0), SMOOTHING, borderType=cv2.BORDER_REPLICATE)
    field = cv2.resize(field, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_NEAREST)
    for _ in range(3):
        field = cv2.blur(field, (FINER, FINER), borderType=cv2.BORDER_REPLICATE)
    slope = FINER * cv2.magnitude(*(cv2.Sobel(field, cv2.CV_32F, *axis, scale=1 / 8) for axis in ((1, 0), (0, 1))))
    contrast = BACKGROUND * height / frame.shape[0] / np.maximum(slope, LEAST_SLOPE)
    field, contrast = (
        cv2.resize(part, (width, height), interpolation=way)
        for part, way in ((field, cv2.INTER_CUBIC), (contrast, cv2.INTER_LINEAR))
    )
    return np.asarray(cv2.add(cv2.multiply(field, contrast), MIDDLE, dtype=cv2.CV_8U))


def _quarter(frame: UInt8) -> UInt8:
    """What `INTER_AREA` makes of each 4×4 block, in half the time: OpenCV vectorises halving alone.

    16 times as bright, nothing is rounded but the mean.
    """
    import cv2

    height, width = frame.shape
    total = np.multiply(frame, 16, dtype=np.uint16)
    for part in (2, 4):
        total = cv2.resize(total, (width // part, height // part), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.convertScaleAbs(total, alpha=1 / 16))
