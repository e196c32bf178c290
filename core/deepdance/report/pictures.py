"""Pictures and videos within a page: as addresses that hold them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from deepdance.arrays import UInt8
from deepdance.frames import fit_size
from deepdance.html import encode_address
from deepdance.metrics.shapes import mask_dancer

BOX = (160, 280)
"""Height and width that a picture fits into: a page shows none larger than a third of a screen."""
MOST_BYTES = 1 << 20
"""Of one picture, whatever is in it: with it, the dance and all else a page stays below 8 MB."""
QUALITIES = (72, 45, 20, 8, 1)
"""Of JPEG, from what is wanted down to what fits."""
PNG_LEVEL = 4
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


def encode_picture(picture: UInt8, *, photo: bool = False) -> str:
    """A grey `(h, w)` or RGB `(h, w, 3)` picture: PNG, or JPEG for a photo, or where a PNG would be too large."""
    data = b"" if photo else _encode(".png", picture, PNG_LEVEL)
    if 0 < len(data) <= MOST_BYTES:
        return encode_address(data, "image/png")
    coded = (_encode(".jpg", picture, quality) for quality in QUALITIES)
    return encode_address(next((data for data in coded if len(data) <= MOST_BYTES), b""), "image/jpeg")


def _encode(suffix: str, picture: UInt8, level: int) -> bytes:
    import cv2

    kind = cv2.IMWRITE_JPEG_QUALITY if suffix == ".jpg" else cv2.IMWRITE_PNG_COMPRESSION
    channels = picture[..., ::-1] if picture.ndim == 3 else picture
    data: bytes = cv2.imencode(suffix, np.ascontiguousarray(channels), [kind, level])[1].tobytes()
    return data


def encode_small(picture: UInt8) -> str:
    """A picture that fits into `BOX`, as PNG."""
    return encode_picture(fit_into_box(picture))


def fit_into_box(picture: UInt8) -> UInt8:
    """A picture `(h, w)` or `(h, w, 3)`, averaged to fit into `BOX` where it is larger."""
    import cv2

    height, width = fit_size(picture.shape[0], picture.shape[1], BOX)
    if height >= len(picture):
        return picture
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def build_sprite(frames: Iterable[UInt8], fps: float, *, photo: bool = False) -> Sprite:
    """Frames of one size, at least one, as one picture of about the shape of each."""
    filled = [fit_into_box(frame) for frame in frames]
    count, columns = len(filled), ceil(sqrt(len(filled)))
    filled += [np.full_like(filled[0], 255)] * (-count % columns)
    rows = [np.concatenate(filled[start : start + columns], axis=1) for start in range(0, len(filled), columns)]
    height, width = filled[0].shape[:2]
    return Sprite(encode_picture(np.concatenate(rows), photo=photo), count, columns, width, height, fps)


def draw_difference(truth: UInt8, decoded: UInt8) -> UInt8:
    """Two silhouettes `(h, w)` in one RGB picture: where both have the dancer, and where only one has."""
    colours = np.array([NEITHER, ONLY_SOURCE, ONLY_DECODED, BOTH], np.uint8)
    picture: UInt8 = colours[mask_dancer(truth) + 2 * mask_dancer(decoded)]
    return picture
