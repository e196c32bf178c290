"""Training a compiled Keras model, epoch by epoch, so that a killed training goes on as if it had never stopped."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from deepdance.array_files import load_arrays
from deepdance.arrays import Int64
from deepdance.divergence import MOST_RISE, MOST_RISE_AT_FIRST, check_loss
from deepdance.errors import TrainingError
from deepdance.interfaces import History, Metrics, Training
from deepdance.storage import write_atomically
from deepdance.strict_json import dump_json, restore_metrics
from deepdance_plugins.networks.archives import save_network
from deepdance_plugins.networks.backend import keras
from deepdance_plugins.networks.devices import is_first_process, split_batches, take_from_first

log = logging.getLogger("deepdance")

Batch = tuple[Any, ...]
"""Inputs, targets and, if need be, weights: what `train_on_batch` takes, arrays `(batch, …)`."""
CHECKPOINT = "checkpoint.npz"
LOSS = {"loss": "loss"}
LOSS_AND_ACCURACY = {**LOSS, "accuracy": "acc"}
"""What Keras calls a metric, and what the paper's table does."""


class Pass(NamedTuple):
    """Batches, made one after the other as they are needed, and the samples in all of them."""

    samples: int
    batches: Iterator[Batch]


class Dataset(Protocol):
    """What a network is trained on.

    `rng` is the epoch's own: all that is random in the epoch is drawn from it, so an epoch is the same after a restart.
    """

    def iterate_training(self, rng: np.random.Generator) -> Pass:
        """The samples to learn from, in the epoch's order."""

    def iterate_held_out(self, rng: np.random.Generator) -> Pass:
        """The held-out samples, of which there may be none."""


@dataclass(frozen=True)
class Samples:
    """Samples that `load` gives by number, shuffled in each epoch: first `train` to learn from, then `held_out`.

    `load(numbers, rng)` makes a batch; what it draws, such as noise on its inputs, it draws from `rng`.
    """

    load: Callable[[Int64, np.random.Generator], Batch]
    train: int
    held_out: int
    batch_size: int

    def iterate_training(self, rng: np.random.Generator) -> Pass:
        """All training samples in a new order."""
        return self._pass(rng.permutation(self.train), rng)

    def iterate_held_out(self, rng: np.random.Generator) -> Pass:
        """All held-out samples in their order."""
        return self._pass(np.arange(self.train, self.train + self.held_out), rng)

    def _pass(self, order: Int64, rng: np.random.Generator) -> Pass:
        starts = range(0, len(order), self.batch_size)
        return Pass(len(order), (self.load(order[start : start + self.batch_size], rng) for start in starts))


def train_network(
    model: keras.Model,
    data: Dataset,
    *,
    epochs: int,
    training: Training,
    metrics: Mapping[str, str] = LOSS_AND_ACCURACY,
) -> History:
    """Train a compiled model on `data`, and measure it on what is held out of it, each epoch.

    `metrics` says which of Keras' metrics to note, and as what. Each epoch's weights, optimizer state and metrics are
    left in `training.folder`, and taken up there by the next call for the same model and data; a checkpoint that is
    damaged is dropped with a warning. Whoever saves the trained model then calls `forget_checkpoint`, or
    `save_networks`, which does. Returns the history, an entry an epoch.

    Raises TrainingError where loss or weights are not finite, or the loss is ten times the first epoch's; the
    checkpoint then stays that of the last good epoch.
    """
    model.optimizer.build(model.trainable_variables)  # so that a checkpoint finds the variables that it restores
    history = _take_up(model, training.folder, epochs)
    with split_batches(model) as take_share:
        for epoch in range(len(history), epochs):
            rng = np.random.default_rng([training.seed, epoch])
            learned = data.iterate_training(rng)
            noted, first = _run(model.train_on_batch, learned, metrics, take_share, training.on_progress)
            _check_epoch(model, [first, *history, noted], epochs)
            held_out = data.iterate_held_out(rng)
            if held_out.samples:
                measured, _ = _run(model.test_on_batch, held_out, metrics, take_share)
                noted |= {f"val_{name}": value for name, value in measured.items()}
            history.append(noted)
            if training.folder and is_first_process():
                _checkpoint(model, training.folder, history)
            training.on_epoch(epoch + 1, epochs, noted)
    return history


