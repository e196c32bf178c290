"""`lstm4`: the paper's four LSTM layers, and a loop that generates with them fast and exactly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from deepdance.interfaces import Float32, History, LatentStream, StreamingModel, Training
from deepdance_plugins.networks._sliding_window import RecurrentLayer, SlidingStream
from deepdance_plugins.networks.backend import keras, layers, load_network
from deepdance_plugins.networks.training import Samples, save_networks, train_network
from deepdance_plugins.sequences.lstm4.options import LSTM4Options

CELLS = {"lstm": layers.LSTM, "gru": layers.GRU}


class LSTM4(StreamingModel[LSTM4Options]):
    """Deep Dance's sequence model: windows of `context` latents → the next latent; Adam on the mean squared error.

    The last layer is the paper's relu where the latents are never negative, as those of `conv-ae`, and linear for the
    latents of other codecs, which relu could not reach.
    """

    cell: ClassVar[str] = "lstm"
    is_deterministic: ClassVar[bool] = True
    _model: keras.Sequential

    @property
    def context(self) -> int:
        return self.options.context

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        inputs, targets, count = _cut_windows(train, validation, self.context)
        keras.utils.set_random_seed(training.seed)
        self._model = self._build(inputs.shape[-1], "relu" if targets.min() >= 0 else "linear")
        optimizer = keras.optimizers.Adam(self.options.learning_rate)
        self._model.compile(optimizer=optimizer, loss="mse", metrics=["accuracy"])
        data = Samples(
            lambda chosen, _: (inputs[chosen], targets[chosen]), count, len(inputs) - count, self.options.batch_size
        )
        return train_network(self._model, data, epochs=self.options.epochs, training=training)

    def _build(self, dim: int, activation: str) -> keras.Sequential:
        options = self.options
        stack = [keras.Input((options.context, dim))]
        for number in range(options.layers):
            recurrent = CELLS[self.cell](options.units, return_sequences=number < options.layers - 1)
            stack += [recurrent, layers.Dropout(options.dropout)]
        stack += [layers.Dense(dim, activation=activation)]
        return keras.Sequential(stack, name=type(self).__name__.lower())

    def stream(self, seed: Float32, *, temperature: float = 1.0, rng: int = 0) -> LatentStream:
        recurrent = [layer.cell for layer in self._model.layers if hasattr(layer, "cell")]
        stack = [RecurrentLayer.of(self.cell, c.kernel, c.recurrent_kernel, c.bias) for c in recurrent]
        kernel, bias = (np.asarray(weight) for weight in self._model.layers[-1].weights)
        lowest = 0 if self._model.layers[-1].activation is keras.activations.relu else -np.inf
        return SlidingStream(stack, lambda hidden: np.maximum(hidden @ kernel + bias, lowest), seed)

    def save(self, folder: Path) -> None:
        save_networks(folder, model=self._model)

    @classmethod
    def load(cls, folder: Path, options: LSTM4Options) -> Self:
        model = cls(options)
        model._model = load_network(folder / "model.keras")
        return model


def _cut_windows(train: Sequence[Float32], validation: Sequence[Float32], context: int) -> tuple[Float32, Float32, int]:
    """All windows `(m, context, d)` and the latent after each `(m, d)`, training first; and how many are training."""
    clips = [clip for clip in train if len(clip) > context]
    held_out = [clip for clip in validation if len(clip) > context]
    views = [np.lib.stride_tricks.sliding_window_view(clip, context, axis=0)[:-1] for clip in [*clips, *held_out]]
    inputs = np.concatenate(views).swapaxes(1, 2)
    targets = np.concatenate([clip[context:] for clip in [*clips, *held_out]])
    return np.ascontiguousarray(inputs), targets, sum(len(clip) - context for clip in clips)
