import pytest

from deepdance.errors import OptionError
from deepdance.recipe import Recipe, apply_settings
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
        ("codec.epochs", "expected NAME=VALUE such as codec.epochs=27, got 'codec.epochs'"),
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
