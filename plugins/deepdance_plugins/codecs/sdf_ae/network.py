"""The network of `sdf-ae`: a variational autoencoder of a field's principal components."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from deepdance.interfaces import Float32
from deepdance_plugins._keras.backend import keras
from deepdance_plugins._keras.layers import residual_block

LEAST_CHANGE = 0.5
"""Pixels of a field whose deviation, in px, is smaller lie far outside the dancer."""
FIRST_LOG_VARIANCE = -4.0
"""Latents begin almost without noise, as PCA's have none."""


def build_encoder(deviations: Float32, pose: int, units: int, blocks: int) -> Any:
    """`(n, k)` components in deviations of the first → `(n, 2 · pose)`: means and log variances of latents.

    It begins as PCA with latents of unit variance.
    """
    linear = np.zeros((len(deviations), 2 * pose), np.float32)
    linear[range(pose), range(pose)] = deviations[0] / deviations[:pose]
    bias = np.repeat([0, FIRST_LOG_VARIANCE], pose)
    return _network(linear, bias, units, blocks, "encoder")


def build_decoder(deviations: Float32, pose: int, units: int, blocks: int) -> Any:
    """`(n, pose)` latents → `(n, k)` components; it begins as the inverse of PCA."""
    linear = np.zeros((pose, len(deviations)), np.float32)
    linear[range(pose), range(pose)] = deviations[:pose] / deviations[0]
    return _network(linear, np.zeros(len(deviations)), units, blocks, "decoder")


def _network(linear: Float32, bias: Any, units: int, blocks: int, name: str) -> Any:
    """A linear path and, added to it, residual blocks that end in zero."""
    layers = keras().layers
    inputs = keras().Input((linear.shape[0],))
    straight = layers.Dense(linear.shape[1], use_bias=False)
    hidden = layers.Dense(units)(inputs)
    for _ in range(blocks):
        hidden = residual_block(hidden, units)
    end = layers.Dense(linear.shape[1], kernel_initializer="zeros")
    outputs = layers.Add()([straight(inputs), end(layers.LayerNormalization()(hidden))])
    straight.kernel.assign(linear)
    end.bias.assign(bias)
    return keras().Model(inputs, outputs, name=name)


def field_error(basis: Float32, spread: Float32, mean: Float32) -> Callable[[Any, Any], Any]:
    """The error of fields, `(n,)`, given true and rebuilt components: a mean square in px², near outlines above all.

    A pixel at distance f counts .1 + exp(-(f/2)²): what is deep inside or far outside does not show. `basis` is the
    change of the field `(k, p)` that a component makes, `spread` the components' deviations `(k,)`; pixels that hardly
    ever change are left out.
    """
    ops = keras().ops
    lively = np.sqrt(np.square(basis * spread[:, None]).sum(axis=0)) > LEAST_CHANGE
    pixels, share = basis[:, lively], float(lively.mean())
    middle = mean[lively]

    def error(truth: Any, rebuilt: Any) -> Any:
        distance = ops.matmul(truth, pixels) + middle
        weight = 0.1 + ops.exp(-ops.square(distance / 2))
        return share * ops.mean(weight * ops.square(ops.matmul(truth - rebuilt, pixels)), axis=-1)

    return error


def variational(encoder: Any, decoder: Any, kl: float, seed: int) -> Any:
    """The model that is trained: components → rebuilt components, through latents with noise.

    Its own loss is the Kullback-Leibler divergence from the unit normal, summed over the latents, times `kl`
    (Kingma and Welling 2014, appendix B).
    """
    module = keras()
    ops = module.ops

    class Variational(module.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = encoder, decoder
            self.noise = module.random.SeedGenerator(seed)

        def call(self, inputs: Any, training: bool = False) -> Any:
            mean, log_variance = ops.split(self.encoder(inputs), 2, axis=-1)
            if not training:
                return self.decoder(mean)
            log_variance = ops.clip(log_variance, -12.0, 4.0)
            divergence = (ops.exp(log_variance) + mean**2 - 1 - log_variance) / 2
            self.add_loss(kl * ops.mean(ops.sum(divergence, axis=-1)))
            noise = module.random.normal(ops.shape(mean), seed=self.noise)
            return self.decoder(mean + ops.exp(log_variance / 2) * noise)

    model = Variational()
    model(np.zeros((1, encoder.input_shape[-1]), np.float32))
    return model
