"""Silhouettes as signed distance fields: smooth pictures whose zero level is the dancer's outline, and back.

Grey levels jump at an outline, so mixing two of them fades; distances change smoothly, so mixing two of them moves the
outline. A field is positive inside the dancer and cut off at a radius. It is taken in the dancer's own frame: where
somebody stands, how large they are and how far they lean are five numbers, the placement, and what is left is the pose.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from math import ceil
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from deepdance.interfaces import Float32, UInt8

PLACEMENT = 5
"""Numbers of a placement: column, row, lean, log width, log height."""
REDUCTION = 2
"""A video's own canvas has half its size: near an outline fields are almost linear, so little is lost."""
LEAST_DEVIATION = 0.5
"""A dancer is at least a pixel wide and high, whose deviation is taken for half a pixel: no division by 0."""
LEAST_STEEPNESS = 0.5
"""A field flatter than this is no blurred distance but empty: dividing by its slope would make an outline of noise."""
OUTWARD = 0.04
"""Outlines are drawn this many pixels farther out: a field that is guessed is too low where a limb is thin."""
OUTSIDE = -8.0
"""The field beyond its canvas, where no dancer is."""
LEAST_PLACED = 0.1
"""Of the largest piece; where the dancer is, a smaller one does not say: a line at the picture's edge would be half of
the deviations.
"""
SPECK = 0.005
"""Of the largest piece; a smaller one says nothing."""
FINER = 2
"""Fields are enlarged by a cubic before they are placed by a linear map, whose kinks would show in an outline."""
FROM_FINER = np.array([[1 / FINER, 0, (1 / FINER - 1) / 2], [0, 1 / FINER, (1 / FINER - 1) / 2], [0, 0, 1]])
"""The map from a pixel of an enlarged field to that of the field: pixels are areas, and their centres lie at halves."""
MOST_PLACED = 3
"""Up to so many times the silhouettes' size fields are placed; what is larger is enlarged from there."""
BAND = 2.0
"""So many pixels from the outline all is told; the cubic that enlarges would overshoot at a farther cliff."""


