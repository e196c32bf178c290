"""The network of `flow`: what a window of latents says about the next one, and the velocity that leads there."""

from __future__ import annotations

from typing import Any

import numpy as np

from deepdance_plugins._keras.backend import keras
from deepdance_plugins._keras.layers import residual_block

FREQUENCIES = 6


def build_watcher(window: int, dim: int, units: int, width: int) -> Any:
    """`(n, window · dim + 1)`, latents as `seen` gives them and the level of their noise → `(n, width)`."""
    layers = keras().layers
    inputs = keras().Input((window * dim + 1,))
    hidden = layers.Dense(units, activation="gelu")(inputs)
    deeper = layers.Add()([hidden, layers.Dense(units, activation="gelu")(hidden)])
    return keras().Model(inputs, layers.Dense(width)(layers.LayerNormalization()(deeper)), name="watcher")


def build_velocity(dim: int, width: int, blocks: int) -> Any:
    """Where a change stands and the last latent, `(n, d)`, the time `(n, 12)`, what was seen → velocity `(n, d)`."""
    layers = keras().layers
    inputs = [keras().Input((size,)) for size in (dim, dim, 2 * FREQUENCIES, width)]
    here, last, time, seen = inputs
    hidden = layers.Add()([layers.Dense(width)(layers.Concatenate()([here, last])), layers.Dense(width)(time), seen])
    for _ in range(blocks):
        hidden = residual_block(hidden, width)
    end = layers.Dense(dim, kernel_initializer="zeros")
    return keras().Model(inputs, end(layers.LayerNormalization()(hidden)), name="velocity")


def trainable(watcher: Any, velocity: Any) -> Any:
    """Both together: `[window and level, here, last, time]` → velocity."""
    dim = velocity.output_shape[-1]
    inputs = [keras().Input((size,)) for size in (watcher.input_shape[-1], dim, dim, 2 * FREQUENCIES)]
    return keras().Model(inputs, velocity([*inputs[1:], watcher(inputs[0])]), name="flow")


def embedded(time: Any, ops: Any = np) -> Any:
    """Times in [0, 1], `(n, 1)`, as sines and cosines `(n, 12)`."""
    angles = time * np.float32(np.pi / 2) * 2.0 ** np.arange(FREQUENCIES, dtype=np.float32)
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
