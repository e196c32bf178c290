"""`texture`: video textures, real frames in a new order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from deepdance.array_files import load_arrays
from deepdance.arrays import Bools, Float64, Int64
from deepdance.interfaces import Float32, History, LatentStream, Metrics, StreamingModel, Training, as_one_shot
from deepdance.metrics.accuracy import argmax_agreement, mean_squared_error
from deepdance_plugins.sequences.texture.jumps import (
    add_future,
    anticipate_costs,
    calibrate_sigma,
    compute_probabilities,
    count_remaining,
    draw_path,
    find_ends,
    list_transitions,
)
from deepdance_plugins.sequences.texture.neighbours import NearestNeighbours
from deepdance_plugins.sequences.texture.options import TextureOptions

TAPS: Float32 = np.array([0.125, 0.375, 0.375, 0.125], np.float32)
"""The binomial weights of the paper's filter, for the latents 1 before to 2 after the one that is compared."""
MOTION_WINDOW = 9
"""Latents over which motion is averaged: about a second."""
STILLNESS = 0.1
"""What a latent that stands still counts as moving, in shares of the mean."""


class Texture(StreamingModel[TextureOptions]):
    """Video textures (Schödl, Szeliski, Salesin and Essa 2000): play on, or jump to a similar frame and play on there.

    Latents `i` and `j` are `D'_ij = sum of w_k |x_(i+k) - x_(j+k)|²` apart, so that their motion agrees too (section
    3.1; beyond a clip's end its last latent stands still). This is divided by how much `i` and `j` move: a
    dance that takes the cheapest jumps would seek frames that stand still. What comes next from `i` is `i + 1` at no
    cost, or `j + 1` for a similar `j`, at `D'_ij`; and leads to `F_i = min over next of (cost + alpha F_next)` (section
    3.2), so that a jump comes before a clip ends and not after. A next is drawn with a probability in proportion to
    `exp(-(cost + alpha F_next) / sigma)`. `sigma` is such that jumps come as often as `every` says; temperature
    multiplies it, and 0 takes the cheapest. After a jump `hold` latents are played at least. What differs at a jump
    fades over `blend`.
    """

    _latents: Float32
    _ends: Bools
    _similar: npt.NDArray[np.int32]
    _cost: Float32
    _future: Float64
    _sigma: float
    _hold: int

    @property
    def context(self) -> int:
        return self.options.context

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        clips = [clip for clip in train if len(clip) > self.context]
        self._latents, self._ends = np.concatenate(clips), find_ends(clips)
        self._hold = min(self.options.hold, max(map(len, clips)) // 4)
        remaining = count_remaining(self._ends)
        # A jump to where less than `hold` is left would have to run over the clip's end.
        neighbours = NearestNeighbours(_stack_windows(clips, TAPS, 1), remaining > self._hold)
        apart = min(self.options.apart, len(self._latents) // 4)
        similar, squares = neighbours.find_similar(self.options.jumps, apart, training.on_progress)
        self._similar = similar.astype(np.int32)
        motion = _measure_motion(clips)
        self._cost = squares / np.sqrt(motion[:, None] * motion[similar])
        targets, costs = list_transitions(self._ends, self._similar, self._cost)
        self._future = anticipate_costs(targets, costs, remaining)
        costs = add_future(targets, costs, self._future)
        self._sigma = calibrate_sigma(targets, costs, self.options.every, self._hold)
        metrics = self._measure(similar[:, 0]) | self._measure_held_out(validation)
        training.on_epoch(1, 1, metrics)
        return [metrics]

    def stream(self, seed: Float32, *, temperature: float = 1.0, rng: int = 0) -> LatentStream:
        targets, costs = list_transitions(self._ends, self._similar, self._cost)
        costs = add_future(targets, costs, self._future)
        weights = _fade(self.options.blend)[:, None]
        dances = [
            _Walk(self._latents, last, place, weights, np.random.default_rng([rng, number]))
            for number, (last, place) in enumerate(zip(seed[:, -1], self._locate(seed).tolist(), strict=True))
        ]
        return _TextureStream(dances, targets, costs, self._sigma, self._hold, temperature)

    def _locate(self, windows: Float32) -> Int64:
        """The latents that end the training windows nearest to `windows` `(b, context, d)`, never a clip's last."""
        weights = np.ones(self.context, np.float32)
        clips = np.split(self._latents, np.flatnonzero(self._ends)[:-1] + 1)
        known = _stack_windows(clips, weights, self.context - 1)
        return NearestNeighbours(known, ~self._ends).find_nearest(windows.reshape(len(windows), -1))

    def _measure(self, similar: Int64) -> Metrics:
        """How well each latent's most similar one, its difference fading, tells what comes next."""
        here = np.flatnonzero(~self._ends)
        return self._compare(self._latents[here], similar[here], self._latents[here + 1])

    def _measure_held_out(self, clips: Sequence[Float32]) -> Metrics:
        usable = [clip for clip in clips if len(clip) > self.context]
        if not usable:
            return {}
        views = [np.lib.stride_tricks.sliding_window_view(clip, self.context, axis=0)[:-1] for clip in usable]
        windows = np.concatenate(views).swapaxes(1, 2)
        truth = np.concatenate([clip[self.context :] for clip in usable])
        figures = self._compare(windows[:, -1], self._locate(windows), truth)
        return {f"val_{name}": value for name, value in figures.items()}

    def _compare(self, here: Float32, similar: Int64, truth: Float32) -> Metrics:
        weight = _fade(self.options.blend)[:1].sum()  # that of the first latent after a jump; 0 without a blend
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
        saved = load_arrays(folder / "texture.npz")
        model._latents, model._ends = saved["latents"], saved["ends"]
        model._similar, model._cost = saved["similar"], saved["cost"]
        model._future, model._sigma, model._hold = saved["future"], float(saved["sigma"]), int(saved["hold"])
        return model


class _TextureStream(LatentStream):
    """Walks through the latents, a dance each."""

    def __init__(
        self,
        walks: Sequence[_Walk],
        targets: Int64,
        costs: Float64,
        sigma: float,
        hold: int,
        temperature: float,
    ) -> None:
        super().__init__(temperature)
        self._walks, self._targets, self._costs, self._sigma, self._hold = walks, targets, costs, sigma, hold
        self._drawn_at = np.nan
        self._cumulative: Float64 = np.empty((0, 0))

    def advance(self, steps: int) -> tuple[Float32, Bools]:
        if self._drawn_at != self.temperature:
            probabilities = compute_probabilities(self._costs, self._sigma * self.temperature)
            self._cumulative, self._drawn_at = np.cumsum(probabilities, axis=1), self.temperature
        dances = [walk.advance(steps, self._targets, self._cumulative, self._hold) for walk in self._walks]
        return as_one_shot(np.stack(dances))


class _Walk:
    """One way through the latents; where it jumps, what differs from playing on is added and fades away."""

    def __init__(
        self, latents: Float32, last: Float32, place: int, weights: Float32, draws: np.random.Generator
    ) -> None:
        self._latents, self._place, self._weights, self._draws = latents, place, weights, draws
        self._held = 0
        self._fading = [(0, last - latents[place])]
        """Differences, and at which of the next steps each begins to fade: below 0, it has faded for some."""

    def advance(self, steps: int, targets: Int64, cumulative: Float64, hold: int) -> Float32:
        draws = self._draws.random(steps)
        path, self._held = draw_path(self._place, targets, cumulative, draws, hold, self._held)
        return self._blend(path)

    def _blend(self, path: Int64) -> Float32:
        """The latents of a path, with what fades there."""
        self._find_breaks(path)
        dance = self._latents[path]
        for begins, difference in self._fading:
            after = dance[max(begins, 0) : max(begins + len(self._weights), 0)]
            after += (self._weights * difference)[max(-begins, 0) :][: len(after)]
        still = [(begins - len(path), difference) for begins, difference in self._fading]
        self._fading = [(begins, difference) for begins, difference in still if begins + len(self._weights) > 0]
        self._place = int(path[-1])
        return dance

    def _find_breaks(self, path: Int64) -> None:
        sources = np.concatenate([[self._place], path[:-1]])
        for jump in np.flatnonzero(path != sources + 1).tolist():
            # The latent before the target stands where the dance was when it left: their difference is the break.
            self._fading.append((jump, self._latents[sources[jump]] - self._latents[path[jump] - 1]))


def _stack_windows(clips: Sequence[Float32], weights: Float32, before: int) -> Float32:
    """Each latent with its neighbours in time, from `before` back on, as a row: `(n, len(weights) · d)`.

    Latents are multiplied by the roots of `weights`, so that squared distances of rows are weighted by them.
    """
    rows = []
    for clip in clips:
        places = np.arange(len(clip))[:, None] + np.arange(len(weights)) - before
        windows = clip[np.clip(places, 0, len(clip) - 1)]
        rows.append((windows * np.sqrt(weights)[:, None]).reshape(len(clip), -1))
    return np.concatenate(rows)


def _measure_motion(clips: Sequence[Float32]) -> Float32:
    """The squared change around each latent, over a second or so, as a share of the mean; a bit more than 0."""
    squares = [np.square(np.diff(clip, axis=0, append=clip[-1:])).sum(axis=1) for clip in clips]
    kernel = np.ones(MOTION_WINDOW)  # the mean divides what it adds up
    # In a clip shorter than the kernel, "same" gives the kernel's length.
    smooth = np.concatenate([np.convolve(square, kernel, "same")[: len(square)] for square in squares])
    motion: Float32 = (smooth / max(smooth.mean(), 1e-12) + STILLNESS).astype(np.float32)
    return motion


def _fade(blend: int) -> Float32:
    """`blend` weights from nearly 1 down to nearly 0."""
    return (1 - np.arange(1, blend + 1) / (blend + 1)).astype(np.float32)
