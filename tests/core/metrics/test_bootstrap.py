import numpy as np
import pytest

from deepdance.frames import Clip
from deepdance.metrics.bootstrap import bootstrap, mean, ratio
from deepdance.splits import number_blocks


def clips(*lengths, fps=3.0):
    ends = np.cumsum(lengths).tolist()
    return [Clip(end - length, end, "a", fps) for length, end in zip(lengths, ends, strict=True)]


def test_blocks_never_cross_a_clip_and_last_ten_seconds_at_most():
    blocks = number_blocks(clips(400, 25, *[200] * 3))
    assert len(blocks) == 1025
    assert np.bincount(blocks)[:14].tolist() == [30] * 13 + [10]  # 400 = 13 × 30 + 10
    assert blocks[399] != blocks[400]
    assert blocks[400] == blocks[424] != blocks[425]


def test_little_material_is_cut_into_ten_blocks_anyhow():
    assert np.bincount(number_blocks(clips(40))).tolist() == [4] * 10
    assert np.bincount(number_blocks(clips(3))).tolist() == [1, 1, 1]
    assert len(number_blocks([])) == 0


def test_means_and_pooled_ratios_have_their_plain_value():
    values, weights = np.array([1.0, 2, 3, 6]), np.array([1.0, 1, 1, 3])
    blocks = np.arange(4)
    assert mean(values, blocks).value == 3
    assert bootstrap([values, weights], blocks, ratio).value == 2
    assert bootstrap([values, weights, 1], blocks, lambda s: s[..., 0] * s[..., 1] / s[..., 2] ** 2).value == 4.5


def test_the_interval_is_that_of_the_central_limit_theorem():
    values = np.random.default_rng(1).normal(5, 2, 4000)
    figure = mean(values, np.arange(4000))
    expected = 1.96 * 2 / np.sqrt(4000)
    assert figure.value - figure.low == pytest.approx(expected, rel=0.12)
    assert figure.high - figure.value == pytest.approx(expected, rel=0.12)


def test_frames_that_are_alike_within_a_block_widen_the_interval():
    values = np.repeat(np.random.default_rng(1).normal(0, 1, 50), 20)
    alone, together = mean(values, np.arange(1000)), mean(values, np.repeat(np.arange(50), 20))
    assert alone.value == pytest.approx(together.value)
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(20), rel=0.15)


def test_intervals_cover_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(3)
    blocks = np.repeat(np.arange(60), 5)
    covered = 0
    for _ in range(200):
        figure = mean(np.repeat(rng.normal(0, 1, 60), 5), blocks)
        covered += figure.low <= 0 <= figure.high
    assert 180 <= covered <= 199


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(0).random(100)
    blocks = np.repeat(np.arange(20), 5)
    assert mean(values, blocks) == mean(values, blocks)
    assert mean(values, blocks) != bootstrap([values, 1], blocks, seed=1)


def test_one_block_has_no_interval_and_nothing_has_no_figure():
    figure = mean(np.array([1.0, 3]), np.zeros(2, int))
    assert (figure.value, figure.low, figure.high) == (2, None, None)
    assert mean(np.zeros(0), np.zeros(0, int)) is None
    assert mean(np.array([np.nan, 1]), np.arange(2)) is None
    assert bootstrap([np.ones(2), np.zeros(2)], np.arange(2)) is None
