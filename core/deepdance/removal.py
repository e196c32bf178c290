"""Which remover suits an input: a look at a few of its frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float64, Int64, UInt8
from deepdance.interfaces import FrameSource
from deepdance.recipe import PERSON, THRESHOLD

SAMPLED = 12
"""Frames, spread over an input, that are looked at."""
PAPER_LEVEL = 230
"""The paper's level of R+G+B, taken wherever it is nearly as good as the best one."""
NEARLY = 0.08
NEARLY_WHITE, CLEARLY_DARKER = 760, 700
"""What is transparent was laid on white, which is 765: R+G+B above this is background. The first level keeps light
clothes, the second leaves out the specks of a transparency that was compressed."""
LIGHT_CLOTHES = 0.1
"""Share of the figure that lies between the two levels, from which on it is no specks."""
LEVELS = tuple(range(30, 750, 20))
SIMILAR = 24
"""A pixel is as the ground is if no channel differs by more,"""
RIM = 0.5
"""or by less than this share of what is beside it: the outer half of a soft outline, which no level should follow."""
EDGE_SHARE, GROUND_SHARE = 0.8, 0.45
"""A ground is flat if so much of the picture's edge, and of the picture, is of one colour."""
AGREEMENT = 0.75
"""Intersection over union of a threshold's figure with what is not of the ground's colour, from which on it will do.
Drawn figures .89 and more; people before a plain wall .35."""
SEEN = 0.25
"""Share of the frames in which a person must be found. Videos of dancers .42 and more, others .2 and less."""

BEST_GUESS = {"level": "auto"}
"""The threshold's options where nothing better is known."""

Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Decision:
    """A remover, its options, and why it was chosen."""

    name: str
    reason: str
    options: dict[str, Any] = field(default_factory=dict)


def choose_remover(source: FrameSource[Any], box: tuple[int, int], find_people: Callable[[UInt8], UInt8]) -> Decision:
    """The remover for a source whose frames fit into `box` (height, width).

    `find_people` turns frames `(n, h, w, 3)` into silhouettes of people. Raises InputError,
    and what that raises.
    """
    if source.info().alpha:
        level = _choose_white(source.sample(SAMPLED, box))
        return Decision(THRESHOLD, "what is transparent is background", {"level": level})
    frames = source.sample(SAMPLED, box)
    figures = find_figures(frames)
    drawn = None if figures is None else _choose_level(frames, figures)
    if drawn:
        return drawn
    seen = float((find_people(frames) == 0).any(axis=(1, 2)).mean())
    if seen >= SEEN:
        return Decision(PERSON, f"the ground is not plain, and a person is seen in {seen:.0%} of the frames")
    return Decision(THRESHOLD, f"a person is seen in {seen:.0%} of the frames only", dict(BEST_GUESS))


def _choose_white(frames: UInt8) -> int:
    """The level above which frames that were laid on white are background."""
    brightness = frames.sum(axis=3, dtype=np.int16)
    figure = np.count_nonzero(brightness <= NEARLY_WHITE)
    light = np.count_nonzero((brightness > CLEARLY_DARKER) & (brightness <= NEARLY_WHITE))
    return NEARLY_WHITE if light >= LIGHT_CLOTHES * figure else CLEARLY_DARKER


def find_figures(frames: UInt8) -> Masks | None:
    """What is not of the ground's colour, `(n, h, w)`; None where the ground of most frames is not plain."""
    grounds = [_find_ground(frame) for frame in frames]
    likeness = np.array([_measure_ground(frame, ground) for frame, ground in zip(frames, grounds, strict=True)])
    edge, picture = np.median(likeness, axis=0)
    if edge < EDGE_SHARE or picture < GROUND_SHARE:
        return None
    return np.stack([_find_figure(frame, ground) for frame, ground in zip(frames, grounds, strict=True)])


def _find_figure(frame: UInt8, ground: Int64) -> Masks:
    import cv2

    apart = np.abs(frame.astype(np.int16) - ground.astype(np.int16)).max(axis=2)
    reach = 2 * max(2, min(apart.shape) // 60) + 1
    beside = cv2.dilate(apart, np.ones((reach, reach), np.uint8))
    return np.asarray((apart > SIMILAR) & (apart > RIM * beside))


def _choose_level(frames: UInt8, figures: Masks) -> Decision | None:
    """The level and polarity that part the figures best from their ground; None where none does well."""
    brightness = frames.sum(axis=3, dtype=np.int16)
    fits = {
        (level, invert): _measure_agreement((brightness > level) == invert, figures)
        for level, invert in product((PAPER_LEVEL, *LEVELS), (False, True))
    }
    best = max(fits, key=lambda key: fits[key])
    if fits[best] < AGREEMENT:
        return None
    level, invert = (PAPER_LEVEL, best[1]) if fits[PAPER_LEVEL, best[1]] > fits[best] - NEARLY else best
    options: dict[str, Any] = {"invert": True} if invert else {}
    if level != PAPER_LEVEL:
        options["level"] = level
    shade = "bright figure before a plain dark" if invert else "dark figure before a plain bright"
    return Decision(THRESHOLD, f"a {shade} ground", options)


def _take_edge(frame: UInt8) -> UInt8:
    """The pixels `(p, 3)` within a fortieth of the picture's border."""
    width = max(1, min(frame.shape[:2]) // 40)
    inner = np.zeros(frame.shape[:2], bool)
    inner[width:-width, width:-width] = True
    return frame[~inner]


def _find_ground(frame: UInt8) -> Int64:
    return np.asarray(np.median(_take_edge(frame), axis=0), np.int64)


def _measure_ground(frame: UInt8, ground: Int64) -> tuple[float, float]:
    """The shares of the picture's edge, and of the picture, that are of the ground's colour."""
    return float(_is_similar(_take_edge(frame), ground).mean()), float(_is_similar(frame, ground).mean())


def _is_similar(pixels: UInt8, colour: Int64) -> Masks:
    return np.asarray(np.abs(pixels.astype(np.int16) - colour).max(axis=-1) <= SIMILAR)


def _measure_agreement(masks: Masks, figures: Masks) -> float:
    """The median intersection over union; two empty frames agree."""
    both = (masks & figures).sum(axis=(1, 2))
    either = (masks | figures).sum(axis=(1, 2))
    shares: Float64 = np.where(either, both / np.maximum(either, 1), 1.0)
    return float(np.median(shares))
