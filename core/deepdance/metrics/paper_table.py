"""The paper's table: epochs, accuracy and loss of both models, with what those accuracies can mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from deepdance.arrays import Float32, UInt8
from deepdance.metrics.accuracy import accuracy_ceiling, argmax_agreement, keras_accuracy, mean_squared_error

PAPER = {
    "codec": {"epochs": 27, "acc": 0.964, "loss": 0.007, "val_acc": 0.964, "val_loss": 0.007},
    "sequence": {"epochs": 853, "acc": 0.800, "loss": 0.048, "val_acc": 0.799, "val_loss": 0.049},
}
"""Deep Dance's table of results."""
PAPER_MODELS = {"codec": "conv-ae", "sequence": "lstm4"}
"""What the paper's models are called here."""
Stage = Literal["codec", "sequence"]
NOT_MEASURED = {"ceiling_acc": None, "copy_last_acc": None, "copy_last_loss": None}


@dataclass(frozen=True)
class PaperRow:
    """One model's line of the table. `None` means: there was nothing to measure it on."""

    stage: Stage
    component: str
    epochs: int
    acc: float | None
    loss: float | None
    val_acc: float | None
    val_loss: float | None
    ceiling_acc: float | None
    copy_last_acc: float | None
    copy_last_loss: float | None
    held_out: int = 0
    """Frames of the codec, windows of the sequence model, that `val_acc` and all after it are measured on."""


def build_row(
    stage: Stage,
    component: str,
    history: Sequence[Mapping[str, float]],
    reference: dict[str, float | None],
    held_out: int,
) -> PaperRow:
    """The last epoch's figures beside `reference`: the ceiling and the copy of the last frame."""
    last = history[-1]
    figures: dict[str, Any] = {name: last.get(name) for name in ("acc", "loss", "val_acc", "val_loss")}
    return PaperRow(stage, component, len(history), **figures, **reference, held_out=held_out)


def measure_pixel_reference(neighbours: Iterable[tuple[UInt8, UInt8]]) -> dict[str, float | None]:
    """Ceiling of the accuracy, and accuracy and loss of showing the frame before, on silhouettes as grey levels.

    `neighbours` are chunks `(n, h, w)` of frames, each beside those that follow them.
    """
    totals, count = np.zeros(3), 0
    for before, after in neighbours:
        truth, copied = (frames.astype(np.float32) / 255 for frames in (after, before))
        figures = accuracy_ceiling(truth), keras_accuracy(truth, copied), mean_squared_error(truth, copied)
        totals += len(after) * np.array(figures)
        count += len(after)
    if not count:
        return dict(NOT_MEASURED)
    ceiling, accuracy, loss = (totals / count).tolist()
    return {"ceiling_acc": ceiling, "copy_last_acc": accuracy, "copy_last_loss": loss}


def measure_latent_reference(clips: Sequence[Float32], context: int) -> dict[str, float | None]:
    """The same for latents: a perfect prediction agrees always; copying repeats the last latent of each window."""
    usable = [clip for clip in clips if len(clip) > context]
    if not usable:
        return dict(NOT_MEASURED)
    truth = np.concatenate([clip[context:] for clip in usable])
    before = np.concatenate([clip[context - 1 : -1] for clip in usable])
    return {
        "ceiling_acc": argmax_agreement(truth, truth),
        "copy_last_acc": argmax_agreement(truth, before),
        "copy_last_loss": mean_squared_error(truth, before),
    }
