"""The loop that dances with `flow`: Euler steps along the learned velocity, frame after frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deepdance.arrays import Int64
from deepdance_plugins.networks.backend import KerasTensor, keras, ops
from deepdance_plugins.sequences.flow.manifold import pull_back
from deepdance_plugins.sequences.flow.network import describe_window, embed_time
from deepdance_plugins.sequences.flow.options import FlowOptions

EULER_STEPS = 8


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


def _apply(model: keras.Model, weights: Any, inputs: Any) -> KerasTensor:
    """The model with weights that are arguments of the loop: as constants they would be compiled into it."""
    return model.stateless_call(weights, [], inputs, training=False)[0]
