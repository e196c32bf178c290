import numpy as np
import pytest

from deepdance.metrics.distributions import density_coverage, frechet_distance


def test_the_frechet_distance_of_known_normal_distributions():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200_000, 2)).astype(np.float32)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a + np.float32(3)) == pytest.approx(18, rel=1e-3)
    assert frechet_distance(a, a * np.array([4, 1], np.float32)) == pytest.approx((4 - 1) ** 2, rel=0.02)
    assert frechet_distance(a * np.float32(0.1), a * np.float32(0.5)) == pytest.approx(2 * (0.5 - 0.1) ** 2, rel=0.02)


def test_density_and_coverage_of_real_collapsed_and_far_rows():
    rng = np.random.default_rng(0)
    real, again = rng.normal(size=(2, 600, 2)).astype(np.float32)
    density, coverage = density_coverage(real, again)
    assert density == pytest.approx(1, abs=0.15)
    assert coverage == pytest.approx(1 - 2**-5, abs=0.03)
    assert density_coverage(real, np.zeros((600, 2), np.float32))[1] < 0.05
    assert density_coverage(real, again + np.float32(50)) == (0, 0)


def test_density_and_coverage_count_the_balls_that_a_row_lies_in():
    real = np.array([[0], [1], [3]], np.float32)  # the nearest neighbours are 1, 1 and 2 away
    assert density_coverage(real, np.array([[0.5], [10]], np.float32), k=1) == pytest.approx((2 / 2, 2 / 3))
    on_the_edge = np.array([[2]], np.float32)  # of the ball round 1, which is outside
    assert density_coverage(real, on_the_edge, k=1) == pytest.approx((1, 1 / 3))
    rows = np.random.default_rng(0).normal(size=(2, 50, 2)).astype(np.float32)
    assert density_coverage(*rows) == density_coverage(*rows, k=5)
