"""People of one plain colour before a picture full of corners, and networks that see them by that colour."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepdance_plugins.removers.person import model
from deepdance_plugins.removers.person.networks import LOOK_SIDE, MARGIN, Look, Sighting, Square

SIZE = (240, 400)
DANCER, OTHER, STATUE = (200, 30, 60), (30, 200, 90), (60, 30, 200)
"""Their colours; what is faded has another, and is not seen."""
LEAST_PIXELS = 40
SURE = np.float32(120)
"""The logit of what is seen, as large as the real network's."""


def draw_scene(size: tuple[int, int] = SIZE, seed: int = 0) -> np.ndarray:
    """A picture `(h, w, 3)` of tiles, none of them in the colour of a person."""
    height, width = size
    tiles = np.random.default_rng(seed).integers(60, 160, (height // 10, width // 10, 3), np.uint8)
    return cv2.GaussianBlur(cv2.resize(tiles, (width, height), interpolation=cv2.INTER_NEAREST), (3, 3), 0)


def find_body(x: float, y: float, height: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    """The pixels of somebody upright, `(h, w)`: three times as tall as wide."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.hypot((columns - x) / (height / 6), (rows - y) / (height / 2)) < 1


def paint(frame: np.ndarray, body: np.ndarray, colour: tuple[int, int, int] = DANCER) -> np.ndarray:
    """The frame with a body in it."""
    painted = frame.copy()
    painted[body] = colour
    return painted


def add_noise(frames: Iterable[np.ndarray], seed: int = 0) -> np.ndarray:
    """Frames with a camera's noise, which leaves people their colour."""
    rng = np.random.default_rng(seed)
    noisy = []
    for frame in frames:
        person = np.any([_is_of(frame, colour) for colour in (DANCER, OTHER, STATUE)], axis=0)
        grain = np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).astype(np.uint8)
        noisy.append(np.where(person[..., None], frame, grain))
    return np.stack(noisy)


def surround(body: np.ndarray) -> Square:
    """The square around a body, as the networks give it."""
    rows, columns = np.nonzero(body)
    tall = float(np.ptp(rows) + 1)
    return Square(float(columns.mean()), float(rows.mean()), tall * MARGIN)


def measure_iou(one: np.ndarray, other: np.ndarray) -> float:
    either = (one | other).sum()
    return float((one & other).sum() / either) if either else 1.0


def _is_of(frame: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    red, green, blue = colour
    return (frame[..., 0] == red) & (frame[..., 1] == green) & (frame[..., 2] == blue)


class ColourDetector:
    """Sees people who are taller than a share of where it looks; `asked` are the windows, None the whole frame."""

    def __init__(self, colours: Sequence[tuple[int, int, int]] = (DANCER, OTHER, STATUE), least: float = 0.0) -> None:
        self.colours, self.least = colours, least
        self.asked: list[Square | None] = []

    def detect(self, frame: np.ndarray, window: Square | None = None) -> list[Sighting]:
        self.asked.append(window)
        side = window.side if window else max(frame.shape[:2])
        bodies = [_is_of(frame, colour) & _lies_in(window, frame.shape[:2]) for colour in self.colours]
        squares = [surround(body) for body in bodies if body.sum() >= LEAST_PIXELS]
        return [Sighting(0.9, square) for square in squares if square.side > self.least * MARGIN * side]


class ColourLandmarker:
    """Sees of the people in a square the one who fills most of it; `looked` are the squares."""

    def __init__(self, colours: Sequence[tuple[int, int, int]] = (DANCER, OTHER, STATUE)) -> None:
        self.colours = colours
        self.looked: list[Square] = []

    def look(self, frame: np.ndarray, square: Square) -> Look:
        self.looked.append(square)
        cut = cv2.warpAffine(frame, square.matrix(), (LOOK_SIDE, LOOK_SIDE), flags=cv2.INTER_NEAREST)
        colour = max(self.colours, key=lambda each: _is_of(cut, each).sum())
        body = _is_of(cut, colour)
        seen = body.sum() >= LEAST_PIXELS
        wanted = surround(_is_of(frame, colour)) if seen else square
        return Look(0.9 if seen else 0.1, np.where(body, SURE, -SURE).astype(np.float32), square, wanted)


def use_colours(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    detector: ColourDetector | None = None,
    landmarker: ColourLandmarker | None = None,
) -> None:
    """Put networks that see colours in the place of those of `person`, which needs no weights then."""
    monkeypatch.setattr(model.weights, "fetch_weights", lambda tell=None: folder)
    monkeypatch.setattr(model, "PoseDetector", lambda path: detector or ColourDetector())
    monkeypatch.setattr(model, "PoseLandmarker", lambda path: landmarker or ColourLandmarker())


def _lies_in(window: Square | None, size: tuple[int, ...]) -> np.ndarray:
    if window is None:
        return np.ones(size, bool)
    rows, columns = np.mgrid[: size[0], : size[1]]
    return (abs(columns - window.x) < window.side / 2) & (abs(rows - window.y) < window.side / 2)
