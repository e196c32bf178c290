"""How a video and its continuation are joined."""

import numpy as np
import pytest

from deepdance.continuation import _choose_error, append, join, take_last_keyframes
from deepdance.errors import InputError
from deepdance.frames import Clip, Silhouettes
from deepdance.recipe import Recipe


def recipe(**changes):
    return Recipe(codec="pca", sequence="ridge", **changes)


def video(count, *starts):
    """Frames whose level is their number."""
    frames = np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    ends = [*starts[1:], count]
    return Silhouettes([frames], [Clip(start, end, "a", 30) for start, end in zip(starts, ends, strict=True)])


@pytest.mark.parametrize(
    ("fps", "picked"), [(10, [87, 90, 93, 96, 99]), (30, [95, 96, 97, 98, 99]), (9, [86, 89, 92, 96, 99])]
)
def test_the_last_frames_are_as_far_apart_as_the_models(fps, picked):
    frames = take_last_keyframes(video(100, 0), 5, recipe(fps=fps, render_fps=30))
    assert frames[:, 0, 0].tolist() == picked


def test_what_is_gone_on_from_lies_after_the_last_cut():
    asked = recipe(fps=10, render_fps=30, start="v.mp4")
    assert take_last_keyframes(video(100, 0, 87), 5, asked)[0, 0, 0] == 87
    with pytest.raises(InputError, match=r"at least 0.5 s after the last camera cut of .*, got 0.4 s; give a longer"):
        take_last_keyframes(video(100, 0, 88), 5, asked)


def plain(*levels):
    return np.array(levels, np.uint8)[:, None, None] * np.ones((1, 20, 30), np.uint8)


@pytest.mark.parametrize("sizes", [(9,), (1, 8), (3, 3, 3)])
def test_the_first_frame_is_the_last_real_one_and_what_it_differs_by_fades(sizes):
    decoded = np.split(plain(*[100] * 9), np.cumsum(sizes)[:-1])
    joined = np.concatenate(list(join(iter(decoded), plain(160)[0], 8)))
    assert joined[:, 0, 0].tolist() == [160, 145, 130, 115, 100, 100, 100, 100, 100]
    assert all((chunk == 100).all() for chunk in decoded)  # what the codec gave is not written into


def test_levels_stay_within_black_and_white():
    (joined,) = join(iter([plain(100, 200, 255, 0)]), plain(255)[0], 8)
    assert joined[:, 0, 0].tolist() == [255, 255, 255, 39]
    (joined,) = join(iter([plain(200, 100, 10, 255)]), plain(0)[0], 8)
    assert joined[:, 0, 0].tolist() == [0, 0, 0, 205]


def draw(left):
    picture = np.full((60, 80), 255, np.uint8)
    picture[20:40, left : left + 20] = 0
    return picture


def test_a_body_that_was_shifted_a_little_moves_back_and_leaves_no_ghost():
    (joined,) = join(iter([np.stack([draw(31)] * 6)]), draw(30), 10)
    assert np.array_equal(joined[0] < 128, draw(30) < 128)
    assert np.array_equal(joined[5], draw(31))
    assert all(abs(int((frame < 128).sum()) - 400) <= 20 for frame in joined)


@pytest.mark.parametrize(("shift", "by_distance"), [(0, True), (1, True), (2, False)])
def test_outlines_are_moved_where_nine_tenths_of_the_bodies_are_one(shift, by_distance):
    """20 pixels wide, shifted by 1 they share 19 of 21, by 2 they share 18 of 22."""
    measure, _ = _choose_error(draw(30 + shift), draw(30))
    assert (measure(draw(30)).min() < 0) == by_distance


def test_the_frame_that_a_video_and_its_continuation_share_is_shown_once():
    for sizes in ((1, 2), (3,)):
        continuation = np.split(plain(*range(50, 53)), np.cumsum(sizes)[:-1])
        shown = list(append(iter([plain(1, 2), plain(3)]), iter(continuation)))
        assert all(len(chunk) for chunk in shown)
        assert np.concatenate(shown)[:, 0, 0].tolist() == [1, 2, 3, 51, 52]
