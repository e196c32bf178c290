"""How alike two silhouettes are, frame by frame.

Frames are uint8 `(n, height, width)`; the dancer is where they are below 128. Every function returns `(n,)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float64, UInt8

Int64 = npt.NDArray[np.int64]
BOUNDARY = 2
"""Width in pixels of the band along the outline."""
LIMB_RADIUS = 4
"""What a disc of this radius in pixels does not fit into is a limb."""
GREY = (26, 229)
"""The levels from 10 % to 90 % of full scale."""
SMALLEST_BODY = 10 / (120 * 200)
"""A speck of fewer pixels (10 at the paper's size, as a share of the frame) is no body."""


def dancer(frames: UInt8) -> UInt8:
    """1 where the dancer is, else 0."""
    return (frames < 128).astype(np.uint8)


def iou(truth: UInt8, rebuilt: UInt8) -> Float64:
    """Intersection over union, |A ∩ B| ÷ |A ∪ B| (Jaccard); 1 where both are empty."""
    return _overlap(dancer(truth), dancer(rebuilt))


def boundary_iou(truth: UInt8, rebuilt: UInt8) -> Float64:
    """The same of the pixels of each mask that lie within two pixels of its own outline; the frame's edge is outline.

    |(A_d ∩ A) ∩ (B_d ∩ B)| ÷ |(A_d ∩ A) ∪ (B_d ∩ B)|, Cheng et al., Boundary IoU, CVPR 2021, section 4.
    """
    return _overlap(_band(dancer(truth)), _band(dancer(rebuilt)))


def limb_counts(truth: UInt8, rebuilt: UInt8) -> tuple[Int64, Int64]:
    """Limb pixels of the truth that the rebuilt dancer has too, and limb pixels of the truth.

    Limbs are the dancer minus its morphological opening by a disc of radius 4 (a white top-hat: Serra, Image Analysis
    and Mathematical Morphology, 1982). Beyond the frame the picture goes on as at its edge, so a body that is cut off
    is no limb. Limb recall is the sum of the first over the sum of the second: pooled, for many frames have few.
    """
    import cv2

    reach = np.arange(-LIMB_RADIUS, LIMB_RADIUS + 1)
    disc = (reach[:, None] ** 2 + reach**2 <= LIMB_RADIUS**2).astype(np.uint8)
    masks = dancer(truth)
    limbs = masks - _each(
        masks, lambda mask: cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc, borderType=cv2.BORDER_REPLICATE)
    )
    return _count(limbs & dancer(rebuilt)), _count(limbs)


def grey_pixels(frames: UInt8) -> Int64:
    """Pixels from 10 % to 90 % of full scale: neither dancer nor background."""
    return _count((frames >= GREY[0]) & (frames <= GREY[1]))


def perimeters(frames: UInt8) -> Float64:
    """Length in pixels of the dancer's outline, holes included, through the centres of its outermost pixels."""
    import cv2

    def length(mask: UInt8) -> float:
        outlines = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
        return float(sum(cv2.arcLength(outline, True) for outline in outlines))

    return np.array([length(mask) for mask in dancer(frames)], np.float64)


def measure_frames(frames: UInt8) -> dict[str, Float64]:
    """Measures of every frame of `(n, h, w)`, each float64 `(n,)`.

    `area`: share of the pixels that are dancer; `bodies`: 8-connected pieces of at least 10 px at 120×200, in
    proportion at other sizes; `grey` and `perimeter`: `grey_pixels` and `perimeters`.
    """
    masks = dancer(frames)
    smallest = max(1, round(SMALLEST_BODY * masks[0].size)) if len(masks) else 1
    return {
        "area": masks.mean(axis=(1, 2), dtype=np.float64),
        "bodies": np.array([_count_bodies(mask, smallest) for mask in masks], np.float64),
        "grey": grey_pixels(frames).astype(np.float64),
        "perimeter": perimeters(frames),
    }


def _count_bodies(mask: UInt8, smallest: int) -> int:
    import cv2

    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    return int(np.sum(stats[1:, cv2.CC_STAT_AREA] >= smallest))


def _band(masks: UInt8) -> UInt8:
    import cv2

    square = np.ones((3, 3), np.uint8)

    def inner(mask: UInt8) -> UInt8:
        eroded: UInt8 = cv2.erode(mask, square, iterations=BOUNDARY, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        return eroded

    return masks - _each(masks, inner)


def _overlap(a: UInt8, b: UInt8) -> Float64:
    together, either = _count(a & b), _count(a | b)
    return np.where(either > 0, together / np.maximum(either, 1), 1.0)


def _each(masks: UInt8, change: Callable[[UInt8], UInt8]) -> UInt8:
    return np.stack([change(mask) for mask in masks]) if len(masks) else masks


def _count(masks: npt.NDArray[Any]) -> Int64:
    return np.asarray(np.count_nonzero(masks, axis=(1, 2)), np.int64)
