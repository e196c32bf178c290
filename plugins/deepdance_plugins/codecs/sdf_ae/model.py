"""`sdf-ae`: a variational autoencoder of signed distance fields, sharp by construction."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np

from deepdance.array_files import load_arrays
from deepdance.arrays import sample_evenly
from deepdance.frames import BACKGROUND, Silhouettes, find_middle, fit_size
from deepdance.interfaces import Float32, FrameCodec, History, Metrics, Training, UInt8
from deepdance.metrics.accuracy import keras_accuracy, mean_squared_error, with_held_out
from deepdance.metrics.shapes import iou
from deepdance_plugins.codecs.sdf_ae.distance_field import (
    LEAST_DEVIATION,
    PLACEMENT,
    compute_fields,
    draw_silhouettes,
    measure_placements,
    measure_smallest_piece,
)
from deepdance_plugins.codecs.sdf_ae.field_model import FieldModel
from deepdance_plugins.codecs.sdf_ae.options import SdfAEOptions
from deepdance_plugins.codecs.sdf_ae.prior import load_prior

log = logging.getLogger("deepdance")

MEASURED_FRAMES = 64
"""Frames, evenly spaced, on which loss and accuracy of the pictures are measured, and whether the prior will do."""
LEAST_IOU = 0.9
"""What the prior has to reach: a codec trained on two minutes of one dancer has .91 to .95 on what comes next."""
QUANTILE = 0.75
"""Of the frames' IoU, from below: where a remover went wrong there is no body, and nothing that training would mend."""
PLACE_IMPORTANCE = np.float32(0.3)
"""How much a deviation of the placement counts beside one of the first component of the pose."""
LARGEST_DEVIATION = 2.0
"""Of a dancer, in heights or widths of the picture: a placement that was guessed wildly is no infinity."""
PLACES = ("place_mean", "place_deviation", "piece")


