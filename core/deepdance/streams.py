"""Dances without an end: their next latents come as they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from deepdance.arrays import Bools, Float32

LONGEST_PART = 1000
"""Steps that a model which is no `StreamingModel` makes in one go."""


class LatentStream(ABC):
    """A dance of latents that has no end: `take` gives the next ones, and memory does not grow with what was given.

    `temperature` may be set at any time. It counts from the next latents that are made; what a loop has made ahead, a
    few seconds at most, comes first.
    """

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = temperature
        self._ahead: list[tuple[Float32, Bools]] = []

    @abstractmethod
    def advance(self, steps: int) -> tuple[Float32, Bools]:
        """Make the next latents `(b, n, d)`, and tell which of them begin a new shot, `(b, n)`.

        `steps` are wanted; n is up to the model, and at least 1: a compiled loop has its own length. What is more than
        wanted is kept by `take`.
        """

    def take(self, steps: int) -> tuple[Float32, Bools]:
        """The next latents `(b, steps, d)`, and which of them begin a new shot, `(b, steps)`."""
        made = sum(latents.shape[1] for latents, _ in self._ahead)
        while made < steps or not self._ahead:  # no steps have a shape too
            self._ahead.append(self.advance(steps - made))
            made += self._ahead[-1][0].shape[1]
        latents, cuts = (np.concatenate(parts, axis=1) for parts in zip(*self._ahead, strict=True))
        self._ahead = [(latents[:, steps:].copy(), cuts[:, steps:].copy())] if made > steps else []
        return latents[:, :steps], cuts[:, :steps]


def as_one_shot(latents: Float32) -> tuple[Float32, Bools]:
    """Latents `(b, n, d)`, and that none of them begins a new shot, `(b, n)`."""
    return latents, np.zeros(latents.shape[:2], bool)


class StreamOfParts(LatentStream):
    """What `SequenceModel.generate_shots` gives, again and again from where it has led."""

    def __init__(
        self, generate: Callable[..., tuple[Float32, Bools]], seed: Float32, temperature: float, rng: int
    ) -> None:
        super().__init__(temperature)
        self._generate, self._rng, self._parts = generate, rng, 0
        self._begin(seed)

    def _begin(self, seed: Float32) -> None:
        self._seed, self._drawn_at, self._shown = seed, self.temperature, 0
        self._part = as_one_shot(seed[:, :0])
        self._parts += 1

    def advance(self, steps: int) -> tuple[Float32, Bools]:
        if self._shown == LONGEST_PART or self._drawn_at != self.temperature:
            so_far = np.concatenate([self._seed, self._part[0][:, : self._shown]], axis=1)
            self._begin(so_far[:, -self._seed.shape[1] :])
        start, self._shown = self._shown, min(self._shown + steps, LONGEST_PART)
        if self._shown > self._part[0].shape[1]:
            # A long dance begins as a short one: so the part is made again, and longer.
            self._part = self._make(min(max(self._shown, 2 * start), LONGEST_PART))
        latents, cuts = self._part
        return latents[:, start : self._shown], cuts[:, start : self._shown]

    def _make(self, steps: int) -> tuple[Float32, Bools]:
        # Other draws for each part, or all would be danced alike.
        later = np.random.SeedSequence([self._rng, self._parts]).generate_state(1)[0]
        rng = self._rng if self._parts == 1 else int(later)
        return self._generate(self._seed, steps, temperature=self._drawn_at, rng=rng)
