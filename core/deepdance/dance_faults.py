"""What is wrong with the latents of a new dance, whatever model made them: told with its second.

Limits are far from what real frames do, so that a pause, a jump or a new pose is no fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from deepdance.arrays import Bools, Float32, Float64
from deepdance.frames import Clip
from deepdance.metrics.motion import find_longest_run

STILL = 0.01
"""Share of the video's median step, up to which a step is none."""
LONGEST_REST = 2.0
"""Seconds that a dance may stand still, or twice as long as the video does."""
FARTHEST = 4.0
"""Times as far from the mean latent as the video's farthest. Frames held out of short videos lie within 2.7."""
AT_ONCE = 4096
"""Latents whose steps are measured at once: a dance may be hours long."""


def find_faults(dance: Float32, learned: Float32, clips: Sequence[Clip], fps: float) -> Iterator[str]:
    """What is wrong with a dance `(n, d)`, beside the latents `(m, d)` of `clips`; both have `fps` a second."""
    lost = _measure_radii(dance, learned) > FARTHEST
    if lost.any():
        yield f"the dance leaves what was learned from at {lost.argmax() / fps:.1f} s"
    rests = [_measure_steps(learned[clip.start : clip.stop]) for clip in clips]
    least = STILL * float(np.median(np.concatenate(rests)))
    longest = max(find_longest_run(steps <= least) for steps in rests)
    frozen = _find_run(_measure_steps(dance) <= least, max(LONGEST_REST * fps, 2 * longest))
    if least and frozen is not None:
        yield f"the dance stands still from {frozen / fps:.1f} s on"


def _measure_radii(dance: Float32, learned: Float32) -> Float64:
    """Distances from the mean of what was learned, of its largest."""
    mean = learned.mean(axis=0)
    largest = max(_measure_lengths(learned, mean).max(), np.finfo(np.float32).tiny)
    radii: Float64 = _measure_lengths(dance, mean) / largest
    return radii


def _measure_lengths(latents: Float32, mean: Float32) -> Float64:
    starts = range(0, len(latents), AT_ONCE)
    return np.concatenate([_measure_norms(latents[start : start + AT_ONCE] - mean) for start in starts])


def _measure_steps(latents: Float32) -> Float64:
    starts = range(0, len(latents), AT_ONCE)
    return np.concatenate([_measure_norms(np.diff(latents[start : start + AT_ONCE + 1], axis=0)) for start in starts])


def _measure_norms(rows: Float32) -> Float64:
    """In float64, which holds the square of any float32."""
    norms: Float64 = np.linalg.norm(rows.astype(np.float64), axis=1)
    return norms


def _find_run(flags: Bools, longer: float) -> int | None:
    """Where the first run of more than `longer` true values begins."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    found = starts[stops - starts > longer]
    return int(found[0]) if len(found) else None
