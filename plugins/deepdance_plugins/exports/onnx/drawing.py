"""Distance fields → silhouettes in ONNX: what `distance_field.draw_silhouettes` does with OpenCV."""

from __future__ import annotations

from math import ceil, prod

import cv2
import numpy as np
from onnx import TensorProto

from deepdance.frames import BACKGROUND, find_middle, fit_size
from deepdance.interfaces import Float32
from deepdance_plugins.codecs.sdf_ae import distance_field as fields
from deepdance_plugins.codecs.sdf_ae.distance_field import PLACEMENT, Canvas
from deepdance_plugins.exports.onnx.graph import Value

Size = tuple[int, int]
SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32) / 8


def draw_silhouettes(
    field: Value, placement: Value, canvas: Canvas, learned: Size, size: Size, smallest: float
) -> Value:
    """Fields `(n, 1, h, w)` and placements `(n, 5)`, in pixels of the size `learned` → grey levels `(n, *size)`.

    Pieces whose area is below the share `smallest` of the largest one's are left out.
    """
    drawn = fit_size(*learned, size)
    times = ceil(drawn[0] / learned[0] / fields.MOST_PLACED)
    smaller = ceil(drawn[0] / times), ceil(drawn[1] / times)
    zoom = np.array(drawn) / times / np.array(learned)
    inside = _place(field, placement, canvas, smaller, zoom) + fields.OUTWARD * zoom[0]
    distance = (inside / _measure_steepness(inside)).clip(-fields.BAND, fields.BAND)
    distance = _remove_specks(distance, smaller, smallest)
    cropped = _enlarge(distance, smaller, times).slice(0, drawn[0], axis=2).slice(0, drawn[1], axis=3)
    return _surround((127.5 - 255.0 * times * cropped).clip(0, 255).squeeze(1), drawn, size)


def _place(field: Value, placement: Value, canvas: Canvas, size: Size, zoom: Float32) -> Value:
    """Fields in pictures of `size`, a pixel of which is `1 / zoom` (down, across) of the silhouettes'."""
    unit = placement.slice(4, 5).apply("Exp") * float(zoom[0] / canvas.reference)
    finer = _enlarge(field * unit.unsqueeze(2, 3), canvas.shape, fields.FINER)
    grid = _find_sources(placement, canvas, size, zoom)
    # The sampler knows no other border than 0.
    lifted = (finer - fields.OUTSIDE).apply("GridSample", grid, mode="linear", padding_mode="zeros", align_corners=0)
    return lifted + fields.OUTSIDE


def _enlarge(pictures: Value, size: Size, times: int) -> Value:
    """Pictures `(n, 1, *size)` enlarged by OpenCV's cubic, each of whose pixels is a sum of those in a row or column.

    As two matrix products: onnxruntime's own `Resize` would take two thirds of the time of a picture of 1080 lines.
    """
    if times == 1:
        return pictures
    rows, columns = (
        cv2.resize(np.eye(side, dtype=np.float32), None, fx=1, fy=times, interpolation=cv2.INTER_CUBIC) for side in size
    )
    return pictures.graph.apply("MatMul", rows, pictures).apply("MatMul", columns.T)


def _find_sources(placement: Value, canvas: Canvas, size: Size, zoom: Float32) -> Value:
    """Where on the canvas each pixel comes from, `(n, *size, 2)`: across and down, from -1 to 1."""
    column, row, lean, across, down = (placement.slice(k, k + 1).unsqueeze(2) for k in range(PLACEMENT))
    # Pixels are areas: the centre of the first one lies at a half.
    rows, columns = ((np.arange(side) + 0.5) / scale - 0.5 for side, scale in zip(size, zoom, strict=True))
    below: Value = rows[:, None] - row
    beside: Value = columns[None] - column - lean * below
    x = beside / across.apply("Exp") * canvas.across + canvas.width / 2
    y = below / down.apply("Exp") * canvas.down + canvas.row + 0.5
    x, y = x * (2 / canvas.width) - 1, y * (2 / canvas.height) - 1
    return x.unsqueeze(3).apply("Concat", y.apply("Expand", x.apply("Shape")).unsqueeze(3), axis=3)


def _measure_steepness(field: Value) -> Value:
    around = field.apply("Pad", [0, 0, 1, 1, 0, 0, 1, 1], mode="reflect")
    slope = around.apply("Conv", np.stack([SOBEL, SOBEL.T])[:, None])
    return slope.apply("ReduceL2", [1]).apply("Max", fields.LEAST_STEEPNESS)


def _remove_specks(distance: Value, size: Size, smallest: float) -> Value:
    """Make background of small pieces, and of what is grey far from a piece; where there is none, all stays."""
    dancer = distance.apply("Greater", 0.0).apply("Cast", to=TensorProto.FLOAT)
    areas = _measure_areas(dancer, size)
    largest = areas.apply("ReduceMax", [1, 2, 3])
    kept = areas.apply("GreaterOrEqual", (largest * smallest).apply("Max", 1.0))
    near = kept.apply("Cast", to=TensorProto.FLOAT).apply("MaxPool", kernel_shape=[5, 5], pads=[2, 2, 2, 2])
    return near.apply("Greater", 0.0).apply("Or", largest.apply("Equal", 0.0)).apply("Where", distance, -fields.BAND)


def _measure_areas(dancer: Value, size: Size) -> Value:
    """In each pixel of the dancer, which is 1 there, the area of its piece; elsewhere 0. Shapes are `(n, 1, *size)`."""
    pixels = prod(size)
    numbers = dancer * np.arange(1, 1 + pixels, dtype=np.float32).reshape(size)

    def merge(labels: Value) -> Value:
        """Labels of pieces `(n, 1, *size)`, each the number of one of its pixels, as large as two looks show.

        The largest around a pixel, and the label of the pixel that this names: lengths of ways that are known double
        each time (Shiloach and Vishkin 1982).
        """
        around = labels.apply("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]) * dancer
        return _look_up(around.reshape(-1, pixels), around.reshape(-1, pixels)).reshape(-1, 1, *size)

    labels = dancer.graph.repeat_until_still(numbers, merge).reshape(-1, pixels)
    ones = dancer.reshape(-1, pixels)
    places = labels.apply("Cast", to=TensorProto.INT64)
    none = (ones * 0.0).apply("Pad", [0, 0, 0, 1])
    areas = none.apply("ScatterElements", places, ones, axis=1, reduction="add")
    return areas.apply("GatherElements", places, axis=1).reshape(-1, 1, *size)


def _look_up(values: Value, numbers: Value) -> Value:
    """Of rows `(n, k)` the entries with numbers `(n, m)` from 1; number 0 is 0."""
    places = numbers.apply("Cast", to=TensorProto.INT64)
    return values.apply("Pad", [0, 1, 0, 0]).apply("GatherElements", places, axis=1)


def _surround(grey: Value, drawn: Size, size: Size) -> Value:
    """Pictures of the size `drawn` in the middle of larger ones."""
    rows, columns = find_middle(drawn, size)
    pads = [0, rows.start, columns.start, 0, size[0] - rows.stop, size[1] - columns.stop]
    return grey.apply("Pad", pads, float(BACKGROUND)) if any(pads) else grey
