"""`mdn`: a recurrent network that gives a distribution of what comes next, and draws from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log, pi
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from deepdance.interfaces import Float32, History, SequenceModel, Training
from deepdance_plugins._keras.backend import compiled, keras
from deepdance_plugins._keras.scaling import measure_scales
from deepdance_plugins._keras.sliding_window import arrivals, lstm_step
from deepdance_plugins._keras.training import Batch, Indices, forget_checkpoint
from deepdance_plugins._keras.training import train as train_epochs
from deepdance_plugins.sequences.mdn.options import MDNOptions
from deepdance_plugins.sequences.mdn.tbptt import Lanes

LOWEST_LOG_SIGMA = -4.0
"""No Gaussian is narrower than e^-4 standard deviations of the change: a single frame's density would grow for ever."""
METRICS = {"nll": "nll", "error": "loss", "agreement": "acc"}
"""What is noted of an epoch: nats a number, the mean squared error of the expected latent, and the paper's accuracy."""
CLIP_NORM = 1.0


class MDN(SequenceModel[MDNOptions]):
    """LSTM layers and a mixture of Gaussians (Bishop 1994) over the next change, each with a diagonal covariance.

    Changes are measured in their own standard deviations, latents in one common one. The network is trained by maximum
    likelihood along whole clips, its state kept from one `span` to the next, on inputs with noise whose targets lead
    back to the true next latent: so it learns to mend its own errors. A `temperature` t divides the mixture's logits
    and multiplies its variances (Ha and Schmidhuber 2018, World Models); at 0 the heaviest Gaussian's mean comes next.
    What is generated is kept within the range of the training latents.
    """

    def __init__(self, options: MDNOptions) -> None:
        super().__init__(options)
        self._weights: list[Float32] = []
        self._scales: dict[str, Float32] = {}
        self._loop: Callable[..., Any] | None = None

    @property
    def context(self) -> int:
        return self.options.context

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        train, validation = ([clip for clip in clips if len(clip) > 1] for clips in (train, validation))
        self._scales = measure_scales(train)
        keras().utils.set_random_seed(training.seed)
        lanes = Lanes(train, validation, self.options.span, self.options.batch_size)
        model = self._build(lanes.lanes, train[0].shape[1])
        history = self._train(model, lanes, training)
        self._weights = _parameters(model)
        return history

    def _build(self, lanes: int, dim: int) -> Any:
        layers, options = keras().layers, self.options
        stack = [keras().Input(batch_shape=(lanes, options.span, dim))]
        stack += [
            layers.LSTM(options.units, return_sequences=True, stateful=True, unroll=True) for _ in range(options.layers)
        ]
        stack += [layers.Dense(options.mixtures * (1 + 2 * dim))]
        return keras().Sequential(stack, name="mdn")

    def _train(self, model: Any, lanes: Lanes, training: Training) -> History:
        options, scales = self.options, self._scales
        calls = len(lanes.order(np.random.default_rng(0))) // lanes.lanes
        rate = keras().optimizers.schedules.CosineDecay(options.learning_rate, options.epochs * calls)
        optimizer = keras().optimizers.Adam(rate, clipnorm=CLIP_NORM)
        nll, *metrics = _losses(options.mixtures, scales["change"])
        model.compile(optimizer=optimizer, loss=nll, weighted_metrics=[nll, *metrics])
        rng = np.random.default_rng()

        def order(epoch: int) -> Indices:
            nonlocal rng
            rng = np.random.default_rng([training.seed, epoch])
            return lanes.order(rng)

        def batch(spans: Indices) -> Batch:
            _clear_states(model, lanes.begins(spans))
            now, following, weights = lanes.steps(spans)
            if lanes.is_training(spans):
                noise = rng.standard_normal(now.shape, dtype=np.float32)
                now = now + options.noise * scales["change"] * noise
            targets = np.concatenate([(following - now) / scales["change"], now], axis=-1)
            return (now - scales["mean"]) / scales["spread"], targets, weights

        return train_epochs(
            *(model, batch, 0, 0),
            epochs=options.epochs,
            batch_size=lanes.lanes,
            training=training,
            order=order,
            held_out=lanes.order(),
            names=METRICS,
        )

    def generate(self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0) -> Float32:
        if self._loop is None:
            self._loop = compiled(_sampling(self.options.mixtures))
        batch, _, dim = seed.shape
        draws = [np.random.default_rng([rng, number]) for number in range(batch)]
        states = [[np.zeros((batch, self.options.units), np.float32)] * 2 for _ in range(self.options.layers)]
        carry = np.zeros((batch, dim), np.float32), states
        generated: list[Float32] = []
        for given, is_given in arrivals(np.asarray(seed, np.float32), steps):
            gumbel = np.stack([d.gumbel(size=(len(given), self.options.mixtures)) for d in draws], axis=1)
            normal = np.stack([d.standard_normal((len(given), dim), np.float32) for d in draws], axis=1)
            noise = gumbel.astype(np.float32), normal, np.float32(temperature)
            latents, carry = self._loop(self._weights, self._scales, carry, given, is_given, noise)
            generated.append(np.asarray(latents))
        return np.concatenate(generated)[self.context - 1 :][:steps].swapaxes(0, 1)

    def save(self, folder: Path) -> None:
        values: dict[str, Any] = {str(number): weight for number, weight in enumerate(self._weights)} | self._scales
        np.savez(folder / "mdn.npz", **values)
        forget_checkpoint(folder)

    @classmethod
    def load(cls, folder: Path, options: MDNOptions) -> Self:
        model = cls(options)
        with np.load(folder / "mdn.npz", allow_pickle=False) as saved:
            model._weights = [saved[name] for name in saved.files if name.isdecimal()]
            model._scales = {name: saved[name] for name in saved.files if not name.isdecimal()}
        return model


