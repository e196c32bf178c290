"""Every way to remove a background on one sheet: what is tried, and where it stands."""

from typing import Literal

import cv2
import numpy as np
import pytest

from deepdance.trial import Attempt, _list_values, _shrink_colours, _write_lines, _write_sheet

LINE, BORDER = 20, 160
VIDEO = np.full((3, 10, 60, 3), (200, 40, 10), np.uint8)


def draw(tmp_path, *attempts, video=VIDEO):
    """The sheet, RGB."""
    _write_sheet(tmp_path / "sheet.png", video, list(attempts))
    return cv2.cvtColor(cv2.imread(str(tmp_path / "sheet.png")), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (bool, (False, True)),
        (Literal["a", "b"], ("a", "b")),
        (int | Literal["auto"], ("auto",)),
        (Literal["x"] | bool, ("x", False, True)),
        (int, ()),
        (str, ()),
    ],
)
def test_an_option_is_tried_with_each_of_its_few_values(annotation, values):
    assert _list_values(annotation) == values


def test_the_video_is_above_and_beneath_it_each_way_with_what_is_typed(tmp_path):
    halves = np.full((3, 10, 60), 255, np.uint8)
    halves[:, :, :30] = 0
    sheet = draw(tmp_path, Attempt("--remover half", halves), Attempt("--remover none", halves | 255))
    row = LINE + 10 + 2  # a line of text, and the pictures with a border above and below
    assert sheet.shape == (3 * row, 3 * (60 + 1), 3)
    for number in range(3):
        left = 61 * number
        assert (sheet[LINE + 1 : LINE + 11, left : left + 60] == (200, 40, 10)).all()
        shown = sheet[row + LINE + 1 : row + LINE + 11, left : left + 60]
        assert np.array_equal(shown[..., 0], halves[number])
        assert (sheet[row + LINE : 2 * row, left + 60] == BORDER).all()
    for top in (LINE, row - 1, row + LINE):
        assert (sheet[top] == BORDER).all()
    for top in (0, row, 2 * row):
        text = sheet[top : top + LINE]
        assert (text[:, :4] == 255).all()
        assert (text < 128).any()


def test_a_way_that_fails_has_its_reason_in_the_place_of_pictures(tmp_path):
    sheet = draw(tmp_path, Attempt("--remover broken", failed="no model\nfetch it"))
    assert sheet.shape[0] == (LINE + 12) + LINE + 2 * LINE
    assert (sheet[2 * LINE + 12 : 3 * LINE + 12] < 128).any()


def test_text_is_folded_within_the_sheet():
    lines = list(_write_lines("one two three four five", 90))
    assert len(lines) == 3  # ten letters of nine pixels: "one two", "three four", "five"
    assert {line.shape for line in lines} == {(LINE, 90, 3)}
    assert all((line[:, :4] == 255).all() and (line < 128).any() for line in lines)


def test_colours_are_shrunk_each_by_itself():
    frames = np.zeros((2, 4, 8, 3), np.uint8)
    frames[..., :4, 0], frames[..., 1], frames[:, 2:, :, 2] = 90, 60, 30
    small = _shrink_colours(frames, (2, 4))
    assert small.shape == (2, 2, 4, 3)
    assert small[0, 0, 0].tolist() == [90, 60, 0]
    assert small[1, 1, 3].tolist() == [0, 60, 30]
