"""The luma remover: BT.601, and greys come back as they were."""

import numpy as np

from deepdance.interfaces import Options
from deepdance_plugins.removers.luma import Luma


def test_equal_channels_come_back_exactly():
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert np.array_equal(Luma(Options()).remove(np.repeat(grey[..., None], 3, axis=3)), grey)


def test_channels_weigh_as_bt601_says():
    frames = np.random.default_rng(0).integers(0, 256, (2, 30, 40, 3), np.uint8)
    expected = frames @ np.array([0.299, 0.587, 0.114])
    assert np.abs(Luma(Options()).remove(frames) - expected).max() <= 0.51
