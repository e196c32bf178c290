import numpy as np
import pytest

from deepdance.metrics.two_sample import MOST, _classify, _compute_kernel, _number_folds, _scale, tell_apart
from deepdance.metrics.windows import Windows


def draw(count=200, shift=0.0, spread=1.0, blocks=20):
    """Windows of two kinds; `level` of 1 and `other` of 12 features, of which only the first differs."""
    rng = np.random.default_rng([count, round(100 * shift), round(100 * spread), blocks])
    level = shift + spread * rng.normal(size=(count, 1))
    return Windows({"level": level, "other": rng.normal(size=(count, 12))}, np.arange(count) * blocks // count)


def test_the_same_is_told_half_of_the_time():
    told = tell_apart(draw(300), draw(301))
    assert set(told) == {"all", "level", "other"}
    for estimate in told.values():
        assert estimate.value == pytest.approx(0.5, abs=0.08)
        assert estimate.low < 0.5 + 0.08
        assert estimate.high > 0.5 - 0.08


def test_what_always_differs_is_told_always_and_by_what():
    told = tell_apart(draw(), draw(shift=8))
    assert told["level"].value == told["level"].low == told["level"].high == 1
    assert told["all"].value > 0.95
    assert told["other"].value == pytest.approx(0.5, abs=0.12)


def test_two_normal_samples_are_told_as_often_as_can_be():
    told = tell_apart(draw(600), draw(601, shift=2))
    assert told["level"].value == pytest.approx(0.841, abs=0.03)  # Φ(1): the best threshold lies between the means
    assert told["level"].low < 0.841 < told["level"].high


def test_another_spread_with_the_same_mean_is_told():
    assert tell_apart(draw(400), draw(400, spread=4))["level"].value > 0.7


def test_as_many_of_each_are_compared_and_units_do_not_matter():
    a, b = draw(400), draw(100, shift=1)
    told = tell_apart(a, b)
    scaled = [Windows({"level": 1e3 * w.features["level"], "other": w.features["other"] - 7}, w.blocks) for w in (a, b)]
    assert tell_apart(*scaled)["all"].value == pytest.approx(told["all"].value, abs=0.011)
    assert told["level"].value < 0.8


def test_no_stretch_of_time_is_both_learned_and_asked():
    """Each stretch has a value of its own and by chance a sample: only who has seen the stretch could tell."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(40, 8))

    def stretches(mine):
        return Windows({"value": np.repeat(values[mine], 20, axis=0)}, np.repeat(np.arange(20), 20))

    order = rng.permutation(40)
    assert tell_apart(stretches(order[:20]), stretches(order[20:]))["all"].value < 0.75


def test_a_feature_that_never_changes_harms_nothing():
    constant = [Windows(w.features | {"still": np.zeros((len(w), 2))}, w.blocks) for w in (draw(), draw(shift=8))]
    told = tell_apart(*constant)
    assert told["still"].value == pytest.approx(0.5, abs=0.05)
    assert told["level"].value == 1


def test_too_few_stretches_are_not_judged():
    assert tell_apart(draw(blocks=4), draw()) is None
    assert tell_apart(draw(), draw(0)) is None


def test_more_than_can_be_compared_are_sampled():
    assert tell_apart(draw(5 * MOST), draw(MOST, shift=8))["level"].value == 1


def test_likeness_is_a_product_and_a_bell_of_unit_width():
    a, b = np.array([[0.0, 0], [3, 0]]), np.array([[0.0, 0], [1, 0], [3, 4]])
    bell = np.exp(-np.array([[0, 1, 25], [9, 4, 16]]) / 2)
    assert _compute_kernel(a, b) == pytest.approx(bell + np.array([[0, 0, 0], [0, 3, 9]]))


def test_folds_are_fifths_of_the_time_and_no_stretch_is_in_two():
    blocks = np.repeat([3, 5, 6, 9, 10, 11, 40, 41, 42, 50], 3)
    assert _number_folds(blocks).tolist() == np.repeat(np.arange(5), 6).tolist()
    assert np.unique(_number_folds(np.arange(7))).tolist() == list(range(5))


def test_a_kind_counts_as_much_as_another_of_any_width_and_what_is_far_out_is_cut():
    rng = np.random.default_rng(0)
    narrow, wide = 5 + 3 * rng.normal(size=(2000, 1)), rng.normal(size=(2000, 9))
    learns = np.arange(2000) < 1999
    narrow[1999] = 1e6
    learned, asked = _scale([narrow, wide], learns, ~learns)
    # Unit variance altogether, of which both have a half.
    assert np.square(learned[:, :1]).sum(axis=1).mean() == pytest.approx(0.5, rel=0.02)
    assert np.square(learned[:, 1:]).sum(axis=1).mean() == pytest.approx(0.5, rel=0.02)
    assert asked[0, 0] == pytest.approx(4 / np.sqrt(2))


def test_scores_are_drawn_towards_nought_by_a_penalty_of_one():
    row, label = np.zeros((1, 1)), np.ones(1)
    assert _classify(row, label, row) == pytest.approx([1 / 2])  # its likeness to itself is 1
