"""What the networks see and what moves, weighed: on rectangles, whose areas and squares are known."""

import numpy as np
import pytest

from deepdance_plugins.removers.person.backdrop import DIFFERENT, Difference
from deepdance_plugins.removers.person.evidence import (
    FADED,
    NEARBY,
    _drop_large,
    _find_planted,
    _is_near,
    _wrap,
    combine,
    fade,
    measure_agreement,
    measure_moving,
    spread,
    surround_movement,
)
from deepdance_plugins.removers.person.networks import Look, Square

SHAPE = (120, 200)
"""Of half the frame."""
STILL, MOVED = 0.0, 9.0


def fill(*parts, base=0.0):
    """`SHAPE`, with rectangles (top, bottom, left, right, value)."""
    out = np.full(SHAPE, base, np.float32)
    for top, bottom, left, right, value in parts:
        out[top:bottom, left:right] = value
    return out


def differ(*parts, claimed=None):
    """Nothing differs from the backdrop but the rectangles."""
    return Difference(fill(*parts), fill() if claimed is None else claimed)


def look(x, y, side, logit=120.0):
    """A look that takes the whole of its square, in pixels of the frame, for a body."""
    square = Square(x, y, side)
    return Look(0.9, np.full((256, 256), logit, np.float32), square, square)


def test_the_logits_of_a_look_lie_where_it_looked_and_the_larger_count():
    seen = spread([look(200, 120, 80, 50.0), look(230, 120, 80, -20.0), look(170, 120, 80, 90.0)], SHAPE) > 0
    rows, columns = np.nonzero(seen)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((40, 80, 65, 120), abs=1)
    assert spread([look(200, 120, 80, 50.0), look(200, 120, 80, 90.0)], SHAPE)[60, 100] == 90
    assert (spread([], SHAPE) < -10).all()


def test_the_pixels_near_a_body_are_those_of_a_larger_square():
    near = _is_near([look(200, 120, 40)], SHAPE)
    assert np.count_nonzero(near) == pytest.approx((20 * NEARBY + 1) ** 2, rel=0.1)
    assert near[60, 100]
    both = _is_near([look(60, 120, 40), look(340, 120, 40)], SHAPE)
    assert both[60, 30]
    assert both[60, 170]
    assert not both[60, 100]
    assert _is_near([], SHAPE).all()


def test_the_square_around_the_largest_thing_that_moves():
    (square,) = surround_movement(differ((30, 70, 20, 40, MOVED), (80, 110, 100, 110, MOVED)))
    assert (square.x, square.y) == (60, 100)
    assert square.side == pytest.approx(1.1 * 80)
    (wide,) = surround_movement(differ((30, 40, 20, 80, MOVED)))
    assert wide == Square(100, 70, pytest.approx(1.1 * 120))


def test_what_has_no_backdrop_may_move_and_specks_do_not():
    (square,) = surround_movement(differ((30, 70, 20, 40, np.nan)))
    assert (square.x, square.y) == (60, 100)
    assert surround_movement(differ((30, 32, 20, 22, MOVED))) == []
    assert len(surround_movement(differ((30, 33, 20, 23, DIFFERENT)))) == 1
    assert surround_movement(differ()) == []
    assert surround_movement(differ((30, 70, 20, 40, 0.99 * DIFFERENT))) == []


def test_parts_that_almost_touch_are_one():
    (one,) = surround_movement(differ((30, 50, 20, 40, MOVED), (58, 70, 20, 40, MOVED)))
    assert one.y == 100
    (larger,) = surround_movement(differ((30, 50, 20, 40, MOVED), (59, 70, 20, 40, MOVED)))
    assert larger.y == 80


def test_what_stands_still_is_faded_to_grey_and_what_moves_is_kept():
    frame = np.full((240, 400, 3), 227, np.uint8)
    faded = fade(frame, differ((30, 90, 20, 60, MOVED), (30, 90, 140, 180, np.nan)))
    assert (faded[120, 80] == 227).all()
    assert (faded[120, 320] == 227).all()
    assert (faded[120, 200] == 127 + int(FADED * 100)).all()
    assert (fade(255 - frame, differ())[120, 200] == int(127 - FADED * 99)).all()


