"""`conv-ae`: the paper's convolutional autoencoder, layer for layer (Deep Dance; its published encoder and decoder)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np

from deepdance.arrays import Int64
from deepdance.errors import OptionError
from deepdance.frames import Silhouettes
from deepdance.interfaces import Float32, FrameCodec, History, Training, UInt8
from deepdance_plugins.codecs.conv_ae.options import ConvAEOptions
from deepdance_plugins.networks.backend import compile_network, keras, layers, load_network
from deepdance_plugins.networks.training import Batch, Samples, save_networks, train_network

POOLINGS = 3
AT_ONCE = 16
"""Frames that go through a network at once; a layer at full size holds 3 MB of each."""
RELU = {"activation": "relu", "kernel_initializer": "he_normal"}


class ConvAE(FrameCodec[ConvAEOptions]):
    """Adam on the mean squared error of grey levels in [0, 1].

    The paper does not say how the weights begin. Keras' default (Glorot) loses the signal on its way through eighteen
    relu layers, and the first steps, all towards white, end in a saturated white picture that never learns. So relu
    layers begin as in He et al. 2015, and the last bias at the logit of the mean grey level.
    """

    _encoder: keras.Sequential
    _decoder: keras.Sequential
    _run_encoder: Callable[[Float32], Float32]
    _run_decoder: Callable[[Float32], Float32]

    @property
    def latent_dim(self) -> int:
        return self.options.latent_dim

    def fit(self, train: Silhouettes, validation: Silhouettes, training: Training) -> History:
        self._build(train, training.seed)
        model = keras.Sequential([self._encoder, self._decoder])
        optimizer = keras.optimizers.Adam(self.options.learning_rate)
        model.compile(optimizer=optimizer, loss="mse", metrics=["accuracy"])

        def load(chosen: Int64, _: np.random.Generator) -> Batch:
            learned, held_out = chosen[chosen < len(train)], chosen[chosen >= len(train)] - len(train)
            pictures = _to_grey(np.concatenate([train[learned], validation[held_out]]))
            return pictures, pictures

        data = Samples(load, len(train), len(validation), self.options.batch_size)
        history = train_network(model, data, epochs=self.options.epochs, training=training)
        self._scale_latents(train)
        return history

    def _scale_latents(self, frames: Silhouettes) -> None:
        """Give latents a root mean square of 1 and the same pictures.

        relu(x / s) is relu(x) / s, so what the encoder's last layer is divided by, the decoder's first takes back.
        """
        squares = [np.square(self.encode(chunk)).mean() for chunk in frames.chunks()]
        scale = max(float(np.sqrt(np.mean(squares))), 1e-6)
        kernel, bias = self._encoder.layers[-1].weights
        kernel.assign(kernel / scale)
        bias.assign(bias / scale)
        first = self._decoder.layers[0].kernel
        first.assign(first * scale)

    def _build(self, frames: Silhouettes, seed: int) -> None:
        size, step = frames.size, 2**POOLINGS
        if size[0] % step or size[1] % step:
            nearest = "x".join(str(max(step, round(side / step) * step)) for side in size)
            raise OptionError(
                f"conv-ae: expected a height and width divisible by {step}, got {size[0]}x{size[1]}; "
                f"try --size {nearest}"
            )
        keras.utils.set_random_seed(seed)
        self._take(build_encoder(size, self.options.latent_dim), build_decoder(size, self.options.latent_dim))
        self._decoder.layers[-1].bias.assign([_logit(_measure_mean_grey(frames))])

    def _take(self, encoder: keras.Sequential, decoder: keras.Sequential) -> None:
        self._encoder, self._decoder = encoder, decoder
        self._run_encoder, self._run_decoder = (compile_network(network, AT_ONCE) for network in (encoder, decoder))

    def encode(self, frames: UInt8) -> Float32:
        return self._run_encoder(_to_grey(frames))

    def decode(self, latents: Float32) -> UInt8:
        return np.rint(self._run_decoder(latents)[..., 0] * 255).astype(np.uint8)

    def save(self, folder: Path) -> None:
        save_networks(folder, encoder=self._encoder, decoder=self._decoder)

    @classmethod
    def load(cls, folder: Path, options: ConvAEOptions) -> Self:
        codec = cls(options)
        codec._take(*(load_network(folder / f"{name}.keras") for name in ("encoder", "decoder")))
        return codec


def build_encoder(size: tuple[int, int], latent_dim: int) -> keras.Sequential:
    """`(height, width, 1)` → 32 32 · pool · 32 32 · pool · 32 32 · pool · 32 8 → 512 → `latent_dim`, all relu."""

    def conv(filters: int) -> layers.Layer:
        return layers.Conv2D(filters, 3, padding="same", **RELU)

    stack = [keras.Input((*size, 1))]
    for _ in range(POOLINGS):
        stack += [conv(32), conv(32), layers.MaxPooling2D(2)]
    stack += [conv(32), conv(8), layers.Flatten()]
    stack += [layers.Dense(512, **RELU), layers.Dense(latent_dim, **RELU)]
    return keras.Sequential(stack, name="encoder")


def build_decoder(size: tuple[int, int], latent_dim: int) -> keras.Sequential:
    """`latent_dim` → 512 → 1500 → 15×25×4 → 4 32 · up · 32 32 · up · 32 32 · up · 32 32 · 1 sigmoid, else relu."""
    rows, columns = size[0] // 2**POOLINGS, size[1] // 2**POOLINGS

    def deconv(filters: int) -> layers.Layer:
        return layers.Conv2DTranspose(filters, 3, padding="same", **RELU)

    stack = [keras.Input((latent_dim,)), layers.Dense(512, **RELU)]
    stack += [layers.Dense(rows * columns * 4, **RELU), layers.Reshape((rows, columns, 4)), deconv(4), deconv(32)]
    for _ in range(POOLINGS):
        stack += [layers.UpSampling2D(2), deconv(32), deconv(32)]
    stack += [layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid")]
    return keras.Sequential(stack, name="decoder")


def _measure_mean_grey(frames: Silhouettes) -> float:
    return float(np.mean([chunk.mean() for chunk in frames.chunks()])) / 255


def _logit(probability: float) -> float:
    clipped = min(max(probability, 1e-3), 1 - 1e-3)
    return float(np.log(clipped / (1 - clipped)))


def _to_grey(frames: UInt8) -> Float32:
    """`(n, h, w)` uint8 → `(n, h, w, 1)` float32 in [0, 1]."""
    return frames.astype(np.float32)[..., None] / np.float32(255)
