"""From a trained model to latents at the video's frame rate: where a dance starts, and what lies between its keys."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float32
from deepdance.errors import OptionError
from deepdance.frames import Clip
from deepdance.recipe import Opening


def take_opening(
    opening: Opening, context: int, latents: Float32, clips: Sequence[Clip], seed: int, video: Float32 | None = None
) -> Float32:
    """The `(context, d)` latents that generation continues, of the run's own `latents` `(n, d)` unless from a `video`.

    Raises OptionError for a frame with too few after it in its clip.
    """
    if opening.kind == "noise":
        return np.random.default_rng(seed).random((context, latents.shape[1]), dtype=np.float32)
    if video is not None:
        return video[-context:]
    long_enough = [clip for clip in clips if len(clip) >= context]
    if opening.kind == "last":
        stop = long_enough[-1].stop
        return latents[stop - context : stop]
    first = opening.frame
    if opening.kind == "random":
        starts = np.concatenate([np.arange(clip.start, clip.stop - context + 1) for clip in long_enough])
        first = int(np.random.default_rng(seed).choice(starts))
    elif not any(clip.start <= first and first + context <= clip.stop for clip in clips):
        raise OptionError(
            f"--from: expected {context} frames in a row from frame {first}, got the end of a clip; "
            f"the {len(latents)} frames have clips beginning at {', '.join(str(c.start) for c in long_enough[:8])}"
        )
    return latents[first : first + context]


def count_keyframes(frames: int, key_fps: float, fps: float) -> int:
    """Keyframes at `key_fps` that cover `frames` at `fps`."""
    return ceil((frames - 1) * key_fps / fps) + 1


def interpolate(keys: Float32, key_fps: float, fps: float, frames: int, *, curve: str = "smooth") -> Float32:
    """What lies between successive keys: `(k, d)` at `key_fps` → `(frames, d)` at `fps` (the paper's ×10 is 3 → 30).

    `smooth` is a Catmull-Rom spline (Catmull and Rom 1974), `linear` the paper's mixing. Frame 0 is the first key
    itself: the published code mixed from a zero vector there, which decodes to noise.
    """
    # the position in keys, of which the whole part is the key before and the rest is how far the next one is
    position = np.minimum(np.arange(frames) * (key_fps / fps), len(keys) - 1)
    left = np.minimum(position.astype(int), max(len(keys) - 2, 0))
    at = (position - left)[:, None].astype(np.float32)
    before, here, there, after = (_take_keys(keys, left + step) for step in (-1, 0, 1, 2))
    if curve == "linear":
        return np.asarray((1 - at) * here + at * there, np.float32)
    slope_here, slope_there = (there - before) / 2, (after - here) / 2
    bend = 3 * (there - here) - 2 * slope_here - slope_there
    twist = 2 * (here - there) + slope_here + slope_there
    return np.asarray(here + at * (slope_here + at * (bend + at * twist)), np.float32)


def _take_keys(keys: Float32, number: npt.NDArray[np.int64]) -> Float32:
    """Keys by number; past an end they go on as they were going there."""
    inside = np.clip(number, 0, len(keys) - 1)
    beyond = (number - inside)[:, None].astype(np.float32)
    ends = np.where(number < 0, min(1, len(keys) - 1), max(len(keys) - 2, 0))
    outward = np.where(beyond != 0, np.abs(beyond) * (keys[inside] - keys[ends]), 0)
    going: Float32 = keys[inside] + outward
    return going
