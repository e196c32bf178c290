"""The mixture of Gaussians that `mdn` gives: read from the network's outputs, scored, and drawn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log, pi
from typing import Any

import numpy as np

from deepdance.arrays import Bools
from deepdance.interfaces import Float32, LatentStream, as_one_shot
from deepdance_plugins.networks.backend import KerasTensor, ops
from deepdance_plugins.sequences.mdn.options import MDNOptions

LOWEST_LOG_SIGMA = -4.0
"""No Gaussian is narrower than e^-4 standard deviations of the change: a single frame's density would grow for ever."""

STEPS_PER_CALL = 64
"""Frames that one call of the compiled loop handles; the loop is compiled for this length once."""


def split_outputs(outputs: KerasTensor, mixtures: int) -> tuple[KerasTensor, KerasTensor, KerasTensor]:
    """The network's outputs `(…, k + 2·k·d)` as log weights `(…, k)`, means and log sigmas `(…, k, d)`."""
    shape = (*outputs.shape[:-1], mixtures, -1)
    logits, means, widths = ops.split(outputs, [mixtures, (outputs.shape[-1] + mixtures) // 2], axis=-1)
    # A softplus bends smoothly to the floor; a clip would stop the gradient of a Gaussian that lies on it.
    log_sigmas = LOWEST_LOG_SIGMA + ops.softplus(ops.reshape(widths, shape) - LOWEST_LOG_SIGMA)
    return ops.log_softmax(logits, axis=-1), ops.reshape(means, shape), log_sigmas


def build_losses(mixtures: int, change: Float32) -> tuple[Callable[[KerasTensor, KerasTensor], KerasTensor], ...]:
    """The negative log likelihood a number, the error of the expected latent, its agreement: each `(b, t)`.

    A target holds the next change, in deviations `change` of each number, and the latent that it starts from.
    """
    dim = len(change)

    def expect_change(outputs: KerasTensor) -> KerasTensor:
        log_weights, means, _ = split_outputs(outputs, mixtures)
        return ops.sum(ops.exp(log_weights)[..., None] * means, axis=-2)

    def nll(truth: KerasTensor, outputs: KerasTensor) -> KerasTensor:
        log_weights, means, log_sigmas = split_outputs(outputs, mixtures)
        distance = (truth[..., None, :dim] - means) * ops.exp(-log_sigmas)
        # In logarithms to the end: the density of 128 numbers is beyond float32.
        log_density = log_weights - ops.sum(0.5 * ops.square(distance) + log_sigmas, axis=-1)
        return 0.5 * log(2 * pi) - ops.logsumexp(log_density, axis=-1) / dim

    def error(truth: KerasTensor, outputs: KerasTensor) -> KerasTensor:
        return ops.mean(ops.square((truth[..., :dim] - expect_change(outputs)) * change), axis=-1)

    def agreement(truth: KerasTensor, outputs: KerasTensor) -> KerasTensor:
        following = truth[..., dim:] + truth[..., :dim] * change
        predicted = truth[..., dim:] + expect_change(outputs) * change
        return ops.cast(ops.argmax(following, axis=-1) == ops.argmax(predicted, axis=-1), "float32")

    return nll, error, agreement


def build_sampling_loop(mixtures: int) -> Callable[..., Any]:
    """The loop, ready to be compiled.

    It takes the weights, the scales, the state (the last output and each layer's states), and the frames of `t` steps
    `(t, b, d)` with a flag `(t,)` each: given from outside, or (False) the loop's own last output. It returns the
    outputs `(t, b, d)` and the new state. The noise, drawn outside, is Gumbel `(t, b, k)` and normal `(t, b, d)` draws
    and the temperature.
    """

    def loop(weights: Any, scales: Any, state: Any, frames: KerasTensor, is_given: KerasTensor, noise: Any) -> Any:
        gumbel, normal, temperature = noise

        def dance_on(step: KerasTensor, carried: Any) -> Any:
            (last, layers), outputs = carried
            latent = ops.where(is_given[step], frames[step], last)
            hidden = (latent - scales["mean"]) / scales["spread"]
            advanced = []
            for number, states in enumerate(layers):
                advanced.append(step_lstm(hidden, states, *weights[3 * number : 3 * number + 3]))
                hidden = advanced[-1][0]
            log_weights, means, log_sigmas = split_outputs(hidden @ weights[-2] + weights[-1], mixtures)
            # The Gumbel-max trick: the largest of log weights / t with Gumbel noise added is a draw by the softmax at
            # temperature t. Multiplied by t it holds at 0 too, where the heaviest is taken.
            drawn = ops.argmax(log_weights + temperature * gumbel[step], axis=-1)
            chosen = ops.one_hot(drawn, mixtures)[..., None]
            mean, log_sigma = (ops.sum(chosen * value, axis=-2) for value in (means, log_sigmas))
            change = mean + ops.sqrt(temperature) * ops.exp(log_sigma) * normal[step]
            # Wide Gaussians have far tails; beyond the training latents the network knows nothing.
            output = ops.clip(latent + change * scales["change"], scales["low"], scales["high"])
            return (output, advanced), ops.slice_update(outputs, (step, 0, 0), output[None])

        state, outputs = ops.fori_loop(0, frames.shape[0], dance_on, (state, ops.zeros_like(frames)))
        return outputs, state

    return loop


def step_lstm(
    inputs: KerasTensor, states: list[KerasTensor], kernel: Any, recurrent_kernel: Any, bias: Any
) -> list[KerasTensor]:
    """One step of an LSTM with states `[hidden, memory]`, as Keras computes it: the new states."""
    hidden, memory = states
    gates = inputs @ kernel + hidden @ recurrent_kernel + bias
    input_gate, forget_gate, candidate, output_gate = ops.split(gates, 4, axis=-1)
    memory = ops.sigmoid(forget_gate) * memory + ops.sigmoid(input_gate) * ops.tanh(candidate)
    return [ops.sigmoid(output_gate) * ops.tanh(memory), memory]


class MixtureStream(LatentStream):
    """Calls of the compiled loop, one after the other: those with the seed's frames first."""

    def __init__(
        self,
        loop: Callable[..., Any],
        weights: Sequence[Float32],
        scales: Mapping[str, Float32],
        options: MDNOptions,
        seed: Float32,
        temperature: float,
        rng: int,
    ) -> None:
        super().__init__(temperature)
        self._loop, self._weights, self._scales, self._mixtures = loop, weights, scales, options.mixtures
        batch, _, dim = seed.shape
        # A generator each, so that a seed dances in a batch as it does alone.
        self._draws = [np.random.default_rng([rng, number]) for number in range(batch)]
        states = [[np.zeros((batch, options.units), np.float32)] * 2 for _ in range(options.layers)]
        self._state: Any = (np.zeros((batch, dim), np.float32), states)
        self._given = seed.swapaxes(0, 1)

    def advance(self, steps: int) -> tuple[Float32, Bools]:
        while len(self._given) > STEPS_PER_CALL:
            self._call()
        known = max(len(self._given) - 1, 0)  # what comes after each frame of the seed but the last
        return as_one_shot(self._call()[known:].swapaxes(0, 1))

    def _call(self) -> Float32:
        """The next outputs `(STEPS_PER_CALL, b, d)`, after those frames of the seed that are left."""
        frames = np.zeros((STEPS_PER_CALL, *self._given.shape[1:]), np.float32)
        given, self._given = self._given[:STEPS_PER_CALL], self._given[STEPS_PER_CALL:]
        frames[: len(given)] = given
        is_given = np.arange(STEPS_PER_CALL) < len(given)
        latents, self._state = self._loop(
            self._weights, self._scales, self._state, frames, is_given, self._draw_noise(frames.shape[-1])
        )
        return np.asarray(latents)

    def _draw_noise(self, dim: int) -> tuple[Float32, Float32, np.float32]:
        gumbel = np.stack([draw.gumbel(size=(STEPS_PER_CALL, self._mixtures)) for draw in self._draws], axis=1)
        normal = np.stack([draw.standard_normal((STEPS_PER_CALL, dim), np.float32) for draw in self._draws], axis=1)
        return gumbel.astype(np.float32), normal, np.float32(self.temperature)
