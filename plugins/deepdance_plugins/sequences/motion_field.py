"""`motion-field`: follows real movements from where the dancer stands, and changes over to others that lie near."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from deepdance.arrays import Float64
from deepdance.interfaces import Float32, History, Options, SequenceModel, Training
from deepdance.metrics.accuracy import argmax_agreement, mean_squared_error, with_held_out

Indices = npt.NDArray[np.int64]
MOST_MOMENTS = 25_000
"""Of more, evenly spaced ones are compared, so that a search stays quick."""
REGIONS, PACES = 100, 3
"""Poses are told apart in so many regions, and what follows them, in each, by so many paces from calm to lively."""
FAR = np.float32(1e6)
"""How much farther a movement seems that was shown a moment ago, so that the dance does not go back to it at once."""
REST = 4
"""For so many movements, of the longest, what was followed is not taken up again, nor what lies around it."""
LEANING, LEANS, LEAST_LIVELINESS = 0.3, (0.25, 4.0), 0.1
"""How strongly temperature leans to calm or lively movements, between which temperatures, and the calmest there is."""
MEASURED = 500
"""Held-out latents, evenly spaced, on which the prediction is measured."""


class MotionFieldOptions(Options):
    """Lengths are in frames: the defaults are for 10 a second."""

    context: int = Field(6, ge=2, description="latents whose pose and movement are compared, newest first in weight")
    shortest: int = Field(6, ge=1, description="frames that a movement is followed at least")
    longest: int = Field(15, ge=1, description="frames that a movement is followed at most")
    neighbours: int = Field(8, ge=1, description="movements from which the next one is drawn")
    persistence: float = Field(
        0.9,
        ge=0,
        lt=1,
        description="share of the distance to a followed movement kept over the way of a mean frame",
    )
    movement: float = Field(
        0.7, ge=0, description="weight of the movement beside the pose when two moments are compared"
    )
    variety: float = Field(0.5, ge=0, description="how much what was shown more than in the video seems farther away")


class MotionField(SequenceModel[MotionFieldOptions]):
    """A motion field (Lee, Wampler, Bernstein, Popović and Popović 2010), sampled.

    The dance goes on as one of the real movements went on that began most like it: `z(t+1) = x(i+1) + pᵐ(z(t) - x(i))`.
    It takes over the movement, and keeps most of its distance to the pose, so that it passes beside the real frames
    and not through them; m is how far the movement goes, 1 in a mean frame, so nothing slides while the dancer holds
    still. After one to two seconds it goes on with another. Poses and paces shown more than in the video seem
    farther away, so a dance comes by all of them as often as the dancer did, and is never caught in one.
    Below a `temperature` of 1 calm movements are wanted more often than the dancer showed them, above it lively ones.
    It flattens the draw among the neighbours too; at 0 the nearest is taken.
    """

    def __init__(self, options: MotionFieldOptions) -> None:
        super().__init__(options)
        self._latents: Float32 = np.empty((0, 0), np.float32)
        self._stops: Indices = np.empty(0, np.int64)
        self._regions: Indices = np.empty(0, np.int64)
        self._begins: Indices = np.empty(0, np.int64)
        self._moments: Float32 = np.empty((0, 0), np.float32)
        self._way: Float64 = np.empty(0)
        self._liveliness: Float32 = np.empty(0, np.float32)

    @property
    def context(self) -> int:
        return self.options.context

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        long_enough = [clip for clip in train if len(clip) > self.context]
        self._latents = np.concatenate(long_enough)
        lengths = np.array([len(clip) for clip in long_enough])
        self._stops = np.repeat(np.cumsum(lengths), lengths)
        self._prepare()
        moments = self._moments_at(np.arange(len(self._latents)))
        self._regions = _regions(moments, self._liveliness, training.seed)
        metrics = with_held_out(self._expected, train, validation)
        training.on_epoch(1, 1, metrics)
        return [metrics]

    def generate(self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0) -> Float32:
        dances = [
            self._dance(one, steps, temperature, np.random.default_rng([rng, number]))
            for number, one in enumerate(np.asarray(seed, np.float32))
        ]
        return np.stack(dances)

    def _prepare(self) -> None:
        """Find the latents `(m,)` that a movement can be followed from, what these moments look like, how far the way
        to each latent is, and how lively its following.
        """
        numbers = np.arange(len(self._latents))
        inside = numbers - self._clip_starts() >= self.context - 1
        left = self._stops - 1 - numbers
        enough = left >= min(self.options.shortest, int(left[inside].max()))
        begins = np.flatnonzero(inside & enough)
        self._begins = begins[:: ceil(len(begins) / MOST_MOMENTS)]
        self._moments = self._moments_at(self._begins)
        self._way = self._ways()
        self._liveliness = self._followed_speed()

    def _ways(self) -> Float64:
        """The way from the first latent to each, `(n,)`: 1 for a mean frame, 0 from one clip to the next."""
        linked = np.arange(1, len(self._latents)) < self._stops[:-1]
        steps = np.where(linked, np.linalg.norm(np.diff(self._latents, axis=0), axis=1), 0)
        return np.concatenate([[0.0], np.cumsum(steps, dtype=np.float64) / max(steps[linked].mean(), 1e-9)])

    def _followed_speed(self) -> Float32:
        """How fast what follows each latent is, `(n,)`: the mean change over the shortest movement, 1 on average."""
        numbers = np.arange(len(self._latents))
        ends = np.minimum(numbers + self.options.shortest, self._stops - 1)
        speed = (self._way[ends] - self._way[numbers]) / np.maximum(ends - numbers, 1)
        mean = max(float(speed.mean()), 1e-9)
        return np.asarray(np.maximum(speed / mean, LEAST_LIVELINESS), np.float32)

    def _clip_starts(self) -> Indices:
        """The first latent of each latent's clip, `(n,)`."""
        return np.searchsorted(self._stops, self._stops, side="left")

    def _moments_at(self, places: Indices) -> Float32:
        """Moments `(m, 3d)` that end at so many latents; before a clip's beginning its first latent stood still."""
        starts = self._clip_starts()[places]
        return self._moment(*(self._latents[np.maximum(places - back, starts)] for back in (0, 1, self.context - 1)))

    def _moment(self, last: Float32, before: Float32, first: Float32) -> Float32:
        weight = np.float32(self.options.movement)
        span = np.sqrt(np.float32(self.context - 1))
        return np.concatenate([last, weight * (last - before), weight * (last - first) / span], axis=-1)

    def _dance(self, seed: Float32, steps: int, temperature: float, rng: np.random.Generator) -> Float32:
        options, begins, moments = self.options, self._begins, self._moments
        squares = np.square(moments).sum(axis=1)
        regions = self._regions[begins]
        wanted = self._liveliness ** np.float32(LEANING * np.log2(np.clip(temperature, *LEANS)))
        real = np.bincount(self._regions, wanted, minlength=REGIONS * PACES) / wanted.sum()
        nearness = 1 / wanted[begins] ** 2
        shown = np.zeros_like(real)
        dance = np.empty((len(seed) + steps + options.longest, seed.shape[1]), np.float32)
        dance[: len(seed)] = seed
        now, around, rest = len(seed), 2 * options.longest, REST * options.longest
        free_from = np.zeros(len(self._latents), np.int64)
        while now < len(seed) + steps:
            moment = self._moment(dance[now - 1], dance[now - 2], dance[now - self.context])
            excess = ((shown + 1) / (shown.sum() * real + 1)) ** (2 * options.variety)
            distances = np.maximum(squares - 2 * moments @ moment + moment @ moment, 0)
            distances *= excess[regions].astype(np.float32) * nearness
            distances[free_from[begins] > now] *= FAR
            chosen = begins[_drawn(distances, options.neighbours, temperature, rng)]
            length = min(
                int(rng.integers(options.shortest, options.longest + 1)), int(self._stops[chosen]) - 1 - chosen
            )
            movement = self._latents[chosen : chosen + length + 1]
            kept = self._kept(chosen, np.arange(chosen + 1, chosen + length + 1))
            dance[now : now + length] = movement[1:] + kept * (dance[now - 1] - movement[0])
            shown += np.bincount(self._regions[chosen + 1 : chosen + length + 1], minlength=len(shown))
            now += length
            free_from[max(0, chosen - around) : chosen + length + around] = now + rest
        return dance[len(seed) : len(seed) + steps]

    def _kept(self, begin: int | Indices, then: Indices) -> Float32:
        """The share `(m, 1)` of the distance to a movement that is kept until it is at so many latents."""
        way = self._way[then] - self._way[begin]
        return np.asarray(self.options.persistence**way, np.float32)[:, None]

    def _expected(self, clips: Sequence[Float32]) -> dict[str, float]:
        """Loss and the paper's accuracy of what is nearest, on clips that were not learned."""
        windows = [clip[n - self.context : n + 1] for clip in clips for n in range(self.context, len(clip))]
        if not windows:
            return {}
        chosen = np.stack(windows[:: max(1, len(windows) // MEASURED)])
        asked = self._moment(chosen[:, -2], chosen[:, -3], chosen[:, 0])
        distances = np.square(self._moments).sum(axis=1) - 2 * asked @ self._moments.T
        nearest = self._begins[distances.argmin(axis=1)]
        beside = self._kept(nearest, nearest + 1) * (chosen[:, -2] - self._latents[nearest])
        guess = self._latents[nearest + 1] + beside
        return {"loss": mean_squared_error(chosen[:, -1], guess), "acc": argmax_agreement(chosen[:, -1], guess)}

    def save(self, folder: Path) -> None:
        np.savez(folder / "motion_field.npz", latents=self._latents, stops=self._stops, regions=self._regions)

    @classmethod
    def load(cls, folder: Path, options: MotionFieldOptions) -> Self:
        model = cls(options)
        with np.load(folder / "motion_field.npz", allow_pickle=False) as saved:
            model._latents, model._stops, model._regions = (saved[name] for name in ("latents", "stops", "regions"))
        model._prepare()
        return model


def _regions(moments: Float32, liveliness: Float32, seed: int) -> Indices:
    """Which region (k-means) and pace each moment belongs to, `(n,)`; in a region every pace has as many moments."""
    from scipy.cluster.vq import kmeans2, vq

    some = moments[:: ceil(len(moments) / 10_000)]
    with warnings.catch_warnings(action="ignore"):  # an empty region harms nothing
        centres, _ = kmeans2(some, min(REGIONS, len(some)), iter=8, minit="points", rng=seed)
    regions = np.asarray(vq(moments, centres)[0], np.int64)
    calm_first = np.lexsort((liveliness, regions))
    sizes = np.bincount(regions)
    firsts = np.cumsum(sizes) - sizes
    ranks = np.empty_like(regions)
    ranks[calm_first] = np.arange(len(regions)) - firsts[regions[calm_first]]
    return regions * PACES + ranks * PACES // sizes[regions]


def _drawn(distances: Float32, neighbours: int, temperature: float, rng: np.random.Generator) -> int:
    """One of the nearest, by `exp(-distance / (temperature · the mean distance of them))`."""
    count = min(neighbours, len(distances))
    near = np.argpartition(distances, count - 1)[:count]
    roots = np.sqrt(distances[near])
    if temperature == 0:
        return int(near[roots.argmin()])
    odds = np.exp(-(roots - roots.min()) / max(temperature * float(roots.mean()), 1e-9))
    return int(rng.choice(near, p=odds / odds.sum()))
