"""`texture`: video textures, real moments in a new order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from deepdance.interfaces import Float32, History, Metrics, SequenceModel, Training
from deepdance.metrics.accuracy import argmax_agreement, mean_squared_error
from deepdance_plugins.sequences.texture.neighbours import Moments
from deepdance_plugins.sequences.texture.options import TextureOptions

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
TAPS: Float32 = np.array([0.125, 0.375, 0.375, 0.125], np.float32)
"""The binomial weights of the paper's filter, for the latents 1 before to 2 after a moment."""
FUTURE = 0.97
"""The paper's alpha: how much a frame on the way to a bad end counts."""
ROUNDS = 100
STILLNESS = 0.1
"""What a moment that stands still counts as moving, in shares of the mean."""
LOG_SIGMAS = (-4.0, 5.0)
"""Between these lies the logarithm of sigma, beside the mean cost of a way."""


class Texture(SequenceModel[TextureOptions]):
    """Video textures (Schödl, Szeliski, Salesin and Essa 2000): play on, or jump to a similar moment and play on there.

    Two moments `i` and `j` are `D'_ij = sum of w_k |x_(i+k) - x_(j+k)|²` apart, so that their motion agrees too (the
    paper's section 3.1; beyond a clip's end its last latent stands still). It is told in proportion to how much `i` and
    `j` move: a dance that takes the cheapest jumps would seek the moments that stand still. What comes next from `i` is
    `i + 1` at no cost, or `j + 1` for a similar `j`, at `D'_ij`; and leads to `F_i = min over next of (cost + alpha
    F_next)` (section 3.2), so that a jump comes before a clip ends and not after. A next is drawn with a probability in
    proportion to `exp(-(cost + alpha F_next) / sigma)`. `sigma` is such that jumps come as often as `every` says;
    temperature multiplies it, and 0 takes the cheapest way. After a jump `hold` latents are played at least. What
    differs at a jump fades over `blend`.
    """

    def __init__(self, options: TextureOptions) -> None:
        super().__init__(options)
        self._latents: Float32 = np.empty((0, 0), np.float32)
        self._ends: Bools = np.empty(0, bool)
        self._similar: npt.NDArray[np.int32] = np.empty((0, 0), np.int32)
        self._cost: Float32 = np.empty((0, 0), np.float32)
        self._future: Floats = np.empty(0)
        self._sigma = 1.0
        self._hold = 0

    @property
    def context(self) -> int:
        return self.options.context

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        clips = [clip for clip in train if len(clip) > self.context]
        self._latents, self._ends = np.concatenate(clips), _ends(clips)
        self._hold = min(self.options.hold, max(map(len, clips)) // 4)
        moments = Moments(_windows(clips, TAPS, 1), _left(self._ends) > self._hold)
        apart = min(self.options.apart, len(self._latents) // 4)
        similar, cost = moments.most_similar(self.options.jumps, apart, training.on_progress)
        self._similar = similar.astype(np.int32)
        motion = _motion(clips)
        self._cost = cost / np.sqrt(motion[:, None] * motion[similar])
        self._future = self._anticipated()
        self._sigma = self._calibrated()
        metrics = self._measure(similar[:, 0]) | self._measure_held_out(validation)
        training.on_epoch(1, 1, metrics)
        return [metrics]

    def _ways(self) -> tuple[Ints, Floats]:
        """Where each latent may go, playing on first, and what that costs: both `(n, 1 + jumps)`."""
        numbers = np.arange(len(self._latents))
        targets = np.column_stack([np.minimum(numbers + 1, len(numbers) - 1), self._similar + 1])
        costs = np.column_stack([np.where(self._ends, np.inf, 0.0), self._cost])
        return targets, costs

    def _anticipated(self) -> Floats:
        """`F`, by playing the way of a jump back through its clip in each round until nothing changes."""
        targets, costs = self._ways()
        left = _left(self._ends)
        future = np.zeros(len(targets))
        for _ in range(ROUNDS):
            before = future
            future = _played_on((costs[:, 1:] + FUTURE * future[targets[:, 1:]]).min(axis=1), left)
            if np.allclose(future, before, rtol=1e-4):
                break
        return future

    def _calibrated(self) -> float:
        """The sigma at which a dance jumps once in `every` latents, by bisection.

        Where even the cheapest way jumps more often, as in a short video, it is the least that still leaves a choice.
        """
        targets, costs = self._ways()
        ways = costs + FUTURE * self._future[targets]
        draws = np.random.default_rng(0).random((16, 250))
        places = np.linspace(0, len(ways) - 1, 16, dtype=np.int64)
        low, high = np.log(ways[np.isfinite(ways)].mean() + 1e-12) + np.array(LOG_SIGMAS)
        for _ in range(16):
            middle = (low + high) / 2
            reached = np.cumsum(_chances(ways, np.exp(middle)), axis=1)
            paths = [
                _path(place, targets, reached, draw, self._hold) for place, draw in zip(places, draws, strict=True)
            ]
            rare = np.mean(np.diff(paths, axis=1) != 1) < 1 / self.options.every
            low, high = (middle, high) if rare else (low, middle)
        return float(np.exp(middle))

    def generate(self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0) -> Float32:
        targets, costs = self._ways()
        chances = _chances(costs + FUTURE * self._future[targets], self._sigma * temperature)
        reached = np.cumsum(chances, axis=1)
        dances = []
        for number, (last, place) in enumerate(zip(seed[:, -1], self._matching(seed), strict=True)):
            draws = np.random.default_rng([rng, number]).random(steps)
            dances.append(self._faded(last, place, _path(place, targets, reached, draws, self._hold)))
        return np.stack(dances)

    def _matching(self, windows: Float32) -> Ints:
        """The latents that end the training windows nearest to `windows` `(b, context, d)`, never a clip's last."""
        weights = np.ones(self.context, np.float32)
        clips = np.split(self._latents, np.flatnonzero(self._ends)[:-1] + 1)
        known = _windows(clips, weights, self.context - 1)
        asked = (windows * np.sqrt(weights)[:, None]).reshape(len(windows), -1)
        return Moments(known, ~self._ends).nearest(asked)

    def _faded(self, last: Float32, place: int, path: Ints) -> Float32:
        """The latents of a path; where it jumps, what differs from playing on is added and fades away."""
        dance = self._latents[path]
        weights = _fading(self.options.blend)[:, None]
        leaving = np.concatenate([[place], path[:-1]])
        jumps = np.flatnonzero(path != leaving + 1)
        dance[: len(weights)] += (weights * (last - self._latents[place]))[: len(path)]
        for jump in jumps:
            here = self._latents[leaving[jump]]
            stretch = dance[jump : jump + len(weights)]
            stretch += (weights * (here - self._latents[path[jump] - 1]))[: len(stretch)]
        return dance

    def _measure(self, similar: Ints) -> Metrics:
        """How well each latent's most similar moment, its difference fading, tells what comes next."""
        here = np.flatnonzero(~self._ends)
        return self._figures(self._latents[here], similar[here], self._latents[here + 1])

    def _measure_held_out(self, clips: Sequence[Float32]) -> Metrics:
        usable = [clip for clip in clips if len(clip) > self.context]
        if not usable:
            return {}
        views = [np.lib.stride_tricks.sliding_window_view(clip, self.context, axis=0)[:-1] for clip in usable]
        windows = np.concatenate(views).swapaxes(1, 2)
        truth = np.concatenate([clip[self.context :] for clip in usable])
        figures = self._figures(windows[:, -1], self._matching(windows), truth)
        return {f"val_{name}": value for name, value in figures.items()}

    def _figures(self, here: Float32, similar: Ints, truth: Float32) -> Metrics:
        weight = _fading(self.options.blend)[:1].sum()
        predicted = self._latents[similar + 1] + weight * (here - self._latents[similar])
        return {"loss": mean_squared_error(truth, predicted), "acc": argmax_agreement(truth, predicted)}

    def save(self, folder: Path) -> None:
        np.savez(
            folder / "texture.npz",
            latents=self._latents,
            ends=self._ends,
            similar=self._similar,
            cost=self._cost,
            future=self._future,
            sigma=np.array(self._sigma),
            hold=np.array(self._hold),
        )

    @classmethod
    def load(cls, folder: Path, options: TextureOptions) -> Self:
        model = cls(options)
        with np.load(folder / "texture.npz", allow_pickle=False) as saved:
            model._latents, model._ends = saved["latents"], saved["ends"]
            model._similar, model._cost = saved["similar"], saved["cost"]
            model._future, model._sigma, model._hold = saved["future"], float(saved["sigma"]), int(saved["hold"])
        return model


def _windows(clips: Sequence[Float32], weights: Float32, before: int) -> Float32:
    """Each latent with its neighbours, from `before` back on, times the roots of `weights`: `(n, len(weights) · d)`."""
    rows = []
    for clip in clips:
        around = np.arange(len(clip))[:, None] + np.arange(len(weights)) - before
        near = clip[np.clip(around, 0, len(clip) - 1)]
        rows.append((near * np.sqrt(weights)[:, None]).reshape(len(clip), -1))
    return np.concatenate(rows)


def _ends(clips: Sequence[Float32]) -> Bools:
    """Which of all latents are the last of their clip."""
    ends = np.zeros(sum(map(len, clips)), bool)
    ends[np.cumsum([len(clip) for clip in clips]) - 1] = True
    return ends


def _motion(clips: Sequence[Float32]) -> Float32:
    """The squared change around each latent, over a second or so, as a share of the mean; a bit more than 0."""
    squares = [np.square(np.diff(clip, axis=0, append=clip[-1:])).sum(axis=1) for clip in clips]
    smooth = np.concatenate([np.convolve(square, np.full(9, 1 / 9), "same")[: len(square)] for square in squares])
    motion: Float32 = (smooth / max(smooth.mean(), 1e-12) + STILLNESS).astype(np.float32)
    return motion


def _left(ends: Bools) -> Ints:
    """How many latents of its clip follow each."""
    last = np.flatnonzero(ends)
    numbers = np.arange(len(ends))
    return last[np.searchsorted(last, numbers)] - numbers


def _played_on(cost: Floats, left: Ints) -> Floats:
    """`min over k of alpha^k cost_(i+k)` within the clip: jump now or `k` latents later."""
    best, step = cost.copy(), 1
    while step <= left.max():
        early = np.flatnonzero(left >= step)
        best[early] = np.minimum(best[early], FUTURE**step * best[early + step])
        step *= 2
    return best


def _chances(ways: Floats, sigma: float) -> Floats:
    """The probability of each way, rows adding up to 1."""
    with np.errstate(over="ignore"):
        weights = np.exp(-(ways - ways.min(axis=1, keepdims=True)) / max(sigma, 1e-300))
    chances: Floats = weights / weights.sum(axis=1, keepdims=True)
    return chances


def _path(place: int, targets: Ints, reached: Floats, draws: Floats, hold: int) -> Ints:
    """The latents visited after `place`, by a number in [0, 1) each and the summed chances of the ways."""
    path = np.empty(len(draws), np.int64)
    held = 0
    for step, draw in enumerate(draws):
        way = 0 if held else reached[place].searchsorted(draw * reached[place, -1], side="right")
        held = hold if way else max(held - 1, 0)
        path[step] = place = targets[place, way]
    return path


def _fading(blend: int) -> Float32:
    """`blend` weights from nearly 1 down to nearly 0."""
    return (1 - np.arange(1, blend + 1) / (blend + 1)).astype(np.float32)
