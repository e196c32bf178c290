"""Streams of frames, measured block by block while they are read or decoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, Self

import numpy as np

from deepdance.arrays import Float32, Float64, UInt8
from deepdance.errors import InputError
from deepdance.frames import Silhouettes
from deepdance.metrics.features import FEATURES, PrincipalComponents, compute_signed_distances
from deepdance.metrics.motion import measure_motion
from deepdance.metrics.shapes import measure_frames
from deepdance.packing import PackedModel
from deepdance.pipeline import DECODE_BATCH
from deepdance.pool import Pool
from deepdance.tasks import Result, Task, Tools

CHUNK = 64
"""Frames that are encoded or decoded at once."""
READ = 256
"""Frames that are read at once."""
OnProgress = Callable[[int, int], None]
"""Called with what is done, and the total."""


def ignore_progress(done: int, total: int) -> None:
    """Where nobody wants to know."""


class ProgressMeter:
    """Counts the frames that are done, of several streams together, and does the work by a pool."""

    def __init__(self, total: int = 0, on_progress: OnProgress = ignore_progress, pool: Pool | None = None) -> None:
        self._done = 0
        self._total = total
        self._on_progress = on_progress
        self._pool = pool or Pool()

    def advance(self, frames: int) -> None:
        """So many frames more are done."""
        self._done += frames
        self._on_progress(self._done, self._total)

    def map(self, task: Task[Result], blocks: Iterable[tuple[object, ...]], sizes: Sequence[int]) -> Iterator[Result]:
        """What a task returns for each of the blocks, which have so many frames; each is counted when it is done."""
        results = self._pool.map(task, blocks, len(sizes))
        for result, size in zip(results, sizes, strict=True):
            self.advance(size)
            yield result


@dataclass(frozen=True)
class Stream:
    """Frames `(n, h, w)` or, with a codec, latents `(n, d)` that it decodes; clips begin at `starts`."""

    rows: Silhouettes | UInt8 | Float32
    starts: Sequence[int] = (0,)
    codec: PackedModel | None = None

    @classmethod
    def of(cls, frames: Silhouettes) -> Self:
        """Silhouettes with their clips."""
        return cls(frames, [clip.start for clip in frames.clips])

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def sizes(self) -> list[int]:
        """How many rows each block has."""
        length = DECODE_BATCH if self.codec else READ
        return [min(length, len(self) - start) for start in range(0, len(self), length)]

    def blocks(self) -> Iterator[UInt8 | Float32]:
        """The rows, block by block."""
        stops = np.cumsum(self.sizes).tolist()
        return (self.rows[stop - size : stop] for stop, size in zip(stops, self.sizes, strict=True))


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

    def hold(self, count: int) -> Self:
        """The first frame, held for so many."""
        frames = {name: np.repeat(values[:1], count) for name, values in self.frames.items()}
        frames["motion"][1:] = 0
        return type(self)(frames, np.repeat(self.coordinates[:1], count, axis=0), [0])

    @property
    def features(self) -> Float32:
        """What describes each frame, `(n, 64)`."""
        return self.coordinates[:, :FEATURES]

    @property
    def motion(self) -> Float64:
        """How far every two neighbours of a clip are apart."""
        motion = self.frames["motion"]
        return motion[~np.isnan(motion)]


@dataclass(frozen=True)
class _BlockMeasures:
    """Of the frames of a block; its ends are kept, for the next block's first frame has moved from its last."""

    frames: dict[str, Float64]
    coordinates: Float32
    ends: UInt8


def measure_streams(
    streams: Sequence[Stream], components: PrincipalComponents, size: tuple[int, int], meter: ProgressMeter
) -> list[StreamMeasures]:
    """Read each stream once. `components` are of distance fields of frames of `size`.

    Raises InputError for another size or an empty stream.
    """
    if not all(map(len, streams)):
        raise InputError("expected frames to measure, got none; is the video empty?")
    blocks = ((components, size, stream.codec, rows) for stream in streams for rows in stream.blocks())
    measured = meter.map(_measure_block, blocks, [size for stream in streams for size in stream.sizes])
    return [_join(list(islice(measured, len(stream.sizes))), stream.starts) for stream in streams]


def _measure_block(
    tools: Tools,
    components: PrincipalComponents,
    size: tuple[int, int],
    codec: PackedModel | None,
    rows: UInt8 | Float32,
) -> _BlockMeasures:
    frames: Any = codec.load(tools.registry).decode(rows) if codec else rows
    if frames.dtype != np.uint8 or frames.shape[1:] != size:
        raise InputError(
            f"expected uint8 frames of {size} like the training frames, got {frames.dtype} of {frames.shape[1:]}; "
            "scale them first"
        )
    measures = measure_frames(frames) | {"motion": np.append(np.nan, measure_motion(frames))}
    return _BlockMeasures(measures, components.project(compute_signed_distances(frames)), frames[[0, -1]])


def _join(blocks: Sequence[_BlockMeasures], starts: Sequence[int]) -> StreamMeasures:
    for before, after in pairwise(blocks):
        after.frames["motion"][:1] = measure_motion(np.stack([before.ends[1], after.ends[0]]))
    frames = {name: np.concatenate([block.frames[name] for block in blocks]) for name in blocks[0].frames}
    frames["motion"][list(starts)] = np.nan
    return StreamMeasures(frames, np.concatenate([block.coordinates for block in blocks]), starts)
