"""A training compiled as a whole, for JAX: on a GPU the calls of single steps would take far longer than the steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from deepdance.interfaces import Float32
from deepdance_plugins.networks.backend import keras

STEPS_A_CALL = 500


def train_compiled(
    model: keras.Model,
    rows: Float32,
    *,
    steps: int,
    batch_size: int,
    seed: int,
    on_progress: Callable[[int, float], None],
) -> None:
    """`steps` steps of a built and compiled model that rebuilds rows `(n, k)`; batches are drawn with replacement.

    `on_progress` is called with the steps done and the mean error of the last ones.
    """
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    data = jnp.asarray(rows)

    def loss(trainable: Any, other: Any, batch: Any) -> tuple[Any, Any]:
        rebuilt, other, losses = model.stateless_call(trainable, other, batch, training=True, return_losses=True)
        wrong = jnp.mean(model.loss(batch, rebuilt))
        return wrong + sum(losses), (wrong, other)

    def step(state: Any, key: Any) -> tuple[Any, Any]:
        trainable, other, optimized = state
        batch = data[jax.random.randint(key, (batch_size,), 0, len(data))]
        (_, (wrong, other)), slopes = jax.value_and_grad(loss, has_aux=True)(trainable, other, batch)
        trainable, optimized = optimizer.stateless_apply(optimized, slopes, trainable)
        return (trainable, other, optimized), wrong

    run = jax.jit(lambda state, keys: jax.lax.scan(step, state, keys))
    state: Any = tuple(
        [variable.value for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    )
    keys = jax.random.split(jax.random.key(seed), steps)
    for start in range(0, steps, STEPS_A_CALL):
        state, wrong = run(state, keys[start : start + STEPS_A_CALL])
        on_progress(min(start + STEPS_A_CALL, steps), float(np.mean(wrong)))
    for variables, values in zip((model.trainable_variables, model.non_trainable_variables), state[:2], strict=True):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
