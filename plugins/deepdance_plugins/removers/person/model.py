"""`person`: a dancer before any background, found and followed by two small networks, and by what moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from deepdance.arrays import Float32, UInt8
from deepdance.frames import BACKGROUND
from deepdance.interfaces import BackgroundRemover
from deepdance_plugins.removers.person import weights
from deepdance_plugins.removers.person.backdrop import (
    DIFFERENT,
    LEAST_FRAMES,
    Backdrop,
    Difference,
    align,
    stands_still,
)
from deepdance_plugins.removers.person.matting import Mask, fill_up, refine_edges, tidy
from deepdance_plugins.removers.person.networks import Look, PoseDetector, PoseLandmarker
from deepdance_plugins.removers.person.options import PersonOptions
from deepdance_plugins.removers.person.tracker import Tracker

SURVEYED = 16
"""Frames, spread over a clip, that the backdrop is found in."""
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
LEAST_MOVING = 0.15
"""A body of which less than this share moves may be a statue: what moves is looked at alone."""
MOSTLY_MOVING = 0.5
PLANTED = 0.08
"""What stands still and is smaller than this share of the body is a foot that stays where it is."""
CONFIDENT = 100.0
"""A logit, of at most 137, above which what stands still between moving parts is a body in the backdrop's colour."""
SPECK = 0.03
"""A part that moves and is smaller than this share of all that moves is noise."""
FADED = 0.3
"""The contrast that is left to what stands still, where what moves is looked at alone."""
LIKELY_AREA = (0.25, 4.0)
"""What moves where nobody is seen is the dancer if it is so many times as large as they were."""
AREA_MEMORY = 0.8


