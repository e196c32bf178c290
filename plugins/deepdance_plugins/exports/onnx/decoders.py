"""Codecs: latents `(n, d)` → silhouettes `(n, h, w)`, uint8. Each reads the folder that its codec's `load` reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from deepdance.array_files import load_arrays
from deepdance.frames import BACKGROUND, find_middle, fit_size
from deepdance.interfaces import Float32
from deepdance.strict_json import dump_json
from deepdance_plugins.codecs.sdf_ae import distance_field as fields
from deepdance_plugins.codecs.sdf_ae.distance_field import PLACEMENT, Canvas
from deepdance_plugins.codecs.sdf_ae.field_model import restore_arrays
from deepdance_plugins.codecs.sdf_ae.inference import EPSILON, Network, select_weights
from deepdance_plugins.codecs.sdf_ae.model import LARGEST_DEVIATION, PLACE_IMPORTANCE
from deepdance_plugins.exports.onnx.graph import BATCH, Graph, Value
from deepdance_plugins.exports.onnx.layers import add_dense, add_network, add_normalization

Size = tuple[int, int]
CUBIC = {"mode": "cubic", "coordinate_transformation_mode": "half_pixel", "cubic_coeff_a": -0.75}
"""The interpolation that OpenCV means by it."""
SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32) / 8


def write_pca(folder: Path, options: Any, size: Size | None) -> Graph:
    """The components' sum."""
    saved = load_arrays(folder / "pca.npz")
    graph, (height, width) = Graph(), saved["size"].tolist()
    latents = graph.input("latents", [BATCH, len(saved["components"])])
    grey = latents @ (saved["components"] * saved["scale"]) + saved["mean"]
    _give_pictures(graph, (grey.clip(0, 1) * 255).reshape(-1, height, width), (height, width))
    return graph


def write_conv_ae(folder: Path, options: Any, size: Size | None) -> Graph:
    """The decoder, layer by layer."""
    from deepdance_plugins.networks.backend import load_network  # imports Keras

    decoder = load_network(folder / "decoder.keras")
    graph, (height, width) = Graph(), decoder.output_shape[1:3]
    latents = graph.input("latents", [BATCH, *decoder.input_shape[1:]])
    _give_pictures(graph, add_network(decoder, latents).squeeze(1) * 255, (height, width))
    return graph


def write_sdf_ae(folder: Path, options: Any, size: Size | None) -> Graph:
    """The field and the placement, given out too, and the picture that `draw_silhouettes` makes of them at `size`."""
    arrays, places = restore_arrays(load_arrays(folder / "fields.npz")), load_arrays(folder / "places.npz")
    learned, canvas = tuple(places["size"].tolist()), Canvas.from_array(arrays["canvas"])
    graph, pose = Graph(), len(arrays["importance"])
    latents = graph.input("latents", [BATCH, PLACEMENT + pose])
    placement = _add_placement(latents.slice(0, PLACEMENT), places, learned)
    components = _add_decoder(latents.slice(PLACEMENT) / arrays["importance"], arrays)
    field = (components @ (arrays["basis"] * arrays["deviations"][0]) + arrays["mean"]).reshape(-1, 1, *canvas.shape)
    _give_pictures(graph, _draw(field, placement, canvas, learned, size or learned), size or learned)
    graph.output("field", field.squeeze(1), [BATCH, *canvas.shape])
    graph.output("placement", placement, [BATCH, PLACEMENT])
    graph.notes["canvas"] = dump_json(asdict(canvas))
    return graph


def _give_pictures(graph: Graph, grey: Value, size: Size) -> None:
    """Grey levels `(n, h, w)` from 0 to 255, as the output."""
    shown = grey.apply("Round").apply("Cast", to=onnx.TensorProto.UINT8)
    graph.output("silhouettes", shown, [BATCH, *size], onnx.TensorProto.UINT8)


def _add_placement(latents: Value, places: Mapping[str, Float32], learned: Size) -> Value:
    placement = latents * (places["place_deviation"] / PLACE_IMPORTANCE) + places["place_mean"]
    endless = np.array([np.inf] * (PLACEMENT - 2), np.float32)
    least = np.log(np.full(2, fields.LEAST_DEVIATION, np.float32))
    largest = np.log(LARGEST_DEVIATION * np.array(learned[::-1], np.float32))
    return placement.clip(np.concatenate([-endless, least]), np.concatenate([endless, largest]))


