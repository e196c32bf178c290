"""What is seen in one silhouette, and between two neighbours: area, bodies, grey pixels, outline, motion."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from deepdance.frames import UInt8

Float64 = npt.NDArray[np.float64]

DANCER_BELOW = 128
GREY_FROM, GREY_TO = 26, 229
"""Grey is 10–90% of full scale: neither dancer nor background."""
SMALLEST_BODY = 10 / (120 * 200)
"""A speck of fewer pixels (10 at the paper's size, as a share of the frame) is no body."""


def frame_measures(frames: UInt8) -> dict[str, Float64]:
    """Measures of every frame of `(n, h, w)`, each float64 `(n,)`.

    `area`: share of the pixels that are dancer (< 128); `bodies`: 8-connected pieces of at least 10 px at 120×200, in
    proportion at other sizes; `grey`: pixels of 10–90% of full scale; `perimeter`: length in px of all outlines of the
    dancer, holes included, through the centres of the border pixels.
    """
    masks = (frames < DANCER_BELOW).astype(np.uint8)
    smallest = max(1, round(SMALLEST_BODY * masks[0].size)) if len(masks) else 1
    outlines = np.array([_outline(mask, smallest) for mask in masks], np.float64).reshape(-1, 2)
    return {
        "area": masks.mean(axis=(1, 2), dtype=np.float64),
        "bodies": outlines[:, 0],
        "grey": np.sum((frames >= GREY_FROM) & (frames <= GREY_TO), axis=(1, 2), dtype=np.float64),
        "perimeter": outlines[:, 1],
    }


def _outline(mask: UInt8, smallest: int) -> tuple[int, float]:
    import cv2

    contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    length = float(sum(cv2.arcLength(contour, True) for contour in contours))
    outer = 0 if tree is None else int(np.sum(tree.reshape(-1, 4)[:, 3] < 0))
    if outer <= 1:
        return int(outer and cv2.countNonZero(mask) >= smallest), length
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    return int(np.sum(stats[1:, cv2.CC_STAT_AREA] >= smallest)), length


def motion_energy(frames: UInt8) -> Float64:
    """`1 - IoU(t, t + 1)` of the dancer in `(n, h, w)`, float64 `(n - 1,)`; two empty frames do not move."""
    masks = frames < DANCER_BELOW
    both = np.sum(masks[1:] & masks[:-1], axis=(1, 2))
    either = np.sum(masks[1:] | masks[:-1], axis=(1, 2))
    return np.where(either, 1 - both / np.maximum(either, 1), 0.0)
