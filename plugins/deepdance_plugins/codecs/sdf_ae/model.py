"""`sdf-ae`: a variational autoencoder of signed distance fields, sharp by construction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Self

import numpy as np

from deepdance.arrays import sample_evenly
from deepdance.frames import Silhouettes
from deepdance.interfaces import Float32, FrameCodec, History, Metrics, Training, UInt8
from deepdance.metrics.accuracy import keras_accuracy, mean_squared_error, with_held_out
from deepdance_plugins._keras.backend import KerasTensor, gradient, keras, load_network, ops
from deepdance_plugins._keras.training import (
    LOSS,
    Samples,
    build_adamw,
    count_epochs,
    save_networks,
    train_network,
)
from deepdance_plugins._principal_components import fit_principal_components
from deepdance_plugins.codecs.sdf_ae.distance_field import (
    PLACEMENT,
    compute_fields,
    draw_silhouettes,
    halve_size,
    measure_placements,
    measure_smallest_piece,
)
from deepdance_plugins.codecs.sdf_ae.network import Variational, build_decoder, build_encoder, build_field_error
from deepdance_plugins.codecs.sdf_ae.options import SdfAEOptions

BASIS_FRAMES = 6_000
"""Frames, evenly spaced and with their mirror images, that the basis is fitted on: 300 MB of fields."""
MOST_EPOCHS = 80
"""More of a short video only learn it by heart: of 138 s, held-out IoU is .85 after 60 epochs and after 230."""
MEASURED_FRAMES = 1_000
"""Frames, evenly spaced, on which loss and accuracy of the pictures are measured."""
PLACE_IMPORTANCE = np.float32(0.3)
"""How much a deviation of the placement counts beside one of the first component of the pose."""
REFINE_RATE, FADING, EPSILON = 0.03, 0.9, 1e-8
"""Adam's step, both of its betas, and its epsilon, of the refinement of an encoded pose."""
ARRAYS = ("basis", "mean", "deviations", "scale", "place_mean", "place_deviation", "piece")


