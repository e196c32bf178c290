import numpy as np
import pytest

from deepdance.metrics.features import PrincipalComponents, compute_signed_distances, stack_motions


def test_the_distance_field_is_signed_and_cut():
    frames = np.full((3, 120, 200), 255, np.uint8)
    frames[1] = 0
    frames[2, :, 99:] = 0
    field = compute_signed_distances(frames).reshape(3, 40, 67)
    assert field[0] == pytest.approx(np.full((40, 67), -8))
    assert field[1] == pytest.approx(np.full((40, 67), 8))
    assert field[2, 0, 0] == pytest.approx(-8)
    assert field[2, 0, 66] == pytest.approx(8)
    assert (np.diff(field[2, 20]) > -1e-5).all()
    assert np.abs(field[2, 20, 32:34]).max() < 3


def test_the_cut_and_the_size_go_with_the_height():
    field = compute_signed_distances(np.full((1, 60, 101), 255, np.uint8))
    assert field == pytest.approx(np.full((1, 20 * 34), -4))


def test_components_are_the_directions_of_largest_variance():
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(500, 3)) * [1, 5, 0.1] + [7, 8, 9]).astype(np.float32)
    components = PrincipalComponents.fit(rows, 2)
    assert np.abs(components.basis) == pytest.approx(np.array([[0, 1], [1, 0], [0, 0]]), abs=0.05)
    assert components.project(rows).mean(axis=0) == pytest.approx([0, 0], abs=1e-3)
    assert PrincipalComponents.fit(rows, 9).basis.shape == (3, 3)


def test_components_of_few_rows_are_those_of_the_same_rows_many_times():
    rows = (np.random.default_rng(0).normal(size=(6, 20)) * np.linspace(1, 9, 20)).astype(np.float32)
    few, many = (PrincipalComponents.fit(x, 4) for x in (rows, np.tile(rows, (10, 1))))
    assert few.basis.T @ few.basis == pytest.approx(np.eye(4), abs=1e-5)
    assert np.abs(np.sum(few.basis * many.basis, axis=0)) == pytest.approx(np.ones(4), abs=1e-4)


def test_a_motion_never_crosses_a_cut():
    coordinates = np.arange(60, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
    coordinates[20:] += 1000
    windows = stack_motions(coordinates, [0, 20])
    assert windows.shape == (2 + 7, 30)
    assert (windows == 1).all()
    assert stack_motions(coordinates[:15], [0]).shape == (0, 30)
