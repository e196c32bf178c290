"""Generation over sliding windows: a recurrent network's exact outputs, without running a frame through it twice.

The plain loop runs the network over the last `context` frames for every new frame, from a zero state each time. So at
any time `context` windows overlap, each begun one frame after the other. Here all of them advance together by one step
when a frame comes, as a batch; the one that has now seen `context` frames gives the next frame, and its slot is
cleared for the window that begins there. A frame costs one step of every layer instead of `context`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

import numpy as np

from deepdance.arrays import Bools
from deepdance.interfaces import Float32
from deepdance_plugins._keras.backend import KerasTensor, ops

STEPS_PER_CALL = 64
"""Frames that one call of the compiled loop handles; the loop is compiled for this length once."""
STATES = {"lstm": 2, "gru": 1}


def make_empty_windows(cell: str, batch: int, context: int, units: int, layers: int, dim: int) -> tuple[Any, ...]:
    """The loop's state before any frame: the frames seen, the last output, and each layer's states, all zero."""
    states = [[np.zeros((batch, context, units), np.float32) for _ in range(STATES[cell])] for _ in range(layers)]
    return np.zeros((), np.int32), np.zeros((batch, dim), np.float32), states


def build_window_loop(cell: str, activation: Callable[[KerasTensor], KerasTensor]) -> Callable[..., Any]:
    """The loop, ready to be compiled.

    It takes the recurrent layers' weights, the last layer's `[kernel, bias]`, the state, and the frames of `t` steps,
    `(t, b, d)` with a flag `(t,)` each: given from outside, or (False) the network's own last output. It returns the
    outputs `(t, b, d)` and the new state. The first `context - 1` outputs are of windows not yet full.
    """
    step_cell = {"lstm": step_lstm, "gru": step_gru}[cell]

    def loop(weights: Any, head: Any, state: Any, frames: KerasTensor, is_given: KerasTensor) -> Any:
        context = state[2][0][0].shape[1]

        def advance_windows(step: KerasTensor, carried: Any) -> Any:
            (clock, last, layers), outputs = carried
            # A window begins in slot k at frames k, k + context, …: the slot is cleared by a mask, so that all take the
            # same step as one batch.
            keep = 1 - ops.one_hot(clock % context, context)[None, :, None]
            inputs = ops.where(is_given[step], frames[step], last)[:, None, :]
            advanced = []
            for states, layer_weights in zip(layers, weights, strict=True):
                new_states = step_cell(inputs, [state * keep for state in states], *layer_weights)
                inputs = new_states[0]
                advanced.append(new_states)
            # The window whose slot is cleared at the next frame has now seen `context` frames; a mask picks it too.
            full = ops.one_hot((clock + 1) % context, context)[None, :, None]
            output = activation(ops.sum(inputs * full, axis=1) @ head[0] + head[1])
            return (clock + 1, output, advanced), ops.slice_update(outputs, (step, 0, 0), output[None])

        state, outputs = ops.fori_loop(0, frames.shape[0], advance_windows, (state, ops.zeros_like(frames)))
        return outputs, state

    return loop


def split_into_calls(seed: Float32, steps: int) -> Iterator[tuple[Float32, Bools]]:
    """Frames `(STEPS_PER_CALL, b, d)` and their flags for each call of a loop that is to go on from `seed`.

    The seed's frames come first; the frames flagged `False` after them are those that the model gives itself.
    """
    batch, context, dim = seed.shape
    calls = ceil((context - 1 + steps) / STEPS_PER_CALL)
    frames = np.zeros((calls * STEPS_PER_CALL, batch, dim), np.float32)
    frames[:context] = seed.swapaxes(0, 1)
    is_given = np.arange(len(frames)) < context
    for start in range(0, len(frames), STEPS_PER_CALL):
        yield frames[start : start + STEPS_PER_CALL], is_given[start : start + STEPS_PER_CALL]


def step_lstm(
    inputs: KerasTensor, states: list[KerasTensor], kernel: Any, recurrent_kernel: Any, bias: Any
) -> list[KerasTensor]:
    """One step of an LSTM with states `[hidden, memory]`, as Keras computes it: the new states."""
    hidden, memory = states
    gates = inputs @ kernel + hidden @ recurrent_kernel + bias
    input_gate, forget_gate, candidate, output_gate = ops.split(gates, 4, axis=-1)
    memory = ops.sigmoid(forget_gate) * memory + ops.sigmoid(input_gate) * ops.tanh(candidate)
    return [ops.sigmoid(output_gate) * ops.tanh(memory), memory]


def step_gru(
    inputs: KerasTensor, states: list[KerasTensor], kernel: Any, recurrent_kernel: Any, bias: Any
) -> list[KerasTensor]:
    """One step of a GRU as Keras computes it, with `reset_after`: the reset gate acts behind the recurrent kernel."""
    (hidden,) = states
    update_in, reset_in, candidate_in = ops.split(inputs @ kernel + bias[0], 3, axis=-1)
    update_back, reset_back, candidate_back = ops.split(hidden @ recurrent_kernel + bias[1], 3, axis=-1)
    update = ops.sigmoid(update_in + update_back)
    candidate = ops.tanh(candidate_in + ops.sigmoid(reset_in + reset_back) * candidate_back)
    return [update * hidden + (1 - update) * candidate]
