"""Small things to check components with: a figure that swings its arms, and latents that go round."""

from __future__ import annotations

import numpy as np

from deepdance.arrays import Float32, UInt8

SIZE = (24, 40)
"""Height and width of the figure's frames: divisible by 8, as networks want it."""
DIM = 8
"""Numbers of a latent vector."""
PERIOD = 16.0
"""Frames of a swing."""
GROUND, FIGURE = (250, 245, 235), (10, 5, 12)
"""Their colours, RGB."""


def make_silhouettes(count: int, size: tuple[int, int] = SIZE, *, first: int = 0) -> UInt8:
    """`(count, height, width)` anti-aliased silhouettes of a figure that sways and swings its arms."""
    height, width = size
    rows = (np.arange(height)[:, None] + 0.5) / height
    columns = (np.arange(width)[None] + 0.5) / height - width / height / 2
    frames = np.empty((count, *size), np.uint8)
    for number, frame in enumerate(frames, first):
        swing = np.sin(2 * np.pi * number / PERIOD)
        sway = 0.25 * np.sin(2 * np.pi * number / (3.7 * PERIOD))
        body = np.hypot((columns - sway) / 0.13, (rows - 0.6) / 0.3) - 1
        head = np.hypot(columns - sway, rows - 0.18) / 0.1 - 1
        arms = np.hypot((columns - sway) / 0.42, (rows - 0.45 - 0.6 * swing * (columns - sway)) / 0.06) - 1
        inside = np.minimum(np.minimum(0.13 * body, 0.1 * head), 0.06 * arms) * height
        frame[:] = np.rint(255 * np.clip(inside + 0.5, 0, 1))
    return frames


def make_pictures(count: int, size: tuple[int, int] = SIZE, *, first: int = 0) -> UInt8:
    """The figure as `(count, height, width, 3)` RGB frames, nearly black before a light ground."""
    light = make_silhouettes(count, size, first=first)[..., None].astype(np.float32) / 255
    frames: UInt8 = np.rint(light * np.array(GROUND) + (1 - light) * np.array(FIGURE)).astype(np.uint8)
    return frames


def make_latents(count: int, *, first: int = 0, dim: int = DIM) -> Float32:
    """`(count, dim)` latents that go round in two periods."""
    time = np.arange(first, first + count)[:, None]
    phase = 2 * np.pi * time / np.where(np.arange(dim) % 2, PERIOD, 1.7 * PERIOD)
    return np.sin(phase + np.arange(dim)).astype(np.float32)


def make_clips(context: int) -> tuple[list[Float32], list[Float32]]:
    """Training and held-out clips of latents, long enough for the context of a model."""
    length = max(64, 4 * context)
    train = [make_latents(length), make_latents(length // 2 + context, first=5)]
    return train, [make_latents(length // 4 + context, first=11)]
