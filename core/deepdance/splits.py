"""What is learned from, what is held out, what is resampled: stretches of time, never random frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from deepdance.arrays import Float32, Int64
from deepdance.frames import Clip, Silhouettes

GAP_SECONDS = 2.0
"""So much before the held-out frames is not trained on: frames that near in time look nearly the same."""

BLOCK_SECONDS = 10.0
LEAST_BLOCKS = 10


@dataclass(frozen=True)
class Split:
    """Of `frames` frames those before `train_stop` are trained on, and those from `held_out_from` on are held out."""

    train_stop: int
    held_out_from: int
    frames: int

    @classmethod
    def of(cls, clips: Sequence[Clip], validation: float) -> Self:
        """The last `validation` share is held out. The gap before it is never more than a tenth of the rest."""
        frames = clips[-1].stop
        held_out = frames - int(frames * validation)
        gap = min(round(GAP_SECONDS * clips[-1].fps), held_out // 10) if held_out < frames else 0
        return cls(held_out - gap, held_out, frames)

    @property
    def evaluated_from(self) -> int:
        """The first frame that figures are taken from: the first held out, or the very first where none is."""
        return self.held_out_from if self.held_out_from < self.frames else 0


def split_frames(frames: Silhouettes, validation: float) -> tuple[Silhouettes, Silhouettes]:
    """The frames to train on, and those held out after a gap."""
    split = Split.of(frames.clips, validation)
    return frames.between(0, split.train_stop), frames.between(split.held_out_from, len(frames))


def split_latents(
    latents: Float32, clips: Sequence[Clip], validation: float, context: int
) -> tuple[list[Float32], list[Float32]]:
    """Clips before and after the split; a clip cut in two lends its held-out half `context` latents as lead-in."""
    split = Split.of(clips, validation)
    train = [latents[clip.start : min(clip.stop, split.train_stop)] for clip in clips if clip.start < split.train_stop]
    earliest = split.held_out_from - context
    held_out = [latents[max(clip.start, earliest) : clip.stop] for clip in clips if clip.stop > split.held_out_from]
    return train, held_out


def number_blocks(clips: Sequence[Clip]) -> Int64:
    """The block `(n,)` that each frame lies in: stretches of one clip, at most ten seconds long.

    They are shorter where the frames would not fill ten blocks: intervals from so little are too narrow, yet better
    than none.
    """
    total = sum(len(clip) for clip in clips)
    longest = max(1, total // LEAST_BLOCKS)
    sizes: list[int] = []
    for clip in clips:
        length = max(1, min(longest, round(BLOCK_SECONDS * clip.fps)))
        sizes += [min(length, clip.stop - start) for start in range(clip.start, clip.stop, length)]
    return np.repeat(np.arange(len(sizes)), sizes)