def test_agreement_is_the_share_of_bodies_and_movement_that_are_both():
    body = [look(200, 120, 80)]  # rows 40 to 80 and columns 80 to 120 of half the frame
    for shift, expected in ((0, 1), (20, 1 / 3), (40, 0)):
        assert measure_agreement(body, differ((40, 80, 80 + shift, 120 + shift, MOVED))) == pytest.approx(
            expected, abs=0.03
        )
    assert measure_agreement([], differ((40, 80, 80, 120, MOVED))) == 0
    assert measure_agreement(body, differ()) == 0
    unknown = differ((40, 80, 80, 100, MOVED), (40, 80, 100, 120, np.nan))
    assert measure_agreement(body, unknown) == pytest.approx(1, abs=0.06)
    assert measure_agreement(body, differ((0, 120, 0, 200, np.nan))) == 0


def test_the_share_of_a_body_that_moves():
    body = [look(200, 120, 80)]
    assert measure_moving(body, differ((40, 81, 80, 100, MOVED))) == pytest.approx(0.5, abs=0.02)
    assert measure_moving(body, differ((0, 120, 0, 100, np.nan), (0, 120, 100, 200, DIFFERENT))) == 1
    assert measure_moving(body, differ((0, 120, 0, 200, 0.99 * DIFFERENT))) == 0
    assert measure_moving([], differ((0, 120, 0, 200, MOVED))) == 0


def test_parts_of_a_mask_below_an_area_are_told_apart_from_larger_ones():
    mask = fill((10, 20, 10, 20, 1), (50, 60, 10, 21, 1), (80, 90, 80, 90, 1), (90, 100, 90, 100, 1)) > 0
    small = _drop_large(mask, 101)
    assert small[15, 15]
    assert not small[55, 15]
    assert small[85, 85]  # corners that touch make no part of two
    assert not _drop_large(mask, 100).any()
    assert not _drop_large(fill() > 0, 100).any()


def test_what_lies_between_parts_is_wrapped_without_specks():
    wrapped = _wrap(fill((10, 30, 10, 30, 1), (10, 30, 90, 110, 1), (110, 111, 190, 191, 1)) > 0)
    assert np.array_equal(wrapped, fill((10, 30, 10, 110, 1)) > 0)
    assert not _wrap(fill() > 0).any()


def test_feet_are_planted_and_so_is_what_stands_between_moving_parts():
    logits = fill((20, 100, 80, 120, 60.0), base=-100)  # a body of 80 × 40 = 3,200 pixels
    foot = (94, 100, 80, 120)  # 240 of them, less than 8 %
    claimed = fill((*foot, 1.0))
    moving = (20, 94, 80, 120, MOVED)
    assert np.array_equal(_find_planted(logits, differ(moving, claimed=claimed)), claimed > 0)
    assert not _find_planted(logits, differ(moving)).any()  # nobody's: a dancer passes it
    half = differ((20, 60, 80, 120, MOVED), claimed=fill((60, 100, 80, 120, 1.0)))
    assert not _find_planted(logits, half).any()  # a statue
    apart = differ((20, 40, 80, 120, MOVED), (80, 100, 80, 120, MOVED))
    assert not _find_planted(logits, apart).any()
    assert np.array_equal(_find_planted(2 * logits, apart), fill((40, 80, 80, 120, 1)) > 0)  # sure of it


def test_a_body_is_what_is_seen_and_moves():
    half, seen = np.full((*SHAPE, 3), 90, np.uint8), [look(200, 120, 80)]
    moved = differ((40, 80, 80, 120, MOVED))
    middle, other = (60, 100), (60, 180)
    assert combine(half, seen, None)[middle] > 0.9
    assert combine(half, seen, None)[other] < 0.1
    assert combine(half, seen, moved)[middle] > 0.9
    assert combine(half, seen, differ())[middle] < 0.5
    assert combine(half, [], moved)[middle] > 0.5
    assert combine(half, [], differ((40, 80, 80, 120, np.nan)))[middle] > 0.5
    assert combine(half, [], differ())[middle] < 0.1


@pytest.mark.parametrize(("logit", "is_body"), [(0.5, True), (0.0, False), (-0.5, False)])
def test_a_body_is_what_is_likelier_one_than_not(logit, is_body):
    moved = differ((0, 120, 0, 200, MOVED))
    looks = [look(200, 120, 80, logit)]
    assert (measure_moving(looks, moved) == 1) == is_body
    assert (measure_agreement(looks, moved) > 0) == is_body
