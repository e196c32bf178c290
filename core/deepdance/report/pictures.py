"""Pictures and videos within a page: as addresses that hold them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from deepdance.arrays import UInt8
from deepdance.metrics.shapes import mask_dancer

JPEG_QUALITY = 72
BOTH, ONLY_SOURCE, ONLY_DECODED, NEITHER = (205, 205, 200), (0, 95, 175), (222, 120, 10), (255, 255, 255)
"""Colours of a difference; those blind to red and green tell the blue from the orange too."""


@dataclass(frozen=True)
class Sprite:
    """Frames of a video as one picture, `columns` in each of its rows, `fps` of them a second."""

    address: str
    count: int
    columns: int
    width: int
    height: int
    fps: float


def encode_address(data: bytes, kind: str) -> str:
    """An address that is its own content, of this media type."""
    return f"data:{kind};base64,{b64encode(data).decode()}"


def encode_picture(picture: UInt8, *, photo: bool = False) -> str:
    """A grey `(h, w)` or RGB `(h, w, 3)` picture: PNG, or JPEG for a photo."""
    import cv2

    settings = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if photo else [cv2.IMWRITE_PNG_COMPRESSION, 9]
    channels = picture[..., ::-1] if picture.ndim == 3 else picture
    _, data = cv2.imencode(".jpg" if photo else ".png", np.ascontiguousarray(channels), settings)
    return encode_address(data.tobytes(), "image/jpeg" if photo else "image/png")


def build_sprite(frames: Sequence[UInt8], fps: float, *, photo: bool = False) -> Sprite:
    """Frames of one size, at least one, as one picture of about the shape of each."""
    columns = ceil(sqrt(len(frames)))
    blank = np.full_like(frames[0], 255)
    filled = [*frames, *[blank] * (-len(frames) % columns)]
    rows = [np.concatenate(filled[start : start + columns], axis=1) for start in range(0, len(filled), columns)]
    height, width = frames[0].shape[:2]
    return Sprite(
        encode_picture(np.concatenate(rows), photo=photo), len(frames), min(columns, len(filled)), width, height, fps
    )


def draw_difference(truth: UInt8, decoded: UInt8) -> UInt8:
    """Two silhouettes `(h, w)` in one RGB picture: where both have the dancer, and where only one has."""
    colours = np.array([NEITHER, ONLY_SOURCE, ONLY_DECODED, BOTH], np.uint8)
    picture: UInt8 = colours[mask_dancer(truth) + 2 * mask_dancer(decoded)]
    return picture
