"""The loop that dances with `flow`: Euler steps along the learned velocity, frame after frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from deepdance.arrays import Bools, Float32, Int64
from deepdance.interfaces import LatentStream, as_one_shot
from deepdance_plugins.networks.backend import KerasTensor, keras, ops
from deepdance_plugins.sequences.flow.manifold import pull_back
from deepdance_plugins.sequences.flow.network import describe_window, embed_time
from deepdance_plugins.sequences.flow.options import FlowOptions

EULER_STEPS = 8
STEPS_PER_CALL = 50
"""Frames that one call of the compiled loop makes; the loop is compiled for this length once."""


def build_sampling_loop(
    window_encoder: keras.Model, velocity: keras.Model, looks: Int64, options: FlowOptions
) -> Callable[..., Any]:
    """The loop, ready to be compiled.

    It takes the weights, the scales, the last latents `(b, context, d)`, newest first, and normal draws `(t, b, d)`; it
    returns the next latents `(t, b, d)` and the last of all.
    """

    def loop(weights: Any, arrays: Any, last: KerasTensor, noise: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
        batch = last.shape[0]
        level = ops.full((batch, 1), options.level, "float32")

        def dance_on(number: KerasTensor, carried: Any) -> Any:
            last, outputs = carried
            window = ops.take(last, looks, axis=1)
            # The window is encoded once a frame; only the smaller network runs in each Euler step.
            described = describe_window(window, level, arrays["change"], looks, ops)
            encoded = _apply(window_encoder, weights[0], described)

            def follow_velocity(part: KerasTensor, here: KerasTensor) -> KerasTensor:
                time = ops.full((batch, 1), 1.0, "float32") * ops.cast(part, "float32") / EULER_STEPS
                inputs = [here, window[:, 0], embed_time(time, ops), encoded]
                return here + _apply(velocity, weights[1], inputs) / EULER_STEPS

            change = ops.fori_loop(0, EULER_STEPS, follow_velocity, noise[number])
            # No number leaves the range of the training latents, and all together are drawn to where real ones lie:
            # else small errors add up, frame by frame, to poses that no network has seen.
            latent = ops.clip(window[:, 0] + change * arrays["change"], arrays["low"], arrays["high"])
            latent = pull_back(latent, arrays["landmarks"], arrays["reach"], options.guard)
            last = ops.concatenate([latent[:, None], last[:, :-1]], axis=1)
            return last, ops.slice_update(outputs, (number, 0, 0), latent[None])

        last, outputs = ops.fori_loop(0, noise.shape[0], dance_on, (last, ops.zeros_like(noise)))
        return outputs, last

    return loop


class FlowStream(LatentStream):
    """Calls of the compiled loop, one after the other. `last` is in its scale, `(b, context, d)`, newest first."""

    def __init__(
        self,
        loop: Callable[..., Any],
        weights: Any,
        arrays: Mapping[str, Float32],
        last: Float32,
        temperature: float,
        rng: int,
    ) -> None:
        super().__init__(temperature)
        self._loop, self._weights, self._arrays, self._last = loop, weights, arrays, last
        # A generator each, so that a seed dances in a batch as it does alone.
        self._draws = [np.random.default_rng([rng, number]) for number in range(len(last))]

    def advance(self, steps: int) -> tuple[Float32, Bools]:
        shape = STEPS_PER_CALL, self._last.shape[-1]
        noise = np.stack([draw.standard_normal(shape, np.float32) for draw in self._draws], axis=1)
        outputs, self._last = self._loop(self._weights, self._arrays, self._last, np.float32(self.temperature) * noise)
        latents = np.asarray(outputs).swapaxes(0, 1) * self._arrays["spread"] + self._arrays["mean"]
        return as_one_shot(np.asarray(latents, np.float32))


def _apply(model: keras.Model, weights: Any, inputs: Any) -> KerasTensor:
    """The model with weights that are arguments of the loop: as constants they would be compiled into it."""
    return model.stateless_call(weights, [], inputs, training=False)[0]
