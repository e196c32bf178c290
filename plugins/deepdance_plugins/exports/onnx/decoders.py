"""Codecs: latents `(n, d)` → silhouettes `(n, h, w)`, uint8. Each reads the folder that its codec's `load` reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto

from deepdance.array_files import load_arrays
from deepdance.interfaces import Float32
from deepdance.strict_json import dump_json
from deepdance_plugins.codecs.sdf_ae import distance_field as fields
from deepdance_plugins.codecs.sdf_ae.distance_field import PLACEMENT, Canvas
from deepdance_plugins.codecs.sdf_ae.field_model import restore_arrays
from deepdance_plugins.codecs.sdf_ae.inference import EPSILON, Network, select_weights
from deepdance_plugins.codecs.sdf_ae.model import LARGEST_DEVIATION, PLACE_IMPORTANCE
from deepdance_plugins.exports.onnx.drawing import draw_silhouettes
from deepdance_plugins.exports.onnx.graph import BATCH, Graph, Value
from deepdance_plugins.exports.onnx.layers import add_dense, add_network, add_normalization

Size = tuple[int, int]


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
    """The field and the placement, given out too, and the picture that is drawn of them at `size`."""
    arrays, places = restore_arrays(load_arrays(folder / "fields.npz")), load_arrays(folder / "places.npz")
    learned, canvas = tuple(places["size"].tolist()), Canvas.from_array(arrays["canvas"])
    graph, pose = Graph(), len(arrays["importance"])
    latents = graph.input("latents", [BATCH, PLACEMENT + pose])
    placement = _add_placement(latents.slice(0, PLACEMENT), places, learned)
    components = _add_decoder(latents.slice(PLACEMENT) / arrays["importance"], arrays)
    field = (components @ (arrays["basis"] * arrays["deviations"][0]) + arrays["mean"]).reshape(-1, 1, *canvas.shape)
    grey = draw_silhouettes(field, placement, canvas, learned, size or learned, float(places["piece"]))
    _give_pictures(graph, grey, size or learned)
    graph.output("field", field.squeeze(1), [BATCH, *canvas.shape])
    graph.output("placement", placement, [BATCH, PLACEMENT])
    graph.notes["canvas"] = dump_json(asdict(canvas))
    return graph


def _give_pictures(graph: Graph, grey: Value, size: Size) -> None:
    """Grey levels `(n, h, w)` from 0 to 255, as the output."""
    shown = grey.apply("Round").apply("Cast", to=TensorProto.UINT8)
    graph.output("silhouettes", shown, [BATCH, *size], TensorProto.UINT8)


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


DECODERS: dict[str, Callable[[Path, Any, Size | None], Graph]] = {
    "sdf-ae": write_sdf_ae,
    "conv-ae": write_conv_ae,
    "pca": write_pca,
}
ANY_SIZE = ("sdf-ae",)
"""Codecs whose pictures a graph can draw at another size than they were learned at."""
