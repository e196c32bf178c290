import numpy as np
import pytest

from deepdance.metrics.bootstrap import Estimate, bootstrap, bootstrap_mean, divide_sums


def test_means_and_pooled_ratios_have_their_plain_value():
    values, weights = np.array([1.0, 2, 3, 6]), np.array([1.0, 1, 1, 3])
    blocks = np.arange(4)
    assert bootstrap_mean(values, blocks).value == 3
    assert bootstrap([values, weights], blocks, divide_sums).value == 2
    assert bootstrap([values, weights, 1], blocks, lambda s: s[..., 0] * s[..., 1] / s[..., 2] ** 2).value == 4.5


def test_the_interval_is_that_of_the_central_limit_theorem():
    values = np.random.default_rng(1).normal(5, 2, 4000)
    figure = bootstrap_mean(values, np.arange(4000))
    expected = 1.96 * 2 / np.sqrt(4000)
    assert figure.value - figure.low == pytest.approx(expected, rel=0.12)
    assert figure.high - figure.value == pytest.approx(expected, rel=0.12)


def test_frames_that_are_alike_within_a_block_widen_the_interval():
    values = np.repeat(np.random.default_rng(1).normal(0, 1, 50), 20)
    alone, together = bootstrap_mean(values, np.arange(1000)), bootstrap_mean(values, np.repeat(np.arange(50), 20))
    assert alone.value == pytest.approx(together.value)
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(20), rel=0.15)


def test_intervals_cover_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(3)
    blocks = np.repeat(np.arange(60), 5)
    covered = 0
    for _ in range(200):
        figure = bootstrap_mean(np.repeat(rng.normal(0, 1, 60), 5), blocks)
        covered += figure.low <= 0 <= figure.high
    assert 180 <= covered <= 199


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(0).random(100)
    blocks = np.repeat(np.arange(20), 5)
    assert bootstrap_mean(values, blocks) == bootstrap_mean(values, blocks)
    assert bootstrap_mean(values, blocks) != bootstrap([values, 1], blocks, seed=1)


def test_one_block_has_no_interval_and_nothing_has_no_figure():
    figure = bootstrap_mean(np.array([1.0, 3]), np.zeros(2, int))
    assert figure == Estimate(2)
    assert bootstrap_mean(np.array([1.0, 3]), np.arange(2)) == Estimate(2, 1, 3)
    assert bootstrap_mean(np.zeros(0), np.zeros(0, int)) is None
    assert bootstrap_mean(np.array([np.nan, 1]), np.arange(2)) is None
    assert bootstrap([np.ones(2), np.zeros(2)], np.arange(2)) is None
