"""What a window of 1.6 s looks like and how it moves, in numbers that have names: by kind, so that one can say by what
two dances differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from deepdance.arrays import Float32, Float64, Int64, sample_evenly

SECONDS = 1.6
"""Of one window; 16 frames at 10 a second, the usual clip of video features (C3D, Tran et al., ICCV 2015)."""
SHORTEST = 4
"""Frames that a window has at least: an acceleration that changes needs as many."""
LAGS = (1, 2, 4, 8)
"""Frames between two poses whose distance is a speed."""
POSE = 24
"""Components of the distance field that tell a pose: finer ones hardly repeat."""
Measures = Mapping[str, Float64]
"""Measures of every frame, by name, cut into windows `(m, length)`."""


@dataclass(frozen=True)
class Windows:
    """`features`: by kind, `(m, k)`. `blocks` `(m,)`: the stretch of time that each lies in, in their order."""

    features: Mapping[str, Float64]
    blocks: Int64

    def __len__(self) -> int:
        return len(self.blocks)

    def sample(self, count: int) -> Self:
        """At most so many of them, evenly spread."""
        chosen = sample_evenly(len(self), count)
        features = {kind: values[chosen] for kind, values in self.features.items()}
        return type(self)(features, self.blocks[chosen])


def count_frames(fps: float) -> int:
    """The frames of one window."""
    return max(SHORTEST, round(SECONDS * fps))


def cut_windows(blocks: Int64, length: int) -> Int64:
    """First frames `(m,)` of windows that overlap by half and lie in one block; `blocks` has that of every frame."""
    if not len(blocks):
        return np.empty(0, np.int64)
    firsts = np.flatnonzero(np.diff(blocks, prepend=blocks[0] - 1))
    stops = [*firsts[1:], len(blocks)]
    begins = [np.arange(first, stop - length + 1, length // 2) for first, stop in zip(firsts, stops, strict=True)]
    return np.concatenate(begins).astype(np.int64)


def describe_windows(measures: Measures, coordinates: Float32, starts: Int64, length: int) -> dict[str, Float64]:
    """Features `(m, k)` by kind of the windows that begin at `starts` `(m,)`.

    `measures` are `measure_frames`' and `motion`, of every frame `(n,)`; `coordinates` `(n, c)` its distance field's.
    Each feature is a level, a spread or a logarithm, so that twice as much is as far at any size.
    """
    index = starts[:, None] + np.arange(length)
    frames = {name: values[index] for name, values in measures.items()}
    path = coordinates[index].astype(np.float64)
    return {
        "place": np.stack([frames[name].mean(axis=1) for name in ("x", "y", "bottom")], axis=1),
        "size": _describe_size(frames),
        "grey": _describe_grey(frames),
        "pieces": _describe_pieces(frames),
        "outline": _describe_outline(frames),
        "pose": path[:, :, :POSE].mean(axis=1),
        "speed": _describe_speed(frames, path),
        "acceleration": _describe_acceleration(path),
        "travel": _describe_travel(frames),
    }


def _describe_size(frames: Measures) -> Float64:
    means = (frames[name].mean(axis=1) for name in ("width", "height"))
    return np.stack([np.log(_measure_scale(frames)).mean(axis=1), *means], axis=1)


def _describe_grey(frames: Measures) -> Float64:
    """Pixels between black and white for each of outline: how many, and how steadily."""
    length = np.maximum(frames["perimeter"], 1)
    return _summarize(*(frames[name] / length for name in ("faint", "grey", "dark")))


def _describe_pieces(frames: Measures) -> Float64:
    counts = (np.log1p(SHORTEST * frames[name].mean(axis=1)) for name in ("bodies", "specks", "holes"))
    holes = np.log(frames["hole_area"].mean(axis=1) / np.maximum(frames["area"].mean(axis=1), 1e-4) + 1e-3)
    return np.stack([*counts, holes], axis=1)


def _describe_outline(frames: Measures) -> Float64:
    """How rough it is, and how thin what it encloses; beside the dancer's size, or a far one would seem thin."""
    scale = _measure_scale(frames)
    levels = frames["perimeter"] / scale, frames["thickness"] / scale, frames["limbs"]
    return np.stack([level.mean(axis=1) for level in levels], axis=1)


def _describe_speed(frames: Measures, path: Float64) -> Float64:
    """How far the pose goes in 1, 2, 4 and 8 frames, and how much of the body moves from frame to frame."""
    distances = [np.log1p(_measure_steps(path, lag).mean(axis=1)) for lag in LAGS if lag < path.shape[1]]
    motion = frames["motion"][:, 1:]  # the first is from a frame before the window
    levels = [np.log(level + 0.01) for level in (motion.mean(axis=1), motion.max(axis=1), motion.min(axis=1))]
    return np.stack([*distances, *levels, motion.std(axis=1) / (motion.mean(axis=1) + 0.01)], axis=1)


def _describe_acceleration(path: Float64) -> Float64:
    """How the speed changes, beside the speed: jerks, trembling, turns."""
    steps = np.diff(path, axis=1)
    changes, jerks = np.diff(steps, axis=1), np.diff(steps, n=2, axis=1)
    speed, change, jerk = (np.linalg.norm(values, axis=2) for values in (steps, changes, jerks))
    levels = [np.log1p(values.mean(axis=1)) for values in (speed, change, jerk)]
    turns = _measure_turns(steps, 1)
    return np.stack(
        [
            levels[1] - levels[0],
            levels[2] - levels[0],
            np.log1p(change.max(axis=1)) - levels[1],
            turns.mean(axis=1),
            turns.min(axis=1),
            _measure_turns(steps, 2).mean(axis=1),
            speed.std(axis=1) / (speed.mean(axis=1) + 1),
        ],
        axis=1,
    )


def _describe_travel(frames: Measures) -> Float64:
    """How the whole dancer moves over the picture and grows, in own sizes a frame, and how evenly."""
    scale = _measure_scale(frames)
    moves = [np.diff(frames[name], axis=1) / scale[:, 1:] for name in ("x", "y", "bottom")]
    moves.append(np.diff(np.log(scale), axis=1))
    changes = [np.diff(move, axis=1) for move in moves]
    means = [np.log(np.abs(values).mean(axis=1) + 1e-3) for values in (*moves, *changes)]
    return np.stack([*means, np.log(np.abs(moves[-1]).max(axis=1) + 1e-3)], axis=1)


def _measure_scale(frames: Measures) -> Float64:
    """The side of a square as big as the dancer; a frame without one counts as one with a speck."""
    return np.asarray(np.sqrt(np.maximum(frames["area"], 1e-4)))


def _measure_steps(path: Float64, lag: int) -> Float64:
    return np.asarray(np.linalg.norm(path[:, lag:] - path[:, :-lag], axis=2))


def _measure_turns(steps: Float64, lag: int) -> Float64:
    """Cosines between steps and those `lag` later: 1 goes straight on, -1 back."""
    sizes = np.linalg.norm(steps, axis=2)
    products = np.sum(steps[:, lag:] * steps[:, :-lag], axis=2)
    return np.asarray(products / (sizes[:, lag:] * sizes[:, :-lag] + 1))


def _summarize(*values: Float64) -> Float64:
    """Mean and spread `(m, 2 · k)` over each window."""
    return np.stack([level for value in values for level in (value.mean(axis=1), value.std(axis=1))], axis=1)
