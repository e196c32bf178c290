"""`motion-field`: follows real movements from where the dancer stands, and changes over to others that lie near."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from typing import Self

import numpy as np

from deepdance.array_files import load_arrays
from deepdance.arrays import Bools, Float64, Int64
from deepdance.interfaces import Float32, History, LatentStream, Metrics, StreamingModel, Training
from deepdance.metrics.accuracy import argmax_agreement, mean_squared_error, with_held_out
from deepdance_plugins.sequences.motion_field.coverage import FAR, Coverage, assign_regions
from deepdance_plugins.sequences.motion_field.framings import find_framings
from deepdance_plugins.sequences.motion_field.options import MotionFieldOptions

MOST_STARTS = 25_000
"""Of more, evenly spaced ones are compared, so that a search stays quick."""
LEAST_LIVELINESS = 0.1
"""Of the mean: the calmest that a movement counts as."""
UNCUT = 1 << 60
"""Frames of a shot that never ends."""
MOST_HURRIED = 2.0
"""How much faster a large distance to a movement fades; more would show as a jerk."""
MEASURED = 500
"""Held-out latents, evenly spaced, on which the prediction is measured."""


class MotionField(StreamingModel[MotionFieldOptions]):
    """A motion field (Lee, Wampler, Bernstein, Popović and Popović 2010), sampled.

    The dance goes on as one of the real movements went on that began most like it: `z(t+1) = x(i+1) + pᵐ(z(t) - x(i))`.
    It takes over the movement, and keeps most of its distance to the pose, so that it passes beside the real frames
    and not through them; m is how far the movement goes, 1 in a mean frame, so nothing slides while the dancer holds
    still. After one to two seconds it goes on with another. Poses and paces shown more than in the video seem
    farther away, so a dance comes by all of them as often as the dancer did, and is never caught in one.

    Where a video has full figures and close-ups, nobody moves from one to the other: a dance goes on with movements of
    its own framing, and cuts to another shot as often as the video does, or never.

    Below a `temperature` of 1 calm movements are wanted more often than the dancer showed them, above it lively ones.
    It flattens the draw among the neighbours too; at 0 the nearest is taken.
    """

    _latents: Float32
    _stops: Int64
    _framings: Int64
    _regions: Int64
    _starts: Int64
    _states: Float32
    _squares: Float32
    _stride: float
    _travelled: Float64
    _liveliness: Float32

    @property
    def clips(self) -> list[Float32]:
        """The latents `(n, d)` of each clip that it follows."""
        return np.split(self._latents, self._find_ends()[:-1])

    @property
    def regions(self) -> Int64:
        """Which region and pace each latent is of, `(n,)`."""
        return self._regions

    @property
    def framings(self) -> Int64:
        """The framing of each clip, `(m,)`."""
        return self._framings[self._find_ends() - 1]

    def _find_ends(self) -> Int64:
        return np.unique(self._stops)

    @property
    def context(self) -> int:
        return self.options.context

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        long_enough = [clip for clip in train if len(clip) > self.context]
        self._latents = np.concatenate(long_enough)
        lengths = np.array([len(clip) for clip in long_enough])
        self._stops = np.repeat(np.cumsum(lengths), lengths)
        self._framings = np.repeat(find_framings(long_enough, self.options.longest), lengths)
        self._prepare()
        self._regions = assign_regions(self._compute_states, self._liveliness, training.seed)
        metrics = with_held_out(self._measure, train, validation)
        training.on_epoch(1, 1, metrics)
        return [metrics]

    def stream(self, seed: Float32, *, temperature: float = 1.0, rng: int = 0) -> LatentStream:
        draws = [np.random.default_rng([rng, number]) for number in range(len(seed))]
        dances = [_Dance(partial(self._dance, *each), temperature) for each in zip(seed, draws, strict=True)]
        return _Dances(dances, temperature)

    def _prepare(self) -> None:
        """Find the latents `(m,)` that a movement can be followed from and their motion states, how far the dancer has
        travelled at each latent, and how lively what follows it is.
        """
        numbers = np.arange(len(self._latents))
        inside = numbers - self._find_clip_starts() >= self.context - 1
        remaining = self._stops - 1 - numbers
        # Where no clip is long enough for the shortest movement, the longest that there is will do.
        followed = remaining >= min(self.options.shortest, int(remaining[inside].max()))
        starts = np.flatnonzero(inside & followed)
        self._starts = starts[:: ceil(len(starts) / MOST_STARTS)]
        self._states = self._compute_states(self._starts)
        self._squares = np.square(self._states).sum(axis=1)
        self._stride, self._travelled = self._measure_travel()
        self._liveliness = self._measure_liveliness()

    def _measure_travel(self) -> tuple[float, Float64]:
        """The mean step, and in these the way from the first latent to each, `(n,)`: none from clip to clip."""
        linked = np.arange(1, len(self._latents)) < self._stops[:-1]
        steps = np.where(linked, np.linalg.norm(np.diff(self._latents, axis=0), axis=1), 0)
        stride = max(float(steps[linked].mean()), 1e-9)
        return stride, np.concatenate([[0.0], np.cumsum(steps, dtype=np.float64) / stride])

    def _measure_liveliness(self) -> Float32:
        """How fast what follows each latent is, `(n,)`: the mean change over the shortest movement, 1 on average."""
        numbers = np.arange(len(self._latents))
        ends = np.minimum(numbers + self.options.shortest, self._stops - 1)
        speed = (self._travelled[ends] - self._travelled[numbers]) / np.maximum(ends - numbers, 1)
        mean = max(float(speed.mean()), 1e-9)
        return np.asarray(np.maximum(speed / mean, LEAST_LIVELINESS), np.float32)

    def _find_clip_starts(self) -> Int64:
        """The first latent of each latent's clip, `(n,)`."""
        return np.searchsorted(self._stops, self._stops, side="left")

    def _compute_states(self, places: Int64) -> Float32:
        """Motion states `(m, 3d)` at so many latents; before a clip's beginning its first latent stood still."""
        starts = self._find_clip_starts()[places]
        return self._join_state(
            *(self._latents[np.maximum(places - back, starts)] for back in (0, 1, self.context - 1))
        )

    def _join_state(self, last: Float32, before: Float32, first: Float32) -> Float32:
        """Pose, last change, and the change over the context: what two moving dancers are compared by."""
        weight = np.float32(self.options.movement)
        # Over t frames a dance moves about √t times as far as over one: so both changes count alike.
        unit = np.sqrt(np.float32(self.context - 1))
        return np.concatenate([last, weight * (last - before), weight * (last - first) / unit], axis=-1)

    def _dance(self, seed: Float32, rng: np.random.Generator, stream: LatentStream) -> Iterator[tuple[Float32, Bools]]:
        """One dance, movement after movement `(1, n, d)`, each from where the one before has led; and its cuts."""
        material = self._starts, self._regions, self._framings, self._liveliness
        coverage = Coverage(*material, stream.temperature, self.options)
        window = seed[-self.context :]
        start = int(self._starts[self._measure_distances(window).argmin()])
        now, cut_at = 0, self._measure_shot(start)
        while True:
            coverage.lean(stream.temperature)
            cuts = now == cut_at
            if cuts:
                start = self._choose_shot(start, coverage, now, rng)
                window = self._latents[start + 1 - self.context : start + 1]
                cut_at = now + self._measure_shot(start)
                coverage.add(start, start + 1, now)  # or it would be followed itself: a copy
            distances = self._measure_distances(window)
            coverage.stretch(distances, now)
            start = self._draw_start(distances, start, stream.temperature, rng)
            length = min(int(rng.integers(self.options.shortest, self.options.longest + 1)), cut_at - now)
            stop = min(start + 1 + length, int(self._stops[start]))
            movement = self._follow(start, stop, window[-1])
            now += len(movement)
            window = np.concatenate([window, movement])[-self.context :]
            coverage.add(start, stop, now)
            yield movement[None], (np.arange(len(movement)) < cuts)[None]

    def _draw_start(self, distances: Float32, followed: int, temperature: float, rng: np.random.Generator) -> int:
        """A latent to go on from, given squared distances `(m,)`, of the framing of what was followed."""
        alike = np.flatnonzero(self._framings[self._starts] == self._framings[followed])
        return int(self._starts[alike[_draw_neighbour(distances[alike], self.options.neighbours, temperature, rng)]])

    def _measure_shot(self, latent: int) -> int:
        """Frames of the shot that a latent is of: a dance stays as long in one."""
        stops = self._stops
        if self.options.cuts == "none" or stops[0] == stops[-1]:
            return UNCUT
        return int(stops[latent] - np.searchsorted(stops, stops[latent]))

    def _choose_shot(self, followed: int, coverage: Coverage, now: int, rng: np.random.Generator) -> int:
        """The latent that another shot begins at, more likely where little was shown of what follows it."""
        stops = self._stops[self._starts]
        # Each shot is as likely as any other, however long it is: so those of a dance are as long as the video's.
        distances = np.bincount(stops)[stops].astype(np.float32)
        coverage.stretch(distances, now)
        distances[stops == self._stops[followed]] *= FAR
        odds = 1 / distances.astype(np.float64)
        return int(rng.choice(self._starts, p=odds / odds.sum()))

    def _measure_distances(self, window: Float32) -> Float32:
        """Squared distances `(m,)` of the state at the end of a window `(context, d)` from those of all starts."""
        state = self._join_state(window[-1], window[-2], window[0])
        # |a - b|² = |a|² + |b|² - 2ab, which rounding can make negative.
        distances: Float32 = np.maximum(self._squares - 2 * self._states @ state + state @ state, 0)
        return distances

    def _follow(self, start: int, stop: int, last: Float32) -> Float32:
        """The latents after `last` on the movement from `start` up to `stop`, beside it at first and then nearer."""
        beside = last - self._latents[start]
        return self._latents[start + 1 : stop] + self._fade(beside[None], start, np.arange(start + 1, stop))

    def _fade(self, beside: Float32, start: int | Int64, then: Int64) -> Float32:
        """What is left `(m, d)` of the distances to movements, each when its movement is at so many latents."""
        # By the way travelled and not by time, or the dancer would slide while the movement holds still. A distance of
        # more than a step fades faster: in a short video the nearest movement is far, and between the two there may be
        # no body.
        steps = np.clip(np.linalg.norm(beside, axis=1) / self._stride, 1, MOST_HURRIED)
        kept = self.options.persistence ** (steps * (self._travelled[then] - self._travelled[start]))
        return np.asarray(kept[:, None] * beside, np.float32)

    def _measure(self, clips: Sequence[Float32]) -> Metrics:
        """Loss and the paper's accuracy of what follows the nearest state, on clips that were not learned."""
        windows = [clip[n - self.context : n + 1] for clip in clips for n in range(self.context, len(clip))]
        if not windows:
            return {}
        chosen = np.stack(windows[:: max(1, len(windows) // MEASURED)])
        states = self._join_state(chosen[:, -2], chosen[:, -3], chosen[:, 0])
        distances = self._squares - 2 * states @ self._states.T
        nearest = self._starts[distances.argmin(axis=1)]
        beside = self._fade(chosen[:, -2] - self._latents[nearest], nearest, nearest + 1)
        guess = self._latents[nearest + 1] + beside
        return {"loss": mean_squared_error(chosen[:, -1], guess), "acc": argmax_agreement(chosen[:, -1], guess)}

    def save(self, folder: Path) -> None:
        np.savez(
            folder / "motion_field.npz",
            latents=self._latents,
            stops=self._stops,
            regions=self._regions,
            framings=self._framings,
        )

    @classmethod
    def load(cls, folder: Path, options: MotionFieldOptions) -> Self:
        model = cls(options)
        saved = load_arrays(folder / "motion_field.npz")
        model._latents, model._stops = saved["latents"], saved["stops"]
        model._regions, model._framings = saved["regions"], saved["framings"]
        model._prepare()
        return model


class _Dances(LatentStream):
    """Several dances at once."""

    def __init__(self, dances: Sequence[LatentStream], temperature: float) -> None:
        super().__init__(temperature)
        self._dances = dances

    def advance(self, steps: int) -> tuple[Float32, Bools]:
        taken = []
        for dance in self._dances:
            dance.temperature = self.temperature
            taken.append(dance.take(steps))
        latents, cuts = zip(*taken, strict=True)
        return np.concatenate(latents), np.concatenate(cuts)


class _Dance(LatentStream):
    """One dance, which asks its stream for the temperature."""

    def __init__(self, dance: Callable[[LatentStream], Iterator[tuple[Float32, Bools]]], temperature: float) -> None:
        super().__init__(temperature)
        self._movements = dance(self)

    def advance(self, steps: int) -> tuple[Float32, Bools]:
        return next(self._movements)


def _draw_neighbour(distances: Float32, neighbours: int, temperature: float, rng: np.random.Generator) -> int:
    """One of the nearest, given squared distances, by `exp(-distance / (temperature · the mean distance of them))`.

    In shares of their mean, a temperature means the same where states lie close together and where they lie far apart.
    """
    count = min(neighbours, len(distances))
    nearest = np.argpartition(distances, count - 1)[:count]
    roots = np.sqrt(distances[nearest])
    if temperature == 0:
        return int(nearest[roots.argmin()])
    odds = np.exp(-(roots - roots.min()) / max(temperature * float(roots.mean()), 1e-9))
    return int(rng.choice(nearest, p=odds / odds.sum()))
