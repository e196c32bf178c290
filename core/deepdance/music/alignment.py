"""A dance's clock bent so that its movements come to rest on the beats of music, and how well they do.

A movement's own beats are the moments where it is slowest, as in AIST++ (Li et al. 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from deepdance.arrays import Bools, Float32, Float64

SLOWEST, FASTEST = 0.8, 1.25
"""How many seconds of the dance may pass in a second of the finished one."""
DRIFT = 2.0
"""Seconds by which a bent clock may be ahead or behind."""
STEP = 1 / 120
"""Seconds between the places that a beat may have."""
SMOOTHING = 2.5 / 60
"""Standard deviation in seconds of the smoothing of the speed, half of Bailando's: keyframes are smooth already."""
SIGMA = 3 / 60
"""Seconds from a beat at which a movement counts `exp(-1/2)`: three frames at 60 a second, as in Bailando and EDGE."""
AIM = 0.03
"""Standard deviation in seconds of the reward for a movement's beat that lies near one of the music."""
DEEP = 1.0
"""Mean speeds by which a rest lies under the movement around it, to draw a beat fully; a mere dent draws half."""
AROUND = 0.25
"""Seconds on each side in which a rest is compared."""
EVENNESS = 0.3
"""What an interval at a bound of the speed costs, where a clear rest on a beat gains 1."""
MET = 0.6
"""The score from which on a dance keeps time."""
DRAWS = 200
"""Random placings whose mean score is told."""


@dataclass(frozen=True)
class BeatAlignment:
    """Bailando's beat alignment score (Siyao et al. 2022) of a dance: 1 where it rests on every beat of the music.

    It is the mean over the music's beats of exp(-d² / 2σ²), d being the seconds to the nearest rest of the pictures and
    σ `SIGMA`. `before` is that of the same dance on its own clock, `random` that of as many rests at random.
    """

    score: float
    before: float
    random: float
    beats: int

    @property
    def sentence(self) -> str:
        """In one line."""
        scores = f"beat alignment {self.score:.2f} ({self.before:.2f} before, {self.random:.2f} at random)"
        verdict = "It keeps time" if self.score >= MET else "It is often off the beat (another --seed may not be)"
        return f"{verdict}: {scores}, {self.beats} beats."


def find_rests(steps: Float64, cuts: Bools, fps: float) -> tuple[Float64, Float64]:
    """The beats of a movement in seconds, rising, and how deep each is, in mean speeds.

    `steps` `(n - 1,)` are how much each frame differs from the one before it, in any unit; `cuts` `(n,)` begin a shot.
    """
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d
    from scipy.signal import argrelmin

    if not _moves(cuts):
        return np.empty(0), np.empty(0)
    speed = gaussian_filter1d(_bridge_cuts(steps, cuts), SMOOTHING * fps)
    rests = argrelmin(speed)[0]
    highest = maximum_filter1d(speed, 2 * round(AROUND * fps) + 1)
    depths: Float64 = (highest - speed)[rests] / max(float(speed.mean()), 1e-9)
    return (rests + _find_vertex(speed, rests) + 0.5) / fps, depths


def _moves(cuts: Bools) -> bool:
    """Whether there are enough steps within shots for one to be slower than those around it."""
    return int((~cuts[1:]).sum()) >= 3


def _bridge_cuts(steps: Float64, cuts: Bools) -> Float64:
    """A cut is no movement: the speed into it is that around it."""
    moving = np.flatnonzero(~cuts[1:])
    return np.interp(np.arange(len(steps)), moving, steps[moving])


def _find_vertex(curve: Float64, places: np.ndarray) -> Float64:
    """Where between samples a parabola through each place and its neighbours is lowest, from -1/2 to 1/2."""
    before, here, after = (curve[places + step] for step in (-1, 0, 1))
    offset: Float64 = (before - after) / (2 * np.maximum(before - 2 * here + after, 1e-12))
    return np.clip(offset, -0.5, 0.5)


@dataclass(frozen=True)
class Clock:
    """Which moment of a dance is seen when: a monotone curve through `places` at `times`, both in seconds.

    Its speed is within `SLOWEST` and `FASTEST` at every moment; after its last time it is 1.
    """

    times: Float64
    places: Float64

    def read(self, times: Float64) -> Float64:
        """The dance's moments at rising `times`, none before 0."""
        secants = np.diff(self.places) / np.diff(self.times)
        left, right = self._find_slopes(secants)
        number = np.clip(np.searchsorted(self.times, times, side="right") - 1, 0, len(secants) - 1)
        width = self.times[number + 1] - self.times[number]
        t = np.minimum((times - self.times[number]) / width, 1)
        a, b, secant = left[number], right[number], secants[number]
        inside = width * t * (a + t * (3 * secant - 2 * a - b + t * (a + b - 2 * secant)))
        read: Float64 = self.places[number] + inside + np.maximum(times - self.times[-1], 0)
        return read

    def _find_slopes(self, secants: Float64) -> tuple[Float64, Float64]:
        """The speeds at both ends of each interval: their neighbours' mean, as far as the bounds allow.

        A cubic stays over `SLOWEST` if its ends exceed that by no more than three times as much as its secant does, and
        alike under `FASTEST` (Fritsch and Carlson 1980, on what is left when the bound is taken off). Where two
        neighbours do not allow the same, the speed jumps, which a resting body hides.
        """
        middle = np.concatenate([[1.0], (secants[1:] + secants[:-1]) / 2, [1.0]])
        low = np.maximum(SLOWEST, 3 * secants - 2 * FASTEST)
        high = np.minimum(FASTEST, 3 * secants - 2 * SLOWEST)
        return np.clip(middle[:-1], low, high), np.clip(middle[1:], low, high)


