"""The one place that knows which framework is under Keras."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from deepdance.errors import DeepDanceError

BACKENDS = ("tensorflow", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@cache
def keras() -> Any:
    """Keras, imported with its backend's start-up chatter silenced."""
    with silent_stderr():
        import keras as module

        if module.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.get_logger().setLevel("ERROR")
    if module.backend.backend() not in BACKENDS:
        raise DeepDanceError(
            f"expected Keras on {' or '.join(BACKENDS)}, got {module.backend.backend()}; set KERAS_BACKEND=tensorflow"
        )
    return module


def load_network(path: Path) -> Any:
    """A saved `.keras` network, which cannot run code of its own."""
    return keras().saving.load_model(path, compile=False, safe_mode=True)


@contextmanager
def silent_stderr() -> Iterator[None]:
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
    if keras().backend.backend() == "tensorflow":
        import tensorflow as tf

        def derive(values: Any, *others: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(values)
                height = loss(values, *others)
            return tape.gradient(height, values)

        return tf.function(derive, reduce_retracing=True)  # type: ignore[no-any-return]
    import jax

    return jax.jit(jax.grad(loss))  # type: ignore[no-any-return]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled as a whole, loops included: XLA on TensorFlow and JAX."""
    if keras().backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True, reduce_retracing=False)  # type: ignore[no-any-return]
    import jax

    return jax.jit(function)  # type: ignore[no-any-return]
