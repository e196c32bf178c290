"""What a picture takes in memory, by its header alone: 560 KB of PNG may hold 12,000×12,000 pixels."""

from __future__ import annotations

import io
import math
import struct
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

PNG = b"\x89PNG\r\n\x1a\n"
TIFF_BEGINS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
EIGHT_BITS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF")
"""Formats without deeper pictures, but for PNG, where Pillow tells."""
WIDTH, HEIGHT, BITS, SAMPLES, TILE_WIDTH, TILE_HEIGHT = 256, 257, 258, 277, 322, 323
"""Tags of a TIFF file."""


@dataclass(frozen=True)
class PictureSize:
    """What a header says, before anything is decoded."""

    width: int
    height: int
    pixel_bytes: int
    """What OpenCV may take for a pixel."""
    several: bool = False
    """Whether more pictures follow, as in an animation."""

    @property
    def pixels(self) -> int:
        """Width · height."""
        return self.width * self.height

    @property
    def nbytes(self) -> int:
        """What the picture takes in memory."""
        return self.pixels * self.pixel_bytes


def measure_picture(data: bytes) -> PictureSize | None:
    """The size of an encoded picture, None where the header cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the caller tells of damage and of size
        try:
            if data.startswith(PNG) and not _holds_its_chunks(data):
                return None
            return _measure_tiff(data) if data.startswith(TIFF_BEGINS) else _measure_other(data)
        except Exception:  # what may go wrong in Pillow's many readers of damaged files has no end
            return None


def _holds_its_chunks(data: bytes) -> bool:
    """Whether a PNG is as long as its chunks say: OpenCV allocates what one promises, up to 4 GB."""
    start, name = len(PNG), b""
    while start + 12 <= len(data) and name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, start)
        start += 12 + length
    return name == b"IEND" and start <= len(data)


def _measure_other(data: bytes) -> PictureSize:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            deep = image.format not in EIGHT_BITS or "16" in "".join(str(tile[3]) for tile in image.tile)
            several = image.format != "MPO" and getattr(image, "is_animated", False)
            return PictureSize(*image.size, 8 if deep else 4, several)
    except Image.DecompressionBombError:
        return PictureSize(1 << 16, 1 << 16, 4)  # at least about so much


def _measure_tiff(data: bytes) -> PictureSize:
    """Pillow opens no TIFF of four floats, but reads its tags."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    file = io.BytesIO(data)
    directory = ImageFileDirectory_v2(file.read(16 if b"+" in data[2:4] else 8))
    file.seek(directory.next)
    directory.load(file)
    tile = int(directory.get(TILE_WIDTH, 1)), int(directory.get(TILE_HEIGHT, 1))
    width, height = int(directory[WIDTH]), int(directory[HEIGHT])
    if math.prod(tile) > 4 * width * height + (1 << 20):
        width, height = tile  # OpenCV allocates a whole tile
    return PictureSize(width, height, _find_pixel_bytes(directory), several=directory.next != 0)


def _find_pixel_bytes(directory: ImageFileDirectory_v2) -> int:
    bits = directory.get(BITS, 1)
    deepest = max(bits) if isinstance(bits, tuple) else bits
    return max(4, int(directory.get(SAMPLES, 1))) * max(1, int(deepest) // 8)
