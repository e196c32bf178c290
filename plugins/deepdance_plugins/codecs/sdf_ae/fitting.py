"""Training a field model with Keras: anew on a video alone, or on from the body prior."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import numpy as np

from deepdance.arrays import sample_evenly
from deepdance.frames import Silhouettes
from deepdance.interfaces import Float32, History, Training, UInt8
from deepdance_plugins.codecs.sdf_ae.distance_field import PLACEMENT, Canvas, compute_fields, measure_placements
from deepdance_plugins.codecs.sdf_ae.error import FieldError
from deepdance_plugins.codecs.sdf_ae.field_model import PIXELS_APART, FieldModel, fit_basis
from deepdance_plugins.codecs.sdf_ae.inference import select_weights
from deepdance_plugins.codecs.sdf_ae.network import (
    build_decoder,
    build_encoder,
    build_variational,
    read_networks,
    write_weights,
)
from deepdance_plugins.codecs.sdf_ae.options import SdfAEOptions
from deepdance_plugins.networks.backend import keras
from deepdance_plugins.networks.training import LOSS, Samples, build_adamw, count_epochs, train_network

BASIS_FRAMES = 6_000
"""Frames, evenly spaced and with their mirror images, that the basis is fitted on: 300 MB of fields."""
MOST_EPOCHS = 80
"""More of a short video only learn it by heart: of 138 s, held-out IoU is .85 after 60 epochs and after 230."""
WARMUP = 200
ADAPTING = {"steps": 300, "batch_size": 128, "learning_rate": 3e-4}
"""Options of a training that goes on from the prior: less than a minute on two cores."""


def fit_field_model(
    train: Silhouettes, validation: Silhouettes, placements: Float32, options: SdfAEOptions, training: Training
) -> tuple[FieldModel, History]:
    """A field model of these silhouettes alone; `placements` are those of `train`."""
    training.on_note("finding the components of outlines")
    canvas = Canvas.of_video(train.size, placements)
    chosen = sample_evenly(len(train), BASIS_FRAMES)
    parts = np.array_split(chosen, range(256, len(chosen), 256))
    fields = [_compute_fields(train[part], canvas, options.radius) for part in parts]
    basis = fit_basis(fields, options.coefficients, training.seed)
    pose = min(options.latent_dim - PLACEMENT, len(basis["deviations"]))
    keras.utils.set_random_seed(training.seed)
    shape = basis["deviations"], pose, options.units, options.blocks
    encoder, decoder = build_encoder(*shape), build_decoder(*shape)
    model = FieldModel(
        {
            **basis,
            "canvas": canvas.to_array(),
            "radius": np.array(options.radius, np.float32),
            **read_networks(encoder, decoder),
        }
    )
    return _train(model, model.error, (encoder, decoder), (train, validation), options, training)


def adapt_field_model(
    model: FieldModel, train: Silhouettes, validation: Silhouettes, options: SdfAEOptions, training: Training
) -> tuple[FieldModel, History]:
    """A field model that has learned these silhouettes too; its components stay."""
    keras.utils.set_random_seed(training.seed)
    shape = model.deviations, model.pose, model.decoder.units, model.decoder.blocks
    networks = build_encoder(*shape), build_decoder(*shape)
    for network in networks:
        write_weights(network, select_weights(network.name, model.weights))
    shorter = options.model_copy(update=ADAPTING)
    return _train(model, model.error.thin(PIXELS_APART), networks, (train, validation), shorter, training)


def _compute_fields(frames: UInt8, canvas: Canvas, radius: float) -> Float32:
    return compute_fields(frames, measure_placements(frames), canvas, radius)


def _train(
    model: FieldModel,
    error: FieldError,
    networks: tuple[keras.Model, keras.Model],
    frames: tuple[Silhouettes, Silhouettes],
    options: SdfAEOptions,
    training: Training,
) -> tuple[FieldModel, History]:
    train, validation = frames
    training.on_note("computing what the network learns from")
    rows = np.concatenate(list(_compute_rows(model, train, validation)))
    count = 2 * len(train)
    epochs = min(MOST_EPOCHS, count_epochs(options.steps, count, options.batch_size))
    steps = epochs * ceil(count / options.batch_size)
    optimizer = build_adamw(options.learning_rate, steps, warmup=min(WARMUP, options.steps // 10))
    variational = build_variational(*networks, error, optimizer, options.kl, training.seed)
    data = Samples(lambda chosen, _: (rows[chosen],) * 2, count, len(rows) - count, options.batch_size)
    history = train_network(variational, data, epochs=epochs, training=training, metrics=LOSS)
    training.on_note("measuring the latents")
    return model.with_weights(read_networks(*networks), rows[:count]), history


def _compute_rows(model: FieldModel, frames: Silhouettes, validation: Silhouettes) -> Iterator[Float32]:
    """Components of all frames, then of all their mirror images, then of the validation frames."""
    mirror_images = []
    for chunk in frames.chunks():
        fields = _compute_fields(chunk, model.canvas, model.radius)
        yield model.project(fields)
        mirror_images.append(model.project(fields[..., ::-1]))
    yield from mirror_images
    for chunk in validation.chunks():
        yield model.project(_compute_fields(chunk, model.canvas, model.radius))
