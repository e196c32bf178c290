"""Silhouettes as they come from real videos: cut off, turned, near and far, of other bodies and clothes, with faults.

Every function takes one silhouette `(h, w)`, uint8, 0 the dancer, and gives another; where and how much is drawn.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from deepdance.interfaces import UInt8

Rng = np.random.Generator
Variation = Callable[[UInt8, Rng], UInt8]


def vary(frame: UInt8, rng: Rng) -> UInt8:
    """A silhouette after one to four changes; one that nobody is left in is given back as it was."""
    varied = frame
    for change, chance in VARIATIONS:
        if rng.random() < chance:
            varied = change(varied, rng)
    return varied if np.count_nonzero(varied < 128) > 0.1 * np.count_nonzero(frame < 128) else frame


def bend(frame: UInt8, rng: Rng) -> UInt8:
    """Other proportions: every place moves a little, neighbours together, up to a tenth of the dancer."""
    height, width = frame.shape
    _, _, _, tall = _bound(frame)
    coarse = rng.normal(0, 0.025 * tall, (2, 4, 5)).astype(np.float32)
    dy, dx = (cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC) for part in coarse)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    bent: UInt8 = cv2.remap(frame, columns + dx, rows + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return bent


def turn(frame: UInt8, rng: Rng) -> UInt8:
    """A camera that is not level, or a dancer that falls: turned by some degrees."""
    height, width = frame.shape
    left, top, wide, tall = _bound(frame)
    matrix = cv2.getRotationMatrix2D((left + wide / 2, top + tall / 2), float(rng.normal(0, 8)), 1.0)
    turned: UInt8 = cv2.warpAffine(
        frame, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return turned


def dress(frame: UInt8, rng: Rng) -> UInt8:
    """A skirt or a coat: a bell from the waist, as wide as chance has it."""
    _, top, _, tall = _bound(frame)
    waist, hem = (top + share * tall for share in (rng.uniform(0.4, 0.55), rng.uniform(0.6, 0.95)))
    row = int(np.clip(waist, 0, frame.shape[0] - 1))
    inside = np.flatnonzero(frame[row] < 128)
    if not len(inside):
        return frame
    middle, half = float(inside.mean()), max(2.0, 0.08 * tall)
    swing, below = rng.normal(0, 0.06 * tall), rng.uniform(1.2, 3.2) * half
    corners = [
        (middle - half, waist),
        (middle + half, waist),
        (middle + below + swing, hem),
        (middle - below + swing, hem),
    ]
    return _fill_polygon(frame, corners)


def add_hair(frame: UInt8, rng: Rng) -> UInt8:
    """Hair or a hat: an ellipse around the highest part."""
    _, top, _, tall = _bound(frame)
    column = float(np.flatnonzero(frame[top] < 255).mean())
    radius = tall * rng.uniform(0.05, 0.1)
    centre = column + rng.normal(0, radius / 2), top + radius * rng.uniform(0.4, 1.6)
    return _fill_ellipse(frame, centre, (radius * rng.uniform(0.6, 1.2), radius * rng.uniform(0.6, 1.8)), rng)


def add_thing(frame: UInt8, rng: Rng) -> UInt8:
    """A bag, a ball, a stick: something at the outline."""
    _, _, _, tall = _bound(frame)
    rows, columns = np.nonzero(frame < 128)
    place = rng.integers(len(rows))
    radii = tall * rng.uniform(0.02, 0.08), tall * rng.uniform(0.02, 0.14)
    return _fill_ellipse(frame, (float(columns[place]), float(rows[place])), radii, rng)


def roughen(frame: UInt8, rng: Rng) -> UInt8:
    """The faults of a background remover, and slim and broad bodies: the outline moves in and out by a pixel or two."""
    height, width = frame.shape
    dancer = (frame < 128).astype(np.uint8)
    distance = cv2.distanceTransform(dancer, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - dancer, cv2.DIST_L2, 5)
    cells = int(rng.integers(6, 30))
    coarse = rng.normal(rng.normal(0.2, 0.7), rng.uniform(0, 0.8), (cells, cells)).astype(np.float32)
    moved = distance + cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    rough: UInt8 = np.rint(255 * np.clip(0.5 - moved, 0, 1)).astype(np.uint8)
    return rough


def rescale(frame: UInt8, rng: Rng) -> UInt8:
    """From farther away: fewer pixels tell the same body."""
    share = rng.uniform(0.35, 0.9)
    smaller: UInt8 = cv2.resize(frame, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return smaller


def cut(frame: UInt8, rng: Rng) -> UInt8:
    """A closer view: an edge of the picture goes through the dancer, mostly the lower one."""
    left, top, wide, tall = _bound(frame)
    side = rng.choice(4, p=[0.6, 0.1, 0.15, 0.15])
    if side < 2:
        place = top + int(tall * rng.uniform(0.35, 0.95))
        return frame[:place] if side == 0 else frame[2 * top + tall - place :]
    place = left + int(wide * rng.uniform(0.5, 0.95))
    return frame[:, :place] if side == 2 else frame[:, 2 * left + wide - place :]


VARIATIONS: list[tuple[Variation, float]] = [
    (bend, 0.7),
    (turn, 0.3),
    (dress, 0.1),
    (add_hair, 0.15),
    (add_thing, 0.1),
    (roughen, 0.4),
    (cut, 0.25),
    (rescale, 0.25),
]


def _bound(frame: UInt8) -> tuple[int, int, int, int]:
    """Left, top, width and height of the box around the dancer; the whole picture where there is none."""
    box = cv2.boundingRect((frame < 255).view(np.uint8))
    return box if box[2] else (0, 0, frame.shape[1], frame.shape[0])


def _fill_polygon(frame: UInt8, corners: list[tuple[float, float]]) -> UInt8:
    filled = frame.copy()
    points = np.rint(16 * np.array(corners)).astype(np.int32)  # in sixteenths, so that the edge is smooth
    cv2.fillConvexPoly(filled, points, 0, lineType=cv2.LINE_AA, shift=4)
    return np.minimum(filled, frame)


def _fill_ellipse(frame: UInt8, centre: tuple[float, float], radii: tuple[float, float], rng: Rng) -> UInt8:
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    round_it = np.stack([radii[0] * np.cos(angles), radii[1] * np.sin(angles)], axis=1)
    turned = rng.uniform(0, np.pi)
    spin = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    return _fill_polygon(frame, [tuple(corner) for corner in (round_it @ spin.T + centre).tolist()])
