from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
from deepdance.errors import InputError
from deepdance.frames import fit_size
from deepdance.interfaces import FrameSource, Options, SourceInfo, UInt8

CHUNK = 8


class MySourceOptions(Options):
    pass


class MySource(FrameSource[MySourceOptions]):
    def info(self) -> SourceInfo:
        height, width = self._open().shape[1:3]
        return SourceInfo(height, width)

    def fingerprint(self) -> str:
        self._open()
        return sha256(Path(self.location).read_bytes()).hexdigest()

    def frames(self, fps: float, size: tuple[int, int]) -> Iterator[UInt8]:
        frames = self._open()
        height, width = frames.shape[1:3]
        height, width = fit_size(height, width, (min(size[0], height), min(size[1], width)))
        for start in range(0, len(frames), CHUNK):
            yield np.stack([cv2.resize(frame, (width, height)) for frame in frames[start : start + CHUNK]])

    def _open(self) -> UInt8:
        try:
            frames: UInt8 = np.load(self.location, mmap_mode="r", allow_pickle=False)
            return frames
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{self.location}: expected an .npy of RGB frames, got: {error}; check the path") from None