class SdfAE(FrameCodec[SdfAEOptions]):
    """Silhouette → placement and distance field → principal components → latents, and back.

    The network is a VAE (Kingma and Welling 2014) whose linear path starts at the PCA solution; its residual blocks
    learn what PCA cannot. The basis is orthonormal, so an error of components is an error of fields. Every frame is
    learned as its mirror image too. The first five latents are the placement, in deviations from its mean; the others
    are the network's, each times how far its component moves outlines: whoever predicts latents then looks at what
    shows.
    """

    _encoder: keras.Model
    _decoder: keras.Model

    def __init__(self, options: SdfAEOptions) -> None:
        super().__init__(options)
        self._size = (0, 0)
        self._arrays: dict[str, Float32] = {}

    @property
    def latent_dim(self) -> int:
        return PLACEMENT + self._pose

    @property
    def _pose(self) -> int:
        return min(self.options.latent_dim - PLACEMENT, len(self._arrays.get("basis", range(self.options.latent_dim))))

    @property
    def _importance(self) -> Float32:
        """How far a latent of the network moves outlines, beside its first."""
        deviations = self._arrays["deviations"][: self._pose]
        importance: Float32 = deviations / deviations[0]
        return importance

    def fit(self, train: Silhouettes, validation: Silhouettes, training: Training) -> History:
        self._size = train.size
        self._fit_placement(train)
        self._fit_basis(train, training.seed)
        keras.utils.set_random_seed(training.seed)
        shape = self._arrays["deviations"], self._pose, self.options.units, self.options.blocks
        self._encoder, self._decoder = build_encoder(*shape), build_decoder(*shape)
        history = self._train(train, validation, training)
        history[-1] |= with_held_out(self._measure, train, validation)
        return history

    def _fit_placement(self, frames: Silhouettes) -> None:
        found = np.concatenate([measure_placements(chunk) for chunk in frames.chunks()])
        deviation = found.std(axis=0)
        self._arrays["place_mean"] = found.mean(axis=0)
        # At least a pixel, and 5 % of lean and size: of who keeps a place only noise is left, which would be enlarged.
        self._arrays["place_deviation"] = np.maximum(deviation, [1, 1, 0.05, 0.05, 0.05]).astype(np.float32)
        self._arrays["scale"] = np.median(found[:, 3:], axis=0)
        some = frames[sample_evenly(len(frames), MEASURED_FRAMES)]
        self._arrays["piece"] = np.asarray(measure_smallest_piece(some), np.float32)

    def _fit_basis(self, frames: Silhouettes, seed: int) -> None:
        chosen = sample_evenly(len(frames), BASIS_FRAMES)
        parts = np.array_split(chosen, range(256, len(chosen), 256))
        fields = [self._compute_fields(frames[part])[1] for part in parts]
        self._arrays["mean"], self._arrays["basis"], self._arrays["deviations"] = fit_principal_components(
            lambda: (rows.reshape(len(rows), -1) for part in fields for rows in (part, part[..., ::-1])),
            self.options.coefficients,
            power_iterations=1,
            seed=seed,
        )
        self._arrays["deviations"] = np.maximum(self._arrays["deviations"], 1e-3)

    def _compute_fields(self, frames: UInt8) -> tuple[Float32, Float32]:
        placement = measure_placements(frames)
        return placement, compute_fields(frames, placement, self._arrays["scale"], self.options.radius)

    def _compute_components(self, fields: Float32) -> Float32:
        """Fields `(n, h/2, w/2)` → `(n, k)` components, in deviations of the first."""
        rows = fields.reshape(len(fields), -1) - self._arrays["mean"]
        components: Float32 = rows @ self._arrays["basis"].T / self._arrays["deviations"][0]
        return components

    def _train(self, frames: Silhouettes, validation: Silhouettes, training: Training) -> History:
        options = self.options
        rows = np.concatenate(list(self._compute_rows(frames, validation)))
        count = 2 * len(frames)
        epochs = min(MOST_EPOCHS, count_epochs(options.steps, count, options.batch_size))
        steps = epochs * ceil(count / options.batch_size)
        model = Variational(self._encoder, self._decoder, options.kl, training.seed)
        model(rows[:1])  # a subclassed model has its variables only after a first call
        optimizer = build_adamw(options.learning_rate, steps, warmup=min(200, options.steps // 10))
        model.compile(optimizer=optimizer, loss=self._build_error())
        data = Samples(lambda chosen, _: (rows[chosen],) * 2, count, len(rows) - count, options.batch_size)
        return train_network(model, data, epochs=epochs, training=training, metrics=LOSS)

    def _compute_rows(self, frames: Silhouettes, validation: Silhouettes) -> Iterator[Float32]:
        """Components of all frames, then of all their mirror images, then of the validation frames."""
        mirror_images = []
        for chunk in frames.chunks():
            _, fields = self._compute_fields(chunk)
            yield self._compute_components(fields)
            mirror_images.append(self._compute_components(fields[..., ::-1]))
        yield from mirror_images
        for chunk in validation.chunks():
            yield self._compute_components(self._compute_fields(chunk)[1])

    def _measure(self, frames: Silhouettes) -> Metrics:
        """Loss and accuracy of pictures, as Keras would compute them."""
        if not len(frames):
            return {}
        truth = frames[sample_evenly(len(frames), MEASURED_FRAMES)]
        rebuilt = self.decode(self.encode(truth))
        grey, guess = (pictures / np.float32(255) for pictures in (truth, rebuilt))
        return {"loss": mean_squared_error(grey, guess), "acc": keras_accuracy(grey, guess)}

    def _build_error(self) -> Callable[..., KerasTensor]:
        basis, mean, deviations = (self._arrays[name] for name in ("basis", "mean", "deviations"))
        return build_field_error(basis * deviations[0], deviations / deviations[0], mean)

    @cached_property
    def _error_gradient(self) -> Callable[..., KerasTensor]:
        """The slope of the error of what poses are decoded to, `(n, pose)`, given them and the true components."""
        error = self._build_error()
        return gradient(lambda pose, truth: ops.sum(error(truth, self._decoder(pose))))

    def encode(self, frames: UInt8) -> Float32:
        placement, fields = self._compute_fields(frames)
        place = (placement - self._arrays["place_mean"]) / self._arrays["place_deviation"] * PLACE_IMPORTANCE
        components = self._compute_components(fields)
        guess = self._encoder.predict(components, batch_size=256, verbose=0)[:, : self._pose]
        pose = self._refine(guess, components)
        return np.concatenate([place, pose * self._importance], axis=1).astype(np.float32)

    def _refine(self, pose: Float32, components: Float32) -> Float32:
        """Poses after some steps of Adam down their own error: an encoder is only a guess at the best latents.

        (Cremer, Li and Duvenaud 2018, Inference suboptimality in variational autoencoders; Kingma and Ba 2015.)
        """
        # Both averages of Adam fade as fast, and faster than is usual: in eight steps the usual second one, .999, would
        # not leave the first gradient behind.
        mean, square = np.zeros_like(pose), np.zeros_like(pose)
        for step in range(1, self.options.refine + 1):
            slope = np.asarray(self._error_gradient(ops.convert_to_tensor(pose), components), np.float32)
            mean = FADING * mean + (1 - FADING) * slope
            square = FADING * square + (1 - FADING) * slope**2
            unbiased = 1 - FADING**step
            pose = pose - REFINE_RATE * mean / unbiased / (np.sqrt(square / unbiased) + EPSILON)
        return pose

    def decode(self, latents: Float32) -> UInt8:
        place = latents[:, :PLACEMENT] / PLACE_IMPORTANCE
        placement = place * self._arrays["place_deviation"] + self._arrays["place_mean"]
        components = self._decoder.predict(latents[:, PLACEMENT:] / self._importance, batch_size=256, verbose=0)
        fields = (components * self._arrays["deviations"][0]) @ self._arrays["basis"] + self._arrays["mean"]
        height, width = halve_size(self._size)
        piece = float(self._arrays["piece"])
        return draw_silhouettes(fields.reshape(-1, height, width), placement, self._arrays["scale"], self._size, piece)

    def save(self, folder: Path) -> None:
        np.savez(folder / "fields.npz", **self._arrays)  # type: ignore[arg-type]
        (folder / "size.json").write_text(json.dumps(self._size))
        save_networks(folder, encoder=self._encoder, decoder=self._decoder)

    @classmethod
    def load(cls, folder: Path, options: SdfAEOptions) -> Self:
        codec = cls(options)
        with np.load(folder / "fields.npz", allow_pickle=False) as saved:
            codec._arrays = {name: saved[name] for name in ARRAYS}
        height, width = json.loads((folder / "size.json").read_text())
        codec._size = height, width
        codec._encoder, codec._decoder = (load_network(folder / f"{name}.keras") for name in ("encoder", "decoder"))
        return codec