def align(rests: Float64, depths: Float64, beats: Float64) -> Clock:
    """The clock that brings the `rests` of a dance to rising `beats`, by dynamic programming.

    Each beat is given a place within `DRIFT` of its own time, so that no interval leaves the bounds of the speed, many
    beats meet a deep rest, and the speed is seldom far from 1.
    """
    times = np.concatenate([[0.0], beats[beats > STEP]])
    offsets = np.arange(-round(DRIFT / STEP), round(DRIFT / STEP) + 1)
    best = np.where(offsets == 0, 0.0, -np.inf)
    back = []
    for before, here in pairwise(times):
        best, came = _move(best, here - before)
        best = best + _reward(here + offsets * STEP, rests, depths)
        back.append(came)
    chosen = [int(best.argmax())]
    for came in reversed(back):
        chosen.append(int(came[chosen[-1]]))
    return Clock(*_end(times, times + offsets[chosen[::-1]] * STEP))


def _move(best: Float64, seconds: float) -> tuple[Float64, np.ndarray]:
    """The best value of each offset after an interval, and the offset that it comes from."""
    least, most = (int(np.fix((bound - 1) * seconds / STEP)) for bound in (SLOWEST, FASTEST))
    changes = np.arange(least, most + 1)
    price = EVENNESS * (np.log1p(changes * STEP / seconds) / np.log(FASTEST)) ** 2
    padded = np.pad(best, (most, -least), constant_values=-np.inf)
    options = np.stack([padded[most - k : most - k + len(best)] for k in changes]) - price[:, None]
    came = options.argmax(axis=0)
    return options.max(axis=0), np.arange(len(best)) - changes[came]


def _reward(places: Float64, rests: Float64, depths: Float64) -> Float64:
    near = slice(*np.searchsorted(rests, (places[0], places[-1])))
    bells = np.exp(-0.5 * ((places[:, None] - rests[near]) / AIM) ** 2)
    reward: Float64 = (bells * (1 + np.minimum(depths[near] / DEEP, 1)) / 2).max(axis=1, initial=0)
    return reward


def _end(times: Float64, places: Float64) -> tuple[Float64, Float64]:
    """With a last interval at the dance's own speed, which eases out."""
    return np.append(times, times[-1] + 1), np.append(places, places[-1] + 1)


@dataclass(frozen=True)
class BentDance:
    """A dance on another clock: `latents` `(n, d)` at `fps`, which of them begin a shot, and when each was its turn.

    `moments` `(n,)` are those of its own clock, `beats` those that it was bent to, all in seconds.
    """

    latents: Float32
    cuts: Bools
    moments: Float64
    beats: Float64
    fps: float

    def measure(self, steps: Float64) -> BeatAlignment:
        """How well its pictures keep to the beats; `steps` `(n - 1,)` are how much each differs from the one before.

        Those on its own clock are the same pictures at other times, so that none need be drawn.
        """
        if not _moves(self.cuts):
            return BeatAlignment(0.0, 0.0, 0.0, len(self.beats))
        after, _ = find_rests(steps, self.cuts, self.fps)
        before, _ = find_rests(*self._undo(steps), self.fps)
        reached = self.beats[self.beats < self.moments[-1]]
        chance = score_random(len(after), len(self.moments) / self.fps, self.beats)
        scores = score_alignment(after, self.beats), score_alignment(before, reached)
        return BeatAlignment(*scores, chance, len(self.beats))

    def _undo(self, steps: Float64) -> tuple[Float64, Bools]:
        """The steps that the dance has on its own clock, none of them a cut."""
        speeds = _bridge_cuts(steps, self.cuts) / np.diff(self.moments)
        middles = (self.moments[1:] + self.moments[:-1]) / 2
        times = np.arange(0.5, self.moments[-1] * self.fps) / self.fps
        return np.interp(times, middles, speeds), np.zeros(len(times) + 1, bool)


def score_alignment(rests: Float64, beats: Float64) -> float:
    """The beat alignment score of `rests` to the music's `beats`, both in seconds; 0 without any."""
    if not len(rests) or not len(beats):
        return 0.0
    right = np.clip(np.searchsorted(rests, beats), 1, max(len(rests) - 1, 1))
    nearest = np.minimum(np.abs(rests[right - 1] - beats), np.abs(rests[right % len(rests)] - beats))
    return float(np.exp(-0.5 * (nearest / SIGMA) ** 2).mean())


def score_random(count: int, seconds: float, beats: Float64) -> float:
    """The mean score of `count` rests anywhere in so many seconds."""
    rng = np.random.default_rng(0)
    draws = (np.sort(rng.uniform(0, seconds, count)) for _ in range(DRAWS))
    return float(np.mean([score_alignment(draw, beats) for draw in draws]))
