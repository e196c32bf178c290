"""`sdf-ae`: a variational autoencoder of signed distance fields, sharp by construction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path
from typing import Any, Self

import numpy as np

from deepdance.arrays import sample_evenly
from deepdance.frames import Silhouettes
from deepdance.interfaces import Float32, FrameCodec, History, Training, UInt8
from deepdance.metrics.accuracy import keras_accuracy, mean_squared_error, with_held_out
from deepdance_plugins._keras.backend import gradient, keras, load_network
from deepdance_plugins._keras.training import (
    LOSS_ONLY,
    Batch,
    Indices,
    cosine_adamw,
    epochs_of,
    forget_checkpoint,
    train,
)
from deepdance_plugins.codecs.pca import fit_principal_components
from deepdance_plugins.codecs.sdf_ae.distance_field import (
    PLACEMENT,
    placements,
    reduced,
    smallest_piece,
    to_fields,
    to_silhouettes,
)
from deepdance_plugins.codecs.sdf_ae.network import build_decoder, build_encoder, field_error, variational
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
ARRAYS = ("basis", "mean", "deviations", "scale", "place_mean", "place_deviation", "piece")


class SdfAE(FrameCodec[SdfAEOptions]):
    """Silhouette → placement and distance field → principal components → latents, and back.

    The network is a VAE (Kingma and Welling 2014) whose linear path starts at the PCA solution; its residual blocks
    learn what PCA cannot. The basis is orthonormal, so an error of components is an error of fields. Every frame is
    learned as its mirror image too. The first five latents are the placement, in deviations from its mean; the others
    are the network's, each times how far its component moves outlines: whoever predicts latents then looks at what
    shows.
    """

    def __init__(self, options: SdfAEOptions) -> None:
        super().__init__(options)
        self._size = (0, 0)
        self._arrays: dict[str, Float32] = {}
        self._encoder: Any = None
        self._decoder: Any = None
        self._slope: Any = None

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
        keras().utils.set_random_seed(training.seed)
        shape = self._arrays["deviations"], self._pose, self.options.units, self.options.blocks
        self._encoder, self._decoder = build_encoder(*shape), build_decoder(*shape)
        history = self._train(train, validation, training)
        history[-1] |= with_held_out(self._measured, train, validation)
        return history

    def _fit_placement(self, frames: Silhouettes) -> None:
        found = np.concatenate([placements(chunk) for chunk in frames.chunks()])
        deviation = found.std(axis=0)
        self._arrays["place_mean"] = found.mean(axis=0)
        self._arrays["place_deviation"] = np.maximum(deviation, [1, 1, 0.05, 0.05, 0.05]).astype(np.float32)
        self._arrays["scale"] = np.median(found[:, 3:], axis=0)
        shown = frames[sample_evenly(len(frames), MEASURED_FRAMES)]
        self._arrays["piece"] = np.asarray(smallest_piece(shown), np.float32)

    def _fit_basis(self, frames: Silhouettes, seed: int) -> None:
        chosen = sample_evenly(len(frames), BASIS_FRAMES)
        fields = [self._fields(frames[part])[1] for part in np.array_split(chosen, range(256, len(chosen), 256))]
        self._arrays["mean"], self._arrays["basis"], self._arrays["deviations"] = fit_principal_components(
            lambda: (rows.reshape(len(rows), -1) for part in fields for rows in (part, part[..., ::-1])),
            self.options.coefficients,
            power_iterations=1,
            seed=seed,
        )
        self._arrays["deviations"] = np.maximum(self._arrays["deviations"], 1e-3)

    def _fields(self, frames: UInt8) -> tuple[Float32, Float32]:
        placement = placements(frames)
        return placement, to_fields(frames, placement, self._arrays["scale"], self.options.radius)

    def _components(self, fields: Float32) -> Float32:
        """Fields `(n, h/2, w/2)` → `(n, k)` components, in deviations of the first."""
        rows = fields.reshape(len(fields), -1) - self._arrays["mean"]
        components: Float32 = rows @ self._arrays["basis"].T / self._arrays["deviations"][0]
        return components

    def _train(self, frames: Silhouettes, validation: Silhouettes, training: Training) -> History:
        options = self.options
        data = np.concatenate(list(self._training_rows(frames, validation)))
        count = 2 * len(frames)
        epochs = min(MOST_EPOCHS, epochs_of(options.steps, count, options.batch_size))
        steps = epochs * ceil(count / options.batch_size)
        model = variational(self._encoder, self._decoder, options.kl, training.seed)
        optimizer = cosine_adamw(options.learning_rate, steps, warmup=min(200, options.steps // 10))
        model.compile(optimizer=optimizer, loss=self._error())

        def batch(indices: Indices) -> Batch:
            return data[indices], data[indices]

        return train(
            model,
            batch,
            count,
            len(data) - count,
            epochs=epochs,
            batch_size=options.batch_size,
            training=training,
            names=LOSS_ONLY,
        )

    def _training_rows(self, frames: Silhouettes, validation: Silhouettes) -> Iterator[Float32]:
        """Components of all frames, then of all their mirror images, then of the validation frames."""
        mirror_images = []
        for chunk in frames.chunks():
            _, fields = self._fields(chunk)
            yield self._components(fields)
            mirror_images.append(self._components(fields[..., ::-1]))
        yield from mirror_images
        for chunk in validation.chunks():
            yield self._components(self._fields(chunk)[1])

    def _measured(self, frames: Silhouettes) -> dict[str, float]:
        """Loss and accuracy of pictures, as Keras would compute them."""
        if not len(frames):
            return {}
        truth = frames[sample_evenly(len(frames), MEASURED_FRAMES)]
        rebuilt = self.decode(self.encode(truth))
        grey, guess = (pictures / np.float32(255) for pictures in (truth, rebuilt))
        return {"loss": mean_squared_error(grey, guess), "acc": keras_accuracy(grey, guess)}

    def _error(self) -> Callable[[Any, Any], Any]:
        deviations = self._arrays["deviations"]
        return field_error(self._arrays["basis"] * deviations[0], deviations / deviations[0], self._arrays["mean"])

    def encode(self, frames: UInt8) -> Float32:
        placement, fields = self._fields(frames)
        place = (placement - self._arrays["place_mean"]) / self._arrays["place_deviation"] * PLACE_IMPORTANCE
        components = self._components(fields)
        pose = self._refined(self._encoder.predict(components, batch_size=256, verbose=0)[:, : self._pose], components)
        return np.concatenate([place, pose * self._importance], axis=1).astype(np.float32)

    def _refined(self, pose: Float32, components: Float32) -> Float32:
        """Poses after some steps of Adam down their own error: an encoder is only a guess at the best latents.

        (Cremer, Li and Duvenaud 2018, Inference suboptimality in variational autoencoders.)
        """
        if self._slope is None:
            error = self._error()
            self._slope = gradient(lambda z, truth: keras().ops.sum(error(truth, self._decoder(z))))
        first, second = np.zeros_like(pose), np.zeros_like(pose)
        for step in range(1, self.options.refine + 1):
            slope = np.asarray(self._slope(keras().ops.convert_to_tensor(pose), components), np.float32)
            first = FADING * first + (1 - FADING) * slope
            second = FADING * second + (1 - FADING) * slope**2
            unbiased = 1 - FADING**step
            pose = pose - REFINE_RATE * first / unbiased / (np.sqrt(second / unbiased) + EPSILON)
        return pose

    def decode(self, latents: Float32) -> UInt8:
        place = latents[:, :PLACEMENT] / PLACE_IMPORTANCE
        placement = place * self._arrays["place_deviation"] + self._arrays["place_mean"]
        components = self._decoder.predict(latents[:, PLACEMENT:] / self._importance, batch_size=256, verbose=0)
        fields = (components * self._arrays["deviations"][0]) @ self._arrays["basis"] + self._arrays["mean"]
        height, width = reduced(self._size)
        piece = float(self._arrays["piece"])
        return to_silhouettes(fields.reshape(-1, height, width), placement, self._arrays["scale"], self._size, piece)

    def save(self, folder: Path) -> None:
        np.savez(folder / "fields.npz", **self._arrays)  # type: ignore[arg-type]
        (folder / "size.json").write_text(json.dumps(self._size))
        self._encoder.save(folder / "encoder.keras")
        self._decoder.save(folder / "decoder.keras")
        forget_checkpoint(folder)

    @classmethod
    def load(cls, folder: Path, options: SdfAEOptions) -> Self:
        codec = cls(options)
        with np.load(folder / "fields.npz", allow_pickle=False) as saved:
            codec._arrays = {name: saved[name] for name in ARRAYS}
        height, width = json.loads((folder / "size.json").read_text())
        codec._size = height, width
        codec._encoder = load_network(folder / "encoder.keras")
        codec._decoder = load_network(folder / "decoder.keras")
        return codec