class SdfAE(FrameCodec[SdfAEOptions]):
    """Silhouette → placement and distance field → principal components → latents, and back.

    The network is a VAE (Kingma and Welling 2014) whose linear path starts at the PCA solution; its residual blocks
    learn the rest. It comes trained, as a prior of what bodies look like, and is adapted to a video, or trained on it
    alone, where it does not show what is there. Noise on the latents makes the decoder smooth: what lies between and
    near real latents is a whole body too. The first five latents are the placement, in deviations from its mean; the
    others are the network's, each times how far it moves outlines: whoever predicts latents then looks at what shows.
    """

    _fields: FieldModel
    _size: tuple[int, int]

    def __init__(self, options: SdfAEOptions) -> None:
        super().__init__(options)
        self._places: dict[str, Float32] = {}
        self._trained = False

    @classmethod
    def from_prior(cls, frames: Silhouettes) -> Self:
        """The body prior at the places of these silhouettes, however well it shows them: nothing is trained."""
        codec = cls(SdfAEOptions.model_validate({}))
        codec._fields, codec._size = load_prior(), frames.size
        codec._fit_places(frames, _measure_places(frames))
        return codec

    @property
    def fields(self) -> FieldModel:
        """What it draws with."""
        return self._fields

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the silhouettes that it learned."""
        return self._size

    @property
    def places(self) -> Mapping[str, Float32]:
        """The placements' mean and deviation, `(5,)`, and the smallest piece, as a share of the largest one's area."""
        return self._places

    @property
    def latent_dim(self) -> int:
        return PLACEMENT + self._fields.pose if self._places else self.options.latent_dim

    def fit(self, train: Silhouettes, validation: Silhouettes, training: Training) -> History:
        self._size = train.size
        training.on_note("looking where the body is")
        placements = _measure_places(train)
        self._fit_places(train, placements)
        history = self._fit_fields(train, validation, placements, training)
        training.on_note("measuring the codec on held-out frames")
        history[-1] |= with_held_out(self._measure, train, validation)
        if not self._trained:
            training.on_epoch(1, 1, history[-1])
        return history

    def _fit_places(self, frames: Silhouettes, placements: Float32) -> None:
        # At least a pixel, and 5 % of lean and size: of who keeps a place only noise is left, which would be enlarged.
        deviation = np.maximum(placements.std(axis=0), [1, 1, 0.05, 0.05, 0.05])
        piece = measure_smallest_piece(_sample(frames))
        self._places = {
            name: np.asarray(values, np.float32)
            for name, values in zip(PLACES, (placements.mean(axis=0), deviation, piece), strict=True)
        }

    def _fit_fields(
        self, train: Silhouettes, validation: Silhouettes, placements: Float32, training: Training
    ) -> History:
        if self.options.prior == "body":
            training.on_note("looking whether the body prior does")
            self._fields, shown = load_prior(), _sample(train)
            reached = self.measure_iou(train)
            if reached >= LEAST_IOU:
                log.info("the body prior shows these silhouettes (IoU %.3f): nothing is trained", reached)
                return [{}]
            possible = _judge(shown, self._draw_components(shown))
            if possible >= LEAST_IOU:
                log.info("the body prior shows these silhouettes at an IoU of %.3f: it is adapted to them", reached)
                return self._adapt(train, validation, training)
            log.info("the body prior cannot show these silhouettes (IoU %.3f): a codec is trained anew", possible)
        from deepdance_plugins.codecs.sdf_ae.fitting import fit_field_model  # imports Keras

        self._trained = True
        self._fields, history = fit_field_model(train, validation, placements, self.options, training)
        return history

    def _adapt(self, train: Silhouettes, validation: Silhouettes, training: Training) -> History:
        from deepdance_plugins.codecs.sdf_ae.fitting import adapt_field_model  # imports Keras

        self._trained = True
        before = self._fields
        adapted, history = adapt_field_model(before, train, validation, self.options, training)
        training.on_note("comparing with the body prior as it was")
        shown = _sample(validation if len(validation) else train)
        reached = _judge(shown, self._rebuild(shown))
        self._fields = adapted
        if _judge(shown, self._rebuild(shown)) < reached:
            log.info("held-out frames are shown better by the body prior as it was: it is kept")
            self._fields = before
        return history

    def measure_iou(self, frames: Silhouettes) -> float:
        """How well it shows silhouettes: the IoU that three of four reach at most, of some, evenly spaced."""
        some = _sample(frames)
        return _judge(some, self._rebuild(some))

    def _draw_components(self, frames: UInt8) -> UInt8:
        """The best that the prior's components can show, whatever its networks make of them."""
        placements, fields = self._compute_fields(frames)
        return self._draw(self._fields.assemble(self._fields.project(fields)), placements, self._size)

    def _rebuild(self, frames: UInt8) -> UInt8:
        return self.decode(self.encode(frames))

    def _measure(self, frames: Silhouettes) -> Metrics:
        """Loss and accuracy of pictures, as Keras would compute them."""
        if not len(frames):
            return {}
        truth = _sample(frames)
        grey, guess = (pictures / np.float32(255) for pictures in (truth, self._rebuild(truth)))
        return {"loss": mean_squared_error(grey, guess), "acc": keras_accuracy(grey, guess)}

    def _compute_fields(self, frames: UInt8) -> tuple[Float32, Float32]:
        placements = measure_placements(frames)
        return placements, compute_fields(frames, placements, self._fields.canvas, self._fields.radius)

    def encode(self, frames: UInt8) -> Float32:
        placements, fields = self._compute_fields(frames)
        place = (placements - self._places["place_mean"]) / self._places["place_deviation"] * PLACE_IMPORTANCE
        return np.concatenate([place, self._fields.encode(fields, self.options.refine)], axis=1, dtype=np.float32)

    def decode(self, latents: Float32) -> UInt8:
        return self._decode(latents, self._size)

    def decode_at(self, latents: Float32, size: tuple[int, int]) -> UInt8:
        """Outlines are the zero level of a smooth field, and stay sharp at any size."""
        drawn = fit_size(*self._size, size)
        out = np.full((len(latents), *size), BACKGROUND, np.uint8)
        out[:, *find_middle(drawn, size)] = self._decode(latents, drawn)
        return out

    def _decode(self, latents: Float32, size: tuple[int, int]) -> UInt8:
        place = latents[:, :PLACEMENT] / PLACE_IMPORTANCE
        placements = place * self._places["place_deviation"] + self._places["place_mean"]
        # Guessed latents may lie anywhere, and deviations are exponentials of them.
        least, largest = np.log(LEAST_DEVIATION), np.log(LARGEST_DEVIATION * np.array(self._size[::-1]))
        placements[:, 3:] = np.clip(placements[:, 3:], least, largest)
        return self._draw(self._fields.decode(latents[:, PLACEMENT:]), placements.astype(np.float32), size)

    def _draw(self, fields: Float32, placements: Float32, size: tuple[int, int]) -> UInt8:
        piece = float(self._places["piece"])
        return draw_silhouettes(fields, placements, self._fields.canvas, self._size, at=size, smallest=piece)

    def save(self, folder: Path) -> None:
        self._fields.save(folder / "fields.npz")
        np.savez(folder / "places.npz", size=self._size, **self._places)  # type: ignore[arg-type]
        if self._trained:
            from deepdance_plugins.networks.training import forget_checkpoint

            forget_checkpoint(folder)

    @classmethod
    def load(cls, folder: Path, options: SdfAEOptions) -> Self:
        codec = cls(options)
        codec._fields = FieldModel.load(folder / "fields.npz")
        saved = load_arrays(folder / "places.npz")
        codec._places = {name: saved[name] for name in PLACES}
        height, width = saved["size"].tolist()
        codec._size = height, width
        return codec


def _measure_places(frames: Silhouettes) -> Float32:
    return np.concatenate([measure_placements(chunk) for chunk in frames.chunks()])


def _sample(frames: Silhouettes) -> UInt8:
    return frames[sample_evenly(len(frames), MEASURED_FRAMES)]


def _judge(truth: UInt8, drawn: UInt8) -> float:
    return float(np.quantile(iou(truth, drawn), QUANTILE))
