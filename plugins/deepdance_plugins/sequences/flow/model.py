"""`flow`: draws the next latent by conditional flow matching, so that a dance stays sharp and goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any, Self

import numpy as np

from deepdance.interfaces import Float32, History, SequenceModel, Training
from deepdance.metrics.accuracy import argmax_agreement, mean_squared_error, with_held_out
from deepdance_plugins._keras.backend import compiled, keras, load_network
from deepdance_plugins._keras.scaling import measure_scales
from deepdance_plugins._keras.training import (
    LOSS_ONLY,
    Batch,
    Indices,
    cosine_adamw,
    epochs_of,
    forget_checkpoint,
    train,
)
from deepdance_plugins.sequences.flow.manifold import drawn_back, landmarks
from deepdance_plugins.sequences.flow.network import build_velocity, build_watcher, embedded, trainable
from deepdance_plugins.sequences.flow.options import FlowOptions

LOOKS_BACK = (0, 1, 2, 3, 5, 8, 12, 16)
"""The frames, counted back from the last one, that a prediction is made from, as far as the context goes."""
EULER_STEPS = 8
STEPS_PER_CALL = 50
"""Frames that one call of the compiled loop makes; the loop is compiled for this length once."""


class Flow(SequenceModel[FlowOptions]):
    """Conditional flow matching (Lipman et al. 2023, section 4.1) of the change from the last latent to the next.

    A network learns the velocity that leads from a normal draw to the next change, given the last latents with noise
    on them and the level of that noise; the change leads to the true next latent, so that it learns to mend its own
    errors too. A dance takes eight Euler steps a frame. `temperature` multiplies the draw. What strays from where
    training latents lie is drawn back a little.
    """

    def __init__(self, options: FlowOptions) -> None:
        super().__init__(options)
        self._arrays: dict[str, Float32] = {}
        self._watcher: Any = None
        self._velocity: Any = None
        self._loop: Callable[..., Any] | None = None

    @property
    def context(self) -> int:
        return self.options.context

    @property
    def _looks(self) -> Indices:
        """The frames looked at, counted back from the last one."""
        return np.array([back for back in LOOKS_BACK if back < self.context])

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        self._measure(train)
        train, validation = ([self._scaled(c) for c in clips] for clips in (train, validation))
        self._arrays["landmarks"], self._arrays["reach"] = landmarks(train)
        keras().utils.set_random_seed(training.seed)
        dim, options = train[0].shape[1], self.options
        self._watcher = build_watcher(len(self._looks), dim, options.units, options.width)
        self._velocity = build_velocity(dim, options.width, options.blocks)
        history = self._train(train, validation, training)
        history[-1] |= with_held_out(self._expected, train, validation)
        return history

    def _measure(self, clips: Sequence[Float32]) -> None:
        scales = measure_scales(clips)
        self._arrays = {name: scales[name] for name in ("mean", "spread")}
        scaled = measure_scales([self._scaled(clip) for clip in clips])
        self._arrays |= {name: scaled[name] for name in ("change", "low", "high")}

    def _scaled(self, latents: Float32) -> Float32:
        scaled: Float32 = (latents - self._arrays["mean"]) / self._arrays["spread"]
        return scaled

    def _train(self, clips: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        options, change = self.options, self._arrays["change"]
        latents = np.concatenate([*clips, *validation])
        positions, train_count = _positions([*clips, *validation], len(clips), self.context)
        importance = change / change.mean()
        epochs = epochs_of(options.steps, train_count, options.batch_size)
        steps = epochs * ceil(train_count / options.batch_size)
        model = trainable(self._watcher, self._velocity)
        model.compile(
            optimizer=cosine_adamw(options.learning_rate, steps, warmup=min(100, options.steps // 10)),
            loss=lambda truth, guess: keras().ops.mean(importance * (truth - guess) ** 2, axis=-1),
        )
        rng = np.random.default_rng()

        def order(epoch: int) -> Indices:
            nonlocal rng
            rng = np.random.default_rng([training.seed, epoch])
            return rng.permutation(train_count)

        def batch(samples: Indices) -> Batch:
            places = positions[samples]
            window, following = latents[places[:, None] - self._looks], latents[places + 1]
            level = options.noise * rng.random((len(places), 1), dtype=np.float32)
            return self._lesson(window, following, level, rng)

        return train(
            *(model, batch, train_count, len(positions) - train_count),
            epochs=epochs,
            batch_size=options.batch_size,
            training=training,
            order=order,
            names=LOSS_ONLY,
        )

    def _lesson(self, window: Float32, following: Float32, level: Float32, rng: np.random.Generator) -> Batch:
        """Inputs and the velocity to learn, for windows `(n, w, d)`, newest first, and the latents after them.

        Half of the noise is the same in all of a window, as a drift is.
        """
        dim = following.shape[1]
        drift, fresh = (
            rng.standard_normal((len(window), count, dim), dtype=np.float32) for count in (1, window.shape[1])
        )
        noisy = window + level[..., None] * self._arrays["change"] * np.float32(0.5**0.5) * (drift + fresh)
        goal = (following - noisy[:, 0]) / self._arrays["change"]
        start = rng.standard_normal(goal.shape, dtype=np.float32)
        time = rng.random((len(goal), 1), dtype=np.float32)
        here = (1 - time) * start + time * goal
        seen = _seen(noisy, level, self._arrays["change"], self._looks)
        return (seen, here, noisy[:, 0], embedded(time)), goal - start

    def _expected(self, clips: Sequence[Float32]) -> dict[str, float]:
        """Loss and the paper's accuracy of the expected next latent: the velocity from 0 at time 0 leads to it."""
        positions, _ = _positions(clips, len(clips), self.context)
        if not len(positions):
            return {}
        positions = positions[:: max(1, len(positions) // 2000)]
        latents = np.concatenate(clips)
        window, following = latents[positions[:, None] - self._looks], latents[positions + 1]
        none = np.zeros((len(positions), 1), np.float32)
        seen = np.asarray(self._watcher(_seen(window, none, self._arrays["change"], self._looks)))
        velocity = np.asarray(self._velocity([np.zeros_like(following), window[:, 0], embedded(none), seen]))
        guess = window[:, 0] + velocity * self._arrays["change"]
        spread, mean = self._arrays["spread"], self._arrays["mean"]
        loss = float(spread**2) * mean_squared_error(following, guess)
        return {"loss": loss, "acc": argmax_agreement(following * spread + mean, guess * spread + mean)}

    def generate(self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0) -> Float32:
        if self._loop is None:
            self._loop = compiled(_dancing(self._watcher, self._velocity, self._looks, self.options))
        weights = [[np.asarray(v) for v in model.variables] for model in (self._watcher, self._velocity)]
        draws = [np.random.default_rng([rng, number]) for number in range(len(seed))]
        last = self._scaled(np.asarray(seed, np.float32))[:, ::-1]
        generated: list[Float32] = []
        for _ in range(max(1, ceil(steps / STEPS_PER_CALL))):
            noise = np.stack([d.standard_normal((STEPS_PER_CALL, seed.shape[-1]), np.float32) for d in draws], axis=1)
            latents, last = self._loop(weights, self._arrays, last, np.float32(temperature) * noise)
            generated.append(np.asarray(latents))
        scaled = np.concatenate(generated)[:steps].swapaxes(0, 1)
        return np.asarray(scaled * self._arrays["spread"] + self._arrays["mean"], np.float32)

    def save(self, folder: Path) -> None:
        np.savez(folder / "flow.npz", **self._arrays)  # type: ignore[arg-type]
        self._watcher.save(folder / "watcher.keras")
        self._velocity.save(folder / "velocity.keras")
        forget_checkpoint(folder)

    @classmethod
    def load(cls, folder: Path, options: FlowOptions) -> Self:
        model = cls(options)
        with np.load(folder / "flow.npz", allow_pickle=False) as saved:
            model._arrays = dict(saved)
        model._watcher, model._velocity = (load_network(folder / f"{name}.keras") for name in ("watcher", "velocity"))
        return model


def _seen(window: Any, level: Any, change: Any, looks: Indices, ops: Any = np) -> Any:
    """A window `(n, w, d)`, newest first, as its latest, the changes between and the noise's level: `(n, w·d + 1)`."""
    gaps = np.sqrt(np.diff(looks)).astype(np.float32)[:, None]
    changes = (window[:, :-1] - window[:, 1:]) / (change * gaps)
    flat = ops.reshape(changes, (window.shape[0], -1))
    return ops.concatenate([window[:, 0], flat, level], axis=-1)


def _positions(clips: Sequence[Float32], train: int, context: int) -> tuple[Indices, int]:
    """Where a window ends that has a latent after it, in clips laid end to end; and how many in the first `train`."""
    starts = np.cumsum([0, *(len(clip) for clip in clips)])
    inside = [np.arange(a + context - 1, b - 1) for a, b in pairwise(starts)]
    return np.concatenate([*inside, np.arange(0)]), sum(map(len, inside[:train]))


def _dancing(watcher: Any, velocity: Any, looks: Indices, options: FlowOptions) -> Callable[..., Any]:
    """The loop, ready to be compiled.

    It takes the weights, the scales, the last latents `(b, context, d)`, newest first, and normal draws `(t, b, d)`; it
    returns the next latents `(t, b, d)` and the last of all.
    """
    ops = keras().ops

    def apply(model: Any, values: Any, inputs: Any) -> Any:
        return model.stateless_call(values, [], inputs, training=False)[0]

    def loop(weights: Any, arrays: Any, last: Any, noise: Any) -> Any:
        batch = last.shape[0]
        level = ops.full((batch, 1), options.level, "float32")

        def step(number: Any, carried: Any) -> Any:
            last, outputs = carried
            window = ops.take(last, looks, axis=1)
            seen = apply(watcher, weights[0], _seen(window, level, arrays["change"], looks, ops))

            def euler(part: Any, here: Any) -> Any:
                time = ops.full((batch, 1), 1.0, "float32") * ops.cast(part, "float32") / EULER_STEPS
                return here + apply(velocity, weights[1], [here, window[:, 0], embedded(time, ops), seen]) / EULER_STEPS

            change = ops.fori_loop(0, EULER_STEPS, euler, noise[number])
            latent = ops.clip(window[:, 0] + change * arrays["change"], arrays["low"], arrays["high"])
            latent = drawn_back(latent, arrays["landmarks"], arrays["reach"], options.guard)
            last = ops.concatenate([latent[:, None], last[:, :-1]], axis=1)
            return last, ops.slice_update(outputs, (number, 0, 0), latent[None])

        last, outputs = ops.fori_loop(0, noise.shape[0], step, (last, ops.zeros_like(noise)))
        return outputs, last

    return loop
