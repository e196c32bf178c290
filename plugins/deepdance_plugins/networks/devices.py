"""Training on all devices that JAX has, in one process or in several: each batch is split among them.

With `backend` the only place that knows the framework. TensorFlow has strategies of its own for this, but gives each
device of one the whole batch where a model is trained batch by batch; so there, one device trains.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from deepdance_plugins.networks.backend import FRAMEWORK, keras

if FRAMEWORK == "jax":
    import jax
    from jax.experimental.multihost_utils import broadcast_one_to_all

log = logging.getLogger("deepdance")

Arrays = tuple[Any, ...]
"""Of a batch, `(batch, …)` each."""


def describe_devices() -> str:
    """What a training finds, such as `4 devices: gpu ×4`."""
    kinds = Counter(name.partition(":")[0] for name in keras.distribution.list_devices())
    count, named = kinds.total(), ", ".join(f"{kind} ×{number}" for kind, number in kinds.items())
    if count == 1:
        return f"1 device: {next(iter(kinds))}"
    note = "" if FRAMEWORK == "jax" else "; one of them trains, all of them with KERAS_BACKEND=jax"
    return f"{count} devices: {named}{note}"


def is_first_process() -> bool:
    """Whether this is the process that writes: of a training in several, they all come to the same weights."""
    return FRAMEWORK != "jax" or bool(jax.process_index() == 0)


@contextmanager
def split_batches(model: keras.Model) -> Iterator[Callable[[Arrays], Arrays]]:
    """Meanwhile a built and compiled model is on all devices, and each batch of `train_on_batch` is split among them.

    Gives what takes this process' share of a batch; all processes have the same batches. Weights and losses are those
    of one device but for rounding. Afterwards the model is on one device again, as what dances with it expects.
    """
    if not _has_several_devices():
        yield lambda batch: batch
        return
    distribution = _DataParallel(devices=keras.distribution.list_devices())
    with distribution.scope():
        _place(model, distribution.copy_to_all)
        yield distribution.take_share
    # Not where it was interrupted: the step's arrays are gone then, and the model with them.
    _place(model, np.asarray)


def _has_several_devices() -> bool:
    return FRAMEWORK == "jax" and bool(jax.device_count() > 1)


class _DataParallel(keras.distribution.DataParallel):  # type: ignore[misc]
    """Keras' own, for batches of any size: one that the devices do not divide goes whole to each of them.

    JAX computes what one device would, wherever the parts of an array lie: the means of losses and layers, the noise
    and the dropout are those of the whole batch.
    """

    _is_split: bool | None = None

    def take_share(self, batch: Arrays) -> Arrays:
        """The rows of a batch that go to this process' devices."""
        samples, devices = len(keras.tree.flatten(batch)[0]), self.device_mesh.devices.size
        if samples % devices and self._is_split is None:
            log.info("%d devices do not divide batches of %d: each of them computes all", devices, samples)
        self._is_split = samples % devices == 0
        if not self._is_split:
            return batch
        share = samples // jax.process_count()
        rows = slice(jax.process_index() * share, (jax.process_index() + 1) * share)
        return tuple(keras.tree.map_structure(lambda values: values[rows], batch))

    def get_data_layout(self, data_shape: Sequence[int]) -> keras.distribution.TensorLayout:
        if self._is_split:
            return super().get_data_layout(data_shape)
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)

    def copy_to_all(self, value: Any) -> Any:
        """An array as one that each device has."""
        whole = jax.sharding.NamedSharding(self.device_mesh.backend_mesh, jax.sharding.PartitionSpec())
        return jax.make_array_from_process_local_data(whole, np.asarray(value))


def _place(model: keras.Model, place: Callable[[Any], Any]) -> None:
    for variable in [*model.variables, *model.optimizer.variables, *model.metrics_variables]:
        variable.assign(place(variable))
    model.train_function = model.test_function = None  # they were compiled for where the variables lay


def take_from_first(variables: Sequence[keras.Variable], note: str) -> str:
    """Set variables to those of the first process, and return its note: it alone knows where a training is taken up."""
    if FRAMEWORK != "jax" or jax.process_count() == 1:
        return note
    for variable in variables:
        variable.assign(broadcast_one_to_all(np.asarray(variable)))
    written = np.frombuffer(note.encode(), np.uint8)
    length = int(broadcast_one_to_all(np.int32(len(written))))
    return bytes(broadcast_one_to_all(np.resize(written, length))).decode()
