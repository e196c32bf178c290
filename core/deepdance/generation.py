"""From a trained model to a dance, latents at the video's frame rate: its start, its keys, and what lies between."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np

from deepdance.arrays import Bools, Float32, Float64, Int64
from deepdance.dance_faults import FaultFinder
from deepdance.errors import OptionError
from deepdance.frames import Clip
from deepdance.interfaces import SequenceModel
from deepdance.music.alignment import DRIFT, BentDance, align, find_rests
from deepdance.recipe import MOST_FRAMES, Opening, Recipe

MOST_KEYS = MOST_FRAMES
LOOP_TOLERANCE = 0.05
"""A loop of keys may be shorter or longer by this share; shown at its own pace, it takes the seconds asked for."""
LOOP_LEAD = 3
"""Keys of a loop's other end that its curve needs on each side."""
KEYS_AT_ONCE = 256
"""Keyframes that are danced on by before they are drawn."""
LOOKED_AT = 20
"""Pictures a second in which rests are sought: with 60 a dance comes no nearer to the beats."""
LOOP_SEARCH = 300
"""Seconds of dance that a loop is sought in."""
LOOP_GAP = 2.0
"""Median steps between the ends of a loop that nobody sees, spread over it."""

Keys = tuple[Float32, Bools]
"""Keyframes `(k, d)`, and which of them begin a new shot, `(k,)`."""

log = logging.getLogger("deepdance")


def dance(
    recipe: Recipe,
    model: SequenceModel[Any],
    latents: Float32,
    clips: Sequence[Clip],
    *,
    video: Float32 | None = None,
) -> Iterator[Float32]:
    """New latents at `render_fps`, in chunks `(n, d)`: `count_frames` in all, however many never held at once.

    `video` holds those of the video that the recipe starts from. Warns where the dance stands still or
    leaves what was learned from. Raises OptionError.
    """
    opening = _take_opening(recipe, model, latents, clips, video)
    if recipe.loop:
        ((keys, cuts),) = _tell_faults(recipe, [_find_loop(recipe, model, opening)], latents, clips)
        return iter([interpolate_loop(keys, cuts, count_frames(recipe), curve=recipe.curve)])
    parts = _tell_faults(recipe, _generate_keys(recipe, model, opening), latents, clips)
    return interpolate(parts, recipe.fps, recipe.render_fps, recipe.frames, curve=recipe.curve)


def dance_to(
    recipe: Recipe,
    model: SequenceModel[Any],
    latents: Float32,
    clips: Sequence[Clip],
    beats: Float64,
    measure_steps: Callable[[Float32], Float64],
    *,
    video: Float32 | None = None,
) -> BentDance:
    """`dance` on another clock: its movements rest on the `beats`, in seconds.

    `measure_steps` tells of latents `(n, d)` how much the picture of each differs from the one before, `(n - 1,)`; how
    far they lie apart is not how far a body seems to move. No movement is cut or repeated. Raises OptionError.
    """
    opening = _take_opening(recipe, model, latents, clips, video)
    longer = recipe.changed({"frames": recipe.frames + ceil(DRIFT * recipe.render_fps)})
    parts = list(_tell_faults(recipe, _generate_keys(longer, model, opening), latents, clips))
    keys, cuts = (np.concatenate(part) for part in zip(*parts, strict=True))

    def draw(moments: Float64) -> tuple[Float32, Bools]:
        return draw_at(keys, cuts, moments * recipe.fps, curve=recipe.curve)

    closely, begins = draw(np.arange(0, longer.frames / recipe.render_fps, 1 / LOOKED_AT))
    clock = align(*find_rests(measure_steps(closely), begins, LOOKED_AT), beats)
    moments = clock.read(np.arange(recipe.frames) / recipe.render_fps)
    return BentDance(*draw(moments), moments, beats, recipe.render_fps)


def _take_opening(
    recipe: Recipe, model: SequenceModel[Any], latents: Float32, clips: Sequence[Clip], video: Float32 | None
) -> Float32:
    if recipe.temperature != 1 and model.is_deterministic:
        log.warning("%s knows no --temperature, and dances as without it", recipe.sequence.name)
    return take_opening(recipe.start, model.context, latents, clips, recipe.seed, video)


