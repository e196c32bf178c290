"""Camera cuts: where a nearly black dancer jumps, whatever the picture behind does.

A cut is sought at 30 frames a second, because between the samples of a run (3 or 10 a second) a fast dancer moves as
far as a cut moves them. The picture is reduced to which points are nearly black: strobes and colourful visuals
leave those alone.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import IO

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float64, Int64, unmap

RATE = 30
"""Frames a second that are looked at."""
GRID = (64, 96)
"""Points of a frame that are looked at: rows, columns."""
BYTES = GRID[0] * GRID[1] // 8
STACK = 30
"""Frames that ffmpeg judges in one go: a filter costs more per frame than per point."""
NEARLY_BLACK = 35
"""The brightest channel of a point of the dancer is at most this."""
SMALLEST = 0.01
"""Of the points: a smaller dancer is measured as if it were this large."""
SIDE = 3
"""Frames on either side that must all differ, so that a flash of two frames is no cut."""
LEAST = 0.145
"""Measured on six videos with 68 cuts: one missed, one false, and the same from .12 to .15."""
MOTION = 1.5
"""How much of the motion around a jump it must exceed: a fast dancer moves as far in every frame."""
BLOCK = 4096

Words = npt.NDArray[np.uint64]


def build_filters(lay_on_white: str) -> str:
    """What makes ffmpeg write `GRID` points of a frame, of at most `RATE` a second: one bit each, 0 nearly black.

    `lay_on_white` is the filter that does it, for pictures with transparency; it is cheap on the few points.
    Time is counted in ticks of 1 / `RATE`, and of the frames of a tick the first is taken; a tenth of one is for the
    rounded stamps of some containers. Nothing is repeated: each frame's tick, ⌈t · `RATE`⌉, is printed to standard
    error, at level 8, and so is one more at the end. The number of frames is rounded up to whole stacks with frames
    that have no dancer.
    """
    tick = f"floor({{}}*{RATE}+.1)"
    return ",".join(
        [
            f"select='isnan(prev_selected_t)+gt({tick.format('t')},{tick.format('prev_selected_t')})'",
            f"scale={GRID[1]}:{GRID[0]}:flags=neighbor:threads=1,{lay_on_white}format=yuv420p",
            f"setpts='PTS+0*print(ceil(T*{RATE}-.1),8)'",
            f"tile=1x{STACK}:color=white,format=gbrp",
            "extractplanes=r+g+b[r][g][b];[r][g]blend=all_mode=lighten[rg];[rg][b]blend=all_mode=lighten",
            f"lut=c0='gt(val,{NEARLY_BLACK})*255',format=monob",
        ]
    )


def find_cuts(points: IO[bytes], ticks: Sequence[float], fps: float) -> list[int]:
    """The first sample, at `fps` a second, of each shot after the first, from the points and `ticks` of its frames.

    There are more `ticks` if ffmpeg was cut short, and fewer than points, which fill up the last stack.
    """
    count = min(os.fstat(points.fileno()).st_size // BYTES, len(ticks))
    if not count:
        return []
    packed: Words = np.memmap(points, np.uint64, mode="r", shape=(count, BYTES // 8))
    return sorted({math.ceil(ticks[frame] * fps / RATE - 1e-8) for frame in find_cut_frames(packed)})


def find_cut_frames(packed: Words) -> list[int]:
    """The frames `(n, words)`, one bit a point and 0 the dancer, that begin a new shot; frame 0 is implied.

    The distance of two frames is 1 − IoU of their dancers. The jump at a frame is the least distance from any of the
    `SIDE` frames before to any of the `SIDE` from it on, less `MOTION` times the mean distance of successive frames
    around it. A cut is a jump of at least `LEAST` and the largest nearby. Frames that repeat the one before are left
    out, so that a lower native rate does not look like rest between jumps.
    """
    distinct = _find_distinct(packed)
    starts = range(0, len(distinct) - 2 * SIDE + 1, BLOCK)
    scores = [_score_jumps(packed, distinct[start : start + BLOCK + 2 * SIDE - 1]) for start in starts]
    return [int(distinct[SIDE + peak]) for peak in _find_peaks(np.concatenate([np.empty(0), *scores]))]


def _score_jumps(packed: Words, distinct: Int64) -> Float64:
    """The jump at each frame but the first `SIDE` and the last `SIDE - 1`, less the motion around it."""
    # Every frame before a possible cut is compared with every one after it. That is frames at gaps of 1 to 2·SIDE - 1,
    # so the distances of each gap are measured once, and pairs are picked from them: i + 1 before the cut, j after.
    dancers = ~packed[distinct]  # a bit is 0 on the dancer
    unmap(packed)
    distances = {gap: _measure_distances(dancers[:-gap], dancers[gap:]) for gap in range(1, 2 * SIDE)}
    first_after = np.arange(SIDE, len(distinct) - SIDE + 1)
    pairs = [distances[1 + i + j][first_after - 1 - i] for i in range(SIDE) for j in range(SIDE)]
    # The least of them: in a flash or a quick move and back, some frame before looks like one after.
    jump = np.min(pairs, axis=0)
    # The step across the cut itself is left out, or a cut would raise what it is judged by.
    motion = np.mean([distances[1][first_after - 1 + k] for k in (-2, -1, 1, 2)], axis=0)
    scores: Float64 = jump - MOTION * motion
    return scores


def _find_distinct(packed: Words) -> Int64:
    """The frames that differ from the one before; in blocks, as `packed` lies on disk."""
    changed = np.ones(len(packed), bool)
    for start in range(1, len(packed), BLOCK):
        block = packed[start - 1 : start + BLOCK]
        changed[start : start + BLOCK] = (block[1:] != block[:-1]).any(axis=1)
        unmap(packed)
    return np.flatnonzero(changed)


def _measure_distances(one: Words, other: Words) -> Float64:
    """1 − IoU of dancers `(n, words)`, a bit a point: `(n,)`."""
    common = np.bitwise_count(one & other).sum(axis=1, dtype=np.int64)
    either = np.bitwise_count(one | other).sum(axis=1, dtype=np.int64)
    distances: Float64 = (either - common) / np.maximum(either, SMALLEST * math.prod(GRID))
    return distances


def _find_peaks(jumps: Float64) -> list[int]:
    """Where a jump is large enough and none within `SIDE` frames is larger."""
    windows = [(k, max(0, k - SIDE)) for k in np.flatnonzero(jumps >= LEAST).tolist()]
    return [k for k, first in windows if k == first + int(np.argmax(jumps[first : k + SIDE + 1]))]
