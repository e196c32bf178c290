import numpy as np
from deepdance.interfaces import BackgroundRemover, Options, UInt8


class MyRemoverOptions(Options):
    pass


class MyRemover(BackgroundRemover[MyRemoverOptions]):
    def remove(self, frames: UInt8) -> UInt8:
        return np.where(frames.max(axis=3) < 128, np.uint8(0), np.uint8(255))