def _run(
    step: Callable[..., dict[str, Any]],
    data: Pass,
    metrics: Mapping[str, str],
    take_share: Callable[[Batch], Batch],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Metrics, Metrics]:
    """Call `step` on each batch: the means over the samples by weight, as `fit` gives them, and the first batch's."""
    totals, total_weight, done = dict.fromkeys(metrics.values(), 0.0), 0.0, 0
    first: Metrics = {}
    for inputs, targets, *weights in data.batches:
        # Keras resets its running means before each batch, so they are the batch's own and are averaged here.
        logs = step(*take_share((inputs, targets, *weights)), return_dict=True)
        weight = float(np.sum(weights)) if weights else len(targets)
        total_weight += weight
        measured = {noted: float(logs[name]) for name, noted in metrics.items()}
        first = first or measured
        for name, value in measured.items():
            totals[name] += value * weight
        done += len(targets)
        on_progress(done, data.samples)
    return {name: value / total_weight for name, value in totals.items()}, first


def _check_epoch(model: keras.Model, noted: Sequence[Metrics], epochs: int) -> None:
    """Raise TrainingError where the last epoch has spoiled the model; `noted` are the first batch and all epochs."""
    epoch, losses = len(noted) - 1, [metrics.get("loss", 0.0) for metrics in noted]
    beginning, most = (losses[0], MOST_RISE_AT_FIRST) if epoch == 1 else (losses[1], MOST_RISE)
    check_loss(losses[-1], beginning, epoch, epochs, most=most)
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise TrainingError(f"expected finite weights, got NaN or infinity in epoch {epoch} of {epochs}")


def count_epochs(steps: int, samples: int, batch_size: int) -> int:
    """The whole epochs nearest to so many steps of the optimizer, and at least one."""
    return max(1, round(steps * batch_size / max(samples, batch_size)))


def build_adamw(learning_rate: float, steps: int, warmup: int) -> keras.optimizers.Optimizer:
    """AdamW whose rate rises to `learning_rate` in `warmup` steps and falls to 0 as a cosine in `steps` more.

    (Loshchilov and Hutter 2017 and 2019.)
    """
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps=steps, warmup_target=learning_rate, warmup_steps=warmup
    )
    # Keras' beta_2 of .999 averages squared gradients over a thousand steps, and a training may have hardly more. Decay
    # is all but none in so few. Clipped to a norm of 1, one wild batch weighs no more than any other.
    return keras.optimizers.AdamW(schedule, weight_decay=1e-4, beta_2=0.99, clipnorm=1.0)


def save_networks(folder: Path, **networks: keras.Model) -> None:
    """Write trained networks as `NAME.keras`; the checkpoint of their training goes."""
    for name, network in networks.items():
        save_network(network, folder / f"{name}.keras")
    forget_checkpoint(folder)


def forget_checkpoint(folder: Path) -> None:
    """Remove the checkpoint of a training whose result is saved in the same folder."""
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _list_variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


def _checkpoint(model: keras.Model, folder: Path, history: History) -> None:
    variables: dict[str, Any] = {str(number): np.asarray(v) for number, v in enumerate(_list_variables(model))}
    with write_atomically(folder / CHECKPOINT) as temporary:
        np.savez(temporary, history=np.array(dump_json(history)), **variables)


def _take_up(model: keras.Model, folder: Path | None, epochs: int) -> History:
    """Set the model to where the training is taken up; of several processes only the first needs to know."""
    history = _restore(model, folder, epochs) if folder else []
    return restore_metrics(json.loads(take_from_first(_list_variables(model), dump_json(history))))


def _restore(model: keras.Model, folder: Path, epochs: int) -> History:
    """Set the model to its checkpoint, if there is a whole one. Returns the history up to there."""
    path, variables = folder / CHECKPOINT, _list_variables(model)
    if not path.exists():
        return []
    try:
        values, history = _read_checkpoint(path, variables, epochs)
    except Exception as error:  # damage shows in the archive, in an array's header or in JSON: in many ways
        log.warning("%s is damaged, and the training begins anew: %s", path, error or type(error).__name__)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return []
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return history


def _read_checkpoint(path: Path, variables: Sequence[keras.Variable], epochs: int) -> tuple[list[np.ndarray], History]:
    """All that a checkpoint holds, before any of it is used. Raises ValueError where it is no state of the model."""
    saved = load_arrays(path)
    history = restore_metrics(json.loads(str(saved["history"])))
    values = [saved[str(number)] for number in range(len(saved) - 1)]
    expected, got = ([(tuple(each.shape), str(each.dtype)) for each in arrays] for arrays in (variables, values))
    if got != expected:
        raise ValueError("expected the arrays of this model, got others")
    if not all(np.isfinite(value).all() for value in values):
        raise ValueError("expected finite numbers, got NaN or infinity")
    if not 1 <= len(history) <= epochs:
        raise ValueError(f"expected at most {epochs} epochs, got {len(history)}")
    return values, history
