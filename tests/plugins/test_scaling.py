"""What networks that predict latents are scaled by."""

import numpy as np
import pytest

from deepdance_plugins.networks.scaling import measure_scales


def walk(*columns):
    return np.array(columns, np.float32).T


def test_place_and_range_are_of_each_number_and_the_spread_is_one_for_all():
    scales = measure_scales([walk([0, 2, 0, 2], [7, 7, 7, 7]), walk([1, 1], [7, 7])])
    assert scales["mean"].tolist() == [1, 7]
    assert (scales["low"].tolist(), scales["high"].tolist()) == ([0, 7], [2, 7])
    assert scales["spread"] == pytest.approx(np.sqrt((4 / 6 + 0) / 2))  # of variances 4/6 and 0


def test_a_change_is_of_neighbours_and_a_cut_is_none():
    up_and_down = walk([0, 3, 0, 3, 0])
    for clips in ([up_and_down], [up_and_down, up_and_down + 1000]):
        assert measure_scales(clips)["change"].tolist() == [3]


def test_a_steady_drift_is_no_change_of_its_own():
    """The standard deviation of the steps, which are all alike but for one number's."""
    scales = measure_scales([walk(np.arange(5) * 2.0, [0, 10, 0, 10, 0])])
    assert scales["change"][0] == pytest.approx(0.03 * 10)


def test_no_change_is_less_than_three_hundredths_of_the_largest():
    still = walk([0, 1, 0, 1, 0], [0, 0.02, 0, 0.02, 0], [0, 0.04, 0, 0.04, 0], [5, 5, 5, 5, 5])
    assert measure_scales([still])["change"] == pytest.approx([1, 0.03, 0.04, 0.03])


def test_latents_that_stand_still_divide_by_nothing():
    scales = measure_scales([np.ones((5, 3), np.float32)])
    for name in ("spread", "change"):
        assert (scales[name] > 0).all()
    assert all(value.dtype == np.float32 for value in scales.values())
    assert scales["change"].shape == (3,)
    assert np.isfinite(0 / scales["change"]).all()