def _add_decoder(pose: Value, arrays: Mapping[str, Float32]) -> Value:
    """Poses `(n, pose)` → components `(n, k)`, as `inference.Network` computes them."""
    weights = select_weights("decoder", arrays)

    def dense(value: Value, layer: str) -> Value:
        return add_dense(value, weights[f"{layer}.kernel"], weights[f"{layer}.bias"])

    def normalize(value: Value, layer: str) -> Value:
        return add_normalization(value, weights[f"{layer}.gamma"], weights[f"{layer}.beta"], EPSILON)

    hidden = dense(pose, "first")
    for block in range(Network(weights).blocks):
        inner = dense(normalize(hidden, f"norm{block}"), f"inner{block}")
        hidden = hidden + dense(inner.apply("Gelu"), f"outer{block}")
    return pose @ weights["straight.kernel"] + dense(normalize(hidden, "norm"), "end")


def _draw(field: Value, placement: Value, canvas: Canvas, learned: Size, size: Size) -> Value:
    """Fields `(n, 1, h, w)` → grey levels `(n, *size)`: `draw_silhouettes` but for the search for pieces."""
    drawn = fit_size(*learned, size)
    times = ceil(drawn[0] / learned[0] / fields.MOST_PLACED)
    smaller = ceil(drawn[0] / times), ceil(drawn[1] / times)
    zoom = np.array(drawn) / times / np.array(learned)
    inside = _place(field, placement, canvas, smaller, zoom) + fields.OUTWARD * zoom[0]
    distance = _remove_far_grey((inside / _measure_steepness(inside)).clip(-fields.BAND, fields.BAND))
    if times > 1:
        distance = distance.apply("Resize", None, np.array([1, 1, times, times], np.float32), **CUBIC)
    cropped = distance.slice(0, drawn[0], axis=2).slice(0, drawn[1], axis=3)
    return _surround((127.5 - 255.0 * times * cropped).clip(0, 255).squeeze(1), drawn, size)


def _place(field: Value, placement: Value, canvas: Canvas, size: Size, zoom: Float32) -> Value:
    """Fields in pictures of `size`, a pixel of which is `1 / zoom` (down, across) of the silhouettes'."""
    unit = placement.slice(4, 5).apply("Exp") * (zoom[0] / canvas.reference)
    scales = np.array([1, 1, fields.FINER, fields.FINER], np.float32)
    finer = (field * unit.unsqueeze(2, 3)).apply("Resize", None, scales, **CUBIC)
    grid = _find_sources(placement, canvas, size, zoom)
    # The sampler knows no other border than 0.
    lifted = (finer - fields.OUTSIDE).apply("GridSample", grid, mode="linear", padding_mode="zeros", align_corners=0)
    return lifted + fields.OUTSIDE


def _find_sources(placement: Value, canvas: Canvas, size: Size, zoom: Float32) -> Value:
    """Where on the canvas each pixel comes from, `(n, *size, 2)`: across and down, from -1 to 1."""
    column, row, lean, across, down = (placement.slice(k, k + 1).unsqueeze(2) for k in range(PLACEMENT))
    # Pixels are areas: the centre of the first one lies at a half.
    rows, columns = ((np.arange(side) + 0.5) / scale - 0.5 for side, scale in zip(size, zoom, strict=True))
    below = rows[:, None] - row
    beside = columns[None] - column - lean * below
    x = beside / across.apply("Exp") * canvas.across + canvas.width / 2
    y = below / down.apply("Exp") * canvas.down + canvas.row + 0.5
    x, y = x * (2 / canvas.width) - 1, y * (2 / canvas.height) - 1
    return x.unsqueeze(3).apply("Concat", y.apply("Expand", x.apply("Shape")).unsqueeze(3), axis=3)


def _measure_steepness(field: Value) -> Value:
    around = field.apply("Pad", [0, 0, 1, 1, 0, 0, 1, 1], mode="reflect")
    slope = around.apply("Conv", np.stack([SOBEL, SOBEL.T])[:, None])
    return slope.apply("ReduceL2", [1]).apply("Max", fields.LEAST_STEEPNESS)


def _remove_far_grey(distance: Value) -> Value:
    """Background of what is grey far from a piece; where there is no piece at all, it stays."""
    pieces = distance.apply("Greater", 0.0).apply("Cast", to=onnx.TensorProto.FLOAT)
    near = pieces.apply("MaxPool", kernel_shape=[5, 5], pads=[2, 2, 2, 2])
    kept = near.apply("GreaterOrEqual", pieces.apply("ReduceMax", [1, 2, 3]))
    return kept.apply("Where", distance, -fields.BAND)


def _surround(grey: Value, drawn: Size, size: Size) -> Value:
    """Pictures of the size `drawn` in the middle of larger ones."""
    rows, columns = find_middle(drawn, size)
    pads = [0, rows.start, columns.start, 0, size[0] - rows.stop, size[1] - columns.stop]
    return grey.apply("Pad", pads, float(BACKGROUND)) if any(pads) else grey
