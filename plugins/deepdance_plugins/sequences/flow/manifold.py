"""Where real latents lie, and the way back for those that have strayed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deepdance.interfaces import Float32
from deepdance.metrics.distributions import squared_distances
from deepdance_plugins._keras.backend import keras

LANDMARKS = 16_000
NEIGHBOURS = 3
REACH_PERCENTILE = 20
"""A latent is off the manifold if it is farther from its neighbours than this percentile of real ones from theirs."""


def landmarks(clips: Sequence[Float32]) -> tuple[Float32, Float32]:
    """At most 16,000 latents `(m, d)`, evenly spaced, and how far real latents are from them, `()`.

    The distance is the root mean square to the nearest three of other clips: those of a latent's own are too near.
    """
    latents = np.concatenate(clips)
    owners = np.repeat(np.arange(len(clips)), [len(clip) for clip in clips])
    chosen = np.unique(np.linspace(0, len(latents) - 1, min(LANDMARKS, len(latents))).astype(int))
    asked = chosen[:: max(1, len(chosen) // 512)]
    squares = squared_distances(latents[asked], latents[chosen])
    other = owners[asked][:, None] != owners[chosen][None]
    squares = np.where(other, squares, np.inf) if other.any(axis=1).all() else squares
    count = min(NEIGHBOURS, len(chosen))
    nearest = np.sort(squares, axis=1)[:, :count]
    distances = np.sqrt(np.where(np.isfinite(nearest), nearest, 0).mean(axis=1))
    return latents[chosen], np.asarray(max(np.percentile(distances, REACH_PERCENTILE), 1e-6), np.float32)


def drawn_back(latents: Any, marks: Any, reach: Any, strength: float) -> Any:
    """Latents `(b, d)` farther than `reach` from landmarks, moved back by `strength` of the excess; others stay."""
    ops = keras().ops
    count = min(NEIGHBOURS, marks.shape[0])
    squares = ops.sum(latents**2, axis=1)[:, None] + ops.sum(marks**2, axis=1) - 2 * latents @ ops.transpose(marks)
    nearness, where = ops.top_k(-ops.maximum(squares, 0), count)
    weights = ops.softmax(4 * nearness / reach**2, axis=-1)
    home = ops.sum(weights[..., None] * ops.take(marks, where, axis=0), axis=1)
    distance = ops.sqrt(ops.mean(-nearness, axis=-1, keepdims=True))
    return latents + strength * ops.maximum(0.0, 1 - reach / ops.maximum(distance, reach)) * (home - latents)
