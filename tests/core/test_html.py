"""What a notebook shows."""

import re
from itertools import pairwise

import pytest

from deepdance.html import TrainingHistories, write_html_picture, write_html_table


def read_rows(html):
    """The cells of each row beneath the headings."""
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall("<tr.*?</tr>", body)]


def show_epochs(count):
    """The page of a training whose loss in epoch n is n."""
    return TrainingHistories(codec=[{"loss": float(epoch)} for epoch in range(1, count + 1)])._repr_html_()


def test_each_rows_first_cell_is_its_name():
    html = write_html_table("T", ["", "a", "b"], [["one", "1", "2"], ["two", "3", "4"]])
    assert read_rows(html) == [["one", "1", "2"], ["two", "3", "4"]]
    assert re.findall(r'<th scope="row">(\w+)</th>', html) == ["one", "two"]
    assert "<small>" not in html


def test_rows_to_compare_with_are_dim_and_those_that_nothing_is_said_of_are_not():
    html = write_html_table("T", [""], [["one"], ["two"], ["three"]], dim=[False, True])
    assert [("opacity" in row) for row in re.findall("<tr.*?</tr>", html)[1:]] == [False, True, False]


def test_nothing_in_a_text_is_taken_for_html():
    html = write_html_table("<i>", ["<i>"], [["<i>\x1b", "\u202e<i>"]], "<i>") + write_html_picture(b"", "a/b", '"<i>')
    assert not re.search(r'<i>|\x1b|\u202e|alt=""', html)
    assert html.count("&lt;i&gt;") == 6


def test_a_picture_is_within_the_page():
    assert 'src="data:image/png;base64,AQID"' in write_html_picture(b"\1\2\3", "image/png", "a dance")


@pytest.mark.parametrize("count", [1, 2, 19, 20])
def test_a_short_training_shows_every_epoch(count):
    html = show_epochs(count)
    assert read_rows(html) == [[str(epoch)] * 2 for epoch in range(1, count + 1)]
    assert " of " not in html


@pytest.mark.parametrize("count", [21, 39, 100, 1000])
def test_a_long_one_shows_twenty_evenly_from_the_first_to_the_last(count):
    html = show_epochs(count)
    shown = [int(epoch) for epoch, _ in read_rows(html)]
    steps = [after - before for before, after in pairwise(shown)]
    assert (len(shown), shown[0], shown[-1]) == (20, 1, count)
    assert max(steps) - min(steps) <= 1
    assert f"20 of {count} epochs" in html


def test_what_an_epoch_did_not_measure_is_a_dash():
    html = TrainingHistories(codec=[{"loss": 0.123456}, {"loss": 0.1, "val_loss": 2.0}])._repr_html_()
    assert read_rows(html) == [["1", "0.1235", "–"], ["2", "0.1", "2"]]
