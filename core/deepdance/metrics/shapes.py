"""How alike two silhouettes are, frame by frame.

Frames are uint8 `(n, height, width)`; the dancer is where they are below 128. Figures are `(n,)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float64, Int64, UInt8

BOUNDARY = 2
"""Width in pixels of the band along the outline."""
LIMB_RADIUS = 4
"""What a disc of this radius in pixels does not fit into is a limb."""
_OFFSETS = np.arange(-LIMB_RADIUS, LIMB_RADIUS + 1)
LIMB_DISC: UInt8 = (_OFFSETS[:, None] ** 2 + _OFFSETS**2 <= LIMB_RADIUS**2).astype(np.uint8)
"""OpenCV's own ellipse is no disc at this radius: it has 57 pixels, a disc 49."""
GREY = (26, 229)
"""The levels from 10 % to 90 % of full scale."""
SMALLEST_BODY = 10 / (120 * 200)
"""A speck of fewer pixels (10 at the paper's size, as a share of the frame) is no body."""


def mask_dancer(frames: UInt8) -> UInt8:
    """1 where the dancer is, else 0."""
    return (frames < 128).astype(np.uint8)


def iou(truth: UInt8, decoded: UInt8) -> Float64:
    """Intersection over union, |A ∩ B| ÷ |A ∪ B| (Jaccard); 1 where both are empty."""
    return _overlap(mask_dancer(truth), mask_dancer(decoded))


def boundary_iou(truth: UInt8, decoded: UInt8) -> Float64:
    """The same of the pixels of each mask that lie within two pixels of its own outline; the frame's edge is outline.

    |(A_d ∩ A) ∩ (B_d ∩ B)| ÷ |(A_d ∩ A) ∪ (B_d ∩ B)|, Cheng et al., Boundary IoU, CVPR 2021, section 4.
    """
    return _overlap(_keep_band(mask_dancer(truth)), _keep_band(mask_dancer(decoded)))


def count_limb_pixels(truth: UInt8, decoded: UInt8) -> tuple[Int64, Int64]:
    """Limb pixels of the truth that the decoded dancer has too, and limb pixels of the truth.

    Limbs are the dancer minus its morphological opening by a disc of radius 4 (a white top-hat: Serra, Image Analysis
    and Mathematical Morphology, 1982). Beyond the frame the picture goes on as at its edge, so a body that is cut off
    is no limb. Limb recall is the sum of the first over the sum of the second: pooled, for many frames have few.
    """
    limbs = _map_frames(_keep_limbs, mask_dancer(truth))
    return _count_pixels(limbs & mask_dancer(decoded)), _count_pixels(limbs)


def _keep_limbs(mask: UInt8) -> UInt8:
    import cv2

    opened: UInt8 = cv2.morphologyEx(mask, cv2.MORPH_OPEN, LIMB_DISC, borderType=cv2.BORDER_REPLICATE)
    return mask - opened


def count_grey_pixels(frames: UInt8) -> Int64:
    """Pixels from 10 % to 90 % of full scale: neither dancer nor background."""
    return _count_pixels((frames >= GREY[0]) & (frames <= GREY[1]))


def measure_perimeters(frames: UInt8) -> Float64:
    """Length in pixels of the dancer's outline, holes included, through the centres of its outermost pixels."""
    import cv2

    outlines = (cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0] for mask in mask_dancer(frames))
    return np.array([_add_lengths(each) for each in outlines], np.float64)


def _add_lengths(outlines: Sequence[npt.NDArray[Any]]) -> float:
    import cv2

    return float(sum(cv2.arcLength(outline, True) for outline in outlines))


def measure_frames(frames: UInt8) -> dict[str, Float64]:
    """Measures of every frame of `(n, h, w)`, each float64 `(n,)`; 0 where there is no dancer.

    `area`: share of the pixels that are dancer; `faint`, `grey`, `dark`: pixels from white to black, without these two;
    `bodies`, `specks`: 8-connected pieces of at least, and of less than, 10 px at 120×200, in proportion at other
    sizes; `x`, `y`, `bottom`, `width`, `height`: the centre, the lowest row and the box, in frame heights; `perimeter`:
    of `measure_perimeters`; `holes`, and `hole_area`, the share of the frame that they take; `limbs`: share of the
    dancer that `count_limb_pixels` calls limb; `thickness`: mean distance of the dancer's pixels from the background.
    """
    masks = mask_dancer(frames)
    smallest = max(1, round(SMALLEST_BODY * masks[0].size)) if len(masks) else 1
    dark, light = GREY
    return {
        "area": masks.mean(axis=(1, 2), dtype=np.float64),
        "faint": _count_pixels((frames > light) & (frames < 255)).astype(np.float64),
        "grey": count_grey_pixels(frames).astype(np.float64),
        "dark": _count_pixels((frames > 0) & (frames < dark)).astype(np.float64),
        **_collect([_measure_pieces(mask, smallest) | _measure_outlines(mask) for mask in masks]),
    }


def _collect(rows: Sequence[Mapping[str, float]]) -> dict[str, Float64]:
    return {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]} if rows else {}


def _measure_pieces(mask: UInt8, smallest: int) -> dict[str, float]:
    """How many pieces there are, and where."""
    import cv2

    _, _, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
    left, top, width, height, areas = stats[1:].T  # the first component is the background
    bodies = int(np.sum(areas >= smallest))
    x, y = areas @ centres[1:] / max(areas.sum(), 1) / len(mask)
    bottom = (top + height).max(initial=0)
    return {
        "bodies": bodies,
        "specks": len(areas) - bodies,
        "x": x,
        "y": y,
        "bottom": bottom / len(mask),
        "width": ((left + width).max() - left.min()) / len(mask) if len(areas) else 0,
        "height": (bottom - top.min()) / len(mask) if len(areas) else 0,
    }


def _measure_outlines(mask: UInt8) -> dict[str, float]:
    """How long the outlines are, what holes they leave, and how thick what they enclose is."""
    import cv2

    outlines, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    parents = hierarchy[0, :, 3] if outlines else ()
    holes = [outline for outline, parent in zip(outlines, parents, strict=True) if parent >= 0]
    area = max(int(mask.sum()), 1)
    return {
        "perimeter": _add_lengths(outlines),
        "holes": len(holes),
        "hole_area": float(sum(cv2.contourArea(outline) for outline in holes)) / mask.size,
        "limbs": int(np.count_nonzero(_keep_limbs(mask))) / area,
        "thickness": float(cv2.distanceTransform(mask, cv2.DIST_L2, 3).sum()) / area,
    }


def _keep_band(masks: UInt8) -> UInt8:
    """What an erosion by two pixels takes away from each mask."""
    import cv2

    square = np.ones((3, 3), np.uint8)

    def erode(mask: UInt8) -> UInt8:
        # Beyond the frame there is background, so that a body's cut edge is an outline too.
        eroded: UInt8 = cv2.erode(mask, square, iterations=BOUNDARY, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        return eroded

    return masks - _map_frames(erode, masks)


def _overlap(a: UInt8, b: UInt8) -> Float64:
    intersection, union = _count_pixels(a & b), _count_pixels(a | b)
    return np.where(union > 0, intersection / np.maximum(union, 1), 1.0)


def _map_frames(change: Callable[[UInt8], UInt8], masks: UInt8) -> UInt8:
    return np.stack([change(mask) for mask in masks]) if len(masks) else masks


def _count_pixels(masks: npt.NDArray[Any]) -> Int64:
    return np.asarray(np.count_nonzero(masks, axis=(1, 2)), np.int64)
