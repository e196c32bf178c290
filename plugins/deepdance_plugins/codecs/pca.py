"""`pca`: principal components of the pixels, the linear codec that every other one has to beat."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from deepdance.array_files import load_arrays
from deepdance.frames import Silhouettes
from deepdance.interfaces import Float32, FrameCodec, History, Options, Training, UInt8
from deepdance.metrics.accuracy import keras_accuracy, mean_squared_error, with_held_out
from deepdance_plugins._principal_components import fit_principal_components


class PCAOptions(Options):
    """A randomized fit reads the frames `3 + 2 · power_iterations` times, a chunk at a time."""

    latent_dim: int = Field(128, ge=1, description="components; fewer where there are fewer frames")
    power_iterations: int = Field(1, ge=0, le=10, description="rounds that sharpen the random projection")


class PCA(FrameCodec[PCAOptions]):
    """Randomized PCA of grey levels, in chunks, so memory stays flat.

    Latents are scores divided by the first component's standard deviation: one scale for all, so distances keep their
    meaning, and about unit size, which sequence models like.
    """

    def __init__(self, options: PCAOptions) -> None:
        super().__init__(options)
        self._size = (0, 0)
        self._mean: Float32 = np.empty(0, np.float32)
        self._components: Float32 = np.empty((0, 0), np.float32)
        self._scale = np.float32(1)

    @property
    def latent_dim(self) -> int:
        return len(self._components) or self.options.latent_dim

    def fit(self, train: Silhouettes, validation: Silhouettes, training: Training) -> History:
        self._size = train.size
        self._mean, self._components, deviations = fit_principal_components(
            lambda: map(_flatten, train.chunks()),
            self.options.latent_dim,
            power_iterations=self.options.power_iterations,
            seed=training.seed,
        )
        self._scale = np.float32(max(deviations[0], 1e-6))  # of a video that stands still nothing varies
        metrics = with_held_out(self._measure, train, validation)
        training.on_epoch(1, 1, metrics)
        return [metrics]

    def _measure(self, frames: Silhouettes) -> dict[str, float]:
        """Loss and accuracy as Keras would compute them, averaged over all frames."""
        totals = np.zeros(2)
        for chunk in frames.chunks():
            rebuilt = self._rebuild(self.encode(chunk))
            truth = _flatten(chunk)
            totals += len(chunk) * np.array([mean_squared_error(truth, rebuilt), keras_accuracy(truth, rebuilt)])
        return {} if not len(frames) else dict(zip(("loss", "acc"), (totals / len(frames)).tolist(), strict=True))

    def encode(self, frames: UInt8) -> Float32:
        latents: Float32 = (_flatten(frames) - self._mean) @ self._components.T / self._scale
        return latents

    def _rebuild(self, latents: Float32) -> Float32:
        return np.clip(latents * self._scale @ self._components + self._mean, 0, 1)

    def decode(self, latents: Float32) -> UInt8:
        return np.rint(self._rebuild(latents) * 255).astype(np.uint8).reshape(-1, *self._size)

    def save(self, folder: Path) -> None:
        np.savez(
            folder / "pca.npz",
            size=np.array(self._size),
            mean=self._mean,
            components=self._components,
            scale=self._scale,
        )

    @classmethod
    def load(cls, folder: Path, options: PCAOptions) -> Self:
        codec = cls(options)
        saved = load_arrays(folder / "pca.npz")
        height, width = saved["size"]
        codec._size = int(height), int(width)
        codec._mean, codec._components, codec._scale = saved["mean"], saved["components"], np.float32(saved["scale"])
        return codec


def _flatten(frames: UInt8) -> npt.NDArray[Any]:
    """`(n, h, w)` uint8 → `(n, h·w)` float32 in [0, 1]."""
    count, height, width = frames.shape
    return frames.reshape(count, height * width).astype(np.float32) / 255
