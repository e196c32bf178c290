import numpy as np
import pytest

from deepdance.metrics.trends import cut_blocks, fit_slope


def holds_zero(estimate):
    return estimate.low <= 0 <= estimate.high


def test_blocks_of_a_thousand():
    assert cut_blocks(300) == [slice(0, 300)]
    assert cut_blocks(2400) == [slice(0, 1000), slice(1000, 2000)]
    assert cut_blocks(2500)[-1] == slice(2000, 2500)
    assert cut_blocks(2499)[-1] == slice(1000, 2000)


def test_a_slope_is_told_from_none():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(5, 10)) * 0.1
    found = fit_slope(list(noise + 0.05 * np.arange(10) + rng.normal(size=(5, 1)) * 10))
    assert found.value == pytest.approx(0.05, abs=0.015)
    assert 0 < found.low < 0.05 < found.high
    assert holds_zero(fit_slope(list(noise)))
    assert holds_zero(fit_slope([np.ones(10)]))
    assert fit_slope([np.ones(2)]) is None
    assert fit_slope([]) is None


def test_slopes_hold_what_their_intervals_promise():
    rng = np.random.default_rng(1)
    held = [holds_zero(fit_slope(list(rng.normal(size=(5, 10))))) for _ in range(400)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_one_curve_is_fitted_as_by_linear_regression():
    from scipy.stats import linregress, t

    curve = np.random.default_rng(2).normal(size=6).cumsum()
    line, found = linregress(np.arange(6), curve), fit_slope([curve])
    assert found.value == pytest.approx(line.slope)
    assert found.high - found.value == pytest.approx(t.ppf(0.975, 4) * line.stderr)
    assert found.value - found.low == pytest.approx(found.high - found.value)
    assert fit_slope([curve, np.ones(1)]) == found


def test_three_blocks_or_two_dances_of_two_are_enough_for_a_slope():
    assert fit_slope([np.arange(3.0)]).value == pytest.approx(1)
    assert fit_slope([np.arange(2.0), np.arange(2.0)]).value == pytest.approx(1)
