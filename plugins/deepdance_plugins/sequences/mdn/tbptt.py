"""Truncated back-propagation through time (Williams and Peng 1990) along clips of latents.

Clips are cut into spans. A gradient goes back to the start of its span; the network's state goes on, from each slot of
a batch to the same slot of the next one, where the following span of the same clip is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from deepdance.arrays import Bools, Int64
from deepdance.interfaces import Float32
from deepdance_plugins.networks.backend import keras, ops
from deepdance_plugins.networks.training import Batch, Pass

SPANS_PER_SEGMENT = 4
"""After so many spans of a clip the state begins anew, so that one long clip too fills several slots."""
PADDING = -1
"""The number of no span, where a slot has run out of segments."""


class Spans:
    """Spans of `length` steps from one latent to the next, numbered through: the training's, then the held-out ones."""

    def __init__(self, train: Sequence[Float32], validation: Sequence[Float32], length: int, slots: int) -> None:
        self._latents = np.concatenate([*train, *validation])
        self._length = length
        numbers, starts, steps, begins = count(), [], [], []
        self._train: list[list[int]] = []
        self._held_out: list[list[int]] = []
        position = 0
        for clip, segments in [*((c, self._train) for c in train), *((c, self._held_out) for c in validation)]:
            # A step leads from a latent to the next, so a clip has one less of them; a span ends where the next begins.
            for segment in range(0, len(clip) - 1, SPANS_PER_SEGMENT * length):
                offsets = range(segment, min(segment + SPANS_PER_SEGMENT * length, len(clip) - 1), length)
                segments.append([next(numbers) for _ in offsets])
                starts += [position + offset for offset in offsets]
                steps += [min(length, len(clip) - 1 - offset) for offset in offsets]
                begins += [offset == segment for offset in offsets]
            position += len(clip)
        self._starts, self._steps, self._begins = np.array(starts), np.array(steps), np.array(begins)
        self.slots = min(slots, len(self._train))

    def schedule_training(self, rng: np.random.Generator) -> Int64:
        """The training spans' numbers, `(batches, slots)`, their segments shuffled."""
        return self._fill_slots([self._train[number] for number in rng.permutation(len(self._train))])

    def schedule_held_out(self) -> Int64:
        """The held-out spans' numbers, `(batches, slots)`."""
        return self._fill_slots(self._held_out)

    def _fill_slots(self, segments: Sequence[list[int]]) -> Int64:
        slots: list[list[int]] = [[] for _ in range(self.slots)]
        for segment in segments:
            min(slots, key=len).extend(segment)
        longest = max(map(len, slots))
        return np.array([slot + [PADDING] * (longest - len(slot)) for slot in slots], np.int64).T

    def begin_segment(self, spans: Int64) -> Bools:
        """Whether the state is to be cleared before each of the spans."""
        begins: Bools = self._begins[spans] | (spans == PADDING)
        return begins

    def read(self, spans: Int64) -> tuple[Float32, Float32, Float32]:
        """The spans' latents and those after them, `(b, length, d)`, and weights `(b, length)`: 0 past a clip's end."""
        weights = np.arange(self._length) < np.where(spans == PADDING, 0, self._steps[spans])[:, None]
        places = self._starts[spans][:, None] + np.arange(self._length) * weights
        return self._latents[places], self._latents[places + 1], weights.astype(np.float32)


@dataclass(frozen=True)
class SpanDataset:
    """What a stateful network is trained on: latents in their scale → the next change in its own, and the latent."""

    network: keras.Model
    spans: Spans
    scales: Mapping[str, Float32]
    noise: float
    """Deviation of the noise on training inputs, in deviations of a change."""

    def iterate_training(self, rng: np.random.Generator) -> Pass:
        """The training spans with noise."""
        schedule = self.spans.schedule_training(rng)
        return Pass(schedule.size, self._load(schedule, rng))

    def iterate_held_out(self, rng: np.random.Generator) -> Pass:
        """The held-out spans as they are."""
        schedule = self.spans.schedule_held_out()
        return Pass(schedule.size, self._load(schedule, None))

    def _load(self, schedule: Int64, rng: np.random.Generator | None) -> Iterator[Batch]:
        change, mean, spread = (self.scales[name] for name in ("change", "mean", "spread"))
        for spans in schedule:
            _clear_states(self.network, self.spans.begin_segment(spans))
            now, following, weights = self.spans.read(spans)
            if rng:
                # The target starts at the noisy latent too and ends at the true one: the way back is learned.
                now = now + self.noise * change * rng.standard_normal(now.shape, dtype=np.float32)
            targets = np.concatenate([(following - now) / change, now], axis=-1)
            yield (now - mean) / spread, targets, weights


def _clear_states(network: keras.Model, slots: Bools) -> None:
    """Set the states of some slots to 0; Keras' own `reset_state` would clear them all."""
    for layer in network.layers[:-1]:
        for state in layer.states:
            state.assign(ops.where(slots[:, None], 0.0, state.value))  # stays on the devices where it is
