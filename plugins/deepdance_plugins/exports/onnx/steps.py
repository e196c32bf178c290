"""Sequence models: the last latents, and whatever else a model keeps or draws, → the latents to go on from.

Each reads the folder that its model's `load` reads. What is called `next_NAME` is the input `NAME` of the next step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepdance.array_files import load_arrays
from deepdance.interfaces import Float32
from deepdance_plugins.exports.onnx.graph import BATCH, Graph, Value
from deepdance_plugins.exports.onnx.layers import add_dense, add_lstm, add_network

ANY_LENGTH = "t"


def write_ridge(folder: Path, options: Any) -> Graph:
    """The transition of a window."""
    saved = load_arrays(folder / "ridge.npz")
    graph = Graph()
    window = graph.input("latents", [BATCH, options.context, len(saved["mean"])])
    centred = (window - saved["mean"]).apply("Flatten", axis=1)
    _give_window(graph, window, centred @ saved["transition"] + saved["mean"])
    return graph


def write_recurrent(folder: Path, options: Any) -> Graph:
    """`lstm4` and `gru`: the network over the window, from a state of zero each time."""
    from deepdance_plugins.networks.backend import load_network  # imports Keras

    network = load_network(folder / "model.keras")
    graph = Graph()
    window = graph.input("latents", [BATCH, *network.input_shape[1:]])
    _give_window(graph, window, add_network(network, window.transpose(1, 0, 2)))
    return graph


def _give_window(graph: Graph, window: Value, following: Value) -> None:
    """The window moved on by one latent `(n, d)`."""
    moved = window.slice(1).apply("Concat", following.unsqueeze(1), axis=1)
    graph.output("next_latents", moved, graph.inputs["latents"])


def write_mdn(folder: Path, options: Any) -> Graph:
    """The layers' states, moved on by latents `(n, t, d)`; the mixture that they lead to, and a draw from it."""
    saved = load_arrays(folder / "mdn.npz")
    weights = [array for name, array in saved.items() if name.isdecimal()]
    graph, dim = Graph(), len(saved["mean"])
    latents = graph.input("latents", [BATCH, ANY_LENGTH, dim])
    scaled = (latents - saved["mean"]) / saved["spread"]
    hidden = _add_layers(graph, scaled.transpose(1, 0, 2), weights[:-2], options)
    mixture = _split_mixture(add_dense(hidden, weights[-2], weights[-1]), options.mixtures, dim)
    _give_draw(graph, latents.slice(-1).squeeze(1), mixture, saved, options.mixtures)
    return graph


def _add_layers(graph: Graph, sequence: Value, weights: Sequence[Float32], options: Any) -> Value:
    """The last layer's last output `(n, units)`. All layers' states are inputs and outputs of the graph."""
    shape = [options.layers, BATCH, options.units]
    states = [graph.input(name, shape) for name in ("hidden", "memory")]
    moved = []
    for layer in range(options.layers):
        own = [state.slice(layer, layer + 1, axis=0) for state in states]
        sequence, *last = add_lstm(sequence, weights[3 * layer : 3 * layer + 3], *own)
        moved.append(last)
    for name, (first, *others) in zip(("hidden", "memory"), zip(*moved, strict=True), strict=True):
        graph.output(f"next_{name}", first.apply("Concat", *others, axis=0), shape)
    return moved[-1][0].squeeze(0)


def _split_mixture(outputs: Value, mixtures: int, dim: int) -> tuple[Value, Value, Value]:
    """Log weights `(n, k)`, means and deviations `(n, k, d)`, as `mixture.split_outputs` reads them."""
    from deepdance_plugins.sequences.mdn.mixture import LOWEST_LOG_SIGMA  # imports Keras

    end = mixtures * (1 + dim)
    means, widths = (part.reshape(-1, mixtures, dim) for part in (outputs.slice(mixtures, end), outputs.slice(end)))
    log_sigmas = (widths - LOWEST_LOG_SIGMA).apply("Softplus") + LOWEST_LOG_SIGMA
    return outputs.slice(0, mixtures).apply("LogSoftmax", axis=1), means, log_sigmas.apply("Exp")


