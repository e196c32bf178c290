"""What a camera sees of the demo's dancer: outlines in the picture, and the silhouette that they fill."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from deepdance.interfaces import UInt8
from deepdance_plugins.sources.demo.body import CIRCLE, Balls, Flesh, Points, Rings

SUBPIXEL_BITS = 4
MELTING = 0.016
"""Metres over which parts of the body melt together."""


@dataclass(frozen=True)
class Camera:
    """Looks from `distance` at the point `(0, middle, 0)`, moved `aside` in the picture; `scale` is pixels a metre."""

    azimuth: float
    elevation: float
    distance: float
    middle: float
    aside: float
    scale: float
    centre: tuple[float, float]

    def outlines(self, flesh: Sequence[Flesh]) -> list[Points]:
        """The outlines in pixels (x, y) of each part's balls or rings: `(n, points, 2)` a part."""
        balls = [part for part in flesh if isinstance(part, Balls)]
        rings = [part for part in flesh if isinstance(part, Rings)]
        middles, depth = self._project(np.concatenate([part.centres for part in balls]))
        radii = self.scale * self.distance * np.concatenate([part.radii for part in balls]) / depth
        circles = middles[:, None] + CIRCLE * radii[:, None, None]
        ellipses, _ = self._project(np.concatenate([part.points for part in rings]))
        return [
            *_split(circles, [len(part.radii) for part in balls]),
            *_split(ellipses, [len(part.points) for part in rings]),
        ]

    def _project(self, points: Points) -> tuple[Points, Points]:
        """Pixels `(…, 2)` and distances from the camera `(…,)`."""
        ca, sa = math.cos(self.azimuth), math.sin(self.azimuth)
        ce, se = math.cos(self.elevation), math.sin(self.elevation)
        turned = np.array(((ca, -sa * se, -sa * ce), (0, ce, -se), (-sa, -ca * se, -ca * ce)))
        across, above, beyond = np.moveaxis((points - (0, self.middle, 0)) @ turned, -1, 0)
        depth = np.maximum(self.distance + beyond, 0.3)
        zoom = self.scale * self.distance / depth
        x = self.centre[0] + (across + self.aside) * zoom
        return np.stack((x, self.centre[1] - above * zoom), axis=-1), depth


def _split(points: Points, lengths: Sequence[int]) -> list[Points]:
    return np.split(points, np.cumsum(lengths)[:-1])


def draw_silhouette(flesh: Sequence[Flesh], camera: Camera, size: tuple[int, int]) -> UInt8:
    """How much of each pixel the body covers, 0–255: `(height, width)`.

    Drawn at twice the size, blurred and hardened again, which melts its parts into one another.
    """
    mask: UInt8 = np.zeros((2 * size[0], 2 * size[1]), np.uint8)
    unit = 2 << SUBPIXEL_BITS
    for outlines in camera.outlines(flesh):
        corners = np.rint(outlines * unit - unit / 4).astype(np.int32)
        for first in range(max(len(corners) - 1, 1)):
            hull = cv2.convexHull(corners[first : first + 2].reshape(-1, 2))
            cv2.fillConvexPoly(mask, hull, 255, cv2.LINE_8, SUBPIXEL_BITS)
    _melt(mask, round(MELTING * camera.scale))
    smooth: UInt8 = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA)
    return smooth


def _melt(mask: UInt8, reach: int) -> None:
    """Round off, in place, what is smaller than `reach` pixels."""
    left, top, width, height = cv2.boundingRect(mask)
    margin, box = 2 * reach + 1, (2 * reach + 1,) * 2
    body = mask[max(top - margin, 0) : top + height + margin, max(left - margin, 0) : left + width + margin]
    body[:] = cv2.LUT(cv2.blur(cv2.blur(body, box), box), _build_edge_table())


@lru_cache(maxsize=1)
def _build_edge_table() -> UInt8:
    """A table that makes a blurred edge a pixel or two wide again."""
    x = np.clip((np.arange(256) / 255 - 0.5) * 5 + 0.5, 0, 1)
    return np.asarray(255 * x * x * (3 - 2 * x), np.uint8)
