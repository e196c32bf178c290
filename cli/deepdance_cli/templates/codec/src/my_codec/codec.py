"""`my-codec`: a frame as the average brightness of each block of a grid."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from deepdance.errors import InputError
from deepdance.frames import BACKGROUND, Silhouettes
from deepdance.interfaces import Float32, FrameCodec, History, Metrics, Options, Training, UInt8
from deepdance.metrics.accuracy import keras_accuracy, mean_squared_error
from pydantic import Field


class MyCodecOptions(Options):
    """A finer grid shows more, and gives the sequence model more numbers to predict."""

    rows: int = Field(12, ge=1, le=128, description="blocks from top to bottom")
    columns: int = Field(20, ge=1, le=128, description="blocks from left to right")


class MyCodec(FrameCodec[MyCodecOptions]):
    """Averages of blocks, less their mean over the training frames, in units of their standard deviation.

    Sequence models like latents that lie around 0 and are about 1 in size. Decoding enlarges the grid again.
    """

    def __init__(self, options: MyCodecOptions) -> None:
        super().__init__(options)
        self._size = (0, 0)
        self._mean: Float32 = np.empty(0, np.float32)
        self._scale = np.float32(1)

    @property
    def latent_dim(self) -> int:
        return self.options.rows * self.options.columns

    def fit(self, train: Silhouettes, validation: Silhouettes, training: Training) -> History:
        if not len(train):
            raise InputError("expected silhouettes to learn from, got none; give a longer video")
        self._size = train.size
        averages = np.concatenate([self._averages(chunk) for chunk in train.chunks()])
        self._mean = averages.mean(axis=0)
        self._scale = np.float32(max(averages.std(), 1e-6))
        metrics = self._measure(train) | {f"val_{name}": value for name, value in self._measure(validation).items()}
        training.on_epoch(1, 1, metrics)
        return [metrics]

    def _averages(self, frames: UInt8) -> Float32:
        """`(n, height, width)` → `(n, rows · columns)` in [0, 1]."""
        import cv2  # heavy, so it is imported where it is used

        size = self.options.columns, self.options.rows
        averages = np.empty((len(frames), self.latent_dim), np.float32)
        for frame, row in zip(frames, averages, strict=True):
            row[:] = cv2.resize(frame.astype(np.float32), size, interpolation=cv2.INTER_AREA).ravel() / 255
        return averages

    def _measure(self, frames: Silhouettes) -> Metrics:
        """Mean squared error and Keras's accuracy of decoded frames, a chunk at a time."""
        totals = np.zeros(2)
        for chunk in frames.chunks():
            truth, rebuilt = chunk / 255, self.decode(self.encode(chunk)) / 255
            totals += len(chunk) * np.array([mean_squared_error(truth, rebuilt), keras_accuracy(truth, rebuilt)])
        return dict(zip(("loss", "acc"), (totals / len(frames)).tolist(), strict=True)) if len(frames) else {}

    def encode(self, frames: UInt8) -> Float32:
        return (self._averages(frames) - self._mean) / self._scale

    def decode(self, latents: Float32) -> UInt8:
        """Enlarged smoothly to the size of the training frames; a latent that is not finite shows nobody."""
        import cv2

        height, width = self._size
        frames = np.full((len(latents), height, width), BACKGROUND, np.uint8)
        for frame, latent in zip(frames, latents, strict=True):
            if np.isfinite(latent).all():
                grid = (latent * self._scale + self._mean).reshape(self.options.rows, self.options.columns)
                picture = cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
                frame[:] = np.rint(255 * np.clip(picture, 0, 1))
        return frames

    def save(self, folder: Path) -> None:
        np.savez(folder / "my_codec.npz", size=np.array(self._size), mean=self._mean, scale=self._scale)

    @classmethod
    def load(cls, folder: Path, options: MyCodecOptions) -> Self:
        codec = cls(options)
        with np.load(folder / "my_codec.npz", allow_pickle=False) as saved:
            height, width = saved["size"].tolist()
            codec._size, codec._mean, codec._scale = (height, width), saved["mean"], saved["scale"]
        return codec
