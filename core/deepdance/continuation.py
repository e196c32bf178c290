"""From a video's last silhouettes to a dance that goes on from them, without a jump where they meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np

from deepdance.arrays import Float32, UInt8
from deepdance.errors import InputError
from deepdance.frames import Silhouettes, blur_error, draw_distances, is_grey, measure_distances
from deepdance.metrics.shapes import iou
from deepdance.recipe import Recipe

FADE_SECONDS = 0.5
"""How long the last real frame lingers in a continuation."""
LEAST_ALIKE = 0.9
"""IoU of a last real frame with what the codec makes of it, from which on they differ in their outline alone."""


def take_last_keyframes(video: Silhouettes, context: int, recipe: Recipe) -> UInt8:
    """Of a video at `render_fps` the last `context` frames that lie as far apart as the model's. Raises InputError."""
    stride = recipe.render_fps / recipe.fps
    picks = len(video) - 1 - np.rint(np.arange(context)[::-1] * stride).astype(int)
    start = video.clips[-1].start
    if picks[0] < start:
        raise InputError(
            f"expected at least {context / recipe.fps:.1f} s after the last camera cut of {recipe.start} to "
            f"continue from, got {(len(video) - start) / recipe.render_fps:.1f} s; give a longer video"
        )
    return video[picks]


def join(chunks: Iterator[UInt8], last: UInt8, fps: float) -> Iterator[UInt8]:
    """Decoded frames at `fps` that begin at `last`: the first one's error is taken off, less and less."""
    fade = round(FADE_SECONDS * fps)
    first = next(chunks)
    measure, draw = _choose_error(first[0], last)
    error = measure(last) - measure(first[0])
    error = blur_error(error) if measure is measure_distances else error
    shown = 0
    for chunk in chain([first], chunks):
        joined = chunk.copy()
        for number, frame in enumerate(joined[: max(fade - shown, 0)], shown):
            field = measure(frame)
            change = draw(field + np.float32(1 - number / fade) * error) - draw(field)
            frame[:] = np.rint(np.clip(frame + change, 0, 255))
        yield joined
        shown += len(chunk)


def _choose_error(first: UInt8, last: UInt8) -> tuple[Callable[[UInt8], Float32], Callable[[Float32], Float32]]:
    """What an error is measured of, and what makes grey levels of that again.

    An error of levels would stay where the body was, a ghost; one of distances moves the outline as it is now. But of a
    picture, or of a body that the codec hardly knows, distances tell little.
    """
    known = iou(last[None], first[None])[0] >= LEAST_ALIKE and not is_grey(last)
    return (measure_distances, draw_distances) if known else (_as_levels, _as_levels)


def _as_levels(frame: UInt8 | Float32) -> Float32:
    return frame.astype(np.float32)


def append(video: Iterator[UInt8], continuation: Iterator[UInt8]) -> Iterator[UInt8]:
    """The video, then its continuation without the frame that both share."""
    yield from video
    first = next(continuation)
    if len(first) > 1:
        yield first[1:]
    yield from continuation