def _give_draw(
    graph: Graph, last: Value, mixture: tuple[Value, Value, Value], scales: Mapping[str, Float32], mixtures: int
) -> None:
    """The mixture in latents, and the draw from it that `gumbel`, `normal` and `temperature` decide."""
    log_weights, means, deviations = mixture
    dim = len(scales["mean"])
    gumbel, normal = graph.input("gumbel", [BATCH, mixtures]), graph.input("normal", [BATCH, dim])
    temperature = graph.input("temperature", [])
    means, deviations = last.unsqueeze(1) + means * scales["change"], deviations * scales["change"]
    drawn = (log_weights + temperature * gumbel).apply("ArgMax", axis=1, keepdims=0)
    chosen = drawn.apply("OneHot", [mixtures], np.array([0, 1], np.float32)).unsqueeze(2)
    mean, deviation = ((chosen * each).sum(1) for each in (means, deviations))
    latent = (mean + temperature.apply("Sqrt") * deviation * normal).clip(scales["low"], scales["high"])
    graph.output("next_latents", latent.unsqueeze(1), [BATCH, 1, dim])
    graph.output("log_weights", log_weights, [BATCH, mixtures])
    graph.output("means", means, [BATCH, mixtures, dim])
    graph.output("deviations", deviations, [BATCH, mixtures, dim])


def write_flow(folder: Path, options: Any) -> Graph:
    """Euler steps from the draw `normal`, times `temperature`, to the next change."""
    from deepdance_plugins.networks.backend import load_network  # imports Keras
    from deepdance_plugins.sequences.flow.model import LOOKS_BACK

    arrays = load_arrays(folder / "flow.npz")
    networks = [load_network(folder / f"{name}.keras") for name in ("watcher", "velocity")]
    graph, looks = Graph(), np.array([back for back in LOOKS_BACK if back < options.context])
    latents = graph.input("latents", [BATCH, options.context, len(arrays["mean"])])
    draw = graph.input("normal", [BATCH, len(arrays["mean"])]) * graph.input("temperature", [])
    scaled = (latents - arrays["mean"]) / arrays["spread"]
    window = scaled.apply("Gather", options.context - 1 - looks, axis=1)
    last = window.slice(0, 1).squeeze(1)
    change = _follow_velocity(networks, _describe_window(window, arrays["change"], looks, options.level), last, draw)
    guess = (last + change * arrays["change"]).clip(arrays["low"], arrays["high"])
    kept = _pull_back(guess, arrays["landmarks"], arrays["reach"], options.guard)
    _give_window(graph, latents, kept * arrays["spread"] + arrays["mean"])
    return graph


def _describe_window(window: Value, change: Float32, looks: Any, level: float) -> Value:
    """As `network.describe_window` does."""
    last = window.slice(0, 1).squeeze(1)
    gaps = np.sqrt(np.diff(looks)).astype(np.float32)[:, None]
    parts = [((window.slice(0, -1) - window.slice(1)) / (change * gaps)).apply("Flatten", axis=1)] if len(gaps) else []
    return last.apply("Concat", *parts, last.slice(0, 1) * 0.0 + level, axis=1)


def _follow_velocity(networks: Sequence[Any], described: Value, last: Value, draw: Value) -> Value:
    from deepdance_plugins.sequences.flow.network import embed_time
    from deepdance_plugins.sequences.flow.sampling import EULER_STEPS

    window_encoder, velocity = networks
    encoded, here = add_network(window_encoder, described), draw
    rows = last.slice(0, 1) * 0.0  # as many as there are latents
    for part in range(EULER_STEPS):
        time = rows + embed_time(np.array([[part / EULER_STEPS]], np.float32))
        here = here + add_network(velocity, here, last, time, encoded) / EULER_STEPS
    return here


def _pull_back(latents: Value, landmarks: Float32, reach: Float32, strength: float) -> Value:
    """As `manifold.pull_back` does."""
    from deepdance_plugins.sequences.flow.manifold import NEIGHBOURS, SHARPNESS

    norms = (latents * latents).sum(1).unsqueeze(1) + np.square(landmarks).sum(axis=1)
    squares = (norms - 2.0 * (latents @ landmarks.T)).clip(0.0, np.inf)
    count = min(NEIGHBOURS, len(landmarks))
    negative, nearest = latents.graph.apply_many(2, "TopK", 0.0 - squares, [count])
    weights = (negative * (SHARPNESS / reach**2)).apply("Softmax", axis=1)
    places = latents.graph.apply("Gather", landmarks, nearest, axis=0)
    target = (weights.unsqueeze(2) * places).sum(1)
    distance = (0.0 - negative).apply("ReduceMean", [1]).apply("Sqrt")
    farther = distance.apply("Max", reach)
    return latents + strength * ((farther - reach) / farther) * (target - latents)


STEPS: dict[str, Callable[[Path, Any], Graph]] = {
    "lstm4": write_recurrent,
    "gru": write_recurrent,
    "ridge": write_ridge,
    "mdn": write_mdn,
    "flow": write_flow,
}
"""The other built-in models look for the next latent among those of the video: no function of the last ones."""
