"""How a dance goes on from each latent: what a jump costs, what it leads to, and how often one comes.

(Schödl, Szeliski, Salesin and Essa 2000, Video textures, section 3.) Transitions are arrays `(n, 1 + jumps)`: playing
on to the next latent is the first, and jumps to similar ones are the others.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Bools, Float64, Int64
from deepdance.interfaces import Float32

ALPHA = 0.97
"""The paper's: how much a frame on the way to a bad end counts."""
MOST_ROUNDS = 100
LOG_SIGMAS = (-4.0, 5.0)
"""Between these lies the logarithm of sigma, beside that of the mean cost of a transition."""
BISECTIONS = 16
TRIALS, TRIAL_STEPS = 16, 250
"""The dances, and the latents of each, in which jumps are counted to find sigma."""


def list_transitions(ends: Bools, similar: npt.NDArray[np.int32], cost: Float32) -> tuple[Int64, Float64]:
    """Where each latent may go, and what that costs: a jump to a similar latent shows the one after it."""
    numbers = np.arange(len(ends))
    targets = np.column_stack([np.minimum(numbers + 1, len(numbers) - 1), similar + 1])
    costs = np.column_stack([np.where(ends, np.inf, 0.0), cost])
    return targets, costs


def anticipate_costs(targets: Int64, costs: Float64, remaining: Int64) -> Float64:
    """`F_i = min over transitions of (cost + alpha F_target)`, `(n,)`: the paper's future cost, by its iteration.

    A plain round would carry the price of a clip's end back by one latent; here playing on is solved for the whole clip
    in each round, so that a few rounds, as many as a dance needs jumps to get anywhere, are enough.
    """
    future = np.zeros(len(targets))
    for _ in range(MOST_ROUNDS):
        before = future
        jump_now = (costs[:, 1:] + ALPHA * future[targets[:, 1:]]).min(axis=1)
        future = minimize_over_playing_on(jump_now, remaining)
        if np.allclose(future, before, rtol=1e-4):
            break
    return future


def minimize_over_playing_on(cost: Float64, remaining: Int64) -> Float64:
    """`min over k of alpha^k cost_(i+k)` within the clip: jump now or `k` latents later, `(n,)`."""
    best, step = cost.copy(), 1
    # By doubling: `best` covers the next `step` latents; with that of the latent `step` later it covers twice as many.
    while step <= remaining.max():
        inside = np.flatnonzero(remaining >= step)
        best[inside] = np.minimum(best[inside], ALPHA**step * best[inside + step])
        step *= 2
    return best


def add_future(targets: Int64, costs: Float64, future: Float64) -> Float64:
    """What transitions cost with all that they lead to: `cost + alpha F_target`."""
    return costs + ALPHA * future[targets]


def compute_probabilities(costs: Float64, sigma: float) -> Float64:
    """The probability of each transition, `exp(-cost / sigma)`, rows adding up to 1."""
    # Less the cheapest of the row, whose weight is then 1: no row vanishes however small sigma is, even 0.
    with np.errstate(over="ignore"):
        weights = np.exp(-(costs - costs.min(axis=1, keepdims=True)) / max(sigma, 1e-300))
    probabilities: Float64 = weights / weights.sum(axis=1, keepdims=True)
    return probabilities


def calibrate_sigma(targets: Int64, costs: Float64, every: float, hold: int) -> float:
    """The sigma at which a dance jumps once in `every` latents, by bisection of its logarithm.

    Where even the cheapest transitions jump more often, as in a short video, it is the least that leaves a choice.
    """
    # The draws are the same for every sigma, so that the rate of jumps hardly wavers where it should only rise.
    draws = np.random.default_rng(0).random((TRIALS, TRIAL_STEPS))
    starts = np.linspace(0, len(costs) - 1, TRIALS, dtype=np.int64)
    low, high = np.log(costs[np.isfinite(costs)].mean() + 1e-12) + np.array(LOG_SIGMAS)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        cumulative = np.cumsum(compute_probabilities(costs, np.exp(middle)), axis=1)
        drawn = [draw_path(start, targets, cumulative, draw, hold) for start, draw in zip(starts, draws, strict=True)]
        too_rare = np.mean(np.diff([path for path, _ in drawn], axis=1) != 1) < 1 / every
        low, high = (middle, high) if too_rare else (low, middle)
    return float(np.exp(middle))


def draw_path(
    place: int, targets: Int64, cumulative: Float64, draws: Float64, hold: int, held: int = 0
) -> tuple[Int64, int]:
    """The latents visited after `place`, by a number in [0, 1) each and the cumulative probabilities.

    For `held` of them only playing on is allowed; for how many more, at the end of the path, is told.
    """
    path = np.empty(len(draws), np.int64)
    for step, draw in enumerate(draws):
        # Scaled by the row's sum, which rounding leaves a little off 1.
        way = 0 if held else cumulative[place].searchsorted(draw * cumulative[place, -1], side="right")
        held = hold if way else max(held - 1, 0)
        path[step] = place = targets[place, way]
    return path, held


def find_ends(clips: list[Float32]) -> Bools:
    """Which of all latents are the last of their clip, `(n,)`."""
    ends = np.zeros(sum(map(len, clips)), bool)
    ends[np.cumsum([len(clip) for clip in clips]) - 1] = True
    return ends


def count_remaining(ends: Bools) -> Int64:
    """How many latents of its clip follow each, `(n,)`."""
    last = np.flatnonzero(ends)
    numbers = np.arange(len(ends))
    return last[np.searchsorted(last, numbers)] - numbers
