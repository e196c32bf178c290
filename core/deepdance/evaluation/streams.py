"""What is kept of a stream of frames while it is read once, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from deepdance.arrays import Float32, Float64, UInt8
from deepdance.metrics.copying import Memory
from deepdance.metrics.features import FEATURES, Components, motion_windows, signed_distance
from deepdance.metrics.motion import motion_energy
from deepdance.metrics.shapes import measure_frames

Watched = tuple[dict[str, Float64], Float32, list[int]]
"""Measures, field coordinates `(n, k)` and the first frame of every clip."""


@dataclass(frozen=True)
class Seen:
    """One stream: measures `(n,)`, motion NaN where a clip begins; frame features `(n, 64)`, motion features."""

    measures: dict[str, Float64]
    features: Float32
    motions: Float32
    starts: list[int]
    nearest: Float64
    replay: int

    @property
    def motion(self) -> Float64:
        """Motion energy of every pair of neighbours in a clip."""
        motion = self.measures["motion"]
        return motion[~np.isnan(motion)]


def counted(chunks: Iterable[UInt8], tell: Callable[[int], None]) -> Iterator[UInt8]:
    """The same chunks; `tell` is called with the frames of each once it has been used."""
    for chunk in chunks:
        yield chunk
        tell(len(chunk))


def watch(chunks: Iterable[UInt8], field: Components, starts: list[int]) -> Watched:
    """Read a stream once: its measures, its coordinates `(n, k)` and its clips' starts."""
    parts: list[dict[str, Float64]] = []
    coordinates: list[Float32] = []
    before: UInt8 | None = None
    for chunk in chunks:
        if not len(chunk):
            continue
        linked = chunk if before is None else np.concatenate([before, chunk])
        motion = motion_energy(linked)
        parts.append(measure_frames(chunk) | {"motion": motion if before is not None else np.append(np.nan, motion)})
        coordinates.append(field(signed_distance(chunk)))
        before = chunk[-1:]
    measures = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    measures["motion"][starts] = np.nan
    return measures, np.concatenate(coordinates), starts


def compared(
    watched: Watched,
    movement: Components | None,
    memory: Memory,
    threshold: float,
) -> Seen:
    """What was watched, with its motions and its distance to the training frames."""
    measures, coordinates, starts = watched
    features = np.ascontiguousarray(coordinates[:, :FEATURES])
    windows = motion_windows(coordinates, starts) if movement else np.empty((0, 1), np.float32)
    motions = movement(windows) if movement else windows
    return Seen(measures, features, motions, starts, *memory.compare(features, threshold))
