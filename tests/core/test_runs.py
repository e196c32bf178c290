"""How a run is named, where it starts from, and what it has made."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import deepdance
from deepdance import opened_runs, preparation
from deepdance.errors import InputError
from deepdance.frames import Clip, Silhouettes
from deepdance.recipe import Recipe
from deepdance.runs import _make_name
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


@pytest.mark.parametrize(("count", "picked"), [(20, [15, 16, 17, 18, 19]), (15, [10, 11, 12, 13, 14]), (14, None)])
def test_a_dance_starts_from_the_last_shot_of_a_video(monkeypatch, count, picked):
    """Which begins at frame 10 here; a context is 5 frames."""
    monkeypatch.setattr(preparation, "recipe_for", lambda recipe, *_: recipe)
    for name in ("prepare", "check_dancer"):
        monkeypatch.setattr(preparation, name, lambda *_, **__: SimpleNamespace(folder=None))
    monkeypatch.setattr(Silhouettes, "load", lambda folders: video(count, 0, 10))
    session, asked = SimpleNamespace(registry=None), recipe(start="v.mp4", fps=10)
    if picked:
        assert preparation.take_last_frames(session, asked, 5)[:, 0, 0].tolist() == picked
    else:
        with pytest.raises(InputError, match="at least 5 frames in v.mp4 to start from, got 4 at 10 frames a second"):
            preparation.take_last_frames(session, asked, 5)


def test_what_a_run_has_made_is_opened(silhouettes, tmp_path):
    models = {"codec": {"name": "pca", "latent_dim": 4}, "sequence": {"name": "ridge", "context": 3}}
    made = deepdance.run(silhouettes, **models, size=(24, 40), frames=5, validation=0.2, workspace=tmp_path)
    session = Session.open(tmp_path)
    record, asked = session.workspace.open_run(made.folder.name)
    opened = opened_runs.open_run(session, asked, record)
    assert np.array_equal(opened.frames[:], silhouettes)
    assert (opened.codec.latent_dim, opened.model.context) == (4, 3)
    assert np.allclose(opened.codec.encode(silhouettes), opened.latents, atol=1e-5)
    assert len(opened.held_out) == len(silhouettes) - opened.evaluated_from == 24
    codec, sequence = opened_runs.measure_paper_table(opened, record.name)
    assert (codec.stage, codec.held_out) == ("codec", 24)
    assert (sequence.stage, sequence.held_out) == ("sequence", 24)
    (kept,) = [json.loads((made.folder / "metrics.json").read_text())["paper_table"]]
    assert [row["stage"] for row in kept] == ["codec", "sequence"]
    assert set(opened_runs.load_histories(session, record.name)) == {"codec", "sequence"}
