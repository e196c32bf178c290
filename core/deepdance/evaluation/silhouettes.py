"""What is seen in one silhouette, and between two neighbours: area, bodies, grey pixels, outline, motion."""

from __future__ import annotations

import numpy as np

from deepdance.evaluation.shapes import dancer, grey_pixels, iou, perimeters
from deepdance.interfaces import Float64, UInt8

SMALLEST_BODY = 10 / (120 * 200)
"""A speck of fewer pixels (10 at the paper's size, as a share of the frame) is no body."""


def frame_measures(frames: UInt8) -> dict[str, Float64]:
    """Measures of every frame of `(n, h, w)`, each float64 `(n,)`.

    `area`: share of the pixels that are dancer; `bodies`: 8-connected pieces of at least 10 px at 120×200, in
    proportion at other sizes; `grey` and `perimeter`: `grey_pixels` and `perimeters`.
    """
    masks = dancer(frames)
    smallest = max(1, round(SMALLEST_BODY * masks[0].size)) if len(masks) else 1
    return {
        "area": masks.mean(axis=(1, 2), dtype=np.float64),
        "bodies": np.array([_bodies(mask, smallest) for mask in masks], np.float64),
        "grey": grey_pixels(frames).astype(np.float64),
        "perimeter": perimeters(frames),
    }


def _bodies(mask: UInt8, smallest: int) -> int:
    import cv2

    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    return int(np.sum(stats[1:, cv2.CC_STAT_AREA] >= smallest))


def motion_energy(frames: UInt8) -> Float64:
    """`1 - IoU(t, t + 1)` of the dancer in `(n, h, w)`, float64 `(n - 1,)`; two empty frames do not move."""
    return 1 - iou(frames[:-1], frames[1:])
