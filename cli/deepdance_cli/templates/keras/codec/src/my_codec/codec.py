"""`my-codec`: a small convolutional autoencoder."""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Self

import numpy as np
from deepdance.arrays import Int64
from deepdance.frames import Silhouettes
from deepdance.interfaces import Float32, FrameCodec, History, Training, UInt8
from deepdance_plugins.networks.backend import compile_network, keras, layers, load_network
from deepdance_plugins.networks.training import (
    LOSS,
    Batch,
    Samples,
    build_adamw,
    count_epochs,
    save_networks,
    train_network,
)

from my_codec.codec_options import MyCodecOptions

AT_ONCE = 16
"""Frames that go through a network at once; a last call may have fewer."""
CONV = {"kernel_size": 3, "strides": 2, "padding": "same"}


class MyCodec(FrameCodec[MyCodecOptions]):
    """Learns to draw what it is shown: the mean squared error of grey levels in [0, 1]."""

    _encoder: keras.Sequential
    _decoder: keras.Sequential
    _run_encoder: Callable[[Float32], Float32]
    _run_decoder: Callable[[Float32], Float32]

    @property
    def latent_dim(self) -> int:
        return self.options.latent_dim

    def fit(self, train: Silhouettes, validation: Silhouettes, training: Training) -> History:
        keras.utils.set_random_seed(training.seed)
        self._take(self._build_encoder(train.size), self._build_decoder(train.size))
        size, count = self.options.batch_size, len(train)
        epochs = count_epochs(self.options.steps, count, size)
        steps = epochs * ceil(count / size)
        autoencoder = keras.Sequential([self._encoder, self._decoder])
        optimizer = build_adamw(self.options.learning_rate, steps, warmup=steps // 10)
        autoencoder.compile(optimizer=optimizer, loss="mse")

        def load(chosen: Int64, _: np.random.Generator) -> Batch:
            """Read here, a batch at a time: a video may not fit into memory."""
            frames = train[chosen] if chosen[0] < count else validation[chosen - count]
            pictures = _to_grey(frames)
            return pictures, pictures

        data = Samples(load, count, len(validation), size)
        return train_network(autoencoder, data, epochs=epochs, training=training, metrics=LOSS)

    def _build_encoder(self, size: tuple[int, int]) -> keras.Sequential:
        """`(n, height, width, 1)` → `(n, latent_dim)`, each latent with a mean of 0 and a deviation of 1."""
        stack = [keras.Input((*size, 1))]
        stack += [layers.Conv2D(self.options.filters, activation="gelu", **CONV) for _ in range(2)]
        stack += [layers.Flatten(), layers.Dense(self.latent_dim), layers.LayerNormalization(center=False, scale=False)]
        return keras.Sequential(stack, name="encoder")

    def _build_decoder(self, size: tuple[int, int]) -> keras.Sequential:
        """`(n, latent_dim)` → `(n, height, width, 1)`. Strides make multiples of 4, of which the size is cut."""
        filters, (rows, columns) = self.options.filters, (ceil(side / 4) for side in size)
        stack = [keras.Input((self.latent_dim,)), layers.Dense(rows * columns * filters, activation="gelu")]
        stack += [layers.Reshape((rows, columns, filters))]
        stack += [layers.Conv2DTranspose(filters, activation="gelu", **CONV)]
        stack += [layers.Conv2DTranspose(1, activation="sigmoid", **CONV)]
        stack += [layers.Cropping2D(((0, 4 * rows - size[0]), (0, 4 * columns - size[1])))]
        return keras.Sequential(stack, name="decoder")

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
    def load(cls, folder: Path, options: MyCodecOptions) -> Self:
        codec = cls(options)
        codec._take(*(load_network(folder / f"{name}.keras") for name in ("encoder", "decoder")))
        return codec


def _to_grey(frames: UInt8) -> Float32:
    """`(n, h, w)` uint8 → `(n, h, w, 1)` float32 in [0, 1]."""
    return frames.astype(np.float32)[..., None] / np.float32(255)
