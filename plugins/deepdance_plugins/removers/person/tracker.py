"""Who the dancer is, and where: found once, then followed from look to look."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from deepdance.arrays import UInt8
from deepdance_plugins.removers.person.backdrop import DIFFERENT, Difference
from deepdance_plugins.removers.person.networks import Look, PoseDetector, PoseLandmarker, Sighting, Square

PRESENT = 0.5
"""A look shows a person from this probability on."""
LOOKS = 2
"""Looks at a frame, each in the square that the last one wanted."""
TRIES = 3
"""People who are looked at, where the dancer is lost."""
WINDOWS = (1.0, 0.55)
"""Squares, as shares of the frame's shorter side, in which people are sought who are too small in the whole frame."""
RARELY = 4
"""The smallest windows cost many looks: where nobody is found, they are searched in every so many frames alone."""
MEMORY = 10
"""For so many frames a lost dancer is expected where they were."""
SAME_BODY = 0.35
"""Two looks are at one body if their squares are no further apart."""


class Tracker:
    """Follows one dancer, or everybody, through the frames of a clip."""

    def __init__(self, detector: PoseDetector, landmarker: PoseLandmarker, *, everybody: bool = False) -> None:
        self._detector = detector
        self._landmarker = landmarker
        self._everybody = everybody
        self._squares: list[Square] = []
        self._last: Square | None = None
        self._lost = 0

    def find(self, frame: UInt8, difference: Difference | None = None) -> list[Look]:
        """Who is in `frame` `(h, w, 3)`: seen where they were or, where nobody is, searched for."""
        looks = self.look_at(frame, self._squares)
        if self._everybody:
            return drop_twins([*looks, *self.look_at(frame, [each.square for each in self._sight(frame)])])
        if looks:
            return looks
        ranked = self._rank(self._sight(frame), difference)[:TRIES]
        return next(filter(None, (self.look_at(frame, [each.square]) for each in ranked)), [])

    def keep(self, looks: Sequence[Look]) -> None:
        """Go on from what was seen; nothing is a lost dancer."""
        self._squares = [look.wanted for look in looks]
        self._last = self._squares[0] if looks else self._last
        self._lost = 0 if looks else self._lost + 1

    def look_at(self, frame: UInt8, squares: Sequence[Square]) -> list[Look]:
        """Who is in the given squares of a frame."""
        return [look for look in (self._look(frame, square) for square in squares) if look]

    def _look(self, frame: UInt8, square: Square) -> Look | None:
        """Looks until the square holds still; None if nobody is there."""
        seen = None
        for _ in range(LOOKS):
            if not 8 < square.side < 4 * max(frame.shape[:2]):
                break
            look = self._landmarker.look(frame, square)
            if look.presence < PRESENT:
                break
            seen = look
            if _holds_still(square, look.wanted):
                break
            square = look.wanted
        return seen

    def _rank(self, sightings: Sequence[Sighting], difference: Difference | None) -> list[Sighting]:
        """Who is large and moves first. A dancer just lost is sought nearby, the nearest first."""
        last = self._last
        if last is None or self._lost >= MEMORY:
            weights = {each: each.score * each.square.side * _weigh(each.square, difference) for each in sightings}
            return sorted(sightings, key=lambda each: -weights[each])
        apart = {each: each.square.distance(last) for each in sightings}
        near = [each for each in sightings if apart[each] < 1.2 + 0.2 * self._lost]
        return sorted(near, key=lambda each: apart[each])

    def _sight(self, frame: UInt8) -> list[Sighting]:
        """People in the frame: in the whole of it, then in ever smaller windows."""
        found = self._detector.detect(frame)
        for number, share in enumerate(WINDOWS):
            if found or (number and self._lost % RARELY):
                break
            for window in _lay_windows(frame.shape[0], frame.shape[1], share):
                found += self._detector.detect(frame, window)
        return found


def _weigh(square: Square, difference: Difference | None) -> float:
    """How much the middle of a square moves, from .25 to 1.25; 1 where that is not known."""
    if difference is None:
        return 1.0
    reach = square.side / 8  # of half the frame's size, half of the square's side
    left, top = max(round(square.x / 2 - reach), 0), max(round(square.y / 2 - reach), 0)
    middle = difference.apart[top : round(square.y / 2 + reach) + 1, left : round(square.x / 2 + reach) + 1]
    return 0.25 + float((~(middle < DIFFERENT)).mean()) if middle.size else 1.0


def drop_twins(looks: Sequence[Look]) -> list[Look]:
    """The looks without those at a body that another one has seen."""
    kept: list[Look] = []
    for look in looks:
        if all(look.wanted.distance(other.wanted) > SAME_BODY for other in kept):
            kept.append(look)
    return kept


def _holds_still(square: Square, wanted: Square) -> bool:
    moved = math.hypot(wanted.x - square.x, wanted.y - square.y) / square.side
    grown = abs(math.log(wanted.side / square.side))
    turned = abs(math.remainder(wanted.angle - square.angle, math.tau))
    return moved < 0.04 and grown < 0.08 and turned < 0.15


def _lay_windows(height: int, width: int, share: float) -> list[Square]:
    """Squares that overlap by half and cover the frame."""
    side = share * min(height, width)

    def centres(length: int) -> list[float]:
        count = max(1, math.ceil((length - side) / (side / 2)) + 1)
        return [float(centre) for centre in np.linspace(side / 2, length - side / 2, count)]

    return [Square(x, y, side) for y in centres(height) for x in centres(width)]
