"""Which shots show the dancer alike, so that a dance passes from one to another without a swell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from deepdance.arrays import Float32, Int64

SHRINKAGE = 0.1
"""Added to every variance, as a share of the largest: small ones are noise and would decide alone."""
ALIKE = 90
"""Percentile of the distances between the halves of a shot up to which two shots are of one framing."""


def find_framings(clips: Sequence[Float32], span: int) -> Int64:
    """The framing of each clip `(n, d)`, one shot each: `(m,)`, numbered from 0.

    Shots are compared by their mean latents, in units of what moves in `span` frames (Mahalanobis 1936): how large the
    dancer is moves little within a shot, and so tells shots apart. Grouped by average linkage (Sokal and Michener
    1958), those of one framing lie no farther apart than the two halves of most shots, or than the dancer moves in any
    direction: movements lead from one to the other.
    """
    if len(clips) < 2:
        return np.zeros(len(clips), np.int64)
    # Where most shots are shorter than two such spans, less time must do.
    span = max(1, min(span, int(np.median([len(clip) for clip in clips])) // 2))
    units = _measure_units(clips, span)
    halves = [half for clip in clips if len(clip) > span for half in np.array_split(clip, 2)]
    first, second = (_average(halves[part::2]) @ units for part in (0, 1))
    # At least 1, what moves in a direction: of a dance that only repeats itself both halves are the same.
    reach = max(1.0, float(np.percentile(np.linalg.norm(first - second, axis=1), ALIKE)))
    tree = linkage(pdist(_average(clips) @ units), "average")
    return np.asarray(fcluster(tree, reach, "distance"), np.int64) - 1


def _average(clips: Sequence[Float32]) -> Float32:
    return np.stack([clip.mean(axis=0) for clip in clips])


def _measure_units(clips: Sequence[Float32], span: int) -> Float32:
    """A matrix `(d, d)` that makes what moves in `span` frames of a clip equally long in all directions."""
    moved = np.concatenate([clip[span:] - clip[:-span] for clip in clips])
    variances, axes = np.linalg.eigh(moved.T @ moved / len(moved))
    return np.asarray(axes / np.sqrt(variances + max(SHRINKAGE * variances[-1], 1e-12)), np.float32)
