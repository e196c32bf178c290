"""The networks of `flow`: what a window of latents says about the next one, and the velocity that leads there."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from deepdance.arrays import Int64
from deepdance_plugins.networks._layers import add_residual_block
from deepdance_plugins.networks.backend import keras, layers

FREQUENCIES = 6


def build_window_encoder(window: int, dim: int, units: int, width: int) -> keras.Model:
    """`(n, window · dim + 1)`, as `describe_window` gives it → `(n, width)`."""
    inputs = keras.Input((window * dim + 1,))
    hidden = layers.Dense(units, activation="gelu")(inputs)
    deeper = layers.Add()([hidden, layers.Dense(units, activation="gelu")(hidden)])
    return keras.Model(inputs, layers.Dense(width)(layers.LayerNormalization()(deeper)), name="window_encoder")


def build_velocity(dim: int, width: int, blocks: int) -> keras.Model:
    """Where a change stands and the last latent, `(n, d)`, the time `(n, 12)`, the window → velocity `(n, d)`."""
    inputs = [keras.Input((size,)) for size in (dim, dim, 2 * FREQUENCIES, width)]
    here, last, time, encoded = inputs
    hidden = layers.Add()([layers.Dense(width)(layers.Concatenate()([here, last])), layers.Dense(width)(time), encoded])
    for _ in range(blocks):
        hidden = add_residual_block(hidden, width)
    end = layers.Dense(dim, kernel_initializer="zeros")
    return keras.Model(inputs, end(layers.LayerNormalization()(hidden)), name="velocity")


def join_networks(window_encoder: keras.Model, velocity: keras.Model) -> keras.Model:
    """Both together, to be trained: `[window and level, here, last, time]` → velocity."""
    dim = velocity.output_shape[-1]
    inputs = [keras.Input((size,)) for size in (window_encoder.input_shape[-1], dim, dim, 2 * FREQUENCIES)]
    return keras.Model(inputs, velocity([*inputs[1:], window_encoder(inputs[0])]), name="flow")


def describe_window(window: Any, level: Any, change: Any, looks: Int64, ops: ModuleType = np) -> Any:
    """A window `(n, w, d)`, newest first, as its latest latent, the changes between and the noise's level.

    `(n, w·d + 1)`. `looks` says how many frames back each latent of the window lies, `ops` is NumPy or `keras.ops`.
    """
    # Over t frames a dance moves about √t times as far as over one, so all changes come to about unit size.
    gaps = np.sqrt(np.diff(looks)).astype(np.float32)[:, None]
    changes = (window[:, :-1] - window[:, 1:]) / (change * gaps)
    flat = ops.reshape(changes, (window.shape[0], -1))
    return ops.concatenate([window[:, 0], flat, level], axis=-1)


def embed_time(time: Any, ops: ModuleType = np) -> Any:
    """Times in [0, 1], `(n, 1)`, as sines and cosines `(n, 12)`; `ops` is NumPy or `keras.ops`."""
    # From a quarter of a turn up in octaves: the slowest tells every time from every other, the fastest sharpens it.
    angles = time * np.float32(np.pi / 2) * 2.0 ** np.arange(FREQUENCIES, dtype=np.float32)
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
