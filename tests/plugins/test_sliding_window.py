"""Sliding windows give what the plain loop over each window gives, cell by cell as the books have it."""

import numpy as np
import pytest

from deepdance_plugins.networks._sliding_window import RecurrentLayer, SlidingStream, cut_into_blocks, multiply

CONTEXT, DIM = 4, 3
GATES = {"lstm": 4, "gru": 3}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step_lstm(x, state, weights):
    """Hochreiter and Schmidhuber 1997 with a forget gate, its gates in Keras' order."""
    kernel, recurrent, bias = weights
    hidden, memory = state
    let_in, keep, candidate, let_out = np.split(x @ kernel + hidden @ recurrent + bias, 4, axis=-1)
    memory = sigmoid(keep) * memory + sigmoid(let_in) * np.tanh(candidate)
    return sigmoid(let_out) * np.tanh(memory), memory


def step_gru(x, state, weights):
    """Cho et al. 2014, with the reset behind the recurrent kernel."""
    kernel, recurrent, bias = weights
    (hidden,) = state
    update, reset, candidate = np.split(x @ kernel + bias[0], 3, axis=-1)
    update_before, reset_before, before = np.split(hidden @ recurrent + bias[1], 3, axis=-1)
    update, reset = sigmoid(update + update_before), sigmoid(reset + reset_before)
    return (update * hidden + (1 - update) * np.tanh(candidate + reset * before),)


STEPS = {"lstm": (step_lstm, 2), "gru": (step_gru, 1)}


def draw_weights(cell, sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [
        (
            rng.normal(0, 0.5, (given, GATES[cell] * units)),
            rng.normal(0, 0.5, (units, GATES[cell] * units)),
            rng.normal(0, 0.5, ((2,) * (cell == "gru") + (GATES[cell] * units,))),
        )
        for given, units in sizes
    ]


def see_window(cell, stack, window):
    """What the last layer gives after the last frame of a window `(context, d)`."""
    step, count = STEPS[cell]
    outputs = window
    for weights in stack:
        state, seen = (np.zeros(weights[1].shape[0]),) * count, []
        for x in outputs:
            state = step(x, state, weights)
            seen.append(state[0])
        outputs = seen
    return outputs[-1]


def dance_plainly(cell, stack, head, seed, steps):
    frames = list(seed)
    for _ in range(steps):
        frames.append(see_window(cell, stack, frames[-CONTEXT:]) @ head)
    return np.array(frames[CONTEXT:])


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize(("dances", "steps"), [(1, 1), (1, 9), (3, 9), (9, 3)])
def test_a_dance_is_that_of_the_plain_loop(cell, dances, steps):
    stack, rng = draw_weights(cell, [(DIM, 8), (8, 5)]), np.random.default_rng(1)
    head, seed = rng.normal(0, 0.7, (5, DIM)), rng.normal(0, 1, (dances, CONTEXT, DIM)).astype(np.float32)
    layers = [RecurrentLayer.of(cell, *weights) for weights in stack]
    danced, _ = SlidingStream(layers, lambda outputs: outputs @ head.astype(np.float32), seed).take(steps)
    expected = np.stack([dance_plainly(cell, stack, head, each, steps) for each in seed])
    assert danced.shape == (dances, steps, DIM)
    assert np.abs(danced - expected).max() < 1e-5
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize(
    ("columns", "width"),
    [(1024, 128), (256, 128), (192, 96), (129, 43), (68, 68), (62, 62), (32, 32), (31, 31), (7, 7)],
)
def test_a_matrix_is_cut_into_the_widest_blocks_that_fit_and_multiplies_as_a_whole(columns, width):
    rng = np.random.default_rng(0)
    matrix, rows = rng.random((5, columns), dtype=np.float32), rng.random((2, 4, 5), dtype=np.float32)
    blocks = cut_into_blocks(matrix)
    assert blocks.shape == (columns // width, 5, width)
    assert np.allclose(multiply(rows, blocks), rows @ matrix, atol=1e-6)
