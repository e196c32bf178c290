"""Train the body prior of `sdf-ae`: `python -m benchmarks.body_prior.train --data ../shared/data`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from benchmarks.body_prior.silhouettes import draw_demo, keep_dancers, split_evenly
from benchmarks.body_prior.variations import vary

from deepdance.arrays import sample_evenly
from deepdance.interfaces import Float32, UInt8
from deepdance_plugins._principal_components import fit_principal_components
from deepdance_plugins.codecs.sdf_ae.distance_field import Canvas, compute_fields, measure_placements
from deepdance_plugins.codecs.sdf_ae.error import COVER, FieldError

CANVAS = Canvas(height=94, width=57, row=43.25, across=6.51, down=17.5, reference=25.0)
"""Nine tenths of a thousandth of the corpus' dancers lie on it whole; seven tenths of the size of the median one."""
RADIUS = 8.0
DEMO_DANCERS = 48
CHUNK = 250
BASIS_FRAMES = 16_000
Part = tuple[UInt8 | int, int]


@dataclass(frozen=True)
class Settings:
    """What a prior is trained by."""

    seed: int = 0
    coefficients: int = 640
    pose: int = 123
    units: int = 1024
    blocks: int = 2
    copies: int = 2
    """Varied copies of each silhouette beside itself; each is mirrored too."""
    steps: int = 20_000
    batch_size: int = 256
    learning_rate: float = 1e-3
    kl: float = 1e-4
    cover: float = COVER


def list_parts(frames: Sequence[UInt8], copies: int) -> list[Part]:
    """The work in parts, each with the copy that it is; a number stands for a demo dancer."""
    chunks: list[UInt8 | int] = [part for video in frames for part in split_evenly(keep_dancers(video), CHUNK)]
    return [(part, copy) for copy in range(copies + 1) for part in (*chunks, *range(DEMO_DANCERS))]


def compute_part(part: Part, seed: int) -> Float32:
    """Fields `(n, h, w)` of some silhouettes; all copies but the first are varied."""
    cv2.setNumThreads(1)
    frames, copy = part
    silhouettes = draw_demo(frames) if isinstance(frames, int) else frames
    rng = np.random.default_rng([seed, copy, *silhouettes[0].ravel()[::97].tolist()])
    fields = []
    for frame in silhouettes:
        one = np.ascontiguousarray(vary(frame, rng) if copy else frame)[None]
        fields.append(compute_fields(one, measure_placements(one), CANVAS, RADIUS)[0])
    return np.stack(fields)


def project_part(part: Part, seed: int, mean: Float32, basis: Float32) -> tuple[Float32, Float32]:
    """Components `(n, k)` of a part's fields, and of their mirror images."""
    fields = compute_part(part, seed)
    both = (fields, fields[..., ::-1])
    straight, mirrored = ((one.reshape(len(one), -1) - mean) @ basis.T for one in both)
    return straight.astype(np.float32), mirrored.astype(np.float32)


def fit_basis(pool: ProcessPoolExecutor, parts: Sequence[Part], settings: Settings) -> dict[str, Float32]:
    """Principal components of fields and their mirror images."""
    chosen = [parts[k] for k in sample_evenly(len(parts), BASIS_FRAMES // CHUNK)]
    fields = list(pool.map(partial(compute_part, seed=settings.seed), chosen))

    def rows() -> Iterator[Float32]:
        for part in fields:
            yield part.reshape(len(part), -1)
            yield part[..., ::-1].reshape(len(part), -1)

    found = fit_principal_components(rows, settings.coefficients, power_iterations=1, seed=settings.seed)
    return dict(zip(("mean", "basis", "deviations"), found, strict=True))


def prepare(frames: Sequence[UInt8], settings: Settings) -> tuple[dict[str, Float32], Float32]:
    """The basis, and the components `(n, k)` of all there is to learn from, in deviations of the first."""
    parts = list_parts(frames, settings.copies)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        arrays = fit_basis(pool, parts, settings)
        project = partial(project_part, seed=settings.seed, mean=arrays["mean"], basis=arrays["basis"])
        rows = [one for pair in pool.map(project, parts, chunksize=4) for one in pair]
    return arrays, np.concatenate(rows) / arrays["deviations"][0]


def train(
    arrays: dict[str, Float32], rows: Float32, settings: Settings, folder: Path | None = None
) -> dict[str, Float32]:
    """The networks' weights, by their names."""
    from deepdance_plugins._keras.backend import keras
    from deepdance_plugins._keras.training import build_adamw
    from deepdance_plugins.codecs.sdf_ae.network import (
        Variational,
        build_decoder,
        build_encoder,
        build_loss,
        read_weights,
    )

    keras.utils.set_random_seed(settings.seed)
    shape = arrays["deviations"], settings.pose, settings.units, settings.blocks
    encoder, decoder = build_encoder(*shape), build_decoder(*shape)
    model = Variational(encoder, decoder, settings.kl, settings.seed)
    model(rows[:1])
    error = FieldError.of(arrays["basis"], arrays["mean"], arrays["deviations"], settings.cover)
    loss = build_loss(error)
    model.compile(optimizer=build_adamw(settings.learning_rate, settings.steps, warmup=200), loss=loss)
    started = time.monotonic()

    def tell(done: int, wrong: float) -> None:
        print(f"{done} steps: {wrong:.4f}, {time.monotonic() - started:.0f} s", flush=True)

    from benchmarks.body_prior.compiled import train_compiled

    train_compiled(
        model, loss, rows, steps=settings.steps, batch_size=settings.batch_size, seed=settings.seed, on_progress=tell
    )
    networks = {"encoder": encoder, "decoder": decoder}
    return {
        f"{name}.{key}": values for name, network in networks.items() for key, values in read_weights(network).items()
    }
