"""The way up of a picture, as its camera noted it (EXIF 2.32, tag 274)."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

ORIENTATION = 274
UPRIGHT = 1


def find_orientation(data: bytes) -> int:
    """The orientation, 1 to 8, that a PNG or WebP file notes; 1, upright, where it notes none.

    JPEG and TIFF need no such look: OpenCV turns those itself.
    """
    try:
        return _read_orientation(_find_exif(data))
    except struct.error:  # there is none, or it is cut short
        return UPRIGHT


def turn_upright(image: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """`(h, w, …)` as it is meant to be seen."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _find_exif(data: bytes) -> bytes:
    """The content of the chunk that holds the EXIF, a small TIFF file."""
    if data.startswith(b"\x89PNG"):
        return _find_chunk(data, b"eXIf", start=8, order=">I4s", after=4)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _find_chunk(data, b"EXIF", start=12, order="<4sI", after=0).removeprefix(b"Exif\0\0")
    return b""


def _find_chunk(data: bytes, wanted: bytes, start: int, order: str, after: int) -> bytes:
    """The content of the first chunk of this name. Raises struct.error where there is none."""
    while True:
        first, second = struct.unpack_from(order, data, start)
        name, length = (first, second) if isinstance(first, bytes) else (second, first)
        if name == wanted:
            return data[start + 8 : start + 8 + length]
        start += 8 + length + after + (0 if after else length % 2)  # WebP pads its chunks to even lengths


def _read_orientation(exif: bytes) -> int:
    if exif[:2] not in (b"II", b"MM"):
        return UPRIGHT
    order = "<" if exif[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(f"{order}I", exif, 4)
    (count,) = struct.unpack_from(f"{order}H", exif, directory)
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, entry)
        if tag == ORIENTATION:
            return value if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT
