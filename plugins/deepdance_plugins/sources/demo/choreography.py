"""The order in which a seed strings the moves together, endlessly."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from deepdance_plugins.sources.demo.moves import MOVE_BEATS, MOVES, Move, Pose, ease, mirror, mix, spin

PHRASE_MOVES = 4
FACINGS = (-0.9, -0.45, -0.2, 0.0, 0.0, 0.2, 0.45, 0.9, 1.3)


class Step(NamedTuple):
    """One move of the dance, and how it is danced."""

    move: Move
    mirror: bool
    facing: float

    def pose(self, beat: float) -> Pose:
        """The pose at a beat counted from the step's own start."""
        pose = self.move(beat)
        return mirror(pose) if self.mirror else pose

    def turn(self, beat: float) -> float:
        """Extra turning within the step; a whole number of turns at its end."""
        if self.move is not spin:
            return 0.0
        return math.copysign(2 * math.pi * ease((beat - 0.6) / 2.7), -1.0 if self.mirror else 1.0)


@lru_cache(maxsize=64)
def _draw_phrases(seed: int) -> list[list[Step]]:
    """The song's phrases: every move once, always in the same company."""
    rng = np.random.default_rng((seed, 1))
    steps = [Step(MOVES[i], bool(rng.integers(2)), float(rng.choice(FACINGS))) for i in rng.permutation(len(MOVES))]
    return [steps[i : i + PHRASE_MOVES] for i in range(0, len(steps), PHRASE_MOVES)]


@lru_cache(maxsize=256)
def _draw_step(seed: int, index: int) -> Step:
    """Step `index` of the endless dance: the phrases, in a new order each time round, some mirrored."""
    phrases = _draw_phrases(seed)
    place, number = divmod(max(index, 0), PHRASE_MOVES)
    verse, phrase = divmod(place, len(phrases))
    rng = np.random.default_rng((seed, 2, verse))
    order, mirror = rng.permutation(len(phrases)), rng.integers(2, size=len(phrases))
    step = phrases[order[phrase]][number]
    return Step(step.move, not step.mirror, -step.facing) if mirror[phrase] else step


def dance_at(seed: int, beat: float) -> tuple[Pose, float]:
    """The pose and the direction faced (radians to the left) at a beat; steps melt together around their borders."""
    index, local = int(beat // MOVE_BEATS), beat % MOVE_BEATS
    here = _draw_step(seed, index)
    other, weight, other_beat = here, 0.0, local
    if local < 0.5:
        other, weight, other_beat = _draw_step(seed, index - 1), ease(0.5 - local), local + MOVE_BEATS
    elif local > MOVE_BEATS - 0.5:
        other, weight, other_beat = _draw_step(seed, index + 1), ease(local - MOVE_BEATS + 0.5), local - MOVE_BEATS
    pose = mix(here.pose(local), other.pose(other_beat), weight)
    facing = (1 - weight) * here.facing + weight * other.facing
    return add_groove(pose, beat), facing + here.turn(local)


def add_groove(pose: Pose, beat: float) -> Pose:
    """The knees and the head go along with every beat."""
    down = (1 + math.cos(2 * math.pi * beat)) / 2
    (left, up, ahead), (nod, turn, lean) = pose.pelvis, pose.head
    return pose._replace(pelvis=(left, up - 0.028 * down, ahead), head=(nod + 0.1 * down, turn, lean))
