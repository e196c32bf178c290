"""The moving picture behind the demo's dancer."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from deepdance.interfaces import Float32, UInt8
from deepdance_plugins.sources.demo.camera import SUBPIXEL_BITS

DARKEST_BACKGROUND = 400
"""What R+G+B of a background colour is at least, before the vignette."""

Field = Callable[[Float32, Float32, float, float], Float32]
"""x and y (the picture is 2 high, its middle 0), time in beats and a number of the shot's own → cycles of colour."""


def plasma(x: Float32, y: Float32, time: float, own: float) -> Float32:
    swirl = np.sin(2.1 * x + time * 0.4 + own) + np.sin(2.6 * y - time * 0.3 + 2 * own)
    return np.asarray(0.22 * (swirl + np.sin(1.6 * (x + y) + np.sin(1.3 * y + time * 0.5))), np.float32)


def spiral(x: Float32, y: Float32, time: float, own: float) -> Float32:
    radius = np.sqrt(x * x + y * y) + 0.02
    return ((2 + int(own) % 3) * np.arctan2(y, x) / (2 * math.pi) + 1.2 * np.log(radius) - 0.18 * time).astype(
        np.float32
    )


def rays(x: Float32, y: Float32, time: float, own: float) -> Float32:
    x, y = x - 0.5 * math.sin(own), y - 0.3 * math.cos(own)
    bent = np.arctan2(y, x) + 0.3 * np.sin(2 * np.sqrt(x * x + y * y) - 0.3 * time)
    return np.asarray((3 + int(own) % 4) * bent / (2 * math.pi) + 0.1 * time, np.float32)


def rings(x: Float32, y: Float32, time: float, own: float) -> Float32:
    return np.asarray(0.9 * np.hypot(x - 0.4 * math.sin(own), y) - 0.2 * time, np.float32)


def stripes(x: Float32, y: Float32, time: float, own: float) -> Float32:
    along = x * math.cos(own) + y * math.sin(own)
    return np.asarray(0.8 * (along + 0.15 * np.sin(3 * y + 0.5 * time)) + 0.1 * time, np.float32)


def petals(x: Float32, y: Float32, time: float, own: float) -> Float32:
    radius, angle = np.sqrt(x * x + y * y), np.arctan2(y, x)
    flower = radius * (1 + 0.35 * np.cos((5 + int(own) % 3) * angle + 0.2 * time))
    return np.asarray(0.9 * flower - 0.15 * time, np.float32)


FIELDS: tuple[Field, ...] = (plasma, spiral, rays, rings, stripes, petals)


@dataclass(frozen=True)
class Background:
    """A moving pattern in bright colours, with soft discs of light and a few darker things."""

    field: Field
    own: float
    table: UInt8
    """`(1, 256, 3)`: the colour of each part of a cycle."""
    lights: int
    bars: bool

    def draw(self, size: tuple[int, int], beat: float) -> UInt8:
        """`(height, width, 3)` RGB. Drawn at half the size: the patterns are smooth."""
        small = (max(size[0] // 2, 1), max(size[1] // 2, 1))
        x, y, vignette = _make_canvas(small)
        cycle = self.field(x, y, beat, self.own)
        picture = cv2.LUT(cv2.merge([((cycle - np.floor(cycle)) * 255.99).astype(np.uint8)] * 3), self.table)
        if self.lights:
            picture = cv2.add(picture, self._draw_lights(small, beat))
        if self.bars:
            self._draw_bar(picture, beat)
        shaded = cv2.multiply(picture, vignette, scale=1 / 255)
        large: UInt8 = cv2.resize(shaded, size[::-1], interpolation=cv2.INTER_LINEAR)
        return large

    def _draw_lights(self, size: tuple[int, int], beat: float) -> UInt8:
        """Discs of white light that rise slowly: what to add to the picture."""
        glow = np.zeros((*size, 3), np.uint8)
        for disc in range(self.lights):
            place = np.array(
                (self.own * 7.1 + disc * 0.618, self.own * 3.7 + disc * 0.382 - beat * (0.02 + 0.01 * (disc % 3)))
            )
            x, y = (place % 1.2 - 0.1) * size[::-1]
            radius = size[0] * (0.04 + 0.05 * (disc * 0.37 % 1))
            centre = (round(x * 16), round(y * 16))
            cv2.circle(glow, centre, round(radius * 16), (105, 105, 105), -1, cv2.LINE_AA, SUBPIXEL_BITS)
        soft: UInt8 = cv2.blur(glow, (3, 3))
        return soft

    def _draw_bar(self, picture: UInt8, beat: float) -> None:
        """One thin darker bar that wanders over the picture."""
        height, width = picture.shape[:2]
        angle = self.own
        reach = np.array((math.cos(angle), math.sin(angle))) * 2 * width
        middle = np.array((width * (0.5 + 0.4 * math.sin(0.15 * beat + self.own)), height * 0.5))
        first, second = (tuple(int(v) for v in np.rint((middle + sign * reach) * 16)) for sign in (-1, 1))
        bar = np.full((height, width), 255, np.uint8)
        cv2.line(bar, first, second, 110, max(round(height / 80), 1), cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.multiply(picture, cv2.merge([bar] * 3), picture, scale=1 / 255)


@lru_cache(maxsize=4)
def _make_canvas(size: tuple[int, int]) -> tuple[Float32, Float32, UInt8]:
    """Coordinates of a picture 2 high, and how bright its corners are, `(height, width, 3)`."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = (2 * x - width) / height, (2 * y - height) / height
    bright = 1.0 - 0.28 * np.clip((x * x + y * y) / 3.8, 0, 1) ** 1.5
    return x, y, np.repeat((255 * bright).astype(np.uint8)[:, :, None], 3, axis=2)


def draw_palette(rng: np.random.Generator) -> UInt8:
    """Three to five bright colours and the soft way from each to the next, round to the first: `(1, 256, 3)`."""
    count = int(rng.integers(3, 6))
    hues = rng.random() + np.arange(count) * rng.choice((0.12, 0.382, 0.5, 0.618))
    saturations = rng.choice((0.15, 0.55, 0.75, 0.9), count)
    colours = np.array([colorsys.hsv_to_rgb(h % 1, s, 0.95) for h, s in zip(hues, saturations, strict=True)]) * 255
    lack = np.maximum(DARKEST_BACKGROUND - colours.sum(axis=1, keepdims=True), 0)
    colours = np.minimum(colours + lack / 2, 255)
    position = np.arange(256) / 256 * count
    index = position.astype(int)
    weight = np.clip((position - index - 0.5) * 3.5 + 0.5, 0, 1)[:, None]
    weight = weight * weight * (3 - 2 * weight)
    mixed = (1 - weight) * colours[index] + weight * colours[(index + 1) % count]
    return np.asarray(np.rint(mixed)[None], np.uint8)
