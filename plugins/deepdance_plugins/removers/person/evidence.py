"""What the networks see and what moves, joined: how likely each pixel is the dancer's.

Everything here is at half the frames' size.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from deepdance.arrays import Float32, UInt8
from deepdance_plugins.removers.person.backdrop import DIFFERENT, Difference
from deepdance_plugins.removers.person.matting import Mask, refine_edges
from deepdance_plugins.removers.person.networks import Look, Square

AWAY = -12.0
"""The logit of what lies far from all that was looked at."""
SURE = 8.0
"""The networks' logits count for no more than this,"""
UNSURE = -7.0
"""and for no less than this: what plainly moves, close to the body, is the body's."""
NEARBY = 1.4
"""Close to the body is within so many times the square that was looked at."""
MOVES = 8.0
STANDS = -10.0
STANDS_BRIEFLY = -5.0
"""What a pixel is worth that differs from the backdrop, that does not, and that does not but was seldom a body's:
there a dancer in the backdrop's colour may pass."""
STEEPNESS = 8.0
SELDOM, OFTEN = 0.1, 0.2
"""Shares of the surveyed frames in which the networks took a pixel for a body's."""
MOSTLY_MOVING = 0.5
PLANTED = 0.08
"""What stands still and is smaller than this share of the body is a foot that stays where it is."""
CONFIDENT = 100.0
"""A logit, of at most 137, above which what stands still between moving parts is a body in the backdrop's colour."""
SPECK = 0.03
"""A part that moves and is smaller than this share of all that moves is noise."""
AROUND = 1.1
"""How much larger than a thing that moves the square is that is looked at."""
FADED = 0.3
"""The contrast that is left to what stands still, where what moves is looked at alone."""


def combine(half: UInt8, looks: Sequence[Look], difference: Difference | None) -> Float32:
    """How likely each pixel is the dancer's, `(h, w)` of half the frame's size."""
    logits = spread(looks, half.shape[:2])
    close = _is_near(looks, half.shape[:2]) | (logits > AWAY)
    evidence = np.where(close, np.clip(logits, UNSURE, SURE), AWAY)
    if difference is not None:
        evidence += _weigh_movement(logits, difference, measure_moving(looks, difference))
    return refine_edges(half, np.asarray(1 / (1 + np.exp(-evidence)), np.float32))


def _weigh_movement(logits: Float32, difference: Difference, moving: float) -> Float32:
    """What moving or standing still adds to the networks' logits; `moving` is the share of the body that does."""
    seen = bool((logits > 0).any())
    passing = (STANDS_BRIEFLY if moving > MOSTLY_MOVING else STANDS, STANDS)
    stands = np.interp(difference.claimed, (SELDOM, OFTEN), passing)
    unknown = 0.0 if seen else MOVES  # where the backdrop was always hidden, a dancer nobody sees may well be
    weight = np.nan_to_num(np.clip(STEEPNESS * (difference.apart - DIFFERENT), stands, MOVES), nan=unknown)
    return np.asarray(np.where(_find_planted(logits, difference), np.maximum(weight, 0), weight), np.float32)


def _find_planted(logits: Float32, difference: Difference) -> Mask:
    """What stands still and is the dancer's all the same: feet, and what lies between the parts that move."""
    body = logits > 0
    still = body & (difference.apart < DIFFERENT)
    between = still & (logits > CONFIDENT) & _wrap(body & (difference.apart >= DIFFERENT))
    return _drop_large(still & (difference.claimed > OFTEN), PLANTED * np.count_nonzero(body)) | between


def _drop_large(mask: Mask, area: float) -> Mask:
    """The parts of a mask that are smaller than `area` pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < area
    small[0] = False
    return np.asarray(small[labels])


def _wrap(mask: Mask) -> Mask:
    """The convex hull of the parts of a mask that are no specks."""
    specks = _drop_large(mask, SPECK * np.count_nonzero(mask))
    points = cv2.findNonZero((mask & ~specks).astype(np.uint8))
    hull = np.zeros(mask.shape, np.uint8)
    if points is not None:
        cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    return hull > 0


def fade(frame: UInt8, difference: Difference) -> UInt8:
    """The frame with less contrast where nothing moves."""
    moves = cv2.blur(np.nan_to_num(difference.apart, nan=2 * DIFFERENT), (9, 9)) > 0.75 * DIFFERENT
    kept = cv2.resize(np.where(moves, 1, FADED).astype(np.float32), frame.shape[1::-1])[..., None]
    return np.asarray(frame * kept + 127 * (1 - kept), np.uint8)


def surround_movement(difference: Difference) -> list[Square]:
    """The square around the largest thing that moves; none if nothing does."""
    moves = (~(difference.apart < DIFFERENT)).astype(np.uint8)
    moves = cv2.morphologyEx(moves, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    moves = cv2.morphologyEx(moves, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(moves)
    if count == 1:
        return []
    left, top, width, height, _ = stats[1 + stats[1:, cv2.CC_STAT_AREA].argmax()].tolist()
    return [Square(2 * left + width, 2 * top + height, 2 * max(width, height) * AROUND)]


def measure_agreement(looks: Sequence[Look], difference: Difference) -> float:
    """Intersection over union of the bodies and what moves, where the backdrop is known."""
    body = spread(looks, difference.apart.shape) > 0
    moves, known = difference.apart >= DIFFERENT, ~np.isnan(difference.apart)
    either = np.count_nonzero((body & known) | moves)
    return np.count_nonzero(body & moves) / either if looks and either else 0.0


def measure_moving(looks: Sequence[Look], difference: Difference) -> float:
    """The share of the bodies that differs from the backdrop, or has none."""
    body = spread(looks, difference.apart.shape) > 0
    return float((~(difference.apart[body] < DIFFERENT)).mean()) if body.any() else 0.0


def spread(looks: Sequence[Look], shape: tuple[int, ...]) -> Float32:
    """The logits of all looks, `shape` (h, w) of half the frame's size."""
    logits = np.full(shape, AWAY, np.float32)
    for look in looks:
        matrix = look.square.matrix() * np.array([[2, 2, 1]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        here = cv2.warpAffine(look.logits, matrix, shape[::-1], flags=flags, borderValue=AWAY)
        logits = np.maximum(logits, here)
    return logits


def _is_near(looks: Sequence[Look], shape: tuple[int, ...]) -> Mask:
    """The pixels close to what was looked at; all of them where nothing was."""
    if not looks:
        return np.ones(shape, bool)
    near = np.zeros(shape, np.uint8)
    for look in looks:
        cv2.fillConvexPoly(near, np.rint(look.square.corners(NEARBY) / 2).astype(np.int32), 1)
    return near > 0
