"""The demo's camera cuts: which take a beat lies in, and where its camera stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from deepdance_plugins.sources.demo.background import FIELDS, Background, draw_palette
from deepdance_plugins.sources.demo.camera import Camera

SHOT_PATTERNS = ((24, 16, 24), (16, 32, 16), (32, 16, 16), (16, 24, 24))
"""Lengths of a scene's shots in beats; every scene is as long."""
SCENE_BEATS = 64


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


@lru_cache(maxsize=64)
def _draw_scene(seed: int, number: int) -> tuple[Shot, ...]:
    """The shots of scene `number`: no framing and no background twice in a row.

    The very first shows the dancer from head to foot: a dance that goes on from there does so too.
    """
    rng = np.random.default_rng((seed, 3, number))
    beats = SHOT_PATTERNS[rng.integers(len(SHOT_PATTERNS))]
    framings = rng.permutation(len(FRAMINGS))
    if not number:
        framings = np.append(0, framings[framings > 0])
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
                draw_palette(rng),
                int(rng.choice((0, 6, 10))),
                rng.random() < 0.3,
            ),
        )
        for i in range(len(beats))
    )


def find_shot(seed: int, beat: float) -> Shot:
    """The take that the beat lies in."""
    shots = _draw_scene(seed, int(beat // SCENE_BEATS))
    return next(shot for shot in reversed(shots) if shot.start <= beat)


def aim_camera(shot: Shot, beat: float, size: tuple[int, int]) -> Camera:
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
