"""`mdn`: a recurrent network that gives a distribution of what comes next, and draws from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from deepdance.array_files import load_arrays
from deepdance.interfaces import Float32, History, LatentStream, StreamingModel, Training
from deepdance_plugins.networks.backend import compile_loop, keras, layers
from deepdance_plugins.networks.scaling import measure_scales
from deepdance_plugins.networks.training import forget_checkpoint, train_network
from deepdance_plugins.sequences.mdn.mixture import MixtureStream, build_losses, build_sampling_loop
from deepdance_plugins.sequences.mdn.options import MDNOptions
from deepdance_plugins.sequences.mdn.tbptt import SpanDataset, Spans

METRICS = {"nll": "nll", "error": "loss", "agreement": "acc"}
"""What is noted of an epoch: nats a number, the mean squared error of the expected latent, and the paper's accuracy."""
CLIP_NORM = 1.0


class MDN(StreamingModel[MDNOptions]):
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
        keras.utils.set_random_seed(training.seed)
        spans = Spans(train, validation, self.options.span, self.options.batch_size)
        network = self._build(spans.slots, train[0].shape[1])
        self._compile(network, len(spans.schedule_training(np.random.default_rng(0))))
        data = SpanDataset(network, spans, self._scales, self.options.noise)
        history = train_network(network, data, epochs=self.options.epochs, training=training, metrics=METRICS)
        # Kernel, recurrent kernel and bias of each LSTM layer, then kernel and bias of the last one.
        self._weights = [np.asarray(weight) for weight in network.trainable_variables]
        return history

    def _build(self, slots: int, dim: int) -> keras.Sequential:
        options = self.options
        stack = [keras.Input(batch_shape=(slots, options.span, dim))]
        stack += [
            layers.LSTM(options.units, return_sequences=True, stateful=True, unroll=True) for _ in range(options.layers)
        ]
        stack += [layers.Dense(options.mixtures * (1 + 2 * dim))]
        return keras.Sequential(stack, name="mdn")

    def _compile(self, network: keras.Model, batches: int) -> None:
        """`batches` is about how many an epoch has."""
        options = self.options
        rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, options.epochs * batches)
        optimizer = keras.optimizers.Adam(rate, clipnorm=CLIP_NORM)
        nll, *metrics = build_losses(options.mixtures, self._scales["change"])
        network.compile(optimizer=optimizer, loss=nll, weighted_metrics=[nll, *metrics])

    def stream(self, seed: Float32, *, temperature: float = 1.0, rng: int = 0) -> LatentStream:
        if self._loop is None:
            self._loop = compile_loop(build_sampling_loop(self.options.mixtures))
        return MixtureStream(self._loop, self._weights, self._scales, self.options, seed, temperature, rng)

    def save(self, folder: Path) -> None:
        values: dict[str, Any] = {str(number): weight for number, weight in enumerate(self._weights)} | self._scales
        np.savez(folder / "mdn.npz", **values)
        forget_checkpoint(folder)

    @classmethod
    def load(cls, folder: Path, options: MDNOptions) -> Self:
        model = cls(options)
        saved = load_arrays(folder / "mdn.npz")
        model._weights = [array for name, array in saved.items() if name.isdecimal()]
        model._scales = {name: array for name, array in saved.items() if not name.isdecimal()}
        return model
