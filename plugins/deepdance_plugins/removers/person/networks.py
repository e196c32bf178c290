"""The two networks of BlazePose: one finds people in a picture, one looks closely at one of them.

Bazarevsky et al. 2020, "BlazePose: On-device Real-time Body Pose tracking"; the sizes, anchors and outputs are those of
the files that MediaPipe 0.10.21 publishes.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import cv2
import numpy as np

from deepdance.arrays import Float32, UInt8
from deepdance.plugins.redirection import capture_output

DETECTOR_SIDE = 224
LOOK_SIDE = 256
STRIDES = ((8, 2), (16, 2), (32, 6))
"""The detector's grids: a cell each so many pixels, with so many guesses a cell."""
KEYPOINTS = 6
"""Of a guess: its box is two points, then hips, the top of the circle around the body, and two of the head."""
SIGHTING = 0.3
"""A guess counts as a person from this probability on."""
SAME_PERSON = 0.25
"""Two guesses are one person if their centres are closer than this share of the smaller square."""
MARGIN = 1.25
"""How much larger than the body's circle the square is that is looked at."""


CHATTER = "TensorFlow Lite XNNPACK delegate"
"""What LiteRT prints at its first network."""
_LOADING = Lock()
"""Output is captured for the whole process, by one thread at a time."""


class Square(NamedTuple):
    """A turned square around a person, in pixels of the frame; `angle` is 0 where the person stands upright."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    def distance(self, other: Square) -> float:
        """How far apart two squares are: shift in sides, plus growth as a logarithm."""
        shift = math.hypot(self.x - other.x, self.y - other.y) / other.side
        return shift + abs(math.log(self.side / other.side))

    def corners(self, grow: float = 1.0) -> Float32:
        """The four corners `(4, 2)` of the square `grow` times as large."""
        c, s = math.cos(self.angle), math.sin(self.angle)
        half = self.side * grow / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
        return np.asarray(half @ np.array([[c, s], [-s, c]]) + (self.x, self.y), np.float32)

    def matrix(self) -> Float32:
        """From the frame's pixels to those of a look, `(2, 3)`."""
        c, s = math.cos(self.angle), math.sin(self.angle)
        turn = np.array([[c, s], [-s, c]]) * (LOOK_SIDE / self.side)
        shift = LOOK_SIDE / 2 - turn @ (self.x, self.y)
        return np.hstack([turn, shift[:, None]]).astype(np.float32)


class Sighting(NamedTuple):
    """A person in a picture, and how sure the detector is."""

    score: float
    square: Square


class Look(NamedTuple):
    """What a look at a square tells."""

    presence: float
    """The probability that a person is there."""
    logits: Float32
    """`(256, 256)` of the square: above 0 is the body."""
    square: Square
    """Where it looked."""
    wanted: Square
    """The square around the body that it saw: where to look next."""


class PoseDetector:
    """Finds people in a picture."""

    def __init__(self, path: Path) -> None:
        self._run = load_network(path)
        self._anchors = _build_anchors()

    def detect(self, frame: UInt8, window: Square | None = None) -> list[Sighting]:
        """People in `frame` `(h, w, 3)`, or in an upright `window` of it; the surest first."""
        height, width = frame.shape[:2]
        window = window or Square(width / 2, height / 2, max(height, width))
        scale = DETECTOR_SIDE / window.side
        left, top = window.x - window.side / 2, window.y - window.side / 2
        picture = _cut_out(frame, np.array([[scale, 0, -left * scale], [0, scale, -top * scale]]), DETECTOR_SIDE)
        guesses, scores = self._run(_scale(picture, 127.5) - 1, "Identity", "Identity_1")
        sure = 1 / (1 + np.exp(-np.clip(scores.reshape(-1), -30, 30)))
        likely = np.flatnonzero(sure > SIGHTING)
        likely = likely[np.argsort(-sure[likely])]
        points = guesses.reshape(-1, KEYPOINTS, 2)[likely][:, 2:4] + self._anchors[likely, None] * DETECTOR_SIDE
        found: list[Sighting] = []
        for score, (centre, top_point) in zip(sure[likely], points / scale + (left, top), strict=True):
            square = _surround(centre, top_point)
            if not any(_are_same(square, other.square) for other in found):
                found.append(Sighting(float(score), square))
        return found


class PoseLandmarker:
    """Looks closely at one person."""

    def __init__(self, path: Path) -> None:
        self._run = load_network(path)

    def look(self, frame: UInt8, square: Square) -> Look:
        """What is in a `square` of `frame` `(h, w, 3)`."""
        matrix = square.matrix()
        picture = _cut_out(frame, matrix, LOOK_SIDE)
        points, presence, logits = self._run(_scale(picture, 255), "Identity", "Identity_1", "Identity_2")
        circle = points.reshape(39, 5)[33:35, :2]  # after the 33 landmarks: the middle of the hips, the circle's top
        centre, top = (circle - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        return Look(
            float(presence.reshape(-1)[0]), logits.reshape(LOOK_SIDE, LOOK_SIDE), square, _surround(centre, top)
        )


def _surround(centre: Float32, top: Float32) -> Square:
    dx, dy = (top - centre).tolist()
    radius = max(math.hypot(dx, dy), 1.0)
    return Square(float(centre[0]), float(centre[1]), 2 * radius * MARGIN, math.pi / 2 - math.atan2(-dy, dx))


def _are_same(one: Square, other: Square) -> bool:
    return math.hypot(one.x - other.x, one.y - other.y) < SAME_PERSON * min(one.side, other.side)


def _cut_out(frame: UInt8, matrix: Float32, side: int) -> UInt8:
    """`side`×`side` pixels of the frame; averaged first by a whole number where it shrinks, or it would alias."""
    shrink = int(1 / math.sqrt(abs(float(np.linalg.det(matrix[:, :2])))))
    if shrink > 1:
        height, width = frame.shape[:2]
        small = (max(1, width // shrink), max(1, height // shrink))
        frame = np.asarray(cv2.resize(frame, small, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = matrix * np.array([[width / small[0], height / small[1], 1]])
    cut = cv2.warpAffine(frame, matrix.astype(np.float32), (side, side), flags=cv2.INTER_LINEAR)
    return np.asarray(cut[None], np.uint8)


def _scale(picture: UInt8, full: float) -> Float32:
    return np.asarray(picture / np.float32(full), np.float32)


def _build_anchors() -> Float32:
    """The centre of the cell that each guess belongs to, in shares of the picture, `(guesses, 2)`."""
    grids = []
    for stride, guesses in STRIDES:
        centres = (np.arange(DETECTOR_SIDE // stride) + 0.5) * stride / DETECTOR_SIDE
        y, x = np.meshgrid(centres, centres, indexing="ij")
        grids.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), guesses, axis=0))
    return np.concatenate(grids).astype(np.float32)


class _Network:
    """A LiteRT model on one thread: a second one gains nothing, other videos do."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = {each["name"]: each["index"] for each in self._interpreter.get_output_details()}

    def __call__(self, picture: Float32, *outputs: str) -> list[Float32]:
        self._interpreter.set_tensor(self._input, picture)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(self._outputs[name]) for name in outputs]


def load_network(path: Path) -> _Network:
    """A network from its file, without what LiteRT prints about it."""
    with _LOADING:
        with capture_output() as said:
            network = _Network(path)
        for line in said[0].splitlines():
            if CHATTER not in line:
                print(line, file=sys.stderr)  # noqa: T201  (another thread's, whose output was captured too)
    return network
