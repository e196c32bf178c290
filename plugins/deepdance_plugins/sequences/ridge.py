"""`ridge`: linear autoregression, the sequence model that every other one has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from deepdance.array_files import load_arrays
from deepdance.arrays import Bools
from deepdance.interfaces import (
    Float32,
    History,
    LatentStream,
    Metrics,
    Options,
    StreamingModel,
    Training,
    as_one_shot,
)
from deepdance.metrics.accuracy import argmax_agreement, mean_squared_error, with_held_out

RADIUS = 0.999
"""No eigenvalue of the transition is longer than this, so what is generated stays bounded for ever."""


class RidgeOptions(Options):
    """The penalty counts in mean squares of a latent number, so it means the same for any codec and any length."""

    context: int = Field(5, ge=1, le=10_000, description="latents that the next one is predicted from")
    penalty: float = Field(0.01, gt=0, description="weight of the squared coefficients (Hoerl and Kennard 1970)")


class Ridge(StreamingModel[RidgeOptions]):
    """The next change as a linear function of the last `context` latents, solved in closed form.

    A fitted transition may have eigenvalues beyond 1, and then explodes. Multiplying the coefficients of the latent `k`
    frames ago by `g^k` multiplies every eigenvalue by `g`, so the largest is brought to `RADIUS`. What is generated is
    deterministic, and in the end comes to rest at the mean: the linear forecast of a far future.
    """

    _mean: Float32
    _transition: Float32

    @property
    def context(self) -> int:
        return self.options.context

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        self._mean = np.concatenate(train).mean(axis=0)
        inputs, targets = self._cut_windows(train)
        last = inputs[:, -len(self._mean) :]
        gram = (inputs.T @ inputs).astype(np.float64)  # successive latents are almost alike, and float32 too coarse
        # Of the change, not of the latent: a penalty then draws the forecast to standing still, not to the mean.
        weight = self.options.penalty * len(inputs) * max(float(np.mean(np.square(inputs))), 1e-12)
        change = np.linalg.solve(gram + weight * np.eye(len(gram)), inputs.T @ (targets - last))
        change[-len(self._mean) :] += np.eye(len(self._mean))
        self._transition = _bound(change, self.context).astype(np.float32)
        metrics = with_held_out(self._measure, train, validation)
        training.on_epoch(1, 1, metrics)
        return [metrics]

    def _cut_windows(self, clips: Sequence[Float32]) -> tuple[Float32, Float32]:
        """Windows as rows `(m, context · d)`, oldest first, and the latent after each `(m, d)`, less the mean."""
        usable = [clip - self._mean for clip in clips if len(clip) > self.context]
        views = [np.lib.stride_tricks.sliding_window_view(clip, self.context, axis=0)[:-1] for clip in usable]
        inputs = np.concatenate([view.swapaxes(1, 2).reshape(len(view), -1) for view in views])
        return inputs, np.concatenate([clip[self.context :] for clip in usable])

    def _measure(self, clips: Sequence[Float32]) -> Metrics:
        if not any(len(clip) > self.context for clip in clips):
            return {}
        inputs, targets = self._cut_windows(clips)
        predicted = inputs @ self._transition
        loss = mean_squared_error(targets, predicted)
        return {"loss": loss, "acc": argmax_agreement(targets + self._mean, predicted + self._mean)}

    is_deterministic: ClassVar[bool] = True

    def stream(self, seed: Float32, *, temperature: float = 1.0, rng: int = 0) -> LatentStream:
        return _Forecast(seed, self._mean, self._transition)

    def save(self, folder: Path) -> None:
        np.savez(folder / "ridge.npz", mean=self._mean, transition=self._transition)

    @classmethod
    def load(cls, folder: Path, options: RidgeOptions) -> Self:
        model = cls(options)
        saved = load_arrays(folder / "ridge.npz")
        model._mean, model._transition = saved["mean"], saved["transition"]
        return model


class _Forecast(LatentStream):
    """The transition, applied again and again to the last window."""

    def __init__(self, seed: Float32, mean: Float32, transition: Float32) -> None:
        super().__init__()
        self._window, self._mean, self._transition = seed - mean, mean, transition

    def advance(self, steps: int) -> tuple[Float32, Bools]:
        batch, context, dim = self._window.shape
        latents = np.empty((batch, context + steps, dim), np.float32)
        latents[:, :context] = self._window
        for step in range(steps):
            window = latents[:, step : step + context].reshape(batch, -1)
            latents[:, context + step] = window @ self._transition
        self._window = latents[:, steps:].copy()
        return as_one_shot(latents[:, context:] + self._mean)


def _bound(transition: np.ndarray, context: int) -> np.ndarray:
    """The transition `(context · d, d)` with its spectral radius brought down to `RADIUS`, where it is larger."""
    size, dim = transition.shape
    # The companion matrix takes a whole window to the next one: shifted by a latent, and the new one at its end.
    companion = np.zeros((size, size))
    companion[dim:, :-dim] = np.eye(size - dim)
    companion[:, -dim:] = transition
    shrink = min(1.0, RADIUS / float(np.abs(np.linalg.eigvals(companion)).max()))
    ago = context - np.arange(size) // dim
    scaled: np.ndarray = transition * (shrink**ago)[:, None]
    return scaled