def count_frames(recipe: Recipe) -> int:
    """Frames of the dance, or of the loop, that a recipe asks for."""
    return max(round(recipe.loop * recipe.render_fps), 1) if recipe.loop else recipe.frames


def _tell_faults(recipe: Recipe, parts: Iterable[Keys], latents: Float32, clips: Sequence[Clip]) -> Iterator[Keys]:
    """The same keyframes; what is wrong with them is warned of as they come."""
    finder = FaultFinder(latents, clips, recipe.fps)
    for keys, cuts in parts:
        for fault in finder.look(keys):
            log.warning("%s; try another --seed, --temperature or --seq", fault)
        yield keys, cuts


def _find_loop(recipe: Recipe, model: SequenceModel[Any], opening: Float32) -> Keys:
    """The keys of the smoothest loop in a long dance, and its cuts. Warns where it jumps."""
    length = max(round(recipe.loop * recipe.fps), 2)
    steps = max(round(LOOP_SEARCH * recipe.fps), 3 * length)
    latents, cuts = model.generate_shots(opening[None], steps, temperature=recipe.temperature, rng=recipe.seed)
    keys, begins, gap = close_loop(latents[0], cuts[0], length)
    if gap > LOOP_GAP:
        log.warning(
            "the loop's ends lie %.1f median steps apart, more than %g: it may slide; try another --seed or a longer "
            "--loop",
            gap,
            LOOP_GAP,
        )
    return keys, begins


def _generate_keys(recipe: Recipe, model: SequenceModel[Any], opening: Float32) -> Iterator[Keys]:
    """Keyframes of one dance in chunks `(k, d)`, and which of them begin a new shot; the first was there, or is new."""
    stream = model.stream(opening[None], temperature=recipe.temperature, rng=recipe.seed)
    if recipe.start.kind != "noise":
        yield opening[-1:], np.zeros(1, bool)
    count = count_keyframes(recipe.frames, recipe.fps, recipe.render_fps)
    for start in range(0, count, KEYS_AT_ONCE):
        latents, cuts = stream.take(min(KEYS_AT_ONCE, count - start))
        yield latents[0], cuts[0]


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
    """Keyframes at `key_fps` that cover `frames` at `fps`. Raises OptionError for more than `MOST_KEYS`."""
    keys = (frames - 1) * key_fps / fps + 1
    if keys > MOST_KEYS:
        raise OptionError(f"frames: expected a dance of at most {MOST_KEYS:,} keyframes, got {keys:.3g}; ask for less")
    return ceil(keys)


def interpolate(
    keys: Iterable[tuple[Float32, Bools]], key_fps: float, fps: float, frames: int, *, curve: str = "smooth"
) -> Iterator[Float32]:
    """What lies between successive keys: chunks `(k, d)` at `key_fps` → chunks `(n, d)` at `fps`, `frames` in all.

    (The paper's ×10 is 3 → 30.) Beside each chunk of keys stands which of them begin a new shot, `(k,)`: nothing is
    mixed across a cut. `smooth` is a Catmull-Rom spline (Catmull and Rom 1974), `linear` the paper's mixing. Frame 0 is
    the first key itself: the published code mixed from a zero vector there, which decodes to noise.
    """
    ratio, first, done = key_fps / fps, 0, 0
    window, cuts = np.empty((0, 0), np.float32), np.empty(0, bool)

    def draw(stop: int) -> Float32:
        position = np.minimum(np.arange(done, stop) * ratio, first + len(window) - 1)
        return _draw_shots(window, position - first, cuts, curve)

    for more, begins in keys:
        window, cuts = np.concatenate([window.reshape(-1, more.shape[1]), more]), np.append(cuts, begins)
        # All four keys of a frame's curve are there, and with them the cuts between them.
        stop = min(frames, int(max(first + len(window) - 2, 0) / ratio))
        if stop > done:
            yield draw(stop)
            done = stop
        spent = max(0, min(int(done * ratio) - 1 - first, len(window) - 2))
        window, cuts, first = window[spent:], cuts[spent:], first + spent
    if done < frames:
        yield draw(frames)