@dataclass(frozen=True)
class Canvas:
    """The picture, in the dancer's own frame, that fields are drawn on.

    It does not depend on the silhouettes' size: a dancer's deviations, across and down, are so many of its pixels.
    """

    height: int
    width: int
    row: float
    """Where the mean of the dancer's rows lies, in pixels; of the columns it lies in the middle."""
    across: float
    """Pixels of the deviation of the dancer's columns."""
    down: float
    """Pixels of the deviation of the dancer's rows."""
    reference: float
    """Distances are in pixels of a silhouette whose rows deviate by so many."""

    @classmethod
    def of_video(cls, size: tuple[int, int], placements: Float32) -> Self:
        """Half as large as silhouettes of `size` (height, width), and so is the median dancer on it."""
        height, width = (max(1, side // REDUCTION) for side in size)
        across, down = np.exp(np.median(placements[:, 3:], axis=0)).tolist()
        return cls(height, width, (height - 1) / 2, across / REDUCTION, down / REDUCTION, down)

    @classmethod
    def from_array(cls, numbers: Float32) -> Self:
        """The canvas whose `to_array` this is."""
        height, width, *rest = numbers.tolist()
        return cls(int(height), int(width), *rest)

    def to_array(self) -> Float32:
        """All its numbers, `(6,)`."""
        return np.array(astuple(self), np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height, self.width


def measure_placements(frames: UInt8) -> Float32:
    """First and second moments of the dancer's large pieces in `(n, h, w)` silhouettes, `(n, 5)`.

    The mean column and row in pixels; the lean, columns a row by linear regression of the column on the row; the
    logarithms of the standard deviations of the column about that line, and of the row. An empty picture has those of
    a dancer in its middle.
    """
    _, height, width = frames.shape
    weight = np.stack([255 - _leave_out_small_pieces(frame) for frame in frames]).astype(np.float32)
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
    least = LEAST_DEVIATION**2
    variance = np.maximum((by_row * from_row**2).sum(axis=1) / total, least)
    lean = (from_row * column_in_row).sum(axis=1) / total / variance
    # What the regression on the row leaves of the column's variance.
    spread = (weight @ columns**2).sum(axis=1) / total - column**2 - lean**2 * variance
    deviations = np.log(np.sqrt(np.maximum([spread, variance], least)))  # logarithms, as sizes are told by ratios
    return np.stack([column, row, lean, *deviations], axis=1).astype(np.float32)


def _leave_out_small_pieces(frame: UInt8) -> UInt8:
    labels, areas = _label_pieces(frame < 128)
    if len(areas) < 2:
        return frame
    return np.where(_find_pieces(labels, areas >= LEAST_PLACED * areas.max(), 3), frame, np.uint8(255))


def compute_fields(frames: UInt8, placement: Float32, canvas: Canvas, radius: float) -> Float32:
    """`(n, h, w)` silhouettes → fields `(n, *canvas.shape)`, distances of at most `radius`."""
    units, maps = _measure_units(placement, canvas), _build_maps(placement, canvas)
    out = np.empty((len(frames), *canvas.shape), np.float32)
    for frame, matrix, unit, target in zip(frames, maps, units, out, strict=True):
        cv2.warpAffine(
            _measure_distance(frame, radius * unit),
            matrix,
            canvas.shape[::-1],
            dst=target,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,  # a body that the picture cuts off goes on beyond it
        )
    return out / units[:, None, None]


def draw_silhouettes(
    fields: Float32,
    placement: Float32,
    canvas: Canvas,
    size: tuple[int, int],
    *,
    smallest: float = 0.0,
    at: tuple[int, int] | None = None,
) -> UInt8:
    """Fields → `(n, h, w)` silhouettes with the dancer placed; an outline is one pixel of grey wide.

    Placements are in pixels of silhouettes of `size` (height, width). The picture is drawn at the size `at`, or at that
    one. Pieces whose area is below the share `smallest` of the largest one's are left out.
    """
    at = at or size
    times = ceil(at[0] / size[0] / MOST_PLACED)
    smaller = ceil(at[0] / times), ceil(at[1] / times)
    zoom_y, zoom_x = (new / times / old for new, old in zip(at, size, strict=True))
    # Pixels are areas: the first one's centre lies half a pixel from the edge.
    enlargement = np.array([[zoom_x, 0, (zoom_x - 1) / 2], [0, zoom_y, (zoom_y - 1) / 2]])
    maps = enlargement @ _complete(_build_maps(placement, canvas)) @ FROM_FINER
    # Distances in pixels of the smaller picture.
    units = (_measure_units(placement, canvas) * zoom_y).astype(np.float32)
    out = np.empty((len(fields), *at), np.uint8)
    for field, matrix, unit, target in zip(fields, maps, units, out, strict=True):
        inside = _place_field(np.asarray(field * unit, np.float32), matrix, smaller) + np.float32(OUTWARD * zoom_y)
        # At distance f inside a straight outline, f + 1/2 of a pixel is covered, at most all of it. Divided by its
        # slope, a blurred field is a distance again.
        distance = np.clip(inside / _measure_steepness(inside), -BAND, BAND)
        _remove_specks(distance, smallest)
        target[:] = _enlarge_outline(distance, times)[: at[0], : at[1]]
    return out


def measure_smallest_piece(frames: UInt8) -> float:
    """The smallest piece of a dancer that silhouettes show, as a share of the frame's largest piece.

    1 where fewer than a hundredth of the frames have a second piece: a single dancer is always whole.
    """
    shares = []
    for frame in frames:
        areas = np.sort(_label_pieces(frame < 128)[1])[::-1]
        if len(areas) > 1 and areas[1] >= SPECK * areas[0]:
            shares.append(float(areas[1] / areas[0]))
    return float(np.percentile(shares, 5)) if len(shares) > 0.01 * len(frames) else 1.0


def _label_pieces(dancer: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The number of the piece that each pixel belongs to, 0 for none, and the pieces' areas from number 1."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(dancer.view(np.uint8), connectivity=8)
    return labels, stats[1:, cv2.CC_STAT_AREA]


def _remove_specks(distance: Float32, smallest: float) -> None:
    """Make background of pieces smaller than a share of the largest, such as a hand that lost its arm, and of grey far
    from a piece.
    """
    labels, areas = _label_pieces(distance > 0)
    if len(areas):
        distance[~_find_pieces(labels, areas >= smallest * areas.max(), 5)] = -BAND


def _find_pieces(labels: npt.NDArray[np.int32], kept: npt.NDArray[np.bool_], around: int) -> npt.NDArray[np.bool_]:
    """Where the pieces that are `kept` lie, by their numbers, and what is near: within a square of so many pixels."""
    pieces = np.concatenate([[False], kept])[labels]
    return np.asarray(cv2.dilate(pieces.view(np.uint8), np.ones((around, around), np.uint8)) > 0)


def _place_field(field: Float32, matrix: npt.NDArray[np.float64], size: tuple[int, int]) -> Float32:
    """A field in a picture of `size`; `matrix` leads there from the pixels of the enlarged field."""
    finer = cv2.resize(field, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_CUBIC)
    placed: Float32 = cv2.warpAffine(
        finer,
        matrix,
        size[::-1],
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=OUTSIDE,
    )
    return placed


def _enlarge_outline(distance: Float32, times: int) -> UInt8:
    """Distances in pixels `(h, w)` → grey levels `(times · h, times · w)`."""
    if times > 1:
        distance = cv2.resize(distance, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    # 255 · (1/2 - distance), rounded and kept from 0 to 255, in one pass.
    grey: UInt8 = cv2.addWeighted(distance, -255.0 * times, distance, 0, 127.5, dtype=cv2.CV_8U)
    return grey


def _measure_steepness(field: Float32) -> Float32:
    """How fast a field changes: 1 a pixel if it is a distance, less where it is blurred and would blur the outline."""
    # The weights of Sobel's kernel add up to 8 for a slope of 1.
    horizontal, vertical = (cv2.Sobel(field, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    steepness: Float32 = np.maximum(cv2.magnitude(horizontal, vertical), np.float32(LEAST_STEEPNESS))
    return steepness


def _measure_units(placement: Float32, canvas: Canvas) -> Float32:
    """Pixels of the silhouette in a field's unit of distance, `(n,)`."""
    return np.asarray(np.exp(placement[:, 4]) / np.float32(canvas.reference), np.float32)


def _build_maps(placement: Float32, canvas: Canvas) -> npt.NDArray[np.float64]:
    """`(n, 2, 3)` affine maps from a pixel of the canvas to the pixel of the silhouette."""
    column, row, lean, *deviations = placement.astype(np.float64).T
    zoom_x, zoom_y = np.exp(deviations[0]) / canvas.across, np.exp(deviations[1]) / canvas.down
    maps = np.zeros((len(placement), 2, 3))
    maps[:, 0, 0], maps[:, 0, 1] = zoom_x, lean * zoom_y
    maps[:, 1, 1] = zoom_y
    maps[:, 0, 2] = column - zoom_x * (canvas.width - 1) / 2 - lean * zoom_y * canvas.row
    maps[:, 1, 2] = row - zoom_y * canvas.row
    return maps


def _complete(maps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`(n, 2, 3)` maps as `(n, 3, 3)`, so that they can be put one after the other."""
    return np.concatenate([maps, np.broadcast_to([[[0.0, 0.0, 1.0]]], (len(maps), 1, 3))], axis=1)


def _measure_distance(frame: UInt8, radius: float) -> Float32:
    """Distance to the outline in pixels; in the grey pixels on it, as the grey tells. Work is done near the dancer."""
    out = np.full(frame.shape, -radius, np.float32)
    left, top, width, height = cv2.boundingRect((frame < 255).view(np.uint8))
    margin = ceil(radius)
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
