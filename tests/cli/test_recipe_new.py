"""`dd recipe`: what `new` writes is what a run does anyway, every option explained; recipes that have names."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from deepdance.inputs import resolve
from deepdance.plugins import KINDS, discover
from deepdance.recipe import Recipe
from deepdance_cli.recipe import write_commented
from deepdance_plugins.catalog import COMPONENTS

BUILT_IN = [(spec.kind, spec.name) for spec in COMPONENTS if spec.kind in KINDS]


@pytest.mark.parametrize("preset", ["quick", "standard", "paper"])
@pytest.mark.parametrize(("kind", "name"), BUILT_IN)
def test_it_resolves_to_the_same_recipe(tmp_path, kind, name, preset):
    recipe = Recipe(preset=preset, **{kind: name})
    path = tmp_path / "recipe.toml"
    path.write_text(write_commented(recipe, discover()), encoding="utf-8")
    locations = [] if name == "demo" else ["video.mp4"]
    assert resolve(Recipe.read(path), discover(), locations) == resolve(recipe, discover(), locations)


@pytest.mark.parametrize(("kind", "name"), BUILT_IN)
def test_every_option_is_there_with_its_meaning(kind, name):
    text = write_commented(Recipe(**{kind: name}), discover())
    table = text[text.index(f"[{kind}]") :].partition("\n[")[0]
    entries = table.strip().split("\n\n")
    for option, field in discover().options_model(kind, name).model_fields.items():
        (entry,) = [e for e in entries if e.splitlines()[-1].removeprefix("#").startswith(f"{option} =")]
        assert field.description in entry.replace("\n# ", " ")
        assert "; default: " in entry


def test_the_presets_values_are_written_beside_the_defaults(dd):
    text = dd("recipe", "new", "--codec", "conv-ae", "--preset", "quick").out
    assert tomllib.loads(text)["codec"]["epochs"] == 16
    assert "# int, ≥ 1, ≤ 1000000; default: 27, with the preset quick: 16\nepochs = 16\n" in text


def test_what_follows_from_something_else_still_does(dd):
    text = dd("recipe", "new", "--source", "demo", "--seq", "lstm4").out
    table = tomllib.loads(text)
    assert not {"fps", "size", "render_size"} & table.keys()
    assert "seed" not in table["source"]
    assert "default: the sequence model's\n#fps = 3.0\n" in text
    assert "default: the first video's shape\n#size = [120, 200]\n" in text
    assert 'default: the first video\'s, at most 1080 lines\n#render_size = "1920x1080"\n' in text
    assert "made for\n#size = [120, 200]\n" in dd("recipe", "new", "--codec", "conv-ae").out
    assert "default: the recipe's\n#seed = 0\n" in text


def test_a_run_with_it_makes_nothing_again(dd, video):
    components, small = ("--codec", "pca", "--seq", "ridge"), ("--size", "24x40", "--frames", "20", "--json")
    first = dd("run", video, *components, *small)
    assert dd("recipe", "new", *components, "--out", "recipe.toml").out == "recipe recipe.toml\n"
    again = dd("run", video, "--recipe", "recipe.toml", *small)
    assert (first.code, again.code) == (0, 0), first.err + again.err
    assert json.loads(again.out)["folder"] == json.loads(first.out)["folder"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--codec", "pcb"], "no codec is called 'pcb'; did you mean 'pca'?"),
        (["--preset", "fast"], "preset: expected 'quick', 'standard' or 'paper', got 'fast'"),
        (["--out", "mine.toml"], "--out: expected a new file, got mine.toml, which exists; choose another name"),
    ],
)
def test_a_mistake_is_one_line_and_overwrites_nothing(dd, tmp_path, arguments, message):
    (tmp_path / "mine.toml").write_text("seed = 3\n")
    result = dd("recipe", "new", *arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert message in result.err
    assert (tmp_path / "mine.toml").read_text() == "seed = 3\n"


def test_a_recipe_is_listed_shown_and_used_by_its_name(dd, silhouettes):
    np.save("dance.npy", silhouettes)
    assert dd("recipe", "list").out.startswith("paper  The paper Deep Dance in everything.")
    shown = dd("recipe", "show", "paper").out
    assert tomllib.loads(shown)["start"] == "noise"
    assert "expected one of paper, got 'papr'; did you mean 'paper'?" in dd("recipe", "show", "papr").err
    light = ("--codec", "pca", "--seq", "ridge", "--frames", "20", "--json")
    result = dd("run", "dance.npy", "--recipe", "paper", *light)
    assert result.code == 0, result.err
    made = Recipe.read(Path(json.loads(result.out)["folder"]) / "recipe.toml")
    assert (made.curve, made.start.kind, made.fps, made.size) == ("linear", "noise", 3, (120, 200))
