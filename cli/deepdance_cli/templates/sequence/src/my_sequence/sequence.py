"""`my-sequence`: plays the most similar moment of the video on, and back again where its clip ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from deepdance.errors import InputError
from deepdance.interfaces import Float32, History, Metrics, Options, SequenceModel, Training
from deepdance.metrics.accuracy import argmax_agreement, mean_squared_error
from pydantic import Field

Places = npt.NDArray[np.int64]
BATCH = 256
"""Moments that are looked for at once, which bounds the memory."""


class MySequenceOptions(Options):
    """How the moment to go on from is found, and how the dance gets there."""

    movement: float = Field(2.0, ge=0, description="weight of the movement beside the pose when moments are compared")
    blend: int = Field(8, ge=0, description="latents over which the difference to the moment found fades")


class MySequence(SequenceModel[MySequenceOptions]):
    """To and fro: every pose is a real one, nothing fades or explodes, and nothing is new.

    It is deterministic, so temperature and rng change nothing.
    """

    def __init__(self, options: MySequenceOptions) -> None:
        super().__init__(options)
        self._latents: Float32 = np.empty((0, 0), np.float32)
        self._starts = np.empty(0, np.int64)

    @property
    def context(self) -> int:
        """Two latents are a pose and a movement."""
        return 2

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        clips = [clip for clip in train if len(clip) > self.context]
        if not clips:
            raise InputError(f"expected a clip of more than {self.context} latents, got none; give a longer video")
        _check_finite(*clips)
        self._latents = np.concatenate(clips)
        self._starts = np.cumsum([0, *(len(clip) for clip in clips[:-1])])
        metrics = self._measure(clips) | {f"val_{name}": value for name, value in self._measure(validation).items()}
        training.on_epoch(1, 1, metrics)
        return [metrics]

    def _measure(self, clips: Sequence[Float32]) -> Metrics:
        """Loss and accuracy of the next latent. Clips that it was fitted to it knows by heart."""
        usable = [clip for clip in clips if len(clip) > self.context]
        if not usable:
            return {}
        windows = np.concatenate([np.stack([clip[:-2], clip[1:-1]], axis=1) for clip in usable])
        truth = np.concatenate([clip[self.context :] for clip in usable])
        predicted = self.generate(windows, 1)[:, 0]
        return {"loss": mean_squared_error(truth, predicted), "acc": argmax_agreement(truth, predicted)}

    def generate(self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0) -> Float32:
        _check_finite(seed)
        moments = self._nearest(seed)
        clip = np.searchsorted(self._starts, moments, side="right") - 1
        start, stop = self._starts[clip], np.append(self._starts, len(self._latents))[clip + 1]
        place = _to_and_fro((moments - start)[:, None] + np.arange(1, steps + 1), (stop - start)[:, None])
        fading = np.clip(1 - np.arange(1, steps + 1) / (self.options.blend + 1), 0, 1).astype(np.float32)
        away = seed[:, -1] - self._latents[moments]
        dances: Float32 = self._latents[start[:, None] + place] + fading[:, None] * away[:, None]
        return dances

    def _nearest(self, windows: Float32) -> Places:
        """The training latents whose pose and movement are nearest to those of windows `(b, 2, d)`."""
        known = self._features(self._latents, np.roll(self._latents, 1, axis=0))
        squares = np.square(known).sum(axis=1)
        squares[self._starts] = np.inf  # a clip's first latent has no movement
        asked = self._features(windows[:, 1], windows[:, 0])
        found = [
            np.argmin(squares - 2 * asked[at : at + BATCH] @ known.T, axis=1) for at in range(0, len(asked), BATCH)
        ]
        return np.concatenate(found)

    def _features(self, now: Float32, before: Float32) -> Float32:
        return np.concatenate([now, np.float32(self.options.movement) * (now - before)], axis=1)

    def save(self, folder: Path) -> None:
        np.savez(folder / "my_sequence.npz", latents=self._latents, starts=self._starts)

    @classmethod
    def load(cls, folder: Path, options: MySequenceOptions) -> Self:
        model = cls(options)
        with np.load(folder / "my_sequence.npz", allow_pickle=False) as saved:
            model._latents, model._starts = saved["latents"], saved["starts"]
        return model


def _to_and_fro(place: Places, length: Places) -> Places:
    """0, 1, 2, 3 … in a clip of three latents: 0, 1, 2, 1, 0, 1 …"""
    last = length - 1
    folded: Places = last - np.abs(place % (2 * last) - last)
    return folded


def _check_finite(*latents: Float32) -> None:
    if not all(np.isfinite(each).all() for each in latents):
        raise InputError("expected latents that are finite numbers, got NaN or infinity; train the codec again")
