"""`flow`: draws the next latent by conditional flow matching, so that a dance stays sharp and goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any, Self

import numpy as np

from deepdance.array_files import load_arrays
from deepdance.arrays import Int64
from deepdance.interfaces import Float32, History, LatentStream, Metrics, StreamingModel, Training
from deepdance.metrics.accuracy import argmax_agreement, mean_squared_error, with_held_out
from deepdance_plugins.networks.backend import compile_loop, keras, load_network, ops
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
from deepdance_plugins.sequences.flow.manifold import choose_landmarks
from deepdance_plugins.sequences.flow.network import (
    build_velocity,
    build_window_encoder,
    describe_window,
    embed_time,
    join_networks,
)
from deepdance_plugins.sequences.flow.options import FlowOptions
from deepdance_plugins.sequences.flow.sampling import FlowStream, build_sampling_loop

LOOKS_BACK = (0, 1, 2, 3, 5, 8, 12, 16)
"""The frames, counted back from the last one, that a prediction is made from, as far as the context goes."""
MEASURED = 2000
"""Latents, evenly spaced, on which the expected next latent is measured."""


class Flow(StreamingModel[FlowOptions]):
    """Conditional flow matching (Lipman et al. 2023, section 4.1) of the change from the last latent to the next.

    A network learns the velocity that leads from a normal draw to the next change, given the last latents with noise
    on them and the level of that noise; the change leads to the true next latent, so that it learns to mend its own
    errors too. A dance takes eight Euler steps a frame. `temperature` multiplies the draw. What strays from where
    training latents lie is pulled back a little.
    """

    _window_encoder: keras.Model
    _velocity: keras.Model

    def __init__(self, options: FlowOptions) -> None:
        super().__init__(options)
        self._arrays: dict[str, Float32] = {}
        self._loop: Callable[..., Any] | None = None

    @property
    def context(self) -> int:
        return self.options.context

    @property
    def _looks(self) -> Int64:
        """The frames looked at, counted back from the last one."""
        return np.array([back for back in LOOKS_BACK if back < self.context])

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        self._measure_scales(train)
        train, validation = ([self._scale(c) for c in clips] for clips in (train, validation))
        self._arrays["landmarks"], self._arrays["reach"] = choose_landmarks(train)
        keras.utils.set_random_seed(training.seed)
        dim, options = train[0].shape[1], self.options
        self._window_encoder = build_window_encoder(len(self._looks), dim, options.units, options.width)
        self._velocity = build_velocity(dim, options.width, options.blocks)
        history = self._train(train, validation, training)
        history[-1] |= with_held_out(self._measure, train, validation)
        return history

    def _measure_scales(self, clips: Sequence[Float32]) -> None:
        scales = measure_scales(clips)
        self._arrays = {name: scales[name] for name in ("mean", "spread")}
        scaled = measure_scales([self._scale(clip) for clip in clips])
        self._arrays |= {name: scaled[name] for name in ("change", "low", "high")}

    def _scale(self, latents: Float32) -> Float32:
        scaled: Float32 = (latents - self._arrays["mean"]) / self._arrays["spread"]
        return scaled

    def _train(self, clips: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        options, change = self.options, self._arrays["change"]
        latents = np.concatenate([*clips, *validation])
        positions, count = _find_positions([*clips, *validation], len(clips), self.context)
        epochs = count_epochs(options.steps, count, options.batch_size)
        steps = epochs * ceil(count / options.batch_size)
        model = join_networks(self._window_encoder, self._velocity)
        # The velocity is in deviations of each number's own change; errors count by how far they move the latent.
        importance = change / change.mean()
        model.compile(
            optimizer=build_adamw(options.learning_rate, steps, warmup=min(100, options.steps // 10)),
            loss=lambda truth, guess: ops.mean(importance * (truth - guess) ** 2, axis=-1),
        )

        def load(chosen: Int64, rng: np.random.Generator) -> Batch:
            places = positions[chosen]
            return self._make_examples(latents[places[:, None] - self._looks], latents[places + 1], rng)

        data = Samples(load, count, len(positions) - count, options.batch_size)
        return train_network(model, data, epochs=epochs, training=training, metrics=LOSS)

    def _make_examples(self, window: Float32, following: Float32, rng: np.random.Generator) -> Batch:
        """Inputs and the velocity to learn, for windows `(n, w, d)`, newest first, and the latents after them."""
        change, dim = self._arrays["change"], following.shape[1]
        level = self.options.noise * rng.random((len(window), 1), dtype=np.float32)
        # A dance strays in two ways: by a drift, which is the same in all of a window, and by fresh errors in each
        # latent. Half of the variance is either's; the root of a half keeps the sum at the level.
        drift, fresh = (
            rng.standard_normal((len(window), count, dim), dtype=np.float32) for count in (1, window.shape[1])
        )
        noisy = window + level[..., None] * change * np.float32(0.5**0.5) * (drift + fresh)
        # The goal starts at the noisy latent and ends at the true one, so it holds the way back as well.
        goal = (following - noisy[:, 0]) / change
        # Lipman et al., equation 23 with a σ of 0: on the straight way from a normal draw to the goal the velocity is
        # their difference at any time.
        start = rng.standard_normal(goal.shape, dtype=np.float32)
        time = rng.random((len(goal), 1), dtype=np.float32)
        here = (1 - time) * start + time * goal
        described = describe_window(noisy, level, change, self._looks)
        return (described, here, noisy[:, 0], embed_time(time)), goal - start

    def _measure(self, clips: Sequence[Float32]) -> Metrics:
        """Loss and the paper's accuracy of the expected next latent, on windows without noise."""
        positions, _ = _find_positions(clips, len(clips), self.context)
        if not len(positions):
            return {}
        positions = positions[:: max(1, len(positions) // MEASURED)]
        latents = np.concatenate(clips)
        window, following = latents[positions[:, None] - self._looks], latents[positions + 1]
        zero = np.zeros((len(positions), 1), np.float32)
        encoded = np.asarray(self._window_encoder(describe_window(window, zero, self._arrays["change"], self._looks)))
        # At time 0 the way stands at the draw and nothing is known of the goal: the velocity is the mean of all goals,
        # less the draw, so from a draw of 0 it is the expected change.
        velocity = np.asarray(self._velocity([np.zeros_like(following), window[:, 0], embed_time(zero), encoded]))
        guess = window[:, 0] + velocity * self._arrays["change"]
        spread, mean = self._arrays["spread"], self._arrays["mean"]
        loss = float(spread**2) * mean_squared_error(following, guess)
        return {"loss": loss, "acc": argmax_agreement(following * spread + mean, guess * spread + mean)}

    def stream(self, seed: Float32, *, temperature: float = 1.0, rng: int = 0) -> LatentStream:
        networks = (self._window_encoder, self._velocity)
        if self._loop is None:
            self._loop = compile_loop(build_sampling_loop(*networks, self._looks, self.options))
        weights = [[np.asarray(v) for v in network.variables] for network in networks]
        return FlowStream(self._loop, weights, self._arrays, self._scale(seed)[:, ::-1], temperature, rng)

    def save(self, folder: Path) -> None:
        np.savez(folder / "flow.npz", **self._arrays)  # type: ignore[arg-type]
        save_networks(folder, watcher=self._window_encoder, velocity=self._velocity)

    @classmethod
    def load(cls, folder: Path, options: FlowOptions) -> Self:
        model = cls(options)
        model._arrays = load_arrays(folder / "flow.npz")
        names = "watcher", "velocity"
        model._window_encoder, model._velocity = (load_network(folder / f"{name}.keras") for name in names)
        return model


def _find_positions(clips: Sequence[Float32], train: int, context: int) -> tuple[Int64, int]:
    """Where a window ends that has a latent after it, in clips laid end to end; and how many in the first `train`."""
    starts = np.cumsum([0, *(len(clip) for clip in clips)])
    inside = [np.arange(a + context - 1, b - 1) for a, b in pairwise(starts)]
    return np.concatenate([*inside, np.arange(0)]), sum(map(len, inside[:train]))
