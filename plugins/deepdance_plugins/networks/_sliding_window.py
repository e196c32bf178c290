"""Generation over sliding windows: a recurrent network's exact outputs, without running a frame through it twice.

The plain loop runs the network over the last `context` frames for every new frame, from a zero state each time. So at
any time `context` windows overlap, each begun one frame after the other. Here all of them advance together by one step
when a frame comes, as the rows of one product; the one that has now seen `context` frames gives the next frame, and a
window begins in its place. A frame costs one step of every layer instead of `context`.

It is NumPy alone: nothing is compiled, which for one dance would take longer than dancing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepdance.arrays import Bools
from deepdance.interfaces import Float32, LatentStream, as_one_shot

WIDEST_BLOCK, NARROWEST_BLOCK = 128, 32
DANCES_AT_ONCE = 4
"""More would leave the processor's cache, and gain nothing."""
GATES = {"lstm": (0.5, 0.5, 1.0, 0.5), "gru": (0.5, 0.5, 1.0)}
"""What goes into each gate is halved where it goes into a sigmoid: σ(x) is (1 + tanh(x / 2)) / 2."""


@dataclass(frozen=True)
class RecurrentLayer:
    """One layer's weights, scaled as `GATES` says, the kernels in blocks of columns as `multiply` wants them."""

    cell: str
    kernel: Float32
    recurrent_kernel: Float32
    biases: tuple[Float32, Float32]
    """What is added to the product of each kernel."""

    @classmethod
    def of(cls, cell: str, kernel: Any, recurrent_kernel: Any, bias: Any) -> RecurrentLayer:
        """From the weights of a Keras layer: an `lstm`, or a `gru` with `reset_after`."""
        scale = np.repeat(np.array(GATES[cell], np.float32), recurrent_kernel.shape[0])
        kernel, recurrent_kernel, bias = (
            np.asarray(weight, np.float32) * scale for weight in (kernel, recurrent_kernel, bias)
        )
        biases = (bias[0], bias[1]) if cell == "gru" else (np.zeros_like(bias), bias)
        return cls(cell, cut_into_blocks(kernel), cut_into_blocks(recurrent_kernel), biases)

    @property
    def units(self) -> int:
        """Numbers in one state."""
        return int(self.recurrent_kernel.shape[1])


def cut_into_blocks(matrix: Float32) -> Float32:
    """A matrix `(k, n)` as blocks of columns `(n / width, k, width)`; one block where no width divides `n`."""
    columns = matrix.shape[1]
    widths = (width for width in range(WIDEST_BLOCK, NARROWEST_BLOCK - 1, -1) if columns % width == 0)
    return np.ascontiguousarray(matrix.reshape(len(matrix), -1, next(widths, columns)).swapaxes(0, 1))


def multiply(rows: Float32, blocks: Float32) -> Float32:
    """`(b, w, k)` times a matrix in blocks: `(b, w, n)`.

    A product of ten rows with a whole matrix takes five times as long: BLAS then packs the matrix first. It has kernels
    for small products that read the matrix where it lies, and a block makes one of these.
    """
    count, _, width = blocks.shape
    out = np.empty((*rows.shape[:2], count, width), np.float32)
    np.matmul(rows[:, None], blocks, out=out.swapaxes(1, 2))
    return out.reshape(*rows.shape[:2], count * width)


class SlidingStream(LatentStream):
    """Continues `(b, context, d)`, the windows' states kept from one step to the next.

    `head` makes frames `(b, 1, d)` of the last layer's outputs `(b, 1, units)`.
    """

    def __init__(self, layers: Sequence[RecurrentLayer], head: Callable[[Float32], Float32], seed: Float32) -> None:
        super().__init__()
        helper = ThreadPoolExecutor(1)  # its thread ends when nothing refers to it
        parts = [seed[start : start + DANCES_AT_ONCE] for start in range(0, len(seed), DANCES_AT_ONCE)]
        self._parts = [_Part(layers, head, part, helper) for part in parts]

    def advance(self, steps: int) -> tuple[Float32, Bools]:
        return as_one_shot(np.concatenate([part.advance(steps) for part in self._parts]))