def _parameters(model: Any) -> list[Float32]:
    """Kernel, recurrent kernel and bias of each LSTM layer, then kernel and bias of the last one."""
    return [np.asarray(weight) for weight in model.trainable_variables]


def _clear_states(model: Any, begins: npt.NDArray[np.bool_]) -> None:
    for layer in model.layers[:-1]:
        for state in layer.states:
            state.assign(np.where(begins[:, None], np.float32(0), np.asarray(state)))


def _mixture(outputs: Any, mixtures: int) -> tuple[Any, Any, Any]:
    """The network's outputs `(…, k + 2·k·d)` as log weights `(…, k)`, means and log sigmas `(…, k, d)`."""
    ops = keras().ops
    shape = (*outputs.shape[:-1], mixtures, -1)
    logits, means, widths = ops.split(outputs, [mixtures, (outputs.shape[-1] + mixtures) // 2], axis=-1)
    floored = LOWEST_LOG_SIGMA + ops.softplus(ops.reshape(widths, shape) - LOWEST_LOG_SIGMA)
    return ops.log_softmax(logits, axis=-1), ops.reshape(means, shape), floored


def _losses(mixtures: int, change: Float32) -> tuple[Callable[[Any, Any], Any], ...]:
    """The negative log likelihood a number, the error of the expected latent, its agreement: each `(b, t)`."""
    ops, dim = keras().ops, len(change)

    def expected(outputs: Any) -> Any:
        logits, means, _ = _mixture(outputs, mixtures)
        return ops.sum(ops.exp(logits)[..., None] * means, axis=-2)

    def nll(truth: Any, outputs: Any) -> Any:
        logits, means, widths = _mixture(outputs, mixtures)
        distance = (truth[..., None, :dim] - means) * ops.exp(-widths)
        density = logits - ops.sum(0.5 * ops.square(distance) + widths, axis=-1)
        return 0.5 * log(2 * pi) - ops.logsumexp(density, axis=-1) / dim

    def error(truth: Any, outputs: Any) -> Any:
        return ops.mean(ops.square((truth[..., :dim] - expected(outputs)) * change), axis=-1)

    def agreement(truth: Any, outputs: Any) -> Any:
        following = truth[..., dim:] + truth[..., :dim] * change
        predicted = truth[..., dim:] + expected(outputs) * change
        return ops.cast(ops.argmax(following, axis=-1) == ops.argmax(predicted, axis=-1), "float32")

    return nll, error, agreement


def _sampling(mixtures: int) -> Callable[..., Any]:
    """The loop, ready to be compiled: `windows_in_flight`'s way, with one state and numbers drawn outside."""
    ops = keras().ops

    def loop(weights: Any, scales: Any, state: Any, frames: Any, given: Any, noise: Any) -> Any:
        gumbel, normal, temperature = noise

        def arrive(step: Any, carried: Any) -> Any:
            (last, layers), outputs = carried
            latent = ops.where(given[step], frames[step], last)
            hidden = (latent - scales["mean"]) / scales["spread"]
            advanced = []
            for number, states in enumerate(layers):
                advanced.append(lstm_step(hidden, states, *weights[3 * number : 3 * number + 3]))
                hidden = advanced[-1][0]
            logits, means, widths = _mixture(hidden @ weights[-2] + weights[-1], mixtures)
            heaviest = ops.argmax(logits + temperature * gumbel[step], axis=-1)
            chosen = ops.one_hot(heaviest, mixtures)[..., None]
            mean, width = (ops.sum(chosen * value, axis=-2) for value in (means, widths))
            change = mean + ops.sqrt(temperature) * ops.exp(width) * normal[step]
            output = ops.clip(latent + change * scales["change"], scales["low"], scales["high"])
            return (output, advanced), ops.slice_update(outputs, (step, 0, 0), output[None])

        state, outputs = ops.fori_loop(0, frames.shape[0], arrive, (state, ops.zeros_like(frames)))
        return outputs, state

    return loop
