"""`person`: a dancer before any background, found and followed by two small networks, and by what moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from deepdance.arrays import Float32, UInt8
from deepdance.frames import BACKGROUND
from deepdance.interfaces import BackgroundRemover
from deepdance_plugins.removers.person import weights
from deepdance_plugins.removers.person.backdrop import LEAST_FRAMES, Backdrop, Difference, align, stands_still
from deepdance_plugins.removers.person.evidence import (
    combine,
    fade,
    measure_agreement,
    measure_moving,
    spread,
    surround_movement,
)
from deepdance_plugins.removers.person.matting import Mask, fill_up, tidy
from deepdance_plugins.removers.person.networks import Look, PoseDetector, PoseLandmarker
from deepdance_plugins.removers.person.options import PersonOptions
from deepdance_plugins.removers.person.tracker import Tracker, drop_twins

SURVEYED = 16
"""Frames, spread over a clip, that the backdrop is found in."""
AGREED = 0.55
"""Intersection over union of a body and what moves, below which there is another look at what moves close by."""
LEAST_MOVING = 0.4
"""A body of which less than this share moves may be a statue: there is a look with what stands still faded."""
SAME_PLACE = 0.4
"""Two squares may be around the same body if they are no further apart."""
LIKELY_AREA = (0.25, 4.0)
"""What moves where nobody is seen is the dancer if it is so many times as large as they were."""
AREA_MEMORY = 0.8


class Sketch(NamedTuple):
    """A body at half the frame's size."""

    probability: Float32
    mask: Mask
    seen: bool
    """Whether the networks saw it, or only that it moves."""


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
        claims = [spread(look, halves[0].shape[:2]) > 0 for look in looks]
        backdrop = Backdrop.build(halves, placed, claims, claims)
        if backdrop is None:
            return
        bodies = []
        for tracker, frame, half in zip(trackers, frames, halves, strict=True):
            difference = backdrop.compare(half)
            bodies.append(combine(half, self._find(tracker, frame, difference), difference) > 0.5)
        self._backdrop = Backdrop.build(halves, placed, bodies, claims)

    def _make_tracker(self) -> Tracker:
        return Tracker(self._detector, self._landmarker, everybody=self.options.people == "all")

    def remove(self, frames: UInt8) -> UInt8:
        """`(n, h, w, 3)` RGB → `(n, h, w)`, 0 or 255 alone. A frame that shows nobody is background."""
        halves = [halve(frame) for frame in frames]
        out = np.full(frames.shape[:3], BACKGROUND, np.uint8)
        with ThreadPoolExecutor(1) as beside:  # the networks take most of the time, and let another thread work
            compare = self._backdrop.compare if self._backdrop else _compare_nothing
            compared = [beside.submit(compare, half) for half in halves]
            sketches = {
                number: beside.submit(_sketch, halves[number], looks, compared[number].result())
                for number, looks in self._follow(frames, (each.result() for each in compared))
            }
            for number, target in enumerate(out):
                target[self._draw(sketches[number].result(), target.shape)] = 0
        return out

    def _follow(self, frames: UInt8, differences: Iterable[Difference | None]) -> Iterator[tuple[int, list[Look]]]:
        """Each frame's number and who is seen in it, as soon as that is known.

        Where nobody is, they are sought once more, backwards, from where they are in the frame after.
        """
        found = []
        for number, (frame, difference) in enumerate(zip(frames, differences, strict=True)):
            looks = self._find(self._tracker, frame, difference)
            self._tracker.keep(looks)
            found.append(looks)
            if looks:
                yield number, looks
        later: list[Look] = []
        for number in reversed(range(len(found))):
            if not found[number]:
                found[number] = self._tracker.look_at(frames[number], [look.square for look in later])
                yield number, found[number]
            later = found[number]

    def _find(self, tracker: Tracker, frame: UInt8, difference: Difference | None) -> list[Look]:
        """Who is in a frame: as the tracker finds them or, where that is not what moves, in another look at that."""
        best = tracker.find(frame, difference)
        if difference is None:
            return best
        if best and self.options.people == "one" and measure_agreement(best, difference) < AGREED:
            around = [s for s in surround_movement(difference) if s.distance(best[0].square) < SAME_PLACE]
            best = self._choose(best, tracker.look_at(frame, around), difference)
        if measure_moving(best, difference) < LEAST_MOVING:
            faded = fade(frame, difference)
            again = tracker.look_at(faded, surround_movement(difference)) or tracker.find(faded, difference)
            best = self._choose(best, again, difference)
        return best

    def _choose(self, one: list[Look], other: list[Look], difference: Difference) -> list[Look]:
        """Whoever agrees better with what moves; everybody, if everybody is kept."""
        if self.options.people == "all":
            return drop_twins([*one, *other])
        return max(one, other, key=lambda looks: measure_agreement(looks, difference))

    def _draw(self, sketch: Sketch, shape: tuple[int, ...]) -> Mask:
        """The dancer in a frame, at its full size."""
        if not self._is_likely(float(sketch.mask.sum()), sketch.seen):
            return np.zeros(shape, bool)
        smooth = fill_up(sketch.probability, sketch.mask)
        return np.asarray(cv2.resize(smooth, shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5)

    def _is_likely(self, area: float, seen: bool) -> bool:
        """Whether a body is as large as those before; one that the networks have seen always is."""
        if seen:
            self._area = area if self._area is None else AREA_MEMORY * self._area + (1 - AREA_MEMORY) * area
            return True
        return self._area is not None and LIKELY_AREA[0] < area / max(self._area, 1) < LIKELY_AREA[1]


def _compare_nothing(half: UInt8) -> Difference | None:
    """There is no backdrop to compare with."""


def _sketch(half: UInt8, looks: Sequence[Look], difference: Difference | None) -> Sketch:
    """What is seen in a frame and, where the networks saw nothing of it, what moves."""
    if not looks and difference is None:
        nobody = np.zeros(half.shape[:2], np.float32)
        return Sketch(nobody, nobody > 0, False)
    probability = combine(half, looks, difference)
    rough = probability > 0.5
    mask = tidy(rough, spread(looks, half.shape[:2]) > 0)
    seen = bool(mask.any())
    return Sketch(probability, mask if seen else tidy(rough), seen)


def halve(frame: UInt8) -> UInt8:
    """A frame at half its size."""
    height, width = frame.shape[:2]
    small = (max(1, width // 2), max(1, height // 2))
    return np.asarray(cv2.resize(frame, small, interpolation=cv2.INTER_AREA), np.uint8)
