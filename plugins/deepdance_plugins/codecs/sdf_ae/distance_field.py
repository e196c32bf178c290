"""Silhouettes as signed distance fields: smooth pictures whose zero level is the dancer's outline, and back.

Grey levels jump at an outline, so mixing two of them fades; distances change smoothly, so mixing two of them moves the
outline. A field is positive inside the dancer and cut off at a radius. It is taken in the dancer's own frame: where
somebody stands, how large they are and how far they lean are five numbers, the placement, and what is left is the pose.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from deepdance.interfaces import Float32, UInt8

REDUCTION = 2
"""Fields are kept at half the size: near an outline they are almost linear, so little is lost."""
PLACEMENT = 5
"""Numbers of a placement: column, row, lean, log width, log height."""
LARGEST_ZOOM = 2.5
"""Of a dancer in the field beside the median one: more would show a speck, or a close view, in pixels of nothing."""
LEAST_STEEPNESS = 0.5
"""A field flatter than this is no blurred distance but empty: dividing by its slope would make an outline of noise."""
OUTWARD = 0.04
"""Outlines are drawn this many pixels farther out: a field that is guessed is too low where a limb is thin."""
OUTSIDE = -8.0
"""The field beyond its picture, where no dancer is."""
SPECK = 0.005
"""Of the largest piece; a smaller one says nothing."""


def halve_size(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the field of a silhouette of `size` (height, width)."""
    return max(1, size[0] // REDUCTION), max(1, size[1] // REDUCTION)


def measure_placements(frames: UInt8) -> Float32:
    """First and second moments of the dancer in `(n, h, w)` silhouettes, `(n, 5)`.

    The mean column and row in pixels; the lean, columns a row by linear regression of the column on the row; the
    logarithms of the standard deviations of the column about that line, and of the row. An empty picture has those of
    a dancer in its middle.
    """
    _, height, width = frames.shape
    weight = (255 - frames).astype(np.float32)
    total = weight.sum(axis=(1, 2))
    empty = total == 0
    weight[empty] = 1  # all pixels alike: the moments of the whole picture
    total[empty] = height * width
    rows, columns = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    by_row = weight.sum(axis=2)
    row = by_row @ rows / total
    column_in_row = weight @ columns
    column = column_in_row.sum(axis=1) / total
    from_row = rows - row[:, None]
    # A dancer is at least a pixel wide and high, whose deviation is taken for half a pixel: no division by 0.
    variance = np.maximum((by_row * from_row**2).sum(axis=1) / total, 0.25)
    lean = (from_row * column_in_row).sum(axis=1) / total / variance
    # What the regression on the row leaves of the column's variance.
    spread = (weight @ columns**2).sum(axis=1) / total - column**2 - lean**2 * variance
    deviations = np.log(np.sqrt(np.maximum([spread, variance], 0.25)))  # logarithms, as sizes are told by ratios
    return np.stack([column, row, lean, *deviations], axis=1).astype(np.float32)


def compute_fields(frames: UInt8, placement: Float32, scale: Float32, radius: float) -> Float32:
    """`(n, h, w)` silhouettes → fields `(n, h/2, w/2)` in pixels of the silhouette, at most `radius`.

    `scale` holds the log width and height that a dancer has in the field.
    """
    height, width = halve_size(frames.shape[1:])
    # A bilinear sample between two pixels is their mean, so that halving is part of the map.
    halve = np.array([[REDUCTION, 0, (REDUCTION - 1) / 2], [0, REDUCTION, (REDUCTION - 1) / 2], [0, 0, 1]])
    maps = _build_maps(placement, scale, frames.shape[1:]) @ halve
    out = np.empty((len(frames), height, width), np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for frame, matrix, target in zip(frames, maps, out, strict=True):
        distance = _measure_distance(frame, radius)
        cv2.warpAffine(distance, matrix, (width, height), dst=target, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return out


def draw_silhouettes(
    fields: Float32, placement: Float32, scale: Float32, size: tuple[int, int], smallest: float = 0.0
) -> UInt8:
    """Fields → `(n, h, w)` silhouettes with the dancer placed; an outline is one pixel of grey wide.

    Pieces whose area is below the share `smallest` of the largest one's are left out.
    """
    out = np.empty((len(fields), *size), np.uint8)
    for field, matrix, target in zip(fields, _build_maps(placement, scale, size), out, strict=True):
        # Cubic, then linear: a linear enlargement has a kink at every second pixel, which shows in an outline.
        whole = cv2.resize(field, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
        inside = cv2.warpAffine(
            whole,
            matrix,
            (size[1], size[0]),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=OUTSIDE,
        )
        # At distance f inside a straight outline, f + 1/2 of a pixel is covered, at most all of it. Divided by its
        # slope, a blurred field is a distance again.
        background = np.clip(0.5 - (inside + OUTWARD) / _measure_steepness(inside), 0, 1)
        np.rint(255 * background, out=target, casting="unsafe")
        _remove_specks(target, smallest)
    return out


def measure_smallest_piece(frames: UInt8) -> float:
    """The smallest piece of a dancer that silhouettes show, as a share of the frame's largest piece.

    1 where fewer than a hundredth of the frames have a second piece: a single dancer is always whole.
    """
    shares = []
    for frame in frames:
        areas = np.sort(_label_pieces(frame)[1])[::-1]
        if len(areas) > 1 and areas[1] >= SPECK * areas[0]:
            shares.append(float(areas[1] / areas[0]))
    return float(np.percentile(shares, 5)) if len(shares) > 0.01 * len(frames) else 1.0


def _label_pieces(silhouette: UInt8) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The number of the piece that each pixel belongs to, 0 for none, and the pieces' areas from number 1."""
    dancer = (silhouette < 128).view(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(dancer, connectivity=8)
    return labels, stats[1:, cv2.CC_STAT_AREA]


def _remove_specks(silhouette: UInt8, smallest: float) -> None:
    """Erase pieces smaller than a share of the largest, such as a hand that lost its arm, and grey far from a piece."""
    labels, areas = _label_pieces(silhouette)
    if len(areas):
        kept = np.isin(labels, np.flatnonzero(areas >= smallest * areas.max()) + 1)
        silhouette[cv2.dilate(kept.view(np.uint8), np.ones((5, 5), np.uint8)) == 0] = 255


def _measure_steepness(field: Float32) -> Float32:
    """How fast a field changes: 1 a pixel if it is a distance, less where it is blurred and would blur the outline."""
    # The weights of Sobel's kernel add up to 8 for a slope of 1.
    horizontal, vertical = (cv2.Sobel(field, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    steepness: Float32 = np.maximum(cv2.magnitude(horizontal, vertical), np.float32(LEAST_STEEPNESS))
    return steepness


def _build_maps(placement: Float32, scale: Float32, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """`(n, 2, 3)` affine maps from a pixel of the field, at full size, to the pixel of the silhouette."""
    column, row, lean, *deviations = placement.astype(np.float64).T
    limit = np.log(LARGEST_ZOOM)
    zoom_x, zoom_y = np.exp(np.clip(np.stack(deviations) - scale[:, None], -limit, limit))
    maps = np.zeros((len(placement), 2, 3))
    middle_y, middle_x = (size[0] - 1) / 2, (size[1] - 1) / 2
    maps[:, 0, 0], maps[:, 0, 1] = zoom_x, lean * zoom_y
    maps[:, 1, 1] = zoom_y
    maps[:, 0, 2] = column - zoom_x * middle_x - lean * zoom_y * middle_y
    maps[:, 1, 2] = row - zoom_y * middle_y
    return maps


def _measure_distance(frame: UInt8, radius: float) -> Float32:
    """Distance to the outline in pixels; in the grey pixels on it, as the grey tells. Work is done near the dancer."""
    out = np.full(frame.shape, -radius, np.float32)
    left, top, width, height = cv2.boundingRect((frame < 255).view(np.uint8))
    margin = int(np.ceil(radius))
    near = np.s_[max(top - margin, 0) : top + height + margin, max(left - margin, 0) : left + width + margin]
    grey = frame[near]
    dancer = (grey < 128).view(np.uint8)
    # OpenCV measures to the centre of the nearest pixel on the other side; the outline is half a pixel nearer.
    distance = cv2.distanceTransform(dancer, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - dancer, cv2.DIST_L2, 5)
    distance -= np.copysign(np.float32(0.5), distance)
    # A grey pixel tells its place more finely than whole pixels can: covered by a share c, it is c - 1/2 inside.
    on_outline = (np.abs(distance) < 1) & (grey > 0) & (grey < 255)
    out[near] = np.clip(np.where(on_outline, 0.5 - grey / np.float32(255), distance), -radius, radius)
    return out
