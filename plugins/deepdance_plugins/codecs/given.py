"""What every codec does with frames that are missing and with latents that are no numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deepdance.errors import InputError
from deepdance.frames import BACKGROUND, Silhouettes
from deepdance.interfaces import Float32, UInt8


def check_frames(train: Silhouettes) -> None:
    """Raise InputError unless there is a frame to learn from."""
    if not len(train):
        raise InputError("expected at least one frame to learn from, got none; give a longer video")


def finite_decoded(decode: Callable[[Float32], UInt8], latents: Float32, size: tuple[int, int]) -> UInt8:
    """`decode` of the latents that are finite, and background for the others: `(n, height, width)`."""
    frames = np.full((len(latents), *size), BACKGROUND, np.uint8)
    finite = np.isfinite(latents).all(axis=1)
    if finite.any():
        frames[finite] = decode(latents[finite])
    return frames
