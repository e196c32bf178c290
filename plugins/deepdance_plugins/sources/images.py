"""`images`: a folder of pictures, in the order a person would count them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.errors import InputError
from deepdance.folders import FOLDER, Listing, describe_names, list_folder, show_path
from deepdance.interfaces import FrameSource, Options, SourceInfo, UInt8
from deepdance_plugins._files import CHUNK_BYTES, MAX_PIXELS, hash_files, shrink_to_fit, translate_errors
from deepdance_plugins.sources.array_values import (
    HIGHEST_LABEL,
    MOST_LABELS,
    SLACK,
    WHITE,
    UnfitError,
    convert_in_pieces,
    lay_on_white,
    to_grey_levels,
)
from deepdance_plugins.sources.exif import find_orientation, turn_upright
from deepdance_plugins.sources.picture_size import measure_picture

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
JPEG = b"\xff\xd8"
LARGEST_PICTURE = 1 << 28
"""Bytes of a picture, and of its file: one of `MAX_PIXELS` has 8 bits a channel, one of half as many 16."""

log = logging.getLogger("deepdance")


class ImagesSource(FrameSource[Options]):
    """Every image of a folder is one sample, whatever rate is asked for: pictures have no rate of their own.

    The first image sets the size. Another shape is fitted inside it, and its outermost pixels fill the rest, which
    continues a plain ground whatever its colour. Transparent images are laid on white; EXIF rotation is applied.
    """

    @cached_property
    def _paths(self) -> list[Path]:
        folder = Path(self.location)
        if not folder.is_dir():
            raise InputError(f"{show_path(folder)}: expected a folder of images, found none; check the path")
        with translate_errors(folder):
            listing = list_folder(folder, lambda path: "" if path.suffix.lower() in SUFFIXES else "no image")
        if not listing.taken:
            raise InputError(f"{show_path(folder)}: {_describe_lack(listing)}")
        listing.tell("images")
        return listing.taken

    @cached_property
    def _first(self) -> SourceInfo:
        first = read_picture(self._paths[0])
        height, width = first.colour.shape[:2]
        return SourceInfo(height, width, alpha=first.transparent)

    def info(self) -> SourceInfo:
        """The size of the first image, and whether it is transparent; `fps` and `seconds` are not known."""
        return self._first

    def fingerprint(self) -> str:
        """Size and hash of all images in their order."""
        return hash_files(self._paths)

    def frames(self, fps: float, size: tuple[int, int]) -> Iterator[UInt8]:
        """Yield chunks `(n, h, w, 3)`, one sample an image; `fps` changes nothing."""
        height, width = shrink_to_fit((self._first.height, self._first.width), size)
        length = max(1, CHUNK_BYTES // (height * width * 3))
        several = []
        for start in range(0, len(self._paths), length):
            chunk = np.empty((min(length, len(self._paths) - start), height, width, 3), np.uint8)
            for number, path in enumerate(self._paths[start : start + length]):
                picture = read_picture(path)
                chunk[number] = _letterbox(picture.colour, (height, width))
                several += [path.name] if picture.several else []
            yield chunk
        if several:
            names = describe_names({"an animation or pages": several})
            log.warning("%s: the first picture of each file is taken, of %s too", show_path(self.location), names)


def _describe_lack(listing: Listing) -> str:
    expected = f"expected videos, or images ({' '.join(sorted(suffix[1:] for suffix in SUFFIXES))})"
    if not listing.left_out:
        return f"{expected}, got an empty folder; put some in, or name another"
    folders = listing.left_out.get(FOLDER)
    advice = f"name one of the folders, such as {show_path(listing.folder / folders[0])}" if folders else "name another"
    return f"{expected}, got none of them but {describe_names(listing.left_out)}; {advice}"


@dataclass(frozen=True)
class Picture:
    """The first picture of a file."""

    colour: UInt8
    """`(h, w, 3)`, RGB, over white."""
    transparent: bool
    """Whether any white shows through."""
    several: bool
    """Whether the file holds more pictures."""


def read_picture(path: Path) -> Picture:
    """An image file. Raises InputError, before anything is decoded where the picture is too large."""
    data = _read_file(path)
    size = measure_picture(data)
    if size and (size.pixels > MAX_PIXELS or size.nbytes > LARGEST_PICTURE):
        raise _refuse(
            path,
            f"{size.width}×{size.height} of {size.pixel_bytes} bytes a pixel, where at most {MAX_PIXELS:,} pixels "
            f"and {LARGEST_PICTURE:,} bytes are read; make it smaller",
        )
    raw = _decode(data) if size else None
    if size is None or raw is None:
        raise _refuse(path, "something that cannot be decoded; remove or replace it")
    del data  # it may be as large as the picture
    colour, transparent = _lay_out(_to_eight_bits(raw, path))
    return Picture(colour, transparent, size.several)


def _read_file(path: Path) -> bytes:
    with translate_errors(path):
        size = path.stat().st_size
        if size > LARGEST_PICTURE:
            raise _refuse(
                path, f"a file of {size:,} bytes, where at most {LARGEST_PICTURE:,} are read; make it smaller"
            )
        with path.open("rb") as file:
            return file.read(size)


def _refuse(path: Path, got: str) -> InputError:
    return InputError(f"{show_path(path)}: expected an image, got {got}")


def _lay_out(levels: UInt8) -> tuple[UInt8, bool]:
    """Grey, BGR or BGRA as RGB over white, and whether any white shows through."""
    if levels.ndim == 2:
        return np.repeat(levels[..., np.newaxis], 3, axis=2), False
    if levels.shape[2] == 3:
        return np.ascontiguousarray(levels[..., ::-1]), False
    return np.ascontiguousarray(lay_on_white(levels)[..., ::-1]), bool((levels[..., 3] < 255).any())


def _decode(data: bytes) -> npt.NDArray[Any] | None:
    """An upright picture: grey `(h, w)`, BGR or BGRA, of the file's own depth.

    OpenCV turns a picture as its EXIF says only where it drops the transparency.
    """
    import cv2

    level = cv2.utils.logging.setLogLevel(0)  # the caller tells of damage
    try:
        flags = cv2.IMREAD_COLOR if data.startswith(JPEG) else cv2.IMREAD_UNCHANGED
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if image is None and flags == cv2.IMREAD_UNCHANGED:
            return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)
    return image if image is None or flags == cv2.IMREAD_COLOR else turn_upright(image, find_orientation(data))


def _to_eight_bits(image: npt.NDArray[Any], path: Path) -> UInt8:
    """Of 16 bits the upper half; floats, and masks of 0 and 1, are shares of white. Raises InputError."""
    if image.dtype == np.uint8:
        return _spread_labels(np.asarray(image, np.uint8))
    if image.dtype == np.uint16 and image.ndim == 2 and image.max() <= HIGHEST_LABEL:
        return _spread_labels(image.astype(np.uint8))
    if image.dtype == np.uint16:
        return convert_in_pieces(image, lambda numbers: np.rint(numbers / np.float32(257)))
    try:
        return to_grey_levels(image, WHITE if image.max() <= 1 + SLACK else 1)
    except UnfitError as error:
        got, advice = error.args
        raise _refuse(path, f"{got}; {advice}") from None


def _spread_labels(picture: UInt8) -> UInt8:
    """A mask of few, low values, such as 0 and 1, as black and white; any other picture as it is."""
    few = picture.ndim == 2 and 0 < picture.max() <= HIGHEST_LABEL and len(np.unique(picture)) <= MOST_LABELS
    return np.where(picture, np.uint8(WHITE), np.uint8(0)) if few else picture


def _letterbox(image: UInt8, size: tuple[int, int]) -> UInt8:
    import cv2

    height, width = shrink_to_fit((image.shape[0], image.shape[1]), size)
    if image.shape[:2] != (height, width):
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    down, across = size[0] - height, size[1] - width
    if not down and not across:
        return image
    edges = (down // 2, down - down // 2, across // 2, across - across // 2)
    return np.asarray(cv2.copyMakeBorder(image, *edges, cv2.BORDER_REPLICATE), np.uint8)
