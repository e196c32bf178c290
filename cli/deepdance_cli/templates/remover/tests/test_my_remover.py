"""The contract of a remover, and what this one promises besides."""

import numpy as np
import pytest
from deepdance.testing import parametrize_with_checks

from my_remover import COMPONENTS
from my_remover.remover import MyRemover, MyRemoverOptions

DANCER = (slice(5, 15), slice(12, 18))


@parametrize_with_checks(COMPONENTS[0])
def test_contract(check):
    check()


def remove(frame, **options):
    return MyRemover(MyRemoverOptions(**options)).remove(frame[None])[0]


@pytest.mark.parametrize("ground", [(255, 255, 255), (0, 0, 0), (30, 200, 60)])
def test_the_dancer_is_what_the_border_is_not(ground):
    frame = np.full((20, 30, 3), ground, np.uint8)
    frame[DANCER] = 120, 90, 140
    expected = np.full((20, 30), 255, np.uint8)
    expected[DANCER] = 0
    assert np.array_equal(remove(frame), expected)


def test_the_tolerance_decides_what_is_background():
    frame = np.full((20, 30, 3), 200, np.uint8)
    frame[DANCER] = 170
    assert remove(frame, tolerance=30).min() == 255
    assert remove(frame, tolerance=29).min() == 0


def test_a_wider_border_sees_past_a_frame_around_the_picture():
    frame = np.full((20, 30, 3), 200, np.uint8)
    frame[[0, -1]] = frame[:, [0, -1]] = 0
    assert remove(frame, border=0.05)[10, 15] == 0
    assert remove(frame, border=0.25)[10, 15] == 255
