"""Training a compiled Keras model, epoch by epoch, so that a killed training goes on as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.interfaces import History, Metrics, Training
from deepdance.workspace import write_atomically
from deepdance_plugins._keras.backend import keras

Batch = tuple[Any, ...]
Indices = npt.NDArray[np.int64]
CHECKPOINT = "checkpoint.npz"
NAMES = {"loss": "loss", "accuracy": "acc"}
"""What Keras calls a metric, and what the paper's table does."""
LOSS_ONLY = {"loss": "loss"}


def train(
    model: Any,
    batch: Callable[[Indices], Batch],
    train_count: int,
    validation_count: int,
    *,
    epochs: int,
    batch_size: int,
    training: Training,
    order: Callable[[int], Indices] | None = None,
    held_out: Indices | None = None,
    names: Mapping[str, str] = NAMES,
) -> History:
    """Fit `model` on samples `0 … train_count`, validating on the `validation_count` samples that follow them.

    `batch` gives inputs, targets and, if need be, weights for an array of sample numbers. The order of an epoch depends
    on the seed and the epoch alone: a shuffle, or what `order` gives for the epoch (and `held_out` for the validation).
    `names` says which of Keras' metrics to note, and as what. Each epoch's
    weights, optimizer state and metrics are left in `training.folder`, and taken up there.
    Whoever saves the trained model then calls `forget_checkpoint`.
    """
    model.optimizer.build(model.trainable_variables)
    history = _restore(model, training.folder)
    held_out = np.arange(train_count, train_count + validation_count) if held_out is None else held_out
    for epoch in range(len(history), epochs):
        shuffled = np.random.default_rng([training.seed, epoch]).permutation(train_count)
        samples = order(epoch) if order else shuffled
        metrics = _pass(model.train_on_batch, batch, samples, batch_size, names, training)
        if len(held_out):
            validation = _pass(model.test_on_batch, batch, held_out, batch_size, names)
            metrics |= {f"val_{name}": value for name, value in validation.items()}
        history.append(metrics)
        if training.folder:
            _checkpoint(model, training.folder, history)
        training.on_epoch(epoch + 1, epochs, metrics)
    return history


def epochs_of(steps: int, count: int, batch_size: int) -> int:
    """The whole epochs nearest to so many steps, and at least one."""
    return max(1, round(steps * batch_size / max(count, batch_size)))


def cosine_adamw(learning_rate: float, steps: int, warmup: int) -> Any:
    """AdamW whose rate rises to `learning_rate` in `warmup` steps and falls to 0 as a cosine in `steps` more.

    (Loshchilov and Hutter 2017 and 2019.)
    """
    optimizers = keras().optimizers
    schedule = optimizers.schedules.CosineDecay(
        0.0, decay_steps=steps, warmup_target=learning_rate, warmup_steps=warmup
    )
    return optimizers.AdamW(schedule, weight_decay=1e-4, beta_2=0.99, clipnorm=1.0)


def forget_checkpoint(folder: Path) -> None:
    """Remove the checkpoint of a training whose result is saved in the same folder."""
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _pass(
    step: Callable[..., dict[str, Any]],
    batch: Callable[[Indices], Batch],
    order: Indices,
    batch_size: int,
    names: Mapping[str, str],
    training: Training | None = None,
) -> Metrics:
    """One pass over the samples; the metrics are the mean over them by weight, as `fit` gives them."""
    totals, total = dict.fromkeys(names.values(), 0.0), 0.0
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        inputs, targets, *weights = batch(chosen)
        logs = step(inputs, targets, *weights, return_dict=True)
        weight = float(np.sum(weights)) if weights else len(chosen)
        total += weight
        for name, noted in names.items():
            totals[noted] += float(logs[name]) * weight
        if training:
            training.on_progress(start + len(chosen), len(order))
    return {name: value / total for name, value in totals.items()}


def _state(model: Any) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _checkpoint(model: Any, folder: Path, history: History) -> None:
    values: dict[str, Any] = {str(number): np.asarray(variable) for number, variable in enumerate(_state(model))}
    with write_atomically(folder / CHECKPOINT) as temporary:
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
