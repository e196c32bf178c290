"""Training a compiled Keras model, epoch by epoch, so that a killed training goes on as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.interfaces import History, Metrics, Training
from deepdance.workspace import written_whole

Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
Indices = npt.NDArray[np.int64]
CHECKPOINT = "checkpoint.npz"
NAMES = {"loss": "loss", "accuracy": "acc"}
"""What Keras calls a metric, and what the paper's table does."""


def train(
    model: Any,
    batch: Callable[[Indices], Batch],
    train_count: int,
    validation_count: int,
    *,
    epochs: int,
    batch_size: int,
    training: Training,
) -> History:
    """Fit `model` on samples `0 … train_count`, validating on the `validation_count` samples that follow them.

    `batch` gives inputs and targets for an array of sample numbers. The order of an epoch depends on the seed and the
    epoch alone. Each epoch's weights, optimizer state and metrics are left in `training.folder`, and taken up there.
    Whoever saves the trained model then calls `forget_checkpoint`.
    """
    model.optimizer.build(model.trainable_variables)
    history = _restore(model, training.folder)
    held_out = np.arange(train_count, train_count + validation_count)
    for epoch in range(len(history), epochs):
        order = np.random.default_rng([training.seed, epoch]).permutation(train_count)
        metrics = _pass(model.train_on_batch, batch, order, batch_size, training)
        if validation_count:
            validation = _pass(model.test_on_batch, batch, held_out, batch_size)
            metrics |= {f"val_{name}": value for name, value in validation.items()}
        history.append(metrics)
        if training.folder:
            _checkpoint(model, training.folder, history)
        training.on_epoch(epoch + 1, epochs, metrics)
    return history


def forget_checkpoint(folder: Path) -> None:
    """Remove the checkpoint of a training whose result is saved in the same folder."""
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _pass(
    step: Callable[..., dict[str, Any]],
    batch: Callable[[Indices], Batch],
    order: Indices,
    batch_size: int,
    training: Training | None = None,
) -> Metrics:
    """One pass over the samples; the metrics are the mean over them, as `fit` gives them."""
    totals = dict.fromkeys(NAMES.values(), 0.0)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        logs = step(*batch(chosen), return_dict=True)
        for name, value in logs.items():
            totals[NAMES[name]] += float(value) * len(chosen) / len(order)
        if training:
            training.on_progress(start + len(chosen), len(order))
    return totals


def _state(model: Any) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _checkpoint(model: Any, folder: Path, history: History) -> None:
    values: dict[str, Any] = {str(number): np.asarray(variable) for number, variable in enumerate(_state(model))}
    with written_whole(folder / CHECKPOINT) as temporary:
        np.savez(temporary, history=np.array(json.dumps(history)), **values)


def _restore(model: Any, folder: Path | None) -> History:
    path = folder / CHECKPOINT if folder else None
    if not path or not path.exists():
        return []
    with np.load(path, allow_pickle=False) as saved:
        for number, variable in enumerate(_state(model)):
            variable.assign(saved[str(number)])
        history: History = json.loads(str(saved["history"]))
    return history
