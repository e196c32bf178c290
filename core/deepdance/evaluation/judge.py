"""A judge that is hard to please: can a classifier tell a dance from real frames, and by what?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from deepdance.arrays import Bools, Int64, sample_evenly
from deepdance.evaluation.streams import StreamMeasures
from deepdance.frames import Clip, Silhouettes
from deepdance.metrics.bootstrap import Estimate
from deepdance.metrics.two_sample import ALL, MOST, tell_apart
from deepdance.metrics.windows import Windows, count_frames, cut_windows, describe_windows
from deepdance.splits import BLOCK_SECONDS

LEAST = 100
"""Windows that held-out frames need to stand against training frames: 80 s of them."""
FEWEST_BLOCKS = 20
"""Stretches that real frames are cut into at least, where they are long enough for it."""
STANDS_OUT = 0.05
"""How much more often than in the floor a kind of feature must tell to be named."""
KINDS = ("place", "size", "pose", "outline", "grey", "pieces", "speed", "acceleration", "travel")
Told = Mapping[str, Estimate]
"""The share of right answers by all features, `all`, and by each kind alone; empty where there is too little."""


@dataclass(frozen=True)
class RealParts:
    """Real frames in two parts, one of which stands for a dance: what is told of these two is the floor.

    `blocks` and `stands_for_dance` are of every frame `(n,)`, training frames before held-out ones; a block has at
    most `longest` frames.
    """

    blocks: Int64
    stands_for_dance: Bools
    longest: int

    @classmethod
    def choose(cls, train: Silhouettes, held_out: Silhouettes) -> Self:
        """Held-out frames stand for the dance; where they are too few, or the training frames again, every other block.

        A block is at most ten seconds of one clip.
        """
        clips = list(train.clips)
        if held_out is not train:
            clips += [Clip(clip.start + len(train), clip.stop + len(train), "", clip.fps) for clip in held_out.clips]
        fps, total = clips[0].fps, clips[-1].stop
        length = count_frames(fps)
        longest = max(2 * length, min(round(BLOCK_SECONDS * fps), total // FEWEST_BLOCKS))
        blocks = _number_blocks([clip.start for clip in clips], total, longest)
        later = np.arange(total) >= len(train)
        enough = len(cut_windows(blocks[later], length)) >= LEAST
        return cls(blocks, later if enough else blocks % 2 == 1, longest)

    @property
    def frames(self) -> Int64:
        """The frames that stand for a dance, by number."""
        return np.flatnonzero(self.stands_for_dance)

    @property
    def starts(self) -> list[int]:
        """Where, among these, a block begins."""
        return np.flatnonzero(np.diff(self.blocks[self.frames], prepend=-1)).tolist()


@dataclass(frozen=True)
class Judge:
    """Knows real windows, and what is told of others beside them."""

    real: Windows
    floor: Told
    longest: int
    length: int

    @classmethod
    def build(cls, parts: RealParts, measured: Sequence[StreamMeasures], fps: float) -> Self:
        """`measured` are the training frames and, where they are others, the held-out ones."""
        joined, length = StreamMeasures.join(measured), count_frames(fps)
        windows = _describe(joined, parts.blocks, length, ~parts.stands_for_dance)
        stand_in = _describe(joined, parts.blocks, length, parts.stands_for_dance)
        return cls(windows, tell_apart(stand_in, windows) or {}, parts.longest, length)

    def judge(self, dances: Sequence[StreamMeasures]) -> Told:
        """How often the dances, all together, are told from real windows."""
        joined = StreamMeasures.join(dances)
        blocks = _number_blocks(joined.starts, len(joined), self.longest)
        return tell_apart(_describe(joined, blocks, self.length), self.real) or {}


def describe_verdict(name: str, told: Told, floor: Told) -> str:
    """One line: how often a dance is told from real frames, and by what."""
    if ALL not in told or ALL not in floor:
        return f"{name}: too short to be judged."
    verdict = f"{name} is told from real frames {told[ALL].value:.0%} of the time (floor {floor[ALL].value:.0%})"
    excess = {kind: told[kind].value - floor[kind].value for kind in KINDS}
    by = sorted((kind for kind in KINDS if excess[kind] > STANDS_OUT), key=lambda kind: -told[kind].value)
    by = [kind for kind in by if (told[kind].low or 0) > max(floor[kind].value, 0.5)]
    return f"{verdict}, by: {', '.join(f'{kind} {told[kind].value:.0%}' for kind in by) or 'nothing that stands out'}."


def _describe(stream: StreamMeasures, blocks: Int64, length: int, chosen: Bools | None = None) -> Windows:
    """At most as many windows as are compared, evenly spread over the `chosen` frames."""
    starts = cut_windows(blocks, length)
    if chosen is not None:
        starts = starts[chosen[starts]]
    starts = starts[sample_evenly(len(starts), MOST)]
    features = describe_windows(stream.frames, stream.coordinates, starts, length)
    return Windows(features, blocks[starts])


def _number_blocks(starts: Sequence[int], count: int, longest: int) -> Int64:
    """The block `(count,)` of each frame: clips, which begin at `starts`, cut into stretches."""
    frames = np.arange(count)
    first = np.array(starts)[np.searchsorted(starts, frames, side="right") - 1]
    begins = (frames - first) % longest == 0
    return np.asarray(np.cumsum(begins) - 1, np.int64)
