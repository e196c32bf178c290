"""How well a sequence model predicts the next frames, against showing the last one again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float32, Float64, Int64, UInt8
from deepdance.evaluation.streams import OnProgress, ProgressMeter, ignore_progress
from deepdance.evaluation.tables import CEILING, COPY, Column, Figures, Row, Table
from deepdance.frames import Clip
from deepdance.interfaces import SequenceModel
from deepdance.metrics.bootstrap import Estimate, bootstrap, bootstrap_mean
from deepdance.metrics.shapes import iou
from deepdance.opened_runs import OpenedRun
from deepdance.packing import PackedModel
from deepdance.pipeline import DECODE_BATCH
from deepdance.pool import Pool
from deepdance.splits import number_blocks
from deepdance.tasks import Tools

HORIZONS = (1, 2, 5, 10)
"""How many frames ahead."""
SAMPLES = 8
"""Dances that a model with randomness is judged by."""
WINDOWS = 200
"""Windows to predict from, at most: neighbours among more would be nearly the same."""
COLUMNS = (
    Column("mse", "latent MSE", 4),
    Column("skill", "latent skill"),
    Column("energy", "energy score", 2),
    Column("energy_skill", "energy skill"),
    Column("iou", "IoU"),
    Column("iou_skill", "IoU skill"),
)
LEGEND = (
    "Frames ahead of held-out windows. skill: 1 − error ÷ error of copying, so 0 is no better than the last frame "
    "again, 1 is perfect. A model with randomness is judged by the mean of 8 dances. energy score: E|X−y| − ½ E|X−X′| "
    "over them, less is better. IoU: decoded, against the real frame; the codec alone is the most it can be; its error "
    "is 1 − IoU."
)


@dataclass(frozen=True)
class Windows:
    """`context` frames from each of `starts` `(b,)`, then the frames to predict, up to `horizons[-1]`."""

    starts: Int64
    context: int
    horizons: Sequence[int]

    def inputs(self) -> Int64:
        """The frames of each context, `(b, context)`."""
        return self.starts[:, None] + np.arange(self.context)

    def targets(self, horizon: int) -> Int64:
        """The frame that lies so far ahead of each window, `(b,)`."""
        return self.starts + self.context + horizon - 1


@dataclass(frozen=True)
class Errors:
    """Errors in each of `b` windows: squared error and energy score in latents, 1 − IoU in pictures."""

    mse: Float64
    energy: Float64
    pictures: Float64

    @classmethod
    def measure(cls, samples: Float32, truth: Float32, overlap: Float64) -> Self:
        """Of samples `(m, b, d)` of latents `(b, d)`, and of the IoU `(b,)` of what is shown with the real frames."""
        # The squared error is least for the mean, so that randomness is not held against a model; that it is right
        # in its spread as well is what the energy score is for.
        mse = np.square(samples.mean(axis=0) - truth, dtype=np.float64).mean(axis=-1)
        return cls(mse, energy_score(samples, truth), 1 - overlap)

    def estimate(self, copying: Errors, blocks: Int64) -> Figures:
        """The figures of a row, beside the errors of copying in the same windows."""
        return {
            "mse": bootstrap_mean(self.mse, blocks),
            "skill": estimate_skill(self.mse, copying.mse, blocks),
            "energy": bootstrap_mean(self.energy, blocks),
            "energy_skill": estimate_skill(self.energy, copying.energy, blocks),
            "iou": bootstrap_mean(1 - self.pictures, blocks),
            "iou_skill": estimate_skill(self.pictures, copying.pictures, blocks),
        }


def measure_next_frame(run: OpenedRun, on_progress: OnProgress = ignore_progress, *, pool: Pool | None = None) -> Table:
    """A run's sequence model, copying and the codec alone, on windows of its held-out frames.

    A table without rows if no window fits.
    """
    frames, latents = run.frames, run.latents
    windows = choose_windows(frames.clips, run.evaluated_from, run.model.context)
    if not len(windows.starts):
        return Table("Next frame", COLUMNS, [], "No held-out stretch is long enough to foretell anything.")
    seeds = latents[windows.inputs()]
    last, truths = seeds[:, -1], [latents[windows.targets(ahead)] for ahead in windows.horizons]
    meter = ProgressMeter(2 * len(last), on_progress, pool)
    predicted = sample_predictions(run.model, seeds, windows.horizons[-1])
    meter.advance(len(last))
    samples = [predicted[:, :, ahead - 1] for ahead in windows.horizons]
    drawn = np.stack([last, *truths, *(each.mean(axis=0) for each in samples)], axis=1)
    overlap = _measure_overlap(run, windows, drawn, meter)
    # A window lies in the block of its first target at every horizon, so that resamples draw the same windows.
    blocks = number_blocks(run.held_out.clips)[windows.targets(1) - run.evaluated_from]
    rows = []
    for number, (ahead, truth) in enumerate(zip(windows.horizons, truths, strict=True)):
        shown = overlap[:, :, number].T
        copying = Errors.measure(last[None], truth, shown[0])
        errors = Errors.measure(samples[number], truth, shown[2])
        ceiling = Errors.measure(truth[None], truth, shown[1]).estimate(copying, blocks)
        rows += [
            Row(run.recipe.sequence.name, "model", errors.estimate(copying, blocks), ahead),
            Row(COPY, "copy", copying.estimate(copying, blocks), ahead),
            Row(CEILING, "ceiling", {key: ceiling[key] for key in ("iou", "iou_skill")}, ahead),
        ]
    return Table("Next frame", COLUMNS, rows, LEGEND)


def choose_windows(clips: Sequence[Clip], evaluated_from: int, context: int, at_most: int = WINDOWS) -> Windows:
    """Evenly chosen windows of one clip each whose frames to predict all lie from `evaluated_from` on.

    Only the context may reach back before that. Where no clip is long enough the farthest horizons are left out.
    """
    clips = [clip for clip in clips if clip.stop > evaluated_from]
    earliest = evaluated_from - context
    for count in range(len(HORIZONS), 0, -1):
        length = context + HORIZONS[count - 1]
        ranges = [np.arange(max(clip.start, earliest), clip.stop - length + 1) for clip in clips]
        starts = np.concatenate([*ranges, np.arange(0)])
        if len(starts):
            chosen = np.linspace(0, len(starts) - 1, min(len(starts), at_most)).astype(int)
            return Windows(starts[chosen], context, HORIZONS[:count])
    return Windows(np.zeros(0, np.int64), context, ())


def sample_predictions(model: SequenceModel[Any], seeds: Float32, steps: int) -> Float32:
    """What the model predicts, `(m, b, steps, d)`: 8 samples, or 1 if another `rng` gives the same."""
    first, second = (model.generate(seeds, steps, rng=rng) for rng in (0, 1))
    if np.array_equal(first, second):
        return first[None]
    return np.stack([first, second, *(model.generate(seeds, steps, rng=rng) for rng in range(2, SAMPLES))])


def energy_score(samples: Float32, truth: Float32) -> Float64:
    """E|X − y| − ½ E|X − X′| of samples `(m, b, d)` about `(b, d)`, `(b,)`; with one sample the distance alone.

    Gneiting & Raftery, JASA 102 (2007), section 4.3, with the sign turned.
    """
    distance = np.linalg.norm(samples - truth, axis=-1).mean(axis=0)
    count = len(samples)
    if count == 1:
        return np.asarray(distance, np.float64)
    # One sample at a time, for all pairs at once would take m times the memory. A sample's pair with itself adds 0 to
    # the sum and is not counted in the mean, so that its expectation does not depend on m.
    spread = sum(np.linalg.norm(samples - sample, axis=-1).sum(axis=0) for sample in samples)
    return np.asarray(distance - spread / (2 * count * (count - 1)), np.float64)


def estimate_skill(errors: npt.ArrayLike, errors_of_copying: npt.ArrayLike, blocks: Int64) -> Estimate | None:
    """1 − Σ error ÷ Σ error of copying (Murphy, Monthly Weather Review 116, 1988)."""
    return bootstrap([errors, errors_of_copying], blocks, lambda sums: 1 - sums[..., 0] / sums[..., 1])


def _measure_overlap(run: OpenedRun, windows: Windows, drawn: Float32, meter: ProgressMeter) -> Float64:
    """`_compare_pictures` of all windows, a few at a time."""
    targets = np.stack([windows.targets(ahead) for ahead in windows.horizons], axis=1)
    step = max(1, DECODE_BATCH // drawn.shape[1])
    parts = [slice(start, start + step) for start in range(0, len(drawn), step)]
    blocks = (
        (run.packed_codec, drawn[part], run.frames[targets[part].ravel()], len(windows.horizons)) for part in parts
    )
    return np.concatenate(list(meter.map(_compare_pictures, blocks, [len(drawn[part]) for part in parts])))


def _compare_pictures(tools: Tools, codec: PackedModel, drawn: Float32, real: UInt8, horizons: int) -> Float64:
    """IoU `(b, 3, horizons)` with `real` frames: of the last one held, of the codec alone, and of what is predicted.

    `drawn` are the latents `(b, 1 + 2 · horizons, d)` of these, `real` the frames `(b · horizons, h, w)`.
    """
    shown = codec.load(tools.registry).decode(np.concatenate(drawn)).reshape(*drawn.shape[:2], *real.shape[1:])
    held, later = np.repeat(shown[:, :1], horizons, axis=1), np.split(shown[:, 1:], 2, axis=1)
    overlap = [iou(real, frames.reshape(real.shape)) for frames in (held, *later)]
    return np.stack([each.reshape(len(drawn), horizons) for each in overlap], axis=1)
