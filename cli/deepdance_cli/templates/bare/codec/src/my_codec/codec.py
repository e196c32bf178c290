from pathlib import Path
from typing import Self

import cv2
import numpy as np
from deepdance.frames import Silhouettes
from deepdance.interfaces import Float32, FrameCodec, History, Options, Training, UInt8

ROWS, COLUMNS = 12, 20


class MyCodecOptions(Options):
    pass


class MyCodec(FrameCodec[MyCodecOptions]):
    _size: tuple[int, int]

    @property
    def latent_dim(self) -> int:
        return ROWS * COLUMNS

    def fit(self, train: Silhouettes, validation: Silhouettes, training: Training) -> History:
        self._size = train.size
        metrics = {"loss": 0.0}
        training.on_epoch(1, 1, metrics)
        return [metrics]

    def encode(self, frames: UInt8) -> Float32:
        grids = [cv2.resize(frame, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA) for frame in frames]
        latents: Float32 = np.stack(grids).reshape(len(frames), -1).astype(np.float32) / np.float32(255)
        return latents

    def decode(self, latents: Float32) -> UInt8:
        grids = np.rint(255 * latents.clip(0, 1)).astype(np.uint8).reshape(-1, ROWS, COLUMNS)
        return np.stack([cv2.resize(grid, self._size[::-1]) for grid in grids])

    def save(self, folder: Path) -> None:
        np.save(folder / "my_codec.npy", self._size)

    @classmethod
    def load(cls, folder: Path, options: MyCodecOptions) -> Self:
        codec = cls(options)
        height, width = np.load(folder / "my_codec.npy", allow_pickle=False).tolist()
        codec._size = height, width
        return codec
