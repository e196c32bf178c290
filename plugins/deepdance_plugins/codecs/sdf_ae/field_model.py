"""What fields look like: their principal components, and the networks that put 128 numbers in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from deepdance.array_files import load_arrays
from deepdance.arrays import sample_evenly
from deepdance.errors import WorkspaceError
from deepdance.interfaces import Float32
from deepdance_plugins._principal_components import fit_principal_components
from deepdance_plugins.codecs.sdf_ae.distance_field import Canvas
from deepdance_plugins.codecs.sdf_ae.error import FieldError
from deepdance_plugins.codecs.sdf_ae.inference import Network

PIXELS_APART = 5
"""While a pose is refined only every fifth pixel of the canvas is looked at: a field is smooth."""
STEP, MOMENTUM, DAMPING = 0.3, 0.6, 0.1
"""Of the refinement of an encoded pose; whole steps would go too far, since the curvature is that of a mean pose."""
CURVED = 48
"""Frames that the mean curvature is measured on."""
NEAR = np.float32(0.01)
"""A difference of latents that stands for an infinitely small one."""
PROBE = 0.5
"""How far a latent is moved to see how far it moves outlines, in deviations."""
LEAST_COMPONENT = 1e-3
"""Deviation of a component: of one and the same picture there are none, and they are divided by."""
MEASURED = ("importance", "descent")
"""What `measure_latents` adds to a model that has learned."""
LARGEST_INTEGER = 127
"""Of those that matrices are stored as."""

Stored = Mapping[str, npt.NDArray[Any]]
"""Arrays as they lie in a file. One of int8 has a `….scale` beside it, which its rows are to be multiplied by."""


class FieldModel:
    """Fields on a canvas ↔ pose latents, `(n, h, w)` ↔ `(n, pose)`; it does not change once it is made."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._arrays = restore_arrays(stored)
        self.canvas = Canvas.from_array(self._arrays["canvas"])
        self.radius = float(self._arrays["radius"])
        self.encoder = Network.from_arrays("encoder", self._arrays)
        self.decoder = Network.from_arrays("decoder", self._arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The model as it was saved. Raises WorkspaceError if it is damaged, or an earlier version saved it."""
        saved = load_arrays(path)
        missing = [name for name in MEASURED if name not in saved]
        if missing:
            raise WorkspaceError(
                f"{path}: expected {missing[0]}, got the fields of an earlier version; "
                f"delete the folder {path.parent} and run again"
            )
        return cls(saved)

    def save(self, path: Path) -> None:
        """Write all arrays as `.npz`."""
        np.savez(path, **self._stored)  # type: ignore[arg-type]

    @property
    def stored(self) -> Stored:
        """Its arrays as they lie in a file: those of the body prior are quantized."""
        return self._stored

    @property
    def mean(self) -> Float32:
        """The mean field, `(p,)`."""
        return self._arrays["mean"]

    @property
    def basis(self) -> Float32:
        """The principal components, `(k, p)`."""
        return self._arrays["basis"]

    @property
    def deviations(self) -> Float32:
        """Of the components, `(k,)`."""
        return self._arrays["deviations"]

    @property
    def pose(self) -> int:
        """How many latents there are."""
        return self.decoder.inputs

    @property
    def weights(self) -> Mapping[str, Float32]:
        """The networks' weights, as `encoder.LAYER.kernel` and so on."""
        return {name: values for name, values in self._arrays.items() if name.startswith(("encoder.", "decoder."))}

    @cached_property
    def error(self) -> FieldError:
        """What the networks are trained by."""
        return FieldError.of(self.basis, self.mean, self.deviations)

    @cached_property
    def _quick_error(self) -> FieldError:
        return self.error.thin(PIXELS_APART)

    def with_weights(self, weights: Mapping[str, Float32], components: Float32) -> FieldModel:
        """The same with other networks; `components` `(n, k)` are of fields that are typical for them."""
        fixed = {name: self._arrays[name] for name in ("canvas", "radius", "mean", "basis", "deviations")}
        changed = FieldModel({**fixed, **weights})
        return FieldModel({**fixed, **weights, **changed.measure_latents(components)})

    def measure_latents(self, components: Float32) -> dict[str, Float32]:
        """`importance` and `descent` of these networks, given typical components `(n, k)`."""
        some = components[sample_evenly(len(components), CURVED)]
        poses = self.encoder(some)[:, : self.decoder.inputs]
        return {
            "importance": measure_importance(self.decoder),
            "descent": measure_descent(self.decoder, self._quick_error, poses, some),
        }

    def project(self, fields: Float32) -> Float32:
        """Fields `(n, h, w)` → components `(n, k)`, in deviations of the first."""
        rows = fields.reshape(len(fields), -1) - self.mean
        components: Float32 = rows @ self.basis.T / self.deviations[0]
        return components

    def assemble(self, components: Float32) -> Float32:
        """Components `(n, k)` → fields `(n, h, w)`."""
        fields: Float32 = (components * self.deviations[0]) @ self.basis + self.mean
        return fields.reshape(-1, *self.canvas.shape)

    def encode(self, fields: Float32, refine: int) -> Float32:
        """Fields → latents, each times how far it moves outlines: whoever predicts them then looks at what shows.

        They take `refine` steps down their own error after the encoder.
        """
        components = self.project(fields)
        guess = self.encoder(components)[:, : self.pose]
        return self._refine(guess, components, refine) * self._arrays["importance"]

    def decode(self, latents: Float32) -> Float32:
        """Latents → fields."""
        return self.assemble(self.decoder(latents / self._arrays["importance"]))

    def _refine(self, pose: Float32, components: Float32, steps: int) -> Float32:
        """Poses after some steps down their own error: an encoder is only a guess at the best latents.

        (Cremer, Li and Duvenaud 2018, Inference suboptimality in variational autoencoders.) The slope is divided by the
        mean curvature, so four steps do what eight of Adam do, and eight what 32 do.
        """
        velocity = np.zeros_like(pose)
        for _ in range(steps):
            rebuilt, kept = self.decoder.trace(pose)
            slope = self.decoder.pull_back(self._quick_error.measure_slope(components, rebuilt), kept)
            velocity = MOMENTUM * velocity - slope @ self._arrays["descent"]
            pose = pose + velocity
        return pose


def fit_basis(fields: Sequence[Float32], components: int, seed: int) -> dict[str, Float32]:
    """`mean` `(p,)`, `basis` `(k, p)` and `deviations` `(k,)` of fields `(n, h, w)` and their mirror images."""
    mean, basis, deviations = fit_principal_components(
        lambda: (rows.reshape(len(rows), -1) for part in fields for rows in (part, part[..., ::-1])),
        components,
        power_iterations=1,
        seed=seed,
    )
    return {"mean": mean, "basis": basis, "deviations": np.maximum(deviations, LEAST_COMPONENT)}


def restore_arrays(stored: Stored) -> dict[str, Float32]:
    """Stored arrays as they are computed with."""
    return {
        name: values.astype(np.float32) * stored.get(f"{name}.scale", np.float32(1))
        for name, values in stored.items()
        if not name.endswith(".scale")
    }


def quantize(matrix: Float32, axis: int = 1) -> tuple[npt.NDArray[np.int8], Float32]:
    """Integers `(n, m)`, and the scale of each row `(n, 1)`, or of each column `(1, m)` along axis 0.

    Their product is the matrix, to half a scale.
    """
    largest = np.abs(matrix).max(axis=axis, keepdims=True)
    scale = np.where(largest > 0, largest / LARGEST_INTEGER, 1).astype(np.float32)
    return np.rint(matrix / scale).astype(np.int8), scale


def measure_importance(decoder: Network) -> Float32:
    """How far each latent moves the field, `(pose,)`, beside the one that moves it farthest."""
    pose = decoder.inputs
    there, back = (decoder(np.asarray(sign * PROBE * np.eye(pose), np.float32)) for sign in (1, -1))
    way = np.linalg.norm(there - back, axis=1)
    # A latent that the decoder does not look at would be divided by nothing.
    return np.asarray(np.maximum(way / way.max(), 1e-3), np.float32)


def measure_descent(decoder: Network, error: FieldError, poses: Float32, components: Float32) -> Float32:
    """The matrix `(pose, pose)` that turns the slope of the error into a step down it.

    `STEP` times the inverse of the mean Gauss-Newton matrix at `poses` `(n, pose)`, whose true components are
    `components` `(n, k)`, damped as Levenberg and Marquardt do (Nocedal and Wright 2006, section 10.3).
    """
    total = np.zeros((decoder.inputs, decoder.inputs))
    for pose, curvature in zip(poses, error.measure_curvature(components), strict=True):
        near = np.concatenate([pose[None], pose + NEAR * np.eye(len(pose), dtype=np.float32)])
        rebuilt = decoder(near)
        moved = (rebuilt[1:] - rebuilt[0]) / NEAR @ error.basis
        total += (moved * curvature) @ moved.T
    mean = total / len(poses)
    damped = mean + DAMPING * np.median(np.diag(mean)) * np.eye(len(mean))
    return np.asarray(STEP * np.linalg.inv(damped), np.float32)
