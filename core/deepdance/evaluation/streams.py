"""Frames as a stream of chunks: counted, and measured while they are read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from deepdance.arrays import Float32, Float64, UInt8
from deepdance.metrics.features import FEATURES, PrincipalComponents, compute_signed_distances
from deepdance.metrics.motion import measure_motion
from deepdance.metrics.shapes import measure_frames

CHUNK = 64
"""Frames that are encoded or decoded at once."""
OnProgress = Callable[[int, int], None]
"""Called with what is done, and the total."""


def ignore_progress(done: int, total: int) -> None:
    """Where nobody wants to know."""


class ProgressMeter:
    """Counts the frames that are done, of several streams together."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self._done = 0
        self._total = total
        self._on_progress = on_progress

    def advance(self, frames: int) -> None:
        """So many frames more are done."""
        self._done += frames
        self._on_progress(self._done, self._total)

    def track(self, chunks: Iterable[UInt8]) -> Iterator[UInt8]:
        """The same chunks; each is counted when it has been used."""
        for chunk in chunks:
            yield chunk
            self.advance(len(chunk))


@dataclass(frozen=True)
class StreamMeasures:
    """What is kept of a stream: `frames` has measures `(n,)` of every frame, `coordinates` `(n, k)` its field.

    `motion` among the measures is NaN where a clip begins; `starts` holds the first frame of every clip.
    """

    frames: dict[str, Float64]
    coordinates: Float32
    starts: Sequence[int]

    def __len__(self) -> int:
        return len(self.coordinates)

    @classmethod
    def join(cls, streams: Sequence[Self]) -> Self:
        """Streams one after the other, each with its clips."""
        ends = np.cumsum([len(stream) for stream in streams])
        starts = [
            start + int(end) - len(stream) for stream, end in zip(streams, ends, strict=True) for start in stream.starts
        ]
        frames = {name: np.concatenate([stream.frames[name] for stream in streams]) for name in streams[0].frames}
        return cls(frames, np.concatenate([stream.coordinates for stream in streams]), starts)

    @property
    def features(self) -> Float32:
        """What describes each frame, `(n, 64)`."""
        return self.coordinates[:, :FEATURES]

    @property
    def motion(self) -> Float64:
        """How far every two neighbours of a clip are apart."""
        motion = self.frames["motion"]
        return motion[~np.isnan(motion)]


def measure_stream(chunks: Iterable[UInt8], components: PrincipalComponents, starts: Sequence[int]) -> StreamMeasures:
    """Read a stream of chunks `(n, h, w)` once. `components` are of distance fields; `starts` the clips' first frames.

    The last frame of a chunk is kept, for the first of the next has moved from there.
    """
    parts: list[dict[str, Float64]] = []
    coordinates: list[Float32] = []
    last: UInt8 | None = None
    for chunk in chunks:
        if not len(chunk):
            continue
        motion = measure_motion(chunk if last is None else np.concatenate([last, chunk]))
        parts.append(measure_frames(chunk) | {"motion": np.append(np.nan, motion) if last is None else motion})
        coordinates.append(components.project(compute_signed_distances(chunk)))
        last = chunk[-1:]
    frames = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    frames["motion"][list(starts)] = np.nan
    return StreamMeasures(frames, np.concatenate(coordinates), starts)
