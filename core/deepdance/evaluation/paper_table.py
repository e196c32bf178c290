"""The paper's table: epochs, accuracy and loss of both models, with what those accuracies can mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepdance.evaluation.accuracy import accuracy_ceiling, argmax_agreement, keras_accuracy, mean_squared_error
from deepdance.frames import Clip, Silhouettes
from deepdance.interfaces import Float32, History

PAPER = {
    "codec": {"epochs": 27, "acc": 0.964, "loss": 0.007, "val_acc": 0.964, "val_loss": 0.007},
    "sequence": {"epochs": 853, "acc": 0.800, "loss": 0.048, "val_acc": 0.799, "val_loss": 0.049},
}
"""Deep Dance's table of results."""


@dataclass(frozen=True)
class Row:
    """One model's line. `None` means: there was nothing to measure it on."""

    stage: str
    component: str
    epochs: int
    acc: float | None
    loss: float | None
    val_acc: float | None
    val_loss: float | None
    ceiling_acc: float | None
    copy_last_acc: float | None
    copy_last_loss: float | None


def table_row(stage: str, component: str, history: History, reference: dict[str, float | None]) -> Row:
    """The last epoch's figures beside `reference`: the ceiling and the copy of the last frame."""
    last = history[-1]
    figures: dict[str, Any] = {name: last.get(name) for name in ("acc", "loss", "val_acc", "val_loss")}
    return Row(stage, component, len(history), **figures, **reference)


def pixel_reference(frames: Silhouettes) -> dict[str, float | None]:
    """Ceiling of the accuracy, and accuracy and loss of showing the frame before, on silhouettes as grey levels."""
    pairs = _pairs(frames.clips)
    if not len(pairs):
        return {"ceiling_acc": None, "copy_last_acc": None, "copy_last_loss": None}
    totals = np.zeros(3)
    for chunk in np.array_split(pairs, range(256, len(pairs), 256)):
        truth, before = (frames[index].astype(np.float32) / 255 for index in (chunk, chunk - 1))
        figures = accuracy_ceiling(truth), keras_accuracy(truth, before), mean_squared_error(truth, before)
        totals += len(chunk) * np.array(figures)
    ceiling, accuracy, loss = (totals / len(pairs)).tolist()
    return {"ceiling_acc": ceiling, "copy_last_acc": accuracy, "copy_last_loss": loss}


def latent_reference(clips: Sequence[Float32], context: int) -> dict[str, float | None]:
    """The same for latents: a perfect prediction agrees always; copying repeats the last latent of each window."""
    usable = [clip for clip in clips if len(clip) > context]
    if not usable:
        return {"ceiling_acc": None, "copy_last_acc": None, "copy_last_loss": None}
    truth = np.concatenate([clip[context:] for clip in usable])
    before = np.concatenate([clip[context - 1 : -1] for clip in usable])
    return {
        "ceiling_acc": argmax_agreement(truth, truth),
        "copy_last_acc": argmax_agreement(truth, before),
        "copy_last_loss": mean_squared_error(truth, before),
    }


def _pairs(clips: Sequence[Clip]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Every frame that has one before it in its clip."""
    return np.concatenate([np.arange(clip.start + 1, clip.stop) for clip in clips] or [np.arange(0)])
