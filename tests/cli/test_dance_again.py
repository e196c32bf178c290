"""Another dance from a run: its length in seconds, its settings, the latest run, and how it looks."""

import json

import numpy as np
import pytest
from conftest import SMALL_RUN, probe

import deepdance
from deepdance.plugins import discover
from deepdance_plugins.catalog import COMPONENTS

SMALL = ("--codec", "pca", "--set", "codec.latent_dim=16", "--seq", "motion-field", *SMALL_RUN[:-2])


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Where the first test makes a run, and others go on."""
    return tmp_path_factory.mktemp("again")


def read(path):
    return probe(path)[1]


def test_a_run_lasts_as_many_seconds_as_were_asked_for(dd, video, workspace):
    length = ("--seconds", 1.5, "--set", "render_fps=24")
    result = dd("run", video, *SMALL, *length, "--name", "first", "--workspace", workspace)
    assert result.code == 0, result.err
    assert len(read(workspace / "runs/first/dance.mp4")) == 36
    recipe = (workspace / "runs/first/recipe.toml").read_text()
    assert "frames = 36" in recipe
    assert "seconds" not in recipe
    assert "The paper's table" not in result.out
    run, looks, path, page = result.out.splitlines()
    assert run == "run   first"
    assert looks.startswith("looks It ")
    assert path == f"video {workspace / 'runs/first/dance.mp4'}"
    assert page == f"page  {workspace / 'runs/first/report.html'}"


def test_another_dance_changes_what_needs_no_training(dd, workspace, tmp_path):
    changed = ("--seconds", 2, "--fps", 10, "--set", "curve=linear", "--set", "sequence.neighbours=1")
    result = dd("generate", "first", "--workspace", workspace, *changed, "--set", "temperature=2.0", "--out", "a.mp4")
    assert result.code == 0, result.err
    assert dd("generate", "first", "--workspace", workspace, *changed, "--temperature", 2, "--out", "b.mp4").code == 0
    assert (
        dd("generate", "first", "--workspace", workspace, *changed[:4], "--temperature", 2, "--out", "c.mp4").code == 0
    )
    first, second, third = (read(tmp_path / f"{name}.mp4") for name in "abc")
    assert len(first) == 20
    assert np.array_equal(first, second)
    assert not np.array_equal(first, third)


def test_what_needs_a_training_is_a_new_run_as_the_message_says(dd, video, workspace):
    refused = dd("generate", "first", "--workspace", workspace, "--set", "codec.latent_dim=8")
    advice = refused.err.strip().partition("for a new run: dd run VIDEO ")[2].split()
    assert advice == ["--set", "codec.latent_dim=8"]
    more = ("--seconds", 1, "--name", "second", "--workspace", workspace)
    assert dd("run", video, *SMALL, *more, *advice).code == 0


def test_the_latest_run_is_taken_where_none_is_named_and_told(dd, video, workspace, tmp_path):
    asked = ("--workspace", workspace, "--seconds", 1, "--render-size", "80x48")
    for name in ("second", "first"):
        result = dd("generate", *asked, "--json")
        assert json.loads(result.out)["run"] == name
        assert f"the latest run: {name}" in result.err
        again = ("--seconds", 1.5, "--set", "render_fps=24", "--name", "first", "--workspace", workspace)
        assert dd("run", video, *SMALL, *again).code == 0
    result = dd("extend", video, *asked, "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["run"] == "first"
    assert read(tmp_path / "extended.mp4").shape == (8 * 24 + 24, 48, 80)
    measured = dd("measure", video, "--workspace", workspace)
    assert "the latest run: first" in measured.err
    assert measured.code == 0, measured.err
    evaluated = dd("evaluate", "--workspace", workspace, "--frames", 30, "--seeds", 1, "--json")
    assert "the latest run: first" in evaluated.err
    assert evaluated.code == 0, evaluated.err


def test_without_a_finished_run_none_is_the_latest(dd):
    result = dd("generate")
    assert result.code == 2
    assert "expected a finished run in workspace, got none; make one: dd run my-video.mp4" in result.err


def test_in_python_the_same_may_change(workspace, tmp_path):
    run = deepdance.open_run("first", workspace=workspace)
    assert len(run.dance(seconds=0.5)) == 12
    run.generate(tmp_path / "a.mp4", seconds=1, sequence={"cuts": "none"})
    assert len(read(tmp_path / "a.mp4")) == 24


@pytest.mark.parametrize("spec", COMPONENTS, ids=lambda spec: spec.name)
def test_what_acts_when_dancing_is_an_option(spec):
    model = discover().options_model(spec.kind, spec.name)
    assert model.when_dancing <= model.model_fields.keys()
    assert spec.kind == "sequence" or not model.when_dancing
