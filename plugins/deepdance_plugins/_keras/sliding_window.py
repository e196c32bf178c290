"""Generation with windows in flight: the network over sliding windows, exactly, without running a frame through twice.

The plain loop runs the network over the last `context` frames for every new frame, from a zero state each time. So at
any moment `context` windows are open, each begun one frame after the other. Here all of them advance together by one
step when a frame arrives, as a batch; the one that has now seen `context` frames gives the next frame, and its place is
cleared for the window that begins there. A frame costs one step of every layer instead of `context`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.interfaces import Float32
from deepdance_plugins._keras.backend import keras

STEPS_PER_CALL = 64
"""Frames that one call of the compiled loop handles; the loop is compiled for this length once."""
STATES = {"lstm": 2, "gru": 1}


def empty_windows(cell: str, batch: int, context: int, units: int, layers: int, dim: int) -> tuple[Any, ...]:
    """The loop's state before any frame: the frames seen, the last output, and each layer's states, all zero."""
    states = [[np.zeros((batch, context, units), np.float32) for _ in range(STATES[cell])] for _ in range(layers)]
    return np.zeros((), np.int32), np.zeros((batch, dim), np.float32), states


def windows_in_flight(cell: str, activation: Callable[[Any], Any]) -> Callable[..., Any]:
    """The loop, ready to be compiled.

    It takes the recurrent layers' weights, the last layer's `[kernel, bias]`, the state, and the frames of `t` steps,
    `(t, b, d)` with a flag `(t,)` each: given from outside, or (False) the network's own last output. It returns the
    outputs `(t, b, d)` and the new state. The first `context - 1` outputs are of windows not yet full.
    """
    ops = keras().ops
    advance = {"lstm": lstm_step, "gru": _gru_step}[cell]

    def loop(weights: Any, head: Any, state: Any, frames: Any, given: Any) -> Any:
        context = state[2][0][0].shape[1]

        def arrive(step: Any, carried: Any) -> Any:
            (clock, last, layers), outputs = carried
            keep = 1 - ops.one_hot(clock % context, context)[None, :, None]
            inputs = ops.where(given[step], frames[step], last)[:, None, :]
            advanced = []
            for states, layer_weights in zip(layers, weights, strict=True):
                new_states = advance(inputs, [kept * keep for kept in states], *layer_weights)
                inputs = new_states[0]
                advanced.append(new_states)
            full = ops.one_hot((clock + 1) % context, context)[None, :, None]
            output = activation(ops.sum(inputs * full, axis=1) @ head[0] + head[1])
            return (clock + 1, output, advanced), ops.slice_update(outputs, (step, 0, 0), output[None])

        state, outputs = ops.fori_loop(0, frames.shape[0], arrive, (state, ops.zeros_like(frames)))
        return outputs, state

    return loop


def arrivals(seed: Float32, steps: int) -> Iterator[tuple[Float32, npt.NDArray[np.bool_]]]:
    """The seed's frames one after the other, then `False` for frames that the model gives itself, a call at a time."""
    batch, context, dim = seed.shape
    calls = max(1, ceil((context - 1 + steps) / STEPS_PER_CALL))
    given = np.zeros((calls * STEPS_PER_CALL, batch, dim), np.float32)
    given[:context] = seed.swapaxes(0, 1)
    is_given = np.arange(len(given)) < context
    for start in range(0, len(given), STEPS_PER_CALL):
        yield given[start : start + STEPS_PER_CALL], is_given[start : start + STEPS_PER_CALL]


def lstm_step(inputs: Any, states: list[Any], kernel: Any, recurrent_kernel: Any, bias: Any) -> list[Any]:
    """One step of an LSTM with states `[hidden, memory]`, as Keras computes it: the new states."""
    ops = keras().ops
    hidden, memory = states
    gates = inputs @ kernel + hidden @ recurrent_kernel + bias
    take, forget, candidate, give = ops.split(gates, 4, axis=-1)
    memory = ops.sigmoid(forget) * memory + ops.sigmoid(take) * ops.tanh(candidate)
    return [ops.sigmoid(give) * ops.tanh(memory), memory]


def _gru_step(inputs: Any, states: list[Any], kernel: Any, recurrent_kernel: Any, bias: Any) -> list[Any]:
    ops = keras().ops
    (hidden,) = states
    update_in, reset_in, candidate_in = ops.split(inputs @ kernel + bias[0], 3, axis=-1)
    update_back, reset_back, candidate_back = ops.split(hidden @ recurrent_kernel + bias[1], 3, axis=-1)
    update = ops.sigmoid(update_in + update_back)
    candidate = ops.tanh(candidate_in + ops.sigmoid(reset_in + reset_back) * candidate_back)
    return [update * hidden + (1 - update) * candidate]
