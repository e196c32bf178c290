"""From a trained model to latents at the video's frame rate: where a dance starts, and what lies between its keys."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
import numpy.typing as npt

from deepdance.errors import InputError, OptionError
from deepdance.frames import Clip
from deepdance.interfaces import Float32
from deepdance.recipe import Recipe


def starting_latents(
    recipe: Recipe, context: int, latents: Float32, clips: Sequence[Clip], seed_clip: Float32 | None
) -> Float32:
    """The `(context, d)` latents that generation continues.

    `last` continues the last clip, `random` a moment that the recipe's seed picks, each as likely as any other. `noise`
    is the paper's: uniform in [0, 1). A frame number takes the latents from that frame on, and anything else is a video
    whose latents are given as `seed_clip`.
    """
    start = recipe.start
    if start == "noise":
        return np.random.default_rng(recipe.seed).random((context, latents.shape[1]), dtype=np.float32)
    if seed_clip is not None:
        if len(seed_clip) < context:
            raise InputError(
                f"expected at least {context} frames in {start} to start from, got {len(seed_clip)} "
                f"at {recipe.fps:g} frames a second; give a longer video"
            )
        return seed_clip[-context:]
    long_enough = [clip for clip in clips if len(clip) >= context]
    if start == "last":
        stop = long_enough[-1].stop
        return latents[stop - context : stop]
    if start == "random":
        places = np.concatenate([np.arange(clip.start, clip.stop - context + 1) for clip in long_enough])
        first = int(np.random.default_rng(recipe.seed).choice(places))
        return latents[first : first + context]
    first = int(start)
    if not any(clip.start <= first and first + context <= clip.stop for clip in clips):
        raise OptionError(
            f"--from: expected {context} frames in a row from frame {first}, got the end of a clip; "
            f"the {len(latents)} frames have clips beginning at {', '.join(str(c.start) for c in long_enough[:8])}"
        )
    return latents[first : first + context]


def keyframes_needed(frames: int, key_fps: float, fps: float) -> int:
    """Keyframes at `key_fps` that cover `frames` at `fps`."""
    return ceil((frames - 1) * key_fps / fps) + 1


def in_between(keys: Float32, key_fps: float, fps: float, frames: int, *, curve: str = "smooth") -> Float32:
    """What lies between successive keys: `(k, d)` at `key_fps` → `(frames, d)` at `fps` (the paper's ×10 is 3 → 30).

    `smooth` is a Catmull-Rom spline (Catmull and Rom 1974), `linear` the paper's mixing. Frame 0 is the first key
    itself: the published code mixed from a zero vector there, which decodes to noise.
    """
    position = np.minimum(np.arange(frames) * (key_fps / fps), len(keys) - 1)
    left = np.minimum(position.astype(int), max(len(keys) - 2, 0))
    at = (position - left)[:, None].astype(np.float32)
    before, here, there, after = (_key(keys, left + step) for step in (-1, 0, 1, 2))
    if curve == "linear":
        return np.asarray((1 - at) * here + at * there, np.float32)
    slope_here, slope_there = (there - before) / 2, (after - here) / 2
    bend = 3 * (there - here) - 2 * slope_here - slope_there
    twist = 2 * (here - there) + slope_here + slope_there
    return np.asarray(here + at * (slope_here + at * (bend + at * twist)), np.float32)


def _key(keys: Float32, number: npt.NDArray[np.int64]) -> Float32:
    """Keys by number; past an end they go on as they were going there."""
    inside = np.clip(number, 0, len(keys) - 1)
    beyond = (number - inside)[:, None].astype(np.float32)
    ends = np.where(number < 0, min(1, len(keys) - 1), max(len(keys) - 2, 0))
    outward = np.where(beyond != 0, np.abs(beyond) * (keys[inside] - keys[ends]), 0)
    going: Float32 = keys[inside] + outward
    return going
