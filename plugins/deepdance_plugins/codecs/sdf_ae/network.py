"""The network of `sdf-ae`: a variational autoencoder of a field's principal components."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from deepdance.interfaces import Float32
from deepdance_plugins._keras.backend import KerasTensor, keras, layers, ops
from deepdance_plugins._keras.layers import add_residual_block

LEAST_CHANGE = 0.5
"""Pixels of a field whose deviation, in px, is smaller lie far outside the dancer."""
FIRST_LOG_VARIANCE = -4.0
"""Latents begin almost without noise, as PCA's have none."""


def build_encoder(deviations: Float32, pose: int, units: int, blocks: int) -> keras.Model:
    """`(n, k)` components in deviations of the first → `(n, 2 · pose)`: means and log variances of latents.

    It begins as PCA with latents of unit variance.
    """
    linear = np.zeros((len(deviations), 2 * pose), np.float32)
    linear[range(pose), range(pose)] = deviations[0] / deviations[:pose]
    bias = np.repeat([0, FIRST_LOG_VARIANCE], pose)
    return _build_network(linear, bias, units, blocks, "encoder")


def build_decoder(deviations: Float32, pose: int, units: int, blocks: int) -> keras.Model:
    """`(n, pose)` latents → `(n, k)` components; it begins as the inverse of PCA."""
    linear = np.zeros((pose, len(deviations)), np.float32)
    linear[range(pose), range(pose)] = deviations[:pose] / deviations[0]
    return _build_network(linear, np.zeros(len(deviations)), units, blocks, "decoder")


def _build_network(linear: Float32, bias: Any, units: int, blocks: int, name: str) -> keras.Model:
    """A linear path and, added to it, residual blocks that end in zero."""
    inputs = keras.Input((linear.shape[0],))
    straight = layers.Dense(linear.shape[1], use_bias=False)
    hidden = layers.Dense(units)(inputs)
    for _ in range(blocks):
        hidden = add_residual_block(hidden, units)
    end = layers.Dense(linear.shape[1], kernel_initializer="zeros")
    outputs = layers.Add()([straight(inputs), end(layers.LayerNormalization()(hidden))])
    straight.kernel.assign(linear)
    end.bias.assign(bias)
    return keras.Model(inputs, outputs, name=name)


def build_field_error(basis: Float32, spread: Float32, mean: Float32) -> Callable[..., KerasTensor]:
    """The error of fields, `(n,)`, given true and rebuilt components: a mean square in px², near outlines above all.

    A pixel at distance f counts .1 + exp(-(f/2)²): what is deep inside or far outside does not show. `basis` is the
    change of the field `(k, p)` that a component makes, `spread` the components' deviations `(k,)`; pixels that hardly
    ever change are left out.
    """
    # The products with all pixels are most of the work of a step, and those that stay outside tell nothing. Their error
    # is taken for 0: hence the mean over those kept, times their share.
    changing = np.sqrt(np.square(basis * spread[:, None]).sum(axis=0)) > LEAST_CHANGE
    kept_basis, kept_mean, share = basis[:, changing], mean[changing], float(changing.mean())

    def error(truth: KerasTensor, rebuilt: KerasTensor) -> KerasTensor:
        distance = ops.matmul(truth, kept_basis) + kept_mean
        weight = 0.1 + ops.exp(-ops.square(distance / 2))
        return share * ops.mean(weight * ops.square(ops.matmul(truth - rebuilt, kept_basis)), axis=-1)

    return error


class Variational(keras.Model):  # type: ignore[misc]
    """The model that is trained: components → rebuilt components, through latents with noise.

    Its own loss is the Kullback-Leibler divergence from the unit normal, summed over the latents, times `kl`
    (Kingma and Welling 2014, appendix B).
    """

    def __init__(self, encoder: keras.Model, decoder: keras.Model, kl: float, seed: int) -> None:
        super().__init__()
        self.encoder, self.decoder, self.kl = encoder, decoder, kl
        self.noise = keras.random.SeedGenerator(seed)

    def call(self, inputs: KerasTensor, training: bool = False) -> KerasTensor:
        """Rebuilt components `(n, k)`; without `training`, from the latents' means."""
        mean, log_variance = ops.split(self.encoder(inputs), 2, axis=-1)
        if not training:
            return self.decoder(mean)
        # The exponential of a wild guess in the first steps would be infinite, and every weight NaN after it.
        log_variance = ops.clip(log_variance, -12.0, 4.0)
        divergence = (ops.exp(log_variance) + mean**2 - 1 - log_variance) / 2
        self.add_loss(self.kl * ops.mean(ops.sum(divergence, axis=-1)))
        noise = keras.random.normal(ops.shape(mean), seed=self.noise)
        return self.decoder(mean + ops.exp(log_variance / 2) * noise)
