"""The body prior in 13 MB: matrices as small integers, and what the decoder loses by that made good."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from benchmarks.body_prior.silhouettes import split

from deepdance.interfaces import Float32
from deepdance_plugins.codecs.sdf_ae.field_model import Stored, quantize, restore_arrays
from deepdance_plugins.codecs.sdf_ae.inference import Network

RIDGE = 1e-6
"""Penalty a row: latents that hardly vary would be solved for by next to nothing."""
AT_ONCE = 500
STRAIGHT, END = "decoder.straight.kernel", "decoder.end.bias"


def quantize_matrices(arrays: Mapping[str, Float32]) -> dict[str, npt.NDArray[Any]]:
    """As they are stored: matrices quantized, the linear paths in float16, vectors as they are.

    The numbers of a linear path differ too much within a row: one scale for all would make zeros of the small ones.
    """
    stored: dict[str, npt.NDArray[Any]] = {}
    for name, values in arrays.items():
        if name.endswith("straight.kernel"):
            stored[name] = values.astype(np.float16)
        elif values.ndim == 2:
            stored[name], stored[f"{name}.scale"] = quantize(values)
        else:
            stored[name] = values
    return stored


def solve_straight(weights: Mapping[str, Float32], rows: Float32) -> dict[str, Float32]:
    """The decoder's linear path and last bias that rebuild `rows` `(n, k)` best beside all the other weights.

    What quantizing moved is mostly linear in the latents, so least squares find it: no training has to go on.
    """
    straight = weights[STRAIGHT]
    encoder, decoder = (Network.from_arrays(name, weights) for name in ("encoder", "decoder"))
    pose, components = straight.shape
    gram, moments = np.zeros((pose + 1, pose + 1)), np.zeros((pose + 1, components))
    for part in split(rows, AT_ONCE):
        latents = encoder(part)[:, :pose]
        left = part - (decoder(latents) - latents @ straight)
        inputs = np.column_stack([latents, np.ones(len(latents))])
        gram += inputs.T @ inputs
        moments += inputs.T @ left
    gram += RIDGE * len(rows) * np.eye(pose + 1)
    solved = np.linalg.solve(gram, moments).astype(np.float32)
    return {STRAIGHT: solved[:-1], END: weights[END] + solved[-1]}


def pack(arrays: Mapping[str, Float32], rows: Float32) -> dict[str, npt.NDArray[Any]]:
    """A field model's arrays as they are stored; `rows` `(n, k)` are components, by the stored basis, to mend it by."""
    stored = quantize_matrices(arrays)
    solved = solve_straight(restore_arrays(stored), rows)
    stored |= {STRAIGHT: solved[STRAIGHT].astype(np.float16), END: solved[END]}
    return stored


def save_prior(path: Path, stored: Stored) -> str:
    """Write a field model, and give the file's SHA-256."""
    np.savez_compressed(path, **stored)  # type: ignore[arg-type]
    return sha256(path.read_bytes()).hexdigest()