class Person(BackgroundRemover[PersonOptions]):
    """Keeps whom the networks see, and where the camera stands still, what moves against the backdrop."""

    def __init__(self, options: PersonOptions) -> None:
        super().__init__(options)
        folder = weights.fetch_weights()
        self._detector = PoseDetector(folder / weights.DETECTOR)
        self._landmarker = PoseLandmarker(folder / weights.LANDMARKER)
        self._tracker = self._make_tracker()
        self._backdrop: Backdrop | None = None
        self._area: float | None = None

    @classmethod
    def fetch(cls, tell: Callable[[str, int, int | None], None]) -> None:
        """Get the networks' weights, if they are not there."""
        weights.fetch_weights(tell)

    def survey(self, sample: Callable[[int], UInt8]) -> None:
        """Find the backdrop, if the camera stands still or shakes a little."""
        frames = sample(SURVEYED)
        halves = [halve(frame) for frame in frames]
        placed = align(halves)
        seen = [i for i, matrix in enumerate(placed) if matrix is not None]
        matrices = [matrix for matrix in placed if matrix is not None]
        if len(seen) >= LEAST_FRAMES and stands_still([halves[i] for i in seen], matrices):
            self._build_backdrop([frames[i] for i in seen], [halves[i] for i in seen], matrices)

    def _build_backdrop(self, frames: Sequence[UInt8], halves: Sequence[UInt8], placed: Sequence[Float32]) -> None:
        """Twice: the first backdrop tells which of the bodies that the networks see are statues."""
        trackers = [self._make_tracker() for _ in frames]
        looks = [tracker.find(frame) for tracker, frame in zip(trackers, frames, strict=True)]
        claims = [_spread(look, halves[0].shape[:2]) > 0 for look in looks]
        backdrop = Backdrop.build(halves, placed, claims, claims)
        if backdrop is None:
            return
        bodies = []
        for tracker, frame, half in zip(trackers, frames, halves, strict=True):
            difference = backdrop.compare(half)
            bodies.append(_combine(half, self._find(tracker, frame, difference), difference) > 0.5)
        self._backdrop = Backdrop.build(halves, placed, bodies, claims)

    def _make_tracker(self) -> Tracker:
        return Tracker(self._detector, self._landmarker, everybody=self.options.people == "all")

    def remove(self, frames: UInt8) -> UInt8:
        """`(n, h, w, 3)` RGB → `(n, h, w)`, 0 or 255 alone. A frame that shows nobody is background."""
        halves = [halve(frame) for frame in frames]
        differences = [self._backdrop.compare(half) if self._backdrop else None for half in halves]
        found = self._follow(frames, differences)
        out = np.full(frames.shape[:3], BACKGROUND, np.uint8)
        for target, half, looks, difference in zip(out, halves, found, differences, strict=True):
            target[self._draw(half, looks, difference, target.shape)] = 0
        return out

    def _follow(self, frames: UInt8, differences: Sequence[Difference | None]) -> list[list[Look]]:
        """Who is seen in each frame; where nobody was, once more, from where somebody is in the frame after."""
        found = []
        for frame, difference in zip(frames, differences, strict=True):
            looks = self._find(self._tracker, frame, difference)
            self._tracker.keep(looks)
            found.append(looks)
        for i in range(len(frames) - 2, -1, -1):
            if not found[i]:
                found[i] = self._tracker.look_from(frames[i], found[i + 1])
        return found

    def _find(self, tracker: Tracker, frame: UInt8, difference: Difference | None) -> list[Look]:
        """Who is in a frame: seen as it is or, where that may be a statue, with what stands still faded."""
        looks = tracker.find(frame, difference)
        if difference is None or _measure_moving(looks, difference) >= LEAST_MOVING:
            return looks
        again = tracker.find(_fade(frame, difference), difference)
        better = _measure_moving(again, difference) > _measure_moving(looks, difference)
        return again if again and (better or not looks) else looks

    def _draw(self, half: UInt8, looks: Sequence[Look], difference: Difference | None, shape: tuple[int, ...]) -> Mask:
        """The dancer in a frame, at its full size."""
        if not looks and difference is None:
            return np.zeros(shape, bool)
        probability = _combine(half, looks, difference)
        rough = probability > 0.5
        mask = tidy(rough, _spread(looks, half.shape[:2]) > 0)
        seen = bool(mask.any())
        if not seen:
            mask = tidy(rough)
        if not self._is_likely(float(mask.sum()), seen):
            return np.zeros(shape, bool)
        return np.asarray(cv2.resize(fill_up(probability, mask), shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5)

    def _is_likely(self, area: float, seen: bool) -> bool:
        """Whether a body is as large as those before; one that the networks have seen always is."""
        if seen:
            self._area = area if self._area is None else AREA_MEMORY * self._area + (1 - AREA_MEMORY) * area
            return True
        return self._area is not None and LIKELY_AREA[0] < area / max(self._area, 1) < LIKELY_AREA[1]


def halve(frame: UInt8) -> UInt8:
    """A frame at half its size."""
    height, width = frame.shape[:2]
    small = (max(1, width // 2), max(1, height // 2))
    return np.asarray(cv2.resize(frame, small, interpolation=cv2.INTER_AREA), np.uint8)


def _combine(half: UInt8, looks: Sequence[Look], difference: Difference | None) -> Float32:
    """How likely each pixel is the dancer's, `(h, w)` of half the frame's size."""
    logits = _spread(looks, half.shape[:2])
    close = _is_near(looks, half.shape[:2]) | (logits > AWAY)
    evidence = np.where(close, np.clip(logits, UNSURE, SURE), AWAY)
    if difference is not None:
        evidence += _weigh_movement(logits, difference, _measure_moving(looks, difference))
    return refine_edges(half, np.asarray(1 / (1 + np.exp(-evidence)), np.float32))


def _weigh_movement(logits: Float32, difference: Difference, moving: float) -> Float32:
    """What moving or standing still adds to the networks' logits; `moving` is the share of the body that does."""
    passing = (STANDS_BRIEFLY if moving > MOSTLY_MOVING else STANDS, STANDS)
    stands = np.interp(difference.claimed, (SELDOM, OFTEN), passing)
    weight = np.nan_to_num(np.clip(STEEPNESS * (difference.apart - DIFFERENT), stands, MOVES))
    return np.asarray(np.where(_find_planted(logits, difference), np.maximum(weight, 0), weight), np.float32)


def _find_planted(logits: Float32, difference: Difference) -> Mask:
    """What stands still and is the dancer's all the same: feet, and what lies between the parts that move."""
    body = logits > 0
    still = body & (difference.apart < DIFFERENT)
    between = still & (logits > CONFIDENT) & _wrap(body & ~still)
    return _drop_large(still & (difference.claimed > 0.5), PLANTED * np.count_nonzero(body)) | between


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


def _fade(frame: UInt8, difference: Difference) -> UInt8:
    """The frame with less contrast where nothing moves."""
    moves = cv2.blur(np.nan_to_num(difference.apart, nan=2 * DIFFERENT), (9, 9)) > 0.75 * DIFFERENT
    kept = cv2.resize(np.where(moves, 1, FADED).astype(np.float32), frame.shape[1::-1])[..., None]
    return np.asarray(frame * kept + 127 * (1 - kept), np.uint8)


def _measure_moving(looks: Sequence[Look], difference: Difference) -> float:
    """The share of the bodies that differs from the backdrop, or has none."""
    body = _spread(looks, difference.apart.shape) > 0
    return float((~(difference.apart[body] < DIFFERENT)).mean()) if body.any() else 0.0


def _spread(looks: Sequence[Look], shape: tuple[int, ...]) -> Float32:
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
