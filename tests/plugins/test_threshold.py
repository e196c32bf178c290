"""The threshold remover: the paper's rule at every level, Otsu, and inversion."""

import numpy as np
import pytest

from deepdance_plugins.removers.threshold import Threshold, ThresholdOptions


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("level", [0, 1, 229, 230, 254, 255, 256, 500, 764])
@pytest.mark.parametrize("invert", [False, True])
def test_the_rule_is_exact_at_every_level(level, invert):
    frames = noise(3, 40, 60, 3)
    frames[0] //= 3
    frames[1, 0, :3] = [[0, 0, 0], [255, 255, 255], [level // 3, level // 3, min(255, level - 2 * (level // 3))]]
    above = frames.sum(axis=3, dtype=int) > level
    out = Threshold(ThresholdOptions(level=level, invert=invert)).remove(frames)
    assert out.dtype == np.uint8
    assert np.array_equal(out, np.where(above != invert, 255, 0))


def test_the_paper_is_the_default():
    frames = np.array([[[[76, 77, 77], [77, 77, 77]]]], np.uint8)
    assert Threshold(ThresholdOptions()).remove(frames).tolist() == [[[0, 255]]]


@pytest.mark.parametrize("invert", [False, True])
def test_auto_finds_a_dancer_that_the_fixed_level_misses(invert):
    """Black on a blue ground that fades: R+G+B stays below 230."""
    frames = np.zeros((2, 60, 80, 3), np.uint8)
    frames[..., 2] = np.linspace(120, 220, 80).astype(np.uint8)
    frames[:, 20:40, 30:50] = 12
    dancer = np.zeros((60, 80), bool)
    dancer[20:40, 30:50] = True
    out = Threshold(ThresholdOptions(level="auto", invert=invert)).remove(frames)
    assert np.array_equal(out[1] == 0, dancer != invert)
    assert (Threshold(ThresholdOptions()).remove(frames) == 0).all()


def test_views_are_fine():
    remover, frames = Threshold(ThresholdOptions()), noise(4, 10, 12, 3)
    frames.setflags(write=False)
    assert np.array_equal(remover.remove(frames[::2, ::2, ::-1]), remover.remove(frames)[::2, ::2, ::-1])
