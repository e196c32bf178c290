"""The one place that knows which framework is under Keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from deepdance.errors import PluginError

FRAMEWORK = keras.backend.backend()

if FRAMEWORK == "tensorflow":
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
elif FRAMEWORK == "jax":
    import jax
else:
    raise PluginError(f"expected Keras on tensorflow or jax, got {FRAMEWORK}; set KERAS_BACKEND=tensorflow")


def load_network(path: Path) -> keras.Model:
    """A saved `.keras` network, which cannot run code of its own."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def gradient(loss: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient of a scalar function with respect to its first argument, compiled."""
    if FRAMEWORK == "jax":
        return jax.jit(jax.grad(loss))  # type: ignore[no-any-return]

    def differentiate(values: Any, *others: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(values)
            value = loss(values, *others)
        return tape.gradient(value, values)

    return tf.function(differentiate, reduce_retracing=True)  # type: ignore[no-any-return]


def compile_loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled as a whole, loops included: XLA on TensorFlow and JAX."""
    if FRAMEWORK == "jax":
        return jax.jit(function)  # type: ignore[no-any-return]
    return tf.function(function, jit_compile=True, reduce_retracing=False)  # type: ignore[no-any-return]