def close_loop(dance: Float32, cuts: Bools, length: int) -> tuple[Float32, Bools, float]:
    """The part of a dance `(n, d)` whose end leads back to its beginning most smoothly, as a loop of keys `(k, d)`.

    k is within `LOOP_TOLERANCE` of `length`. With its cuts `(k,)`, and the gap that was closed, in median steps of the
    dance: a share of it is added to every key, so that none jumps.
    """
    steps = np.linalg.norm(np.diff(dance, axis=0), axis=1)
    median = float(np.median(steps[~cuts[1:]])) if not cuts[1:].all() else 0.0
    slack = int(length * LOOP_TOLERANCE)
    lengths = [k for k in range(length - slack, length + slack + 1) if k < len(dance) - 1]
    _, start, length = min(_find_return(dance, cuts, k) for k in lengths)
    gap = dance[start] - dance[start + length]
    share = np.linspace(0, 1, length, endpoint=False, dtype=np.float32)[:, None]
    keys = dance[start : start + length] + share * gap
    return keys, cuts[start : start + length], float(np.linalg.norm(gap)) / max(median, 1e-9)


def _find_return(dance: Float32, cuts: Bools, length: int) -> tuple[float, int, int]:
    """How near, in pose and movement, a dance comes to where it was `length` keys before; where from; the length."""
    velocity = np.diff(dance, axis=0)
    # Row i is of pose i + 1, which has a movement into it.
    apart = np.square(dance[1 + length :] - dance[1:-length]).sum(axis=1)
    apart += np.square(velocity[length:] - velocity[:-length]).sum(axis=1)
    # Into the first frame of a shot there is no movement.
    apart[cuts[1 + length :] | cuts[1:-length]] = np.inf
    start = int(apart.argmin())
    return float(apart[start]), start + 1, length


def interpolate_loop(keys: Float32, cuts: Bools, frames: int, *, curve: str = "smooth") -> Float32:
    """What lies between the keys `(k, d)` of a loop, from the last to the first too: `(frames, d)`, a loop again."""
    around = np.arange(-LOOP_LEAD, len(keys) + LOOP_LEAD) % len(keys)
    position: Float64 = LOOP_LEAD + np.arange(frames) * np.float64(len(keys) / frames)
    return _draw_shots(keys[around], position, cuts[around], curve)


def draw_at(keys: Float32, cuts: Bools, position: Float64, *, curve: str = "smooth") -> tuple[Float32, Bools]:
    """The curves through keys `(k, d)` at rising positions `(n,)`, 1 being the second key, and which begin a shot.

    Past the last key they stay there.
    """
    position = np.minimum(position, len(keys) - 1)
    shots = np.searchsorted(np.flatnonzero(cuts[1:]) + 0.5, position, side="right")
    return _draw_shots(keys, position, cuts, curve), np.diff(shots, prepend=shots[:1]) > 0


def _draw_shots(keys: Float32, position: Float64, cuts: Bools, curve: str) -> Float32:
    """The curves through the keys of each shot at rising positions, 1 being the second key."""
    begins = np.flatnonzero(cuts[1:]) + 1
    # A cut lies halfway between two keys; up to there either shot goes on as it was going.
    shots = np.split(position, np.searchsorted(position, begins - 0.5))
    bounds = pairwise([0, *begins.tolist(), len(keys)])
    return np.concatenate(
        [_draw_curve(keys[begin:end], shot - begin, curve) for (begin, end), shot in zip(bounds, shots, strict=True)]
    )


def _draw_curve(keys: Float32, position: Float64, curve: str) -> Float32:
    """The curve through the keys `(k, d)` of one shot at positions `(n,)`, 1 being the second key: `(n, d)`."""
    left = np.floor(position).astype(int)
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
    extrapolated: Float32 = keys[inside] + beyond * (keys[inside] - keys[neighbours])
    return extrapolated
