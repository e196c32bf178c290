"""Where real latents lie, and the way back for those that have strayed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepdance.interfaces import Float32
from deepdance.metrics.distributions import squared_distances
from deepdance_plugins.networks.backend import KerasTensor, ops

LANDMARKS = 16_000
NEIGHBOURS = 3
REACH_PERCENTILE = 20
"""A latent is off the manifold if it is farther from its neighbours than this percentile of real ones from theirs."""
SHARPNESS = 4
"""How much more the nearer of the neighbours count."""


def choose_landmarks(clips: Sequence[Float32]) -> tuple[Float32, Float32]:
    """At most 16,000 latents `(m, d)`, evenly spaced, and how far real latents are from them, `()`.

    The distance is the root mean square to the nearest three of other clips: those of a latent's own are too near.
    """
    latents = np.concatenate(clips)
    clip_numbers = np.repeat(np.arange(len(clips)), [len(clip) for clip in clips])
    chosen = np.unique(np.linspace(0, len(latents) - 1, min(LANDMARKS, len(latents))).astype(int))
    probes = chosen[:: max(1, len(chosen) // 512)]
    squares = squared_distances(latents[probes], latents[chosen])
    other_clip = clip_numbers[probes][:, None] != clip_numbers[chosen][None]
    squares = np.where(other_clip, squares, np.inf) if other_clip.any(axis=1).all() else squares
    count = min(NEIGHBOURS, len(chosen))
    nearest = np.sort(squares, axis=1)[:, :count]
    distances = np.sqrt(np.where(np.isfinite(nearest), nearest, 0).mean(axis=1))
    return latents[chosen], np.asarray(max(np.percentile(distances, REACH_PERCENTILE), 1e-6), np.float32)


def pull_back(latents: KerasTensor, landmarks: KerasTensor, reach: KerasTensor, strength: float) -> KerasTensor:
    """Latents `(b, d)` farther than `reach` from landmarks, moved back by `strength` of what is beyond; others stay."""
    count = min(NEIGHBOURS, landmarks.shape[0])
    # |a - b|² = |a|² + |b|² - 2ab: one matrix product in place of a (b, m, d) array of differences. Rounding can make
    # it negative.
    norms = ops.sum(latents**2, axis=1)[:, None] + ops.sum(landmarks**2, axis=1)
    negative_squares, nearest = ops.top_k(-ops.maximum(norms - 2 * latents @ ops.transpose(landmarks), 0), count)
    # A softmax, so that the target moves smoothly when another landmark becomes one of the nearest.
    weights = ops.softmax(SHARPNESS * negative_squares / reach**2, axis=-1)
    target = ops.sum(weights[..., None] * ops.take(landmarks, nearest, axis=0), axis=1)
    distance = ops.sqrt(ops.mean(-negative_squares, axis=-1, keepdims=True))
    share_beyond = ops.maximum(0.0, 1 - reach / ops.maximum(distance, reach))
    return latents + strength * share_beyond * (target - latents)
