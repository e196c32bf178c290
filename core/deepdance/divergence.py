"""When a training has lost its way: what every training is held to, whoever wrote it."""

from __future__ import annotations

from math import isfinite

from deepdance.errors import TrainingError

MOST_RISE = 10
"""Times the first epoch's loss, from which on a loss will not fall again."""
MOST_RISE_AT_FIRST = 100
"""Times the first batch's loss, for the first epoch: a batch is few samples, and they may be easy ones."""


def check_loss(loss: float, beginning: float, epoch: int, epochs: int, *, most: float = MOST_RISE) -> None:
    """Raise TrainingError where an epoch's loss is no number, or more than `most` times what it was at the beginning.

    A loss that is negative, such as a log likelihood, has no such ratio: of it only NaN and infinity are told.
    """
    where = f"in epoch {epoch} of {epochs}"
    if not isfinite(loss):
        raise TrainingError(f"expected a finite loss, got {loss} {where}")
    if 0 < most * beginning < loss:
        raise TrainingError(f"expected a loss that falls from {beginning:.3g}, got {loss:.3g} {where}")
