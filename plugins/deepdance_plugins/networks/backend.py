"""Keras as components use it, on TensorFlow or JAX: with `devices` the one place that knows which is under it.

Take `keras`, `layers`, `ops` and `KerasTensor` from here: the framework was checked, and Keras' defaults are the same
everywhere. Importing it raises PluginError where Keras does not start on the framework that `KERAS_BACKEND` names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deepdance.array_files import MOST_INFLATED, open_archive, translate_damage
from deepdance.arrays import Float32
from deepdance.errors import PluginError
from deepdance.plugins.redirection import capture_output

FRAMEWORKS = ("tensorflow", "jax")
PINNED = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
"""The networks are made for these, whatever a `keras.json` of other projects says."""

asked = os.environ.get("KERAS_BACKEND", FRAMEWORKS[0])
if asked not in FRAMEWORKS:
    raise PluginError(f"expected Keras on tensorflow or jax, got KERAS_BACKEND={asked}; set KERAS_BACKEND=tensorflow")
try:
    # TensorFlow writes its first lines whatever `TF_CPP_MIN_LOG_LEVEL` says, amid the bars where a fit imports Keras.
    with capture_output():
        import keras as keras  # noqa: PLC0414  (components take Keras from here, where it was checked)
        from keras import KerasTensor as KerasTensor  # noqa: PLC0414
        from keras import layers as layers  # noqa: PLC0414
        from keras import ops as ops  # noqa: PLC0414
except Exception as error:
    cure = f"install {asked}" if isinstance(error, ImportError) else "mend keras.json"
    raise PluginError(
        f"expected Keras to start on {asked}, got {type(error).__name__}: {error}; "
        f"set KERAS_BACKEND=tensorflow, or {cure}"
    ) from error

FRAMEWORK = keras.backend.backend()

if FRAMEWORK == "tensorflow":
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
elif FRAMEWORK == "jax":
    import jax
else:
    raise PluginError(f"expected Keras on tensorflow or jax, got {FRAMEWORK}; set KERAS_BACKEND=tensorflow")

for name, value in PINNED.items():
    getattr(keras.config, f"set_{name}")(value)


def find_unused_settings() -> dict[str, Any]:
    """What the user's `keras.json` says and deepdance does not follow."""
    folder = Path(os.environ.get("KERAS_HOME", Path("~/.keras").expanduser()))
    try:
        written = json.loads((folder / "keras.json").read_text(encoding="utf-8"))
        used = {"backend": FRAMEWORK, **PINNED}
        return {name: written[name] for name in used if written.get(name, used[name]) != used[name]}
    except (OSError, ValueError, AttributeError):
        return {}


def load_network(path: Path) -> keras.Model:
    """A saved `.keras` network, which cannot run code of its own, nor inflate without end. Raises WorkspaceError."""
    with translate_damage(path), open_archive(path) as archive:
        inflated = sum(member.file_size for member in archive.infolist())
        if inflated > MOST_INFLATED * path.stat().st_size:
            raise ValueError(f"a network that inflates to {inflated:,} bytes")
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def compile_loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of arrays compiled as a whole, loops included: XLA on TensorFlow and JAX.

    It is compiled once for each set of shapes, so call it with the same ones. Give it a network's weights as an
    argument, for `Model.stateless_call`: as constants they would be compiled into it.
    """
    if FRAMEWORK == "jax":
        return jax.jit(function)  # type: ignore[no-any-return]
    return tf.function(function, jit_compile=True, reduce_retracing=False)  # type: ignore[no-any-return]


def compile_network(network: keras.Model, at_once: int) -> Callable[[Float32], Float32]:
    """`network` as a function of float32 arrays `(n, …)`, n at least 1, which go through it `at_once` at a time.

    Keras' `predict` does the same, and takes a tenth of a second to begin, however little there is to do. Later changes
    of the weights count.
    """
    call = _compile_call(network)

    def apply(inputs: Float32) -> Float32:
        parts = (inputs[start : start + at_once] for start in range(0, len(inputs), at_once))
        return np.concatenate([np.asarray(call(part)) for part in parts])

    return apply


def _compile_call(network: keras.Model) -> Callable[[Float32], Any]:
    if FRAMEWORK == "jax":
        stateless = jax.jit(lambda weights, inputs: network.stateless_call(weights, [], inputs, training=False)[0])
        return lambda inputs: stateless([variable.value for variable in network.variables], inputs)
    signature = tf.TensorSpec(network.input_shape, tf.float32)
    return tf.function(lambda inputs: network(inputs, training=False), input_signature=[signature])  # type: ignore[no-any-return]
