"""How well a sequence model foretells the next frames, against showing the last one again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float32, Float64, UInt8
from deepdance.evaluation.tables import COPY, Column, Measured, Table
from deepdance.frames import Clip, Silhouettes
from deepdance.interfaces import FrameCodec, SequenceModel
from deepdance.metrics.bootstrap import Figure, bootstrap, mean
from deepdance.metrics.shapes import iou
from deepdance.splits import number_blocks

HORIZONS = (1, 2, 5, 10)
SAMPLES = 8
WINDOWS = 200
CHUNK = 64
CEILING = "the codec alone"
COLUMNS = (
    Column("mse", "latent MSE", 4),
    Column("skill", "latent skill"),
    Column("energy", "energy score", 2),
    Column("energy_skill", "energy skill"),
    Column("iou", "IoU"),
    Column("iou_skill", "IoU skill"),
)
LEGEND = """\
Frames ahead of held-out windows. skill: 1 − error ÷ error of copying, so 0 is
no better than the last frame again, 1 is perfect. A model with randomness is
judged by the mean of 8 dances. energy score: E|X−y| − ½ E|X−X′| over them,
less is better. IoU: decoded, against the real frame; the codec alone is the
most it can be; its error is 1 − IoU. ±: half a 95 % interval."""


@dataclass(frozen=True)
class Windows:
    """`context` frames from each of `starts`, then the frames to foretell, up to `horizons[-1]`."""

    starts: npt.NDArray[np.int64]
    context: int
    horizons: Sequence[int]

    def target(self, horizon: int) -> npt.NDArray[np.int64]:
        """The frame that lies so far ahead of each window."""
        return self.starts + self.context + horizon - 1


@dataclass(frozen=True)
class Errors:
    """What goes wrong in each of `b` windows: squared error and energy score in latents, 1 − IoU in pictures."""

    mse: Float64
    energy: Float64
    pictures: Float64

    @classmethod
    def of(cls, samples: Float32, truth: Float32, shown: UInt8, real: UInt8) -> Self:
        """Of samples `(m, b, d)` of latents `(b, d)`, and of frames shown `(b, h, w)` beside the real ones."""
        mse = np.square(samples.mean(axis=0) - truth, dtype=np.float64).mean(axis=-1)
        return cls(mse, energy_score(samples, truth), 1 - iou(real, shown))

    def figures(self, copying: Errors, blocks: npt.NDArray[np.int64]) -> dict[str, Figure | None]:
        """The figures of a row, beside the errors of copying in the same windows."""
        return {
            "mse": mean(self.mse, blocks),
            "skill": skill(self.mse, copying.mse, blocks),
            "energy": mean(self.energy, blocks),
            "energy_skill": skill(self.energy, copying.energy, blocks),
            "iou": mean(1 - self.pictures, blocks),
            "iou_skill": skill(self.pictures, copying.pictures, blocks),
        }


def held_out_windows(clips: Sequence[Clip], cut: int, context: int, at_most: int = WINDOWS) -> Windows:
    """Evenly chosen windows of one clip each whose frames to foretell are all held out, from `cut` on.

    Only the context may reach back before `cut`. Where no clip is long enough the farthest horizons are left out.
    """
    for number in range(len(HORIZONS), 0, -1):
        ahead = HORIZONS[number - 1]
        ranges = [np.arange(max(c.start, cut - context), c.stop - context - ahead + 1) for c in clips if c.stop > cut]
        starts = np.concatenate([*ranges, np.arange(0)])
        if len(starts):
            chosen = np.unique(np.linspace(0, len(starts) - 1, min(len(starts), at_most)).astype(int))
            return Windows(starts[chosen].astype(np.int64), context, HORIZONS[:number])
    return Windows(np.zeros(0, np.int64), context, ())


def sampled(model: SequenceModel[Any], seeds: Float32, steps: int) -> Float32:
    """What the model foretells, `(m, b, steps, d)`: 8 samples, or 1 if another `rng` gives the same."""
    first, second = (model.generate(seeds, steps, rng=rng) for rng in (0, 1))
    if np.array_equal(first, second):
        return first[None]
    return np.stack([first, second, *(model.generate(seeds, steps, rng=rng) for rng in range(2, SAMPLES))])


def energy_score(samples: Float32, truth: Float32) -> Float64:
    """E|X − y| − ½ E|X − X′| of samples `(m, b, d)` about `(b, d)`, `(b,)`; with one sample the distance alone.

    Gneiting & Raftery, JASA 102 (2007), section 4.3, with the sign turned. The second mean leaves out each sample's
    pair with itself, so that its expectation does not depend on m.
    """
    far = np.linalg.norm(samples - truth, axis=-1).mean(axis=0)
    number = len(samples)
    if number == 1:
        return np.asarray(far, np.float64)
    between = sum(np.linalg.norm(samples - sample, axis=-1).sum(axis=0) for sample in samples)
    return np.asarray(far - between / (2 * number * (number - 1)), np.float64)


def skill(errors: npt.ArrayLike, errors_of_copying: npt.ArrayLike, blocks: npt.NDArray[np.int64]) -> Figure | None:
    """1 − Σ error ÷ Σ error of copying (Murphy, Monthly Weather Review 116, 1988)."""
    return bootstrap([errors, errors_of_copying], blocks, lambda sums: 1 - sums[..., 0] / sums[..., 1])


def next_frame_table(
    model: SequenceModel[Any],
    codec: FrameCodec[Any],
    name: str,
    frames: Silhouettes,
    latents: Float32,
    cut: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """The model, copying and the codec alone, on windows of `frames` and their `latents` `(n, d)`.

    Frames from `cut` on are held out. A table without rows if no window fits.
    """
    windows = held_out_windows(frames.clips, cut, model.context)
    if not len(windows.starts):
        return Table("Next frame", COLUMNS, [], "No held-out stretch is long enough to foretell anything.")
    total = len(windows.horizons) + 1
    seeds = latents[windows.starts[:, None] + np.arange(windows.context)]
    foretold = sampled(model, seeds, windows.horizons[-1])
    on_progress(1, total)
    last = seeds[:, -1]
    last_shown = _decoded(codec, last)
    blocks = number_blocks(frames.between(cut, len(frames)).clips)[windows.target(1) - cut]
    rows = []
    for done, ahead in enumerate(windows.horizons, 2):
        truth, real = latents[windows.target(ahead)], frames[windows.target(ahead)]
        samples = foretold[:, :, ahead - 1]
        copying = Errors.of(last[None], truth, last_shown, real)
        model_errors = Errors.of(samples, truth, _decoded(codec, samples.mean(axis=0)), real)
        best = Errors.of(truth[None], truth, _decoded(codec, truth), real).figures(copying, blocks)
        rows += [
            Measured(name, "model", model_errors.figures(copying, blocks), ahead),
            Measured(COPY, "copy", copying.figures(copying, blocks), ahead),
            Measured(CEILING, "ceiling", {key: best[key] for key in ("iou", "iou_skill")}, ahead),
        ]
        on_progress(done, total)
    return Table("Next frame", COLUMNS, rows, LEGEND)


def _decoded(codec: FrameCodec[Any], latents: Float32) -> UInt8:
    return np.concatenate([codec.decode(latents[k : k + CHUNK]) for k in range(0, len(latents), CHUNK)])
