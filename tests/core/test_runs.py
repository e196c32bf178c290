"""How a run is named, and how a video and its continuation are joined."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import deepdance
from deepdance import runs
from deepdance.errors import InputError
from deepdance.frames import Clip, Silhouettes
from deepdance.recipe import Recipe
from deepdance.runs import _append, _choose_error, _join, _last_keyframes, _make_name
from deepdance.session import Session
from deepdance.workspace import LONGEST_NAME


def recipe(**changes):
    return Recipe(codec="pca", sequence="ridge", **changes)


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        (["videos/My Dance!.mp4"], "My_Dance-pca-ridge"),
        (["videos/a.mp4", "videos/b.mp4"], "videos-pca-ridge"),
        (["רקד 舞.mp4"], "רקד_舞-pca-ridge"),
        (["a\u0308.mp4"], "ä-pca-ridge"),  # two signs that are one letter
        (["!.mp4"], "run-pca-ridge"),
    ],
)
def test_a_run_is_named_by_its_video_or_folder_and_its_models(inputs, name):
    assert _make_name(inputs, recipe()) == name


def test_a_long_title_is_cut_and_its_models_are_whole():
    name = _make_name([f"{'x' * 200}.mp4"], recipe())
    assert len(name) == LONGEST_NAME == 60
    assert name.endswith("x-pca-ridge")


def test_of_models_with_long_names_a_little_of_the_title_stays():
    name = _make_name([f"{'x' * 200}.mp4"], recipe().changed({"codec": {"name": "y" * 90}}))
    assert name == f"{'x' * 10}-{'y' * 49}"


def video(count, *starts):
    """Frames whose level is their number."""
    frames = np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    ends = [*starts[1:], count]
    return Silhouettes([frames], [Clip(start, end, "a", 30) for start, end in zip(starts, ends, strict=True)])


@pytest.mark.parametrize(
    ("fps", "picked"), [(10, [87, 90, 93, 96, 99]), (30, [95, 96, 97, 98, 99]), (9, [86, 89, 92, 96, 99])]
)
def test_the_last_frames_are_as_far_apart_as_the_models(fps, picked):
    frames = _last_keyframes(video(100, 0), 5, recipe(fps=fps, render_fps=30))
    assert frames[:, 0, 0].tolist() == picked


def test_what_is_gone_on_from_lies_after_the_last_cut():
    asked = recipe(fps=10, render_fps=30, start="v.mp4")
    assert _last_keyframes(video(100, 0, 87), 5, asked)[0, 0, 0] == 87
    with pytest.raises(InputError, match=r"at least 0.5 s after the last camera cut of .*, got 0.4 s; give a longer"):
        _last_keyframes(video(100, 0, 88), 5, asked)


def plain(*levels):
    return np.array(levels, np.uint8)[:, None, None] * np.ones((1, 20, 30), np.uint8)


@pytest.mark.parametrize("sizes", [(9,), (1, 8), (3, 3, 3)])
def test_the_first_frame_is_the_last_real_one_and_what_it_differs_by_fades(sizes):
    decoded = np.split(plain(*[100] * 9), np.cumsum(sizes)[:-1])
    joined = np.concatenate(list(_join(iter(decoded), plain(160)[0], 4)))
    assert joined[:, 0, 0].tolist() == [160, 145, 130, 115, 100, 100, 100, 100, 100]
    assert all((chunk == 100).all() for chunk in decoded)  # what the codec gave is not written into


def test_levels_stay_within_black_and_white():
    (joined,) = _join(iter([plain(100, 200, 255, 0)]), plain(255)[0], 4)
    assert joined[:, 0, 0].tolist() == [255, 255, 255, 39]
    (joined,) = _join(iter([plain(200, 100, 10, 255)]), plain(0)[0], 4)
    assert joined[:, 0, 0].tolist() == [0, 0, 0, 205]


def draw(left):
    picture = np.full((60, 80), 255, np.uint8)
    picture[20:40, left : left + 20] = 0
    return picture


def test_a_body_that_was_shifted_a_little_moves_back_and_leaves_no_ghost():
    (joined,) = _join(iter([np.stack([draw(31)] * 6)]), draw(30), 5)
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
        shown = list(_append(iter([plain(1, 2), plain(3)]), iter(continuation)))
        assert all(len(chunk) for chunk in shown)
        assert np.concatenate(shown)[:, 0, 0].tolist() == [1, 2, 3, 51, 52]


@pytest.mark.parametrize(("count", "picked"), [(20, [15, 16, 17, 18, 19]), (15, [10, 11, 12, 13, 14]), (14, None)])
def test_a_dance_starts_from_the_last_shot_of_a_video(monkeypatch, count, picked):
    """Which begins at frame 10 here; a context is 5 frames."""
    monkeypatch.setattr(runs, "recipe_for", lambda recipe, *_: recipe)
    for name in ("prepare", "check_dancer"):
        monkeypatch.setattr(runs.preparation, name, lambda *_, **__: SimpleNamespace(folder=None))
    monkeypatch.setattr(Silhouettes, "load", lambda folders: video(count, 0, 10))
    session, asked = SimpleNamespace(registry=None), recipe(start="v.mp4", fps=10)
    if picked:
        assert runs._last_frames(session, asked, 5)[:, 0, 0].tolist() == picked
    else:
        with pytest.raises(InputError, match="at least 5 frames in v.mp4 to start from, got 4 at 10 frames a second"):
            runs._last_frames(session, asked, 5)


def test_what_a_run_has_made_is_opened(silhouettes, tmp_path):
    models = {"codec": {"name": "pca", "latent_dim": 4}, "sequence": {"name": "ridge", "context": 3}}
    made = deepdance.run(silhouettes, **models, size=(24, 40), frames=5, validation=0.2, workspace=tmp_path)
    session = Session.open(tmp_path)
    record, asked = session.workspace.open_run(made.folder.name)
    opened = runs.open_run(session, asked, record)
    assert np.array_equal(opened.frames[:], silhouettes)
    assert (opened.codec.latent_dim, opened.model.context) == (4, 3)
    assert np.allclose(opened.codec.encode(silhouettes), opened.latents, atol=1e-5)
    assert len(opened.held_out) == len(silhouettes) - opened.evaluated_from == 24
    codec, sequence = runs.measure_paper_table(opened, record.name)
    assert (codec.stage, codec.held_out) == ("codec", 24)
    assert (sequence.stage, sequence.held_out) == ("sequence", 24)
    (kept,) = [json.loads((made.folder / "metrics.json").read_text())["paper_table"]]
    assert [row["stage"] for row in kept] == ["codec", "sequence"]
    assert set(runs.load_histories(session, record.name)) == {"codec", "sequence"}
