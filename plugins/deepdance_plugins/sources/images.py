"""`images`: a folder of pictures, in the order a person would count them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.errors import InputError
from deepdance.frames import natural_order
from deepdance.interfaces import FrameSource, Options, SourceInfo, UInt8
from deepdance_plugins._files import CHUNK_BYTES, hash_files, show_path, shrink_to_fit, translate_errors

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
WITHOUT_ALPHA = frozenset({".jpg", ".jpeg"})


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
            paths = [path for path in folder.iterdir() if _is_image(path)]
        if not paths:
            kinds = " ".join(sorted(suffix[1:] for suffix in SUFFIXES))
            raise InputError(
                f"{show_path(folder)}: expected a folder of images ({kinds}), got none of them; choose another"
            )
        return sorted(paths, key=natural_order)

    @cached_property
    def _first_shape(self) -> tuple[int, int]:
        height, width, _ = read_image(self._paths[0]).shape
        return height, width

    def info(self) -> SourceInfo:
        """The size of the first image; `fps` and `seconds` are not known."""
        return SourceInfo(*self._first_shape)

    def fingerprint(self) -> str:
        """Size and hash of all images in their order."""
        return hash_files(self._paths)

    def frames(self, fps: float, size: tuple[int, int]) -> Iterator[UInt8]:
        """Yield chunks `(n, h, w, 3)`, one sample an image; `fps` changes nothing."""
        height, width = shrink_to_fit(self._first_shape, size)
        length = max(1, CHUNK_BYTES // (height * width * 3))
        for start in range(0, len(self._paths), length):
            yield np.stack(
                [_letterbox(read_image(path), (height, width)) for path in self._paths[start : start + length]]
            )


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def read_image(path: Path) -> UInt8:
    """An image file as `(h, w, 3)` uint8 RGB. Raises InputError."""
    import cv2

    with translate_errors(path):
        data = np.fromfile(path, np.uint8)
    image = None
    if data.size:
        if path.suffix.lower() not in WITHOUT_ALPHA:
            raw = _decode(data, cv2.IMREAD_UNCHANGED)
            if raw is not None and raw.ndim == 3 and raw.shape[2] == 4:
                return _lay_on_white(raw)
        image = _decode(data, cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise InputError(
            f"{show_path(path)}: expected an image, got something that cannot be decoded; remove or replace it"
        )
    return np.asarray(image, np.uint8)


def _decode(data: UInt8, flags: int) -> npt.NDArray[Any] | None:
    """OpenCV's decoder, without what it prints about damage: the caller tells it."""
    import cv2

    level = cv2.utils.logging.setLogLevel(0)
    try:
        return cv2.imdecode(data, flags)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)


def _lay_on_white(image: npt.NDArray[Any]) -> UInt8:
    """`(h, w, 4)` BGRA of 8 or 16 bits → RGB over a white ground."""
    full = np.iinfo(image.dtype).max
    colour = image[..., 2::-1].astype(np.float32) / full
    alpha = image[..., 3:].astype(np.float32) / full
    return np.rint((colour * alpha + (1 - alpha)) * 255).astype(np.uint8)


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
