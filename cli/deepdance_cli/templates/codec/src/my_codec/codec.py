"""`my-codec`: a frame as the average brightness of each block of a grid."""

from pathlib import Path
from typing import Self

import cv2
import numpy as np
from deepdance.frames import Silhouettes
from deepdance.interfaces import Float32, FrameCodec, History, Options, Training, UInt8
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
        self._mean = np.empty(0, np.float32)
        self._scale = np.float32(1)

    @property
    def latent_dim(self) -> int:
        return self.options.rows * self.options.columns

    def fit(self, train: Silhouettes, validation: Silhouettes, training: Training) -> History:
        self._size = train.size
        averages = np.concatenate([self._average_blocks(chunk) for chunk in train.chunks()])
        self._mean = averages.mean(axis=0)
        self._scale = np.float32(max(averages.std(), 1e-6))  # frames that are all alike have no deviation
        metrics = {"loss": self._measure_error(train)}
        if len(validation):
            metrics["val_loss"] = self._measure_error(validation)
        training.on_epoch(1, 1, metrics)
        return [metrics]

    def _average_blocks(self, frames: UInt8) -> Float32:
        """`(n, height, width)` → `(n, rows · columns)` in [0, 1]."""
        size = self.options.columns, self.options.rows
        grids = [cv2.resize(frame / np.float32(255), size, interpolation=cv2.INTER_AREA) for frame in frames]
        averages: Float32 = np.stack(grids).reshape(len(frames), -1)
        return averages

    def _measure_error(self, frames: Silhouettes) -> float:
        """The mean squared error of decoded frames. A video may not fit into memory, so it is read in chunks."""
        errors = 0.0
        for chunk in frames.chunks():
            errors += np.square(chunk / 255 - self.decode(self.encode(chunk)) / 255).mean(axis=(1, 2)).sum()
        return float(errors / len(frames))

    def encode(self, frames: UInt8) -> Float32:
        return (self._average_blocks(frames) - self._mean) / self._scale

    def decode(self, latents: Float32) -> UInt8:
        grids = (latents * self._scale + self._mean).reshape(-1, self.options.rows, self.options.columns)
        height, width = self._size
        pictures = [cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR) for grid in grids]
        frames: UInt8 = np.rint(255 * np.clip(np.stack(pictures), 0, 1)).astype(np.uint8)
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
