"""Make the body prior of `sdf-ae`: `make prior`, or

    python -m benchmarks.body_prior.train --data ../shared/data --out prior.npz

The prior that comes with deepdance is what the defaults make, on 2026-11-26: 50,400 frames of the corpus, the masks of
six shadow dancers (8,280) and 48 demo dancers of 60 frames each, all at 10 a second, once as they are and in three
varied copies, and mirrored: about 460,000 rows. With Keras 3.15.1 on JAX 0.11.2 and one NVIDIA H100, training took
68 s after one to two minutes of preparing on 16 cores. On TensorFlow it works too, and takes hours. Only the last step
was done apart: its decoder was mended on 31,409 rows, of every third frame of the corpus and every second of the masks,
where this takes parts from all over. The file is not the same byte for byte either way: a GPU adds up as it likes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from benchmarks.body_prior.rows import CHUNK, compute_some, list_parts, project
from benchmarks.body_prior.settings import CANVAS, RADIUS, Settings
from benchmarks.body_prior.silhouettes import load_all
from benchmarks.body_prior.storing import pack, quantize_matrices, save_prior

from deepdance.arrays import sample_evenly
from deepdance.interfaces import UInt8
from deepdance.workers import count_cores
from deepdance_plugins.codecs.sdf_ae.field_model import FieldModel, fit_basis, restore_arrays

MENDED_FRAMES = 16_000
"""The stored decoder is mended on so many and their mirror images: 32,000 rows for 124 unknowns each."""


def make_prior(videos: Sequence[UInt8], out: Path, settings: Settings) -> str:
    """Train a prior on silhouettes `(n, h, w)` and demo dancers, write it, and give the file's SHA-256."""
    parts = list_parts(videos, settings)
    mended = [parts[k] for k in sample_evenly(len(parts), MENDED_FRAMES // CHUNK)]
    # A process forked from one that has threads may hang, and libraries of arrays have many.
    with ProcessPoolExecutor(count_cores(), mp_context=get_context("spawn")) as pool:
        basis = fit_basis(compute_some(pool, parts, settings.seed), settings.coefficients, settings.seed)
        rows = project(pool, parts, basis, settings.seed)
        mending = project(pool, mended, restore_arrays(quantize_matrices(basis)), settings.seed)
    print(f"{len(rows)} rows of {rows.shape[1]} components", flush=True)
    from benchmarks.body_prior.training import train_networks  # imports Keras, which the pool's processes do without

    weights = train_networks(basis, rows, settings)
    canvas = {"canvas": CANVAS.to_array(), "radius": np.array(RADIUS, np.float32)}
    stored = pack({**canvas, **basis, **weights}, mending)
    return save_prior(out, {**stored, **FieldModel(stored).measure_latents(mending)})


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make the body prior of sdf-ae.")
    parser.add_argument("--data", type=Path, required=True, help="folder with corpus/ and shadowdance/")
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write")
    parser.add_argument("--videos", type=parse_numbers, default=list(range(6)), help="shadow dancers, such as 3,4,5")
    parser.add_argument("--held-out-corpus", action="store_true", help="keep the corpus' last tenth from it")
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--steps", type=int, default=Settings.steps)
    return parser.parse_args(arguments)


def parse_numbers(text: str) -> list[int]:
    """`"3,4,5"` → `[3, 4, 5]`."""
    return [int(number) for number in text.split(",")]


def main() -> None:
    """Make the prior that the command line asks for, and say what the file is."""
    asked = parse()
    videos = load_all(asked.data, asked.videos, whole_corpus=not asked.held_out_corpus)
    checksum = make_prior(videos, asked.out, Settings(seed=asked.seed, steps=asked.steps))
    print(f"{asked.out}: {asked.out.stat().st_size / 1e6:.1f} MB, SHA-256 {checksum}, which prior.py is to have")


if __name__ == "__main__":
    main()
