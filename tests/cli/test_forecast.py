"""How long a stage will take, from its speed so far, from the past, or from the table."""

import pytest

from deepdance.recipe import Recipe
from deepdance_cli import forecast
from deepdance_cli.forecast import _Stage, count_frames, foretell, format_time

TABLE = {
    "epoch": {"conv-ae": {"standard": 3.0, "fast": 1.0}},
    "step": {"sdf-ae": {"standard": 0.5}},
    "frames": {"pca": 4.0},
}


@pytest.fixture(autouse=True)
def table(monkeypatch):
    monkeypatch.setattr(forecast, "read_times", lambda: TABLE)


@pytest.mark.parametrize(
    ("name", "preset", "options", "seconds"),
    [
        ("conv-ae", "standard", {"epochs": 10}, 60),
        ("conv-ae", "fast", {"epochs": 10}, 20),
        ("conv-ae", "standard", {}, None),
        ("sdf-ae", "standard", {"steps": 100}, 50),  # however many frames there are
        ("sdf-ae", "standard", {"epochs": 100}, None),
        ("pca", "standard", {}, 8),
        ("theirs", "standard", {"epochs": 10, "steps": 10}, None),
    ],
)
def test_the_table_counts_in_epochs_of_1000_frames_in_steps_or_in_frames(name, preset, options, seconds):
    assert foretell(name, preset, options, 2000) == seconds


@pytest.mark.parametrize(("loop", "frames"), [(0, 700), (4, 100), (0.01, 700)])
def test_a_loops_frames_are_its_seconds(loop, frames):
    assert count_frames(Recipe(loop=loop, frames=700, render_fps=25)) == frames


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "60 s"), (89.4, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h"), (36000, "10.0 h")],
)
def test_times_are_told_as_people_say_them(seconds, text):
    assert format_time(seconds) == text


def advance(*told, **known):
    """A stage that has told how many of how many were done, and when."""
    stage = _Stage("codec", {}, **known)
    for done, total, now in told:
        stage.advance(done, total, now)
    return stage


def test_what_is_left_goes_on_at_the_speed_since_the_first_measure():
    stage = advance((2, 10, 100.0), (4, 10, 130.0), begun=10.0)
    assert stage.rest(130.0) == 15 * 6
    assert stage.rest(150.0) == 15 * 6 - 20
    assert stage.rest(1000.0) == 0


def test_before_there_is_a_speed_the_past_says_what_is_left():
    assert advance(begun=100.0, foretold=60.0).rest(110.0) == 50
    assert advance(begun=100.0, foretold=60.0).rest(200.0) == 0
    assert advance(foretold=60.0).rest(200.0) == 60
    assert advance(begun=100.0).rest(110.0) is None
    assert advance((1, 4, 100.0), begun=10.0, foretold=60.0).rest(110.0) == 45
    assert advance((1, 4, 100.0), begun=10.0).rest(110.0) is None
    assert advance((0, 0, 100.0), begun=100.0, foretold=60.0).rest(110.0) == 50  # a total that nobody knows


def test_what_is_done_takes_no_more():
    assert advance((1, 1, 100.0), begun=10.0, foretold=60.0).rest(100.0) == 0
    assert advance((5, 10, 100.0), (10, 10, 110.0), begun=10.0).rest(110.0) == 0


def test_ten_seconds_of_measuring_are_to_be_trusted():
    assert not advance((1, 9, 100.0)).settled
    assert not advance((1, 9, 100.0), (2, 9, 110.0)).settled
    assert advance((1, 9, 100.0), (2, 9, 110.1)).settled
    assert not advance().settled
