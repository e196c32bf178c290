"""From silhouettes to what the networks learn from: principal components of distance fields.

It imports no Keras: each process of a pool imports it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import partial

import cv2
import numpy as np
from benchmarks.body_prior.settings import CANVAS, RADIUS, Settings
from benchmarks.body_prior.silhouettes import draw_demo, keep_dancers, split
from benchmarks.body_prior.variations import vary

from deepdance.arrays import sample_evenly
from deepdance.interfaces import Float32, UInt8
from deepdance_plugins.codecs.sdf_ae.distance_field import compute_fields, measure_placements

CHUNK = 250
BASIS_FRAMES = 16_000
Part = tuple[UInt8 | int, int]
"""Silhouettes, or the number of a demo dancer, and which copy of them: 0 is as they are, the others are varied."""


def list_parts(videos: Sequence[UInt8], settings: Settings) -> list[Part]:
    """All there is to learn from, in parts for a pool of processes."""
    chunks: list[UInt8 | int] = [part for video in videos for part in split(keep_dancers(video), CHUNK)]
    return [(part, copy) for copy in range(settings.copies + 1) for part in (*chunks, *range(settings.dancers))]


def compute_some(pool: Executor, parts: Sequence[Part], seed: int) -> list[Float32]:
    """The fields that a basis is fitted on, evenly spread over the parts."""
    chosen = [parts[k] for k in sample_evenly(len(parts), BASIS_FRAMES // CHUNK)]
    return list(pool.map(partial(compute_part, seed=seed), chosen))


def project(pool: Executor, parts: Sequence[Part], basis: Mapping[str, Float32], seed: int) -> Float32:
    """Components `(n, k)`, in deviations of the first, of all fields and their mirror images."""
    project_one = partial(project_part, seed=seed, mean=basis["mean"], basis=basis["basis"])
    rows = np.concatenate(list(pool.map(project_one, parts, chunksize=4)))
    rows /= basis["deviations"][0]
    return rows


def compute_part(part: Part, seed: int) -> Float32:
    """Fields `(n, h, w)` of a part; the same part gives the same fields."""
    cv2.setNumThreads(1)  # there is a process for each processor
    frames, copy = part
    silhouettes = draw_demo(frames) if isinstance(frames, int) else frames
    rng = np.random.default_rng([seed, copy, *silhouettes[0].ravel()[::97].tolist()])
    shown = ((vary(frame, rng) if copy else frame)[None] for frame in silhouettes)
    return np.concatenate([_compute_field(np.ascontiguousarray(one)) for one in shown])


def project_part(part: Part, seed: int, mean: Float32, basis: Float32) -> Float32:
    """Components `(2n, k)` of a part's fields and of their mirror images."""
    fields = compute_part(part, seed)
    both = np.concatenate([fields, fields[..., ::-1]])
    components: Float32 = (both.reshape(len(both), -1) - mean) @ basis.T
    return components


def _compute_field(frame: UInt8) -> Float32:
    return compute_fields(frame, measure_placements(frame), CANVAS, RADIUS)
