"""The network of `sdf-ae` while it learns: a variational autoencoder of a field's principal components."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from deepdance.interfaces import Float32
from deepdance_plugins.codecs.sdf_ae.error import COVER, FAR, SOFTNESS, FieldError
from deepdance_plugins.networks._layers import add_residual_block
from deepdance_plugins.networks.backend import KerasTensor, keras, layers, ops

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
    straight = layers.Dense(linear.shape[1], use_bias=False, name="straight")
    hidden = layers.Dense(units, name="first")(inputs)
    for block in range(blocks):
        hidden = add_residual_block(hidden, units, name=str(block))
    end = layers.Dense(linear.shape[1], kernel_initializer="zeros", name="end")
    outputs = layers.Add()([straight(inputs), end(layers.LayerNormalization(name="norm")(hidden))])
    straight.kernel.assign(linear)
    end.bias.assign(bias)
    return keras.Model(inputs, outputs, name=name)


def read_weights(network: keras.Model) -> dict[str, Float32]:
    """A network's weights as `inference.Network` takes them: `LAYER.kernel`, `LAYER.bias` and so on."""
    return {_name(variable): np.asarray(variable) for variable in network.variables}


def write_weights(network: keras.Model, weights: Mapping[str, Float32]) -> None:
    """Set a network to weights that `read_weights` gave."""
    for variable in network.variables:
        variable.assign(weights[_name(variable)])


def read_networks(encoder: keras.Model, decoder: keras.Model) -> dict[str, Float32]:
    """The weights of both networks, as `encoder.LAYER.kernel` and so on."""
    return {f"{each.name}.{name}": values for each in (encoder, decoder) for name, values in read_weights(each).items()}


def _name(variable: keras.Variable) -> str:
    return ".".join(variable.path.split("/")[-2:])


def build_loss(error: FieldError) -> Callable[..., KerasTensor]:
    """`error` of a batch, `(n,)`, given true and rebuilt components, as Keras can follow it."""

    def loss(truth: KerasTensor, rebuilt: KerasTensor) -> KerasTensor:
        field = ops.matmul(truth, error.basis) + error.mean
        change = ops.matmul(rebuilt - truth, error.basis)
        blur = field / SOFTNESS
        squares = (FAR + ops.exp(-ops.square(field / 2))) * ops.square(change)
        # Binary cross-entropy of what is covered, less that of the truth with itself.
        wrong = ops.softplus(blur + change / SOFTNESS) - ops.softplus(blur)
        wrong = wrong - ops.sigmoid(blur) * change / SOFTNESS
        return error.share * ops.mean(squares + COVER * wrong, axis=-1)

    return loss


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


def build_variational(
    encoder: keras.Model,
    decoder: keras.Model,
    error: FieldError,
    optimizer: keras.optimizers.Optimizer,
    kl: float,
    seed: int,
) -> Variational:
    """The model that is trained, compiled, with its variables."""
    model = Variational(encoder, decoder, kl, seed)
    model(np.zeros((1, *encoder.input_shape[1:]), np.float32))  # a subclassed model has them only after a first call
    model.compile(optimizer=optimizer, loss=build_loss(error))
    return model
