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


@pytest.mark.parametrize("light", [1.0, 0.5, 0.1])
@pytest.mark.parametrize("ground", [(255, 255, 255), (240, 90, 150), (0, 0, 250)])
def test_the_dancer_is_found_in_any_light(ground, light):
    frame = np.full((20, 30, 3), ground)
    frame[DANCER] = 12, 10, 15
    expected = np.full((20, 30), 255, np.uint8)
    expected[DANCER] = 0
    assert np.array_equal(remove((light * frame).astype(np.uint8)), expected)


def test_how_much_darker_the_dancer_is_can_be_set():
    frame = np.full((20, 30, 3), 200, np.uint8)
    frame[DANCER] = 100
    assert remove(frame, darker=0.5).min() == 255
    assert remove(frame, darker=0.6).min() == 0


def test_a_wider_border_sees_past_a_black_frame_around_the_picture():
    frame = np.full((20, 30, 3), 200, np.uint8)
    frame[[0, -1]] = frame[:, [0, -1]] = frame[DANCER] = 0
    assert remove(frame, border=0.05)[10, 15] == 255
    assert remove(frame, border=0.25)[10, 15] == 0
