import pytest

from deepdance.errors import OptionError
from deepdance.inputs import resolve
from deepdance.metrics.paper_table import PAPER
from deepdance.plugins import discover
from deepdance.recipe import DEMO_RECIPE, Recipe, apply_settings, check_entries, find_recipes
from deepdance.session import Session
from deepdance.validation import validate


def test_a_recipe_survives_its_toml(tmp_path):
    recipe = Recipe().changed(
        {"codec": {"name": "pca", "latent_dim": 7}, "fps": 5, "size": [24, 40], "start": "random"}
    )
    (tmp_path / "r.toml").write_text(recipe.to_toml())
    assert Recipe.read(tmp_path / "r.toml") == recipe
    assert recipe.codec.options == {"latent_dim": 7}
    assert recipe.size == (24, 40)


@pytest.mark.parametrize("size", ["1920x1080", " 1920X1080 ", "1920×1080", (1080, 1920), [1080, 1920]])
def test_a_render_size_is_typed_width_first_and_survives(tmp_path, size):
    recipe = Recipe().changed({"render_size": size})
    assert recipe.render_size == (1080, 1920)
    assert 'render_size = "1920x1080"' in recipe.to_toml()
    (tmp_path / "r.toml").write_text(recipe.to_toml())
    assert Recipe.read(tmp_path / "r.toml") == recipe == recipe.changed({"seed": 0})


def test_a_render_size_that_nobody_chose_is_left_out(tmp_path):
    assert "render_size" not in Recipe().to_toml()
    (tmp_path / "r.toml").write_text(Recipe().to_toml())
    assert Recipe.read(tmp_path / "r.toml").render_size is None


def test_settings_reach_components_and_the_recipe():
    table = apply_settings(Recipe().table(), ["codec.epochs=27", "remover.level=auto", "seed=4", "remover.invert=true"])
    recipe = validate(Recipe, table)
    assert recipe.codec.options == {"epochs": 27}
    assert recipe.remover.options == {"level": "auto", "invert": True}
    assert recipe.seed == 4


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("codec.epochs", "expected NAME=VALUE such as remover.people=all, got 'codec.epochs'"),
        ("coder.epochs=3", "expected one of source, remover, codec, sequence, renderer before the dot, got 'coder'"),
        ("sede=3", "did you mean 'seed'"),
        ("fps=0", "fps: expected greater than 0, got 0"),
        ("render_size=1920", "render_size: expected WIDTHxHEIGHT such as 1920x1080, each from 16 to 8192, got 1920"),
        ("render_size=9x9", "render_size: expected WIDTHxHEIGHT such as 1920x1080, each from 16 to 8192, got '9x9'"),
        ("render_size=1920x9000", "each from 16 to 8192, got '1920x9000'"),
        ("size=[2,2]", "size: expected a height and width from 8 to 4096, got [2, 2]"),
    ],
)
def test_a_wrong_setting_says_what_was_expected(setting, message):
    with pytest.raises(OptionError, match=message.replace("[", r"\[").replace("(", r"\(")):
        validate(Recipe, apply_settings(Recipe().table(), [setting]))


@pytest.mark.parametrize("text", ["= 3", "[codec]\nname = 3", "spee = 1"])
def test_a_broken_recipe_file_is_told(tmp_path, text):
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(OptionError):
        Recipe.read(tmp_path / "r.toml")


def test_a_missing_recipe_file_is_told(tmp_path):
    with pytest.raises(OptionError, match="does not exist"):
        Recipe.read(tmp_path / "none.toml")


def test_the_recipe_paper_is_the_paper_in_everything():
    registry = Session.open().registry
    recipe = resolve(Recipe.find("paper"), registry, ["my-video.mp4"])
    chosen = {kind: getattr(recipe, kind) for kind in ("remover", "codec", "sequence")}
    assert {kind: choice.name for kind, choice in chosen.items()} == {
        "remover": "threshold",
        "codec": "conv-ae",
        "sequence": "lstm4",
    }
    options = {kind: choice.options for kind, choice in chosen.items()}
    assert options["remover"] == {"level": 230, "invert": False}
    codec = {"latent_dim": 128, "epochs": PAPER["codec"]["epochs"], "batch_size": 128, "learning_rate": 1e-3}
    assert options["codec"] == codec
    sequence = {"context": 10, "layers": 4, "units": 256, "dropout": 0.2, "epochs": PAPER["sequence"]["epochs"]}
    assert options["sequence"] == {**sequence, "batch_size": 128, "learning_rate": 1e-3}
    assert (recipe.fps, recipe.size, recipe.validation) == (3, (120, 200), 0.1)
    assert (recipe.start.kind, recipe.curve, recipe.render_fps) == ("noise", "linear", 30)


