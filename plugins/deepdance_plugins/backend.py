"""The one place that knows which framework is under Keras."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@cache
def keras() -> Any:
    """Keras, imported with its backend's start-up chatter silenced."""
    with _silent_stderr():
        import keras as module

        if module.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.get_logger().setLevel("ERROR")
    return module


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """The frameworks' C++ code writes to the file descriptor, so that is what is turned away."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def gradient(loss: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient of a scalar function with respect to its first argument, compiled."""
    backend = keras().backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        def derive(values: Any, *others: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(values)
                height = loss(values, *others)
            return tape.gradient(height, values)

        return tf.function(derive, reduce_retracing=True)  # type: ignore[no-any-return]
    if backend == "jax":
        import jax

        return jax.jit(jax.grad(loss))  # type: ignore[no-any-return]
    raise NotImplementedError(f"expected Keras on TensorFlow or JAX, got {backend}; set KERAS_BACKEND=tensorflow")


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled as a whole, loops included: XLA on TensorFlow and JAX."""
    backend = keras().backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True, reduce_retracing=False)  # type: ignore[no-any-return]
    if backend == "jax":
        import jax

        return jax.jit(function)  # type: ignore[no-any-return]
    return function
