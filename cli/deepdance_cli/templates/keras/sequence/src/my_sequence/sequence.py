"""`my-sequence`: a dense network that looks at the last latents and predicts the change to the next one."""

from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path
from typing import Any, Self

import numpy as np
from deepdance.arrays import Int64
from deepdance.interfaces import Float32, History, SequenceModel, Training
from deepdance_plugins.networks.backend import KerasTensor, compile_loop, keras, layers, load_network, ops
from deepdance_plugins.networks.scaling import measure_scales
from deepdance_plugins.networks.training import (
    LOSS,
    Batch,
    Samples,
    build_adamw,
    count_epochs,
    save_networks,
    train_network,
)

from my_sequence.sequence_options import MySequenceOptions

STEPS_PER_CALL = 50
"""Latents that one call of the compiled loop makes; the loop is compiled for this length once."""


class MySequence(SequenceModel[MySequenceOptions]):
    """Learns from windows with noise on them, so that it learns to mend its own errors too.

    It draws nothing: the temperature changes nothing.
    """

    _network: keras.Model
    _scales: dict[str, Float32]

    def __init__(self, options: MySequenceOptions) -> None:
        super().__init__(options)
        self._loop: Callable[..., Any] | None = None

    @property
    def context(self) -> int:
        return self.options.context

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        learned, held_out = (_cut_windows(clips, self.context + 1) for clips in (train, validation))
        self._scales = measure_scales(train)
        keras.utils.set_random_seed(training.seed)
        self._network = self._build(train[0].shape[1])
        size, count = self.options.batch_size, len(learned)
        epochs = count_epochs(self.options.steps, count, size)
        steps = epochs * ceil(count / size)
        optimizer = build_adamw(self.options.learning_rate, steps, warmup=steps // 10)
        self._network.compile(optimizer=optimizer, loss="mse")
        windows = np.concatenate([learned, held_out]) if len(held_out) else learned

        def load(chosen: Int64, rng: np.random.Generator) -> Batch:
            return self._make_examples(windows[chosen], rng)

        data = Samples(load, count, len(held_out), size)
        return train_network(self._network, data, epochs=epochs, training=training, metrics=LOSS)

    def _build(self, dim: int) -> keras.Model:
        """A window in its scale, `(n, context, d)` → the change to the next latent in its own, `(n, d)`."""
        hidden = [layers.Dense(self.options.units, activation="gelu") for _ in range(2)]
        shape = keras.Input((self.context, dim))
        return keras.Sequential([shape, layers.Flatten(), *hidden, layers.Dense(dim)], name="network")

    def _make_examples(self, windows: Float32, rng: np.random.Generator) -> Batch:
        """Inputs and targets of windows `(n, context + 1, d)`, whose last latent is the one to predict."""
        change = self._scales["change"]
        noise = rng.standard_normal(windows[:, :-1].shape, dtype=np.float32)
        seen = windows[:, :-1] + self.options.noise * change * noise
        # from the noisy latent to the true next one: the way back is in the target
        return self._scale(seen), (windows[:, -1] - seen[:, -1]) / change

    def _scale(self, latents: Any) -> Any:
        return (latents - self._scales["mean"]) / self._scales["spread"]

    def generate(self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0) -> Float32:
        if self._loop is None:
            self._loop = compile_loop(self._dance_on)
        weights = [np.asarray(variable) for variable in self._network.variables]
        dance = seed
        for _ in range(ceil(steps / STEPS_PER_CALL)):
            dance = np.concatenate([dance, self._loop(weights, dance[:, -self.context :])], axis=1)
        return dance[:, self.context :][:, :steps]

    def _dance_on(self, weights: Any, window: KerasTensor) -> KerasTensor:
        """The next latents, `(b, STEPS_PER_CALL, d)`, after a window `(b, context, d)`."""
        batch, context, dim = window.shape
        scales = self._scales

        def step(number: KerasTensor, dance: KerasTensor) -> KerasTensor:
            seen = ops.slice(dance, (0, number, 0), window.shape)
            change = self._network.stateless_call(weights, [], self._scale(seen), training=False)[0]
            # within the range of the training latents, a dance of any length stays finite
            latent = ops.clip(seen[:, -1] + change * scales["change"], scales["low"], scales["high"])
            return ops.slice_update(dance, (0, context + number, 0), latent[:, None])

        dance = ops.concatenate([window, ops.zeros((batch, STEPS_PER_CALL, dim))], axis=1)
        return ops.fori_loop(0, STEPS_PER_CALL, step, dance)[:, context:]

    def save(self, folder: Path) -> None:
        np.savez(folder / "scales.npz", **self._scales)  # type: ignore[arg-type]
        save_networks(folder, network=self._network)

    @classmethod
    def load(cls, folder: Path, options: MySequenceOptions) -> Self:
        model = cls(options)
        model._network = load_network(folder / "network.keras")
        with np.load(folder / "scales.npz", allow_pickle=False) as saved:
            model._scales = dict(saved)
        return model


def _cut_windows(clips: Sequence[Float32], length: int) -> Float32:
    """Every `length` latents that follow one another in a clip, `(n, length, d)`; `(0,)` where no clip is as long."""
    long_enough = [clip for clip in clips if len(clip) >= length]
    views = [np.lib.stride_tricks.sliding_window_view(clip, length, axis=0).swapaxes(1, 2) for clip in long_enough]
    return np.concatenate(views) if views else np.empty(0, np.float32)
