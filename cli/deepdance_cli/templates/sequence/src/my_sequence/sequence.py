"""`my-sequence`: what followed a similar moment of the video comes next."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from deepdance.interfaces import Float32, History, Options, SequenceModel, Training
from deepdance.metrics.accuracy import mean_squared_error
from pydantic import Field


class MySequenceOptions(Options):
    """What counts as similar, how many such moments there are to choose from, and how one is joined to the other."""

    movement: float = Field(2.0, ge=0, description="weight of the movement beside the pose when moments are compared")
    neighbours: int = Field(4, ge=1, le=100, description="similar moments to choose from at temperature 1")
    fade: float = Field(0.8, ge=0, lt=1, description="share of the difference to the moment chosen that stays, a frame")


class MySequence(SequenceModel[MySequenceOptions]):
    """The method of analogues (Lorenz 1969): look for moments like this one, and go on as one of them did.

    At temperature 0 the most similar one is taken; the higher the temperature, the more there are to choose from.
    """

    def __init__(self, options: MySequenceOptions) -> None:
        super().__init__(options)
        self._moments = np.empty((0, 3, 0), np.float32)

    @property
    def context(self) -> int:
        """Two latents: a pose, and the movement into it."""
        return 2

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        self._moments = _moments(train)
        metrics = {"loss": 0.0}  # it knows by heart what it was fitted to
        held_out = _moments(validation)
        if len(held_out):
            guess = self.generate(held_out[:, :2], 1, temperature=0)
            metrics["val_loss"] = mean_squared_error(held_out[:, 2:], guess)
        training.on_epoch(1, 1, metrics)
        return [metrics]

    def generate(self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0) -> Float32:
        """Every seed has random numbers of its own, so that it goes on alike alone and in a batch."""
        count = max(1, round(temperature * self.options.neighbours))
        dances = [self._dance(two, steps, count, np.random.default_rng([rng, row])) for row, two in enumerate(seed)]
        return np.stack(dances)

    def _dance(self, seed: Float32, steps: int, count: int, random: np.random.Generator) -> Float32:
        before, now, after = self._moments.swapaxes(0, 1)
        movements = now - before
        last, pose = seed
        dance = np.empty((steps, len(pose)), np.float32)
        for step in range(steps):
            distances = np.square(now - pose).sum(axis=1)
            distances += self.options.movement * np.square(movements - (pose - last)).sum(axis=1)
            chosen = random.choice(np.argsort(distances)[:count])
            # what comes next is a real pose; without the rest of the difference to it the dance would jump
            last, pose = pose, after[chosen] + self.options.fade * (pose - now[chosen])
            dance[step] = pose
        return dance

    def save(self, folder: Path) -> None:
        np.save(folder / "my_sequence.npy", self._moments)

    @classmethod
    def load(cls, folder: Path, options: MySequenceOptions) -> Self:
        model = cls(options)
        model._moments = np.load(folder / "my_sequence.npy", allow_pickle=False)
        return model


def _moments(clips: Sequence[Float32]) -> Float32:
    """Every three latents that follow one another in a clip, `(n, 3, d)`."""
    long_enough = [clip for clip in clips if len(clip) >= 3]
    triples = [np.stack([clip[:-2], clip[1:-1], clip[2:]], axis=1) for clip in long_enough]
    return np.concatenate(triples) if triples else np.empty((0, 3, 0), np.float32)
