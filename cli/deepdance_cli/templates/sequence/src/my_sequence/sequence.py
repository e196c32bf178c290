"""`my-sequence`: what followed similar latents of the video comes next."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from deepdance.interfaces import Float32, History, Options, SequenceModel, Training
from pydantic import Field


class MySequenceOptions(Options):
    """What counts as similar, how many there are to choose from, and how one latent is joined to the next."""

    movement: float = Field(2.0, ge=0, description="weight of the movement beside the pose in a comparison")
    neighbours: int = Field(4, ge=1, le=100, description="similar latents to choose from at temperature 1")
    fade: float = Field(0.8, ge=0, lt=1, description="share of the difference to the latent chosen that stays, a frame")


class MySequence(SequenceModel[MySequenceOptions]):
    """The method of analogues (Lorenz 1969): look for latents like the last ones, and go on as some of them did.

    At temperature 0 the most similar one is taken; the higher the temperature, the more there are to choose from.
    """

    def __init__(self, options: MySequenceOptions) -> None:
        super().__init__(options)
        self._windows = np.empty((0, 3, 0), np.float32)

    @property
    def context(self) -> int:
        """Two latents: a pose, and the movement into it."""
        return 2

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        self._windows = _cut_windows(train)
        metrics = {"loss": 0.0}  # it knows by heart what it was fitted to
        held_out = _cut_windows(validation)
        if len(held_out):
            guess = self.generate(held_out[:, :2], 1, temperature=0)
            metrics["val_loss"] = float(np.mean(np.square(guess - held_out[:, 2:])))
        training.on_epoch(1, 1, metrics)
        return [metrics]

    def generate(self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0) -> Float32:
        """Every seed has random numbers of its own, so that it goes on alike alone and in a batch."""
        count = max(1, round(temperature * self.options.neighbours))
        dances = [self._dance(one, steps, count, np.random.default_rng([rng, row])) for row, one in enumerate(seed)]
        return np.stack(dances)

    def _dance(self, seed: Float32, steps: int, count: int, random: np.random.Generator) -> Float32:
        before, now, after = self._windows.swapaxes(0, 1)
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
        np.save(folder / "my_sequence.npy", self._windows)

    @classmethod
    def load(cls, folder: Path, options: MySequenceOptions) -> Self:
        model = cls(options)
        model._windows = np.load(folder / "my_sequence.npy", allow_pickle=False)
        return model


def _cut_windows(clips: Sequence[Float32]) -> Float32:
    """Every three latents that follow one another in a clip, `(n, 3, d)`."""
    long_enough = [clip for clip in clips if len(clip) >= 3]
    windows = [np.stack([clip[:-2], clip[1:-1], clip[2:]], axis=1) for clip in long_enough]
    return np.concatenate(windows) if windows else np.empty((0, 3, 0), np.float32)