class _Part:
    """So many dances as are computed at once."""

    def __init__(
        self, layers: Sequence[RecurrentLayer], head: Callable[[Float32], Float32], seed: Float32, helper: Executor
    ) -> None:
        batch, context, _ = seed.shape
        self._windows = [_Windows(layer, batch, context, helper) for layer in layers]
        self._head = head
        for step in range(context - 1):
            self._step(seed[:, step : step + 1])
        self._last = seed[:, -1:]

    def advance(self, steps: int) -> Float32:
        frames = np.empty((len(self._last), steps, self._last.shape[2]), np.float32)
        for step in range(steps):
            frames[:, step : step + 1] = self._head(self._step(self._last)[:, :1])
            self._last = frames[:, step : step + 1]
        self._last = self._last.copy()
        return frames

    def _step(self, frame: Float32) -> Float32:
        """The last layer's outputs in all open windows, `(b, context, units)`, when a frame `(b, 1, d)` comes."""
        outputs = frame
        for layer in self._windows:
            outputs = layer.advance(outputs)
        return outputs


class _Windows:
    """One layer's states in all open windows, `(b, context + 1, units)` each.

    The first row is the oldest window's, the last that of one that has not begun, and stays zero. A step reads from
    every row but the first and writes one row before: so each window grows older by a row.
    """

    def __init__(self, layer: RecurrentLayer, batch: int, context: int, helper: Executor) -> None:
        self._layer = layer
        self._helper = helper
        shape = batch, context + 1, layer.units
        self._states = [np.zeros(shape, np.float32) for _ in range(STATES[layer.cell])]
        self._recurrent = helper.submit(self._multiply_recurrent)

    def _multiply_recurrent(self) -> Float32:
        recurrent = multiply(self._states[0][:, 1:], self._layer.recurrent_kernel)
        recurrent += self._layer.biases[1]
        return recurrent

    def advance(self, inputs: Float32) -> Float32:
        """Give every window its input, `(b, context, k)` or one for all `(b, 1, k)`: the outputs `(b, context, units)`.

        Half of the work needs the new states alone, so another processor does it while this one goes on to the next
        layer.
        """
        given = multiply(inputs, self._layer.kernel)
        STEPS[self._layer.cell](given, self._recurrent.result(), self._states, self._layer.biases[0])
        self._recurrent = self._helper.submit(self._multiply_recurrent)
        return self._states[0][:, :-1]


def _step_lstm(given: Float32, gates: Float32, states: Sequence[Float32], _: Float32) -> None:
    """One step of an LSTM with states `[hidden, memory]`, as Keras computes it; `gates` is overwritten."""
    hidden, memory = states
    units = hidden.shape[2]
    gates += given
    np.tanh(gates, out=gates)
    for sigmoids in (gates[..., : 2 * units], gates[..., 3 * units :]):
        _move_to_unit_interval(sigmoids)
    let_in, keep, candidate, let_out = (gates[..., start : start + units] for start in range(0, 4 * units, units))
    candidate *= let_in
    keep *= memory[:, 1:]
    np.add(keep, candidate, out=memory[:, :-1])
    np.tanh(memory[:, :-1], out=candidate)
    np.multiply(let_out, candidate, out=hidden[:, :-1])


def _step_gru(given: Float32, recurrent: Float32, states: Sequence[Float32], bias: Float32) -> None:
    """One step of a GRU as Keras computes it, with `reset_after`: the reset gate acts behind the recurrent kernel."""
    (hidden,) = states
    units = hidden.shape[2]
    given += bias
    gates = np.tanh(given[..., : 2 * units] + recurrent[..., : 2 * units])
    _move_to_unit_interval(gates)
    update, reset = gates[..., :units], gates[..., units:]
    candidate = np.tanh(given[..., 2 * units :] + reset * recurrent[..., 2 * units :])
    hidden[:, :-1] = candidate + update * (hidden[:, 1:] - candidate)


def _move_to_unit_interval(values: Float32) -> None:
    """From (-1, 1), in place."""
    values *= np.float32(0.5)
    values += np.float32(0.5)


STEPS: dict[str, Callable[[Float32, Float32, Sequence[Float32], Float32], None]] = {
    "lstm": _step_lstm,
    "gru": _step_gru,
}
STATES = {"lstm": 2, "gru": 1}
