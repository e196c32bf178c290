"""Layers of networks as Keras computes them, in ONNX.

A picture is `(n, channels, h, w)` in ONNX, and `(n, h, w, channels)` in Keras; a sequence is `(t, n, d)`, and
`(n, t, d)` in Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from deepdance.interfaces import Float32
from deepdance_plugins.exports.onnx.graph import Value

ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "gelu": "Gelu"}
GATES = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2)}
"""Where each of ONNX' gates lies in Keras' kernels: theirs is input, output, forget, candidate."""


def add_network(network: Any, *inputs: Value) -> Value:
    """A Keras model of one output, in which each layer is called once."""
    if type(network).__name__ == "Sequential":
        (value,) = inputs
        for layer in network.layers:
            value = _translate(layer, value)
        return value
    values = {id(tensor): value for tensor, value in zip(network.inputs, inputs, strict=True)}
    for layer in network.layers:
        if type(layer).__name__ != "InputLayer":
            given = layer.input if isinstance(layer.input, list) else [layer.input]
            values[id(layer.output)] = _translate(layer, *[values[id(tensor)] for tensor in given])
    return values[id(network.outputs[0])]


def _translate(layer: Any, *values: Value) -> Value:
    return LAYERS[type(layer).__name__](layer, *values)


def add_dense(value: Value, kernel: Float32, bias: Float32, activation: str = "linear") -> Value:
    """`(…, k)` → `(…, units)`."""
    return _activate(value @ kernel + bias, activation)


def add_normalization(value: Value, gamma: Float32, beta: Float32, epsilon: float) -> Value:
    """Layer normalisation along the last axis."""
    return value.apply("LayerNormalization", gamma, beta, epsilon=epsilon)


def add_lstm(sequence: Value, weights: Sequence[Float32], *states: Value) -> list[Value]:
    """`(t, n, k)` → the outputs `(t, n, units)`, the last hidden state and memory, `(1, n, units)` each.

    Without `states`, which are such a pair, it begins at zero.
    """
    kernel, recurrent_kernel, bias = weights
    return _add_recurrent("LSTM", 3, sequence, kernel, recurrent_kernel, [bias, np.zeros_like(bias)], *states)


def add_gru(sequence: Value, weights: Sequence[Float32]) -> list[Value]:
    """`(t, n, k)` → the outputs `(t, n, units)`, and the last state `(1, n, units)`."""
    kernel, recurrent_kernel, biases = weights
    return _add_recurrent("GRU", 2, sequence, kernel, recurrent_kernel, biases, linear_before_reset=1)


def _add_recurrent(
    cell: str,
    count: int,
    sequence: Value,
    kernel: Float32,
    recurrent_kernel: Float32,
    biases: Iterable[Float32],
    *states: Value,
    **attributes: Any,
) -> list[Value]:
    units = len(recurrent_kernel)
    kernels = [_order_gates(cell, each).T[None] for each in (kernel, recurrent_kernel)]
    bias = np.concatenate([_order_gates(cell, each) for each in biases])[None]
    operands = (sequence, *kernels, bias, None, *states)
    outputs, *last = sequence.graph.apply_many(count, cell, *operands, hidden_size=units, **attributes)
    return [outputs.squeeze(1), *last]  # of the one direction


def _order_gates(cell: str, columns: Float32) -> Float32:
    gates = np.split(columns, len(GATES[cell]), axis=-1)
    return np.concatenate([gates[place] for place in GATES[cell]], axis=-1)


def _activate(value: Value, name: str) -> Value:
    return value if name == "linear" else value.apply(ACTIVATIONS[name])


def _translate_dense(layer: Any, value: Value) -> Value:
    kernel, bias = layer.get_weights()
    return add_dense(value, kernel, bias, layer.activation.__name__)


def _translate_normalization(layer: Any, value: Value) -> Value:
    gamma, beta = layer.get_weights()
    return add_normalization(value, gamma, beta, layer.epsilon)


def _translate_reshape(layer: Any, value: Value) -> Value:
    """From rows to pictures, which is what Keras' order of axes matters for."""
    return value.reshape(-1, *layer.target_shape).transpose(0, 3, 1, 2)


def _translate_transposed_convolution(layer: Any, value: Value) -> Value:
    """With a stride of 1 and a border as wide as keeps the size."""
    kernel, bias = layer.get_weights()
    border = [side // 2 for side in kernel.shape[:2]] * 2
    convolved = value.apply("ConvTranspose", kernel.transpose(3, 2, 0, 1), bias, pads=border)
    return _activate(convolved, layer.activation.__name__)


def _translate_upsampling(layer: Any, value: Value) -> Value:
    scales = np.array([1, 1, *layer.size], np.float32)
    attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return value.apply("Resize", None, scales, **attributes)


def _translate_recurrent(layer: Any, value: Value) -> Value:
    outputs, last, *_ = RECURRENT[type(layer).__name__](value, layer.get_weights())
    return outputs if layer.return_sequences else last.squeeze(0)


RECURRENT: dict[str, Callable[..., list[Value]]] = {"LSTM": add_lstm, "GRU": add_gru}

LAYERS: dict[str, Callable[..., Value]] = {
    "Dense": _translate_dense,
    "LayerNormalization": _translate_normalization,
    "Reshape": _translate_reshape,
    "Conv2DTranspose": _translate_transposed_convolution,
    "UpSampling2D": _translate_upsampling,
    "LSTM": _translate_recurrent,
    "GRU": _translate_recurrent,
    "Dropout": lambda layer, value: value,
    "Add": lambda layer, *values: values[0].apply("Sum", *values[1:]),
    "Concatenate": lambda layer, *values: values[0].apply("Concat", *values[1:], axis=-1),
}
