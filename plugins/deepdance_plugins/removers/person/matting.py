"""From a coarse probability to a silhouette whose edges are the picture's."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float32, UInt8

SMOOTHNESS = 1e-3
"""He et al.'s ε: contrasts below its root, of a range of 1, are no edges."""
RADIUS_SHARE = 1 / 24
"""The filter's radius, as a share of the root of the body's area."""
SMALLEST_PART = 0.06
"""A part smaller than this share of the largest is none of the body's."""
SMALLEST_HOLE = 0.002
"""A hole smaller than this share of the body is filled."""
LEAST_SEEN = 0.2
"""Of a part, the networks must have seen so much."""

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating[Any]]


def refine_edges(frame: UInt8, probability: Float32) -> Float32:
    """The probability `(h, w)` with its edges moved to those of the frame `(h, w, 3)`.

    The guided filter with a picture of three channels as its guide (He, Sun and Tang 2013, equations 19 to 21).
    """
    radius = max(1, round(float(np.sqrt(np.count_nonzero(probability > 0.5))) * RADIUS_SHARE))
    box = _find_box(probability, 2 * radius)
    if box is None:
        return probability
    out = probability.copy()
    out[box] = np.clip(_filter(np.asarray(frame[box] / np.float32(255), np.float32), probability[box], radius), 0, 1)
    return out


def _find_box(probability: Float32, margin: int) -> tuple[slice, slice] | None:
    """Where anything is likely at all, and a margin around it."""
    likely = probability > 0.05
    rows, columns = np.flatnonzero(likely.any(axis=1)), np.flatnonzero(likely.any(axis=0))
    if not len(rows):
        return None
    return (
        slice(max(rows[0] - margin, 0), rows[-1] + margin + 1),
        slice(max(columns[0] - margin, 0), columns[-1] + margin + 1),
    )


def _filter(guide: Float32, target: Float32, radius: int) -> Float32:
    """The least-squares fit `target` ≈ slope · colour + offset in a window, averaged over all windows of a pixel."""

    def mean(values: Floats) -> Float32:
        size = (2 * radius + 1, 2 * radius + 1)
        return np.asarray(cv2.blur(values, size, borderType=cv2.BORDER_REFLECT), np.float32)

    colours = [np.ascontiguousarray(guide[..., channel]) for channel in range(3)]
    means = [mean(colour) for colour in colours]
    mean_target = mean(target)
    shared: list[Floats] = [mean(colour * target) - m * mean_target for colour, m in zip(colours, means, strict=True)]
    spread: dict[tuple[int, int], Floats] = {
        (i, j): mean(colours[i] * colours[j]) - means[i] * means[j] + (SMOOTHNESS if i == j else 0)
        for i in range(3)
        for j in range(i, 3)
    }
    slopes = _solve(spread, shared)
    offset = mean_target - sum(slope * m for slope, m in zip(slopes, means, strict=True))
    fitted = sum(mean(slope) * colour for slope, colour in zip(slopes, colours, strict=True))
    return np.asarray(fitted + mean(offset), np.float32)


def _solve(matrix: dict[tuple[int, int], Floats], right: list[Floats]) -> list[Floats]:
    """Solve a symmetric 3×3 system at every pixel, by its cofactors."""
    a, b, c = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    d, e, f = matrix[1, 1], matrix[1, 2], matrix[2, 2]
    aa, ab, ac = d * f - e * e, c * e - b * f, b * e - c * d
    bb, bc, cc = a * f - c * c, b * c - a * e, a * d - b * b
    scale = 1 / (a * aa + b * ab + c * ac)
    x, y, z = right
    return [(aa * x + ab * y + ac * z) * scale, (ab * x + bb * y + bc * z) * scale, (ac * x + bc * y + cc * z) * scale]


def tidy(mask: Mask, seen: Mask | None = None) -> Mask:
    """Without the parts and holes that are too small to be the body's, and the parts that nobody has `seen`."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count == 1:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = areas >= SMALLEST_PART * areas[1:].max()
    if seen is not None:
        kept &= np.bincount(labels.ravel(), seen.ravel(), count) > LEAST_SEEN * areas
    kept[0] = False
    body = kept[labels]
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~body).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < SMALLEST_HOLE * np.count_nonzero(body)
    small[0] = False
    return np.asarray(body | small[labels])


def fill_up(probability: Float32, mask: Mask) -> Float32:
    """The probability, moved over the half where the mask says otherwise."""
    return np.where(mask, np.maximum(probability, 0.51), np.minimum(probability, 0.49)).astype(np.float32)
