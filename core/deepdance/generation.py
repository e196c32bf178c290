"""From a trained model to latents at the video's frame rate: where a dance starts, and what lies between its keys."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

from deepdance.arrays import Float32, Int64
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
    position = np.minimum(np.arange(frames) * (key_fps / fps), len(keys) - 1)
    # the last frame may lie on the last key: it is the end of the span before, for none begins there
    left = np.minimum(position.astype(int), max(len(keys) - 2, 0))
    fraction = (position - left)[:, None].astype(np.float32)
    before, start, end, after = (_take_keys(keys, left + step) for step in (-1, 0, 1, 2))
    if curve == "linear":
        return np.asarray((1 - fraction) * start + fraction * end, np.float32)
    # Hermite's cubic through both keys; a key's slope is that from its left neighbour to its right one, so that
    # successive spans meet without a kink
    slope_start, slope_end = (end - before) / 2, (after - start) / 2
    square = 3 * (end - start) - 2 * slope_start - slope_end
    cube = 2 * (start - end) + slope_start + slope_end
    return np.asarray(start + fraction * (slope_start + fraction * (square + fraction * cube)), np.float32)


def _take_keys(keys: Float32, numbers: Int64) -> Float32:
    """Keys by number; past an end they go on as they were going there, or a curve would slow down at both ends."""
    inside = np.clip(numbers, 0, len(keys) - 1)
    beyond = np.abs(numbers - inside)[:, None].astype(np.float32)
    neighbours = np.where(numbers < 0, min(1, len(keys) - 1), max(len(keys) - 2, 0))
    extrapolated: Float32 = keys[inside] + np.where(beyond > 0, beyond * (keys[inside] - keys[neighbours]), 0)
    return extrapolated
