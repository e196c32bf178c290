"""The demo's stage: camera cuts, what the camera sees of the dancer, and the moving picture behind her."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from deepdance.interfaces import Float32, UInt8
from deepdance_plugins.sources.demo.body import CIRCLE, Balls, Flesh, Points, Rings

SHOT_PATTERNS = ((24, 16, 24), (16, 32, 16), (32, 16, 16), (16, 24, 24))
"""Lengths of a scene's shots in beats; every scene is as long."""
SCENE_BEATS = 64
SUBPIXEL_BITS = 4
MELTING = 0.016
"""Metres over which parts of the body melt together."""
DARKEST_BACKGROUND = 400
"""What R+G+B of a background colour is at least, before the vignette."""


# --- camera ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Framing:
    """What the picture holds: metres from its bottom to its top, and the height of its middle."""

    height: float
    middle: float


FRAMINGS = (Framing(2.2, 0.98), Framing(2.05, 0.95), Framing(1.6, 1.12), Framing(1.45, 1.16), Framing(1.2, 1.24))


@dataclass(frozen=True)
class Shot:
    """One take: from beat `start` for `beats`, one camera and one background."""

    number: int
    start: int
    beats: int
    framing: Framing
    azimuth: float
    elevation: float
    distance: float
    aside: float
    drift: tuple[float, float, float]
    """Change of azimuth, of the dancer's place across the picture, and of the zoom, over the take."""
    background: Background


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


def silhouette(flesh: Sequence[Flesh], camera: Camera, size: tuple[int, int]) -> UInt8:
    """How much of each pixel the body covers, 0–255: `(height, width)`.

    Drawn at twice the size, blurred and hardened again, which melts its parts into one another.
    """
    import cv2

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
    import cv2

    left, top, width, height = cv2.boundingRect(mask)
    margin, box = 2 * reach + 1, (2 * reach + 1,) * 2
    body = mask[max(top - margin, 0) : top + height + margin, max(left - margin, 0) : left + width + margin]
    body[:] = cv2.LUT(cv2.blur(cv2.blur(body, box), box), _hardening())


@lru_cache(maxsize=1)
def _hardening() -> UInt8:
    """A table that makes a blurred edge a pixel or two wide again."""
    x = np.clip((np.arange(256) / 255 - 0.5) * 5 + 0.5, 0, 1)
    return np.asarray(255 * x * x * (3 - 2 * x), np.uint8)


# --- background -----------------------------------------------------------------------------------------------------

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
        import cv2

        small = (max(size[0] // 2, 1), max(size[1] // 2, 1))
        x, y, vignette = _canvas(small)
        cycle = self.field(x, y, beat, self.own)
        picture = cv2.LUT(cv2.merge([((cycle - np.floor(cycle)) * 255.99).astype(np.uint8)] * 3), self.table)
        if self.lights:
            picture = cv2.add(picture, self._glow(small, beat))
        if self.bars:
            self._cross(picture, beat)
        shaded = cv2.multiply(picture, vignette, scale=1 / 255)
        large: UInt8 = cv2.resize(shaded, size[::-1], interpolation=cv2.INTER_LINEAR)
        return large

    def _glow(self, size: tuple[int, int], beat: float) -> UInt8:
        """Discs of white light that rise slowly: what to add to the picture."""
        import cv2

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

    def _cross(self, picture: UInt8, beat: float) -> None:
        """One thin darker bar that wanders over the picture."""
        import cv2

        height, width = picture.shape[:2]
        angle = self.own
        reach = np.array((math.cos(angle), math.sin(angle))) * 2 * width
        middle = np.array((width * (0.5 + 0.4 * math.sin(0.15 * beat + self.own)), height * 0.5))
        first, second = (tuple(int(v) for v in np.rint((middle + sign * reach) * 16)) for sign in (-1, 1))
        bar = np.full((height, width), 255, np.uint8)
        cv2.line(bar, first, second, 110, max(round(height / 80), 1), cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.multiply(picture, cv2.merge([bar] * 3), picture, scale=1 / 255)


@lru_cache(maxsize=4)
def _canvas(size: tuple[int, int]) -> tuple[Float32, Float32, UInt8]:
    """Coordinates of a picture 2 high, and how bright its corners are, `(height, width, 3)`."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = (2 * x - width) / height, (2 * y - height) / height
    bright = 1.0 - 0.28 * np.clip((x * x + y * y) / 3.8, 0, 1) ** 1.5
    return x, y, np.repeat((255 * bright).astype(np.uint8)[:, :, None], 3, axis=2)


def palette(rng: np.random.Generator) -> UInt8:
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


# --- shots ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _scene(seed: int, number: int) -> tuple[Shot, ...]:
    """The shots of scene `number`: no framing and no background twice in a row."""
    rng = np.random.default_rng((seed, 3, number))
    beats = SHOT_PATTERNS[rng.integers(len(SHOT_PATTERNS))]
    framings = rng.permutation(len(FRAMINGS))
    fields = rng.permutation(len(FIELDS))
    starts = number * SCENE_BEATS + np.cumsum((0, *beats))
    return tuple(
        Shot(
            number=number * len(beats) + i,
            start=int(starts[i]),
            beats=beats[i],
            framing=FRAMINGS[framings[i]],
            azimuth=float(rng.uniform(-0.7, 0.7)),
            elevation=float(rng.uniform(-0.12, 0.16)),
            distance=float(rng.uniform(3.2, 5.5)),
            aside=float(rng.uniform(-0.25, 0.25)),
            drift=(float(rng.uniform(-0.2, 0.2)), float(rng.uniform(-0.15, 0.15)), float(rng.uniform(-0.08, 0.08))),
            background=Background(
                FIELDS[fields[i]],
                float(rng.uniform(0, 6)),
                palette(rng),
                int(rng.choice((0, 6, 10))),
                rng.random() < 0.3,
            ),
        )
        for i in range(len(beats))
    )


def shot_at(seed: int, beat: float) -> Shot:
    """The take that the beat lies in."""
    shots = _scene(seed, int(beat // SCENE_BEATS))
    return next(shot for shot in reversed(shots) if shot.start <= beat)


def camera_at(shot: Shot, beat: float, size: tuple[int, int]) -> Camera:
    """The take's camera at a beat, for pictures of `size` (height, width)."""
    progress = (beat - shot.start) / shot.beats - 0.5
    turn, slide, zoom = (progress * change for change in shot.drift)
    return Camera(
        azimuth=shot.azimuth + turn,
        elevation=shot.elevation,
        distance=shot.distance,
        middle=shot.framing.middle,
        aside=shot.aside + slide,
        scale=size[0] / shot.framing.height * (1 + zoom),
        centre=(size[1] / 2, size[0] / 2),
    )
