"""The silhouettes that the body prior is trained on: the corpus, the shadow dancers' masks, the demo's many dancers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from deepdance.interfaces import UInt8
from deepdance_plugins.sources.demo.body import Dancer
from deepdance_plugins.sources.demo.camera import draw_silhouette
from deepdance_plugins.sources.demo.shots import aim_camera, find_shot

Number = TypeVar("Number", bound=np.generic)
SIZE = (120, 200)
HELD_OUT = 0.1
"""The last share of the corpus that a prior may be kept from seeing, in shots."""
DEMO_FRAMES = 60
BEATS_APART = 0.7
LEAST_PIXELS = 30
"""Fewer than so many pixels of dancer teach nothing."""


def load_corpus(folder: Path) -> tuple[UInt8, int]:
    """All frames `(n, 120, 200)`, and how many of them lie before the shots that can be held out."""
    with np.load(folder / "corpus/corpus_10fps_gray.npz") as saved:
        frames, starts = saved["frames"], saved["shot_starts"]
    return frames, int(starts[np.searchsorted(starts, (1 - HELD_OUT) * len(frames))])


def load_masks(folder: Path, number: int) -> UInt8:
    """The true silhouettes `(n, 120, 200)` of a shadow dancer's video."""
    with np.load(folder / f"shadowdance/train_{number:02}_masks.npz") as saved:
        masks = np.unpackbits(saved["masks_10fps"], axis=1).reshape(-1, *SIZE)
    return np.where(masks, 0, 255).astype(np.uint8)


def draw_demo(seed: int) -> UInt8:
    """Some seconds of one demo dancer, `(n, 120, 200)`: each seed has another body."""
    dancer = Dancer(seed)
    beats = BEATS_APART * np.arange(DEMO_FRAMES)
    shots = [find_shot(seed, beat) for beat in beats]
    bodies = [
        draw_silhouette(dancer.build_flesh(beat), aim_camera(shot, beat, SIZE), SIZE)
        for beat, shot in zip(beats.tolist(), shots, strict=True)
    ]
    return 255 - np.stack(bodies)


def keep_dancers(frames: UInt8) -> UInt8:
    """Without the frames that show hardly anybody."""
    kept: UInt8 = frames[(frames < 128).sum(axis=(1, 2)) >= LEAST_PIXELS]
    return kept


def split(rows: npt.NDArray[Number], size: int) -> Iterator[npt.NDArray[Number]]:
    """Chunks of at most `size` rows."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def load_all(folder: Path, videos: Sequence[int], whole_corpus: bool) -> list[UInt8]:
    """What one prior learns from, demo dancers left out: they are drawn where they are needed."""
    corpus, kept = load_corpus(folder)
    return [corpus if whole_corpus else corpus[:kept], *(load_masks(folder, video) for video in videos)]
