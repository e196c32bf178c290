"""Where latents lie and how they change: what networks that predict them are scaled by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepdance.interfaces import Float32

LEAST_CHANGE = 0.03
"""Of the largest change. A codec may have more numbers than its training frames have directions: the rest stand still
there, and move in held-out frames, whose loss would be in the thousands if it were told in such changes."""


def measure_scales(clips: Sequence[Float32]) -> dict[str, Float32]:
    """Where latents `(n, d)` lie and how they change from one to the next: float32 `(d,)` each.

    `mean`, `low` and `high` are those of each number, `change` the standard deviation of its steps; `spread` is one
    standard deviation for all. No `change` is less than `LEAST_CHANGE` of the largest. There is a clip of at
    least two latents.
    """
    latents = np.concatenate(clips)
    # One spread for all numbers, so that distances keep their meaning and a number that hardly says anything stays
    # small.
    change = np.concatenate([np.diff(clip, axis=0) for clip in clips]).std(axis=0)
    return {
        "mean": latents.mean(axis=0),
        "spread": np.maximum(np.sqrt(latents.var(axis=0).mean()), np.float32(1e-6)),
        "change": np.maximum(change, max(LEAST_CHANGE * float(change.max()), 1e-6)).astype(np.float32),
        "low": latents.min(axis=0),
        "high": latents.max(axis=0),
    }
