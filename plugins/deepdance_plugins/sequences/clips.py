"""What sequence models ask of their clips before they learn, and of a seed before they go on from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepdance.errors import InputError
from deepdance.interfaces import Float32


def check_clips(train: Sequence[Float32], context: int) -> None:
    """Raise InputError unless a clip is longer than `context` and all latents are finite."""
    longest = max((len(clip) for clip in train), default=0)
    if longest <= context:
        raise InputError(f"expected a clip of more than {context} latents, got at most {longest}")
    broken = sum(int((~np.isfinite(clip).all(axis=1)).sum()) for clip in train)
    if broken:
        raise InputError(
            f"expected finite latents to learn from, got NaN or infinity in {broken}; the codec's training has "
            "diverged: try a smaller --set codec.learning_rate"
        )


def check_seed(seed: Float32) -> None:
    """Raise InputError unless a seed `(b, context, d)` is finite."""
    if not np.isfinite(seed).all():
        raise InputError("expected finite latents to start from, got NaN or infinity; start from other frames")


def latent_scales(clips: Sequence[Float32]) -> dict[str, Float32]:
    """Where latents lie and how they change, `(d,)` each; `spread` is one number for all."""
    latents = np.concatenate(clips)
    change = np.concatenate([np.diff(clip, axis=0) for clip in clips]).std(axis=0)
    return {
        "mean": latents.mean(axis=0),
        "spread": np.maximum(np.sqrt(latents.var(axis=0).mean()), np.float32(1e-6)),
        "change": np.maximum(change, max(1e-3 * float(change.mean()), 1e-6)).astype(np.float32),
        "low": latents.min(axis=0),
        "high": latents.max(axis=0),
    }