def test_what_a_recipe_of_a_name_says_can_be_changed():
    recipe = Recipe.find("paper").changed({"preset": "quick", "remover": "person", "start": "last"})
    assert (recipe.preset, recipe.remover.options, recipe.start.kind) == ("quick", {}, "last")


def test_a_name_is_ours_and_a_path_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paper").write_text("seed = 5")
    assert Recipe.find("paper").seed == 0
    assert Recipe.find("./paper").seed == Recipe.find(tmp_path / "paper").seed == 5
    with pytest.raises(OptionError, match="a recipe file or one of paper, got 'papper'; did you mean 'paper'"):
        Recipe.find("papper")


def test_a_recipe_of_a_name_begins_with_what_it_is():
    for name, path in find_recipes().items():
        assert path.read_text().startswith("# ")
        assert f"--recipe {name}" in path.read_text()


@pytest.mark.parametrize(("length", "frames"), [({"frames": 5}, 5), ({"seconds": 2}, 60)])
def test_a_length_takes_the_place_of_a_loop(length, frames):
    changed = Recipe(loop=8).changed(length)
    assert (changed.loop, changed.frames) == (0, frames)
    assert Recipe().changed(length) == Recipe(frames=frames)
    with pytest.raises(OptionError, match="--loop: expected one length of a dance, got --(seconds|frames) too; leave"):
        Recipe().changed({"loop": 8.0, **length})


def test_a_loop_takes_the_place_of_a_recipes_length():
    assert Recipe(frames=5).changed({"loop": 8}).loop == 8


def test_an_option_of_one_component_is_named_in_full():
    for typed, told in {"ink": "renderer.ink", "people": "remover.people", "refine": "codec.refine"}.items():
        with pytest.raises(OptionError, match=f"{typed}: recipe has no such option; did you mean {told}?"):
            check_entries(Recipe(), discover(), [typed])
    check_entries(Recipe(), discover(), ["seconds", "loop", "codec", "inkk"])


@pytest.mark.parametrize(
    ("entry", "fits", "beyond"),
    [
        ("fps", [0.1, 240], [0, 241]),
        ("seed", [0, 2**31 - 1], [-1, 2**31]),
        ("validation", [0, 0.5], [-0.1, 0.51]),
        ("temperature", [0, 10], [-0.1, 10.1]),
        ("frames", [1], [0]),
        ("loop", [0, 600], [-1, 601]),
        ("render_fps", [0.1, 240], [0, 241]),
        ("size", [(8, 4096), (4096, 8)], [(7, 4096), (4097, 8)]),
        ("render_size", ["16x8192", "8192x16"], ["15x8192", "8193x16", (16, 16, 16), 1.5]),
    ],
)
def test_a_value_fits_up_to_its_limits(entry, fits, beyond):
    for value in fits:
        Recipe().changed({entry: value})
    for value in beyond:
        with pytest.raises(OptionError, match=f"^{entry}: expected"):
            Recipe().changed({entry: value})


def test_nobody_who_chooses_nothing_waits_for_more_than_ten_seconds_of_dance():
    recipe = Recipe()
    assert recipe.frames / recipe.render_fps == 10
    assert (recipe.loop, recipe.seed, recipe.temperature) == (0, 0, 1)
    assert recipe.validation == 0.1


@pytest.mark.parametrize(("seconds", "frames"), [(0.001, 1), (0.05, 2), (1.5, 45), (600, 18_000)])
def test_seconds_are_frames_of_the_finished_dance(seconds, frames):
    assert Recipe().changed({"seconds": seconds}).frames == frames
    assert Recipe().changed({"seconds": 4, "render_fps": 12.5}).frames == 50


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), "2"])
def test_seconds_that_are_no_length_are_told(seconds):
    with pytest.raises(OptionError, match="--seconds: expected a length above 0, got"):
        Recipe().changed({"seconds": seconds})


def test_the_demo_dances_from_its_first_frame():
    assert str(DEMO_RECIPE.start) == "0"


@pytest.mark.parametrize("setting", ["a.b.c=1", ".a=1", "codec.=1", "=1"])
def test_a_setting_has_one_dot_at_most_and_a_name_on_both_sides(setting):
    with pytest.raises(OptionError, match="expected NAME=VALUE"):
        apply_settings({}, [setting])
