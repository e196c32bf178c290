"""The contract of a codec, and what this one promises besides."""

import numpy as np
from deepdance.frames import Silhouettes
from deepdance.interfaces import Training
from deepdance.testing import parametrize_with_checks

from my_codec import COMPONENTS
from my_codec.codec import MyCodec, MyCodecOptions


@parametrize_with_checks(COMPONENTS[0])
def test_contract(check):
    check()


def fitted(frames, **options):
    codec = MyCodec(MyCodecOptions(**options))
    codec.fit(Silhouettes.of(frames), Silhouettes.of(frames[:0]), Training())
    return codec


def test_latents_are_averages_of_blocks():
    frames = np.zeros((2, 4, 6), np.uint8)
    frames[1, :2, 3:] = 255
    latents = fitted(frames, rows=2, columns=2).encode(frames)
    assert np.flatnonzero(latents[1] > latents[0]).tolist() == [1]


def test_a_finer_grid_shows_more():
    frames = np.random.default_rng(0).choice([0, 255], (20, 24, 40)).astype(np.uint8)
    grids = [fitted(frames, rows=rows, columns=2 * rows) for rows in (3, 6, 12)]
    errors = [np.abs(codec.decode(codec.encode(frames)).astype(float) - frames).mean() for codec in grids]
    assert errors[0] > errors[1] > errors[2]
