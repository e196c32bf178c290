"""Which renderer writes a file, with which options, at what size; and what it must not take the place of."""

import re

import pytest

from deepdance.errors import OptionError
from deepdance.outputs import change_dance, check_place, choose_render_size, choose_renderer, name_dance
from deepdance.plugins import discover
from deepdance.recipe import Recipe

WITH_INK = Recipe().changed({"renderer": {"name": "mp4", "crf": 30, "ink": "teal"}})


@pytest.mark.parametrize(
    ("out", "asked", "name", "options"),
    [
        ("a.mp4", "", "mp4", {"crf": 30, "ink": "teal"}),
        ("a.MP4", {"ink": "red"}, "mp4", {"crf": 30, "ink": "red"}),
        ("a.webm", "", "webm", {}),
        ("a.mov", "", "prores", {}),
        ("a.mov", "hap", "hap", {}),
        ("a.mov", {"name": "hap", "ink": "red"}, "hap", {"ink": "red"}),
        ("a.png", "", "sheet", {}),
        ("a.svg", "", "svg", {}),
        ("dance", "", "png", {}),
        ("dance", {"name": "svg", "ground": "navy"}, "svg", {"ground": "navy"}),
    ],
)
def test_the_ending_or_the_name_decides_who_writes(tmp_path, out, asked, name, options):
    chosen = choose_renderer(WITH_INK, discover(), tmp_path / out, asked).renderer
    assert (chosen.name, chosen.options) == (name, options)


@pytest.mark.parametrize(
    ("out", "asked", "told"),
    [
        (
            "a.txt",
            "",
            "--out: expected a name ending in .gif, .mov, .mp4, .png, .svg, .webm or without an ending, for a folder",
        ),
        ("a.mp4", "hap", "--out: expected a name ending in .mov for hap, got 'a.mp4'"),
        ("a.png", "png", "expected a name without an ending, for a folder, for png, got 'a.png'"),
        ("a.mp4", "svg", "expected a name ending in .svg or without an ending, for a folder, for svg, got 'a.mp4'"),
        ("a.mp4", {"color": "red"}, "renderer.color: mp4 has no such option (it has: ink, ground, music, crf)"),
        ("a.gif", {"crf": 3}, "renderer.crf: gif has no such option (it has: ink, ground)"),
        ("a.webm", {"ink": "rde"}, "ink: expected a colour such as teal or #008080, got 'rde'; did you mean 'red'?"),
    ],
)
def test_what_no_renderer_writes_is_told(tmp_path, out, asked, told):
    with pytest.raises(OptionError, match=re.escape(told)):
        choose_renderer(WITH_INK, discover(), tmp_path / out, asked)


def test_an_option_that_there_is_no_more_does_not_stop_an_old_run(tmp_path):
    old = Recipe().changed({"renderer": {"name": "mp4", "crf": 30, "scale": 4}})
    assert choose_renderer(old, discover(), tmp_path / "a.mp4").renderer.options == {"crf": 30}


def test_a_dance_without_a_name_is_numbered_from_2_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = []
    for _ in range(3):
        names.append(name_dance(WITH_INK, discover()).name)
        (tmp_path / names[-1]).touch()
    assert names == ["dance.mp4", "dance-2.mp4", "dance-3.mp4"]
    assert name_dance(WITH_INK, discover(), "gif").name == "dance.gif"
    assert name_dance(WITH_INK, discover(), {"name": "webm", "ink": "red"}).name == "dance.webm"
    assert name_dance(WITH_INK, discover(), {"ink": "red"}).name == "dance-4.mp4"


def test_another_dance_changes_how_is_danced_and_nothing_that_was_trained():
    changed = change_dance(Recipe(), discover(), {"seed": 3, "sequence": {"variety": 0.9}})
    assert (changed.seed, changed.sequence.options) == (3, {"variety": 0.9})
    refused = {
        "fps": (5, "how the models are trained", "fps=5"),
        "remover": ("luma", "how the silhouettes are made", "remover=luma"),
        "codec": ({"prior": "none"}, "how the codec is trained", "codec.prior=none"),
        "sequence": ({"context": 4}, "how the sequence model is trained", "sequence.context=4"),
    }
    for entry, (value, decided, setting) in refused.items():
        told = f"got what decides {decided}; for a new run: dd run VIDEO --set {setting}"
        with pytest.raises(OptionError, match=re.escape(told)):
            change_dance(Recipe(), discover(), {entry: value})


@pytest.mark.parametrize(
    ("renderer", "silhouettes", "picture", "expected"),
    [
        ("mp4", (120, 200), (480, 800), (480, 800)),
        ("mp4", (120, 200), (1080, 1800), (1080, 1800)),
        ("mp4", (120, 200), (2160, 3840), (1080, 1920)),
        ("mp4", (120, 208), (720, 1280), (720, 1280)),
        ("mp4", (208, 120), (1920, 1080), (1080, 608)),
        ("mp4", (120, 200), (60, 100), (120, 200)),
        ("mp4", (208, 120), (184, 320), (208, 120)),
        ("mp4", (120, 200), (333, 555), (332, 556)),
        ("gif", (120, 200), (1080, 1800), (480, 800)),
        ("sheet", (120, 200), (1080, 1800), (240, 400)),
        ("mp4", (120, 200), (480, 870), (480, 872)),  # wider by a twelfth
        ("mp4", (120, 200), (480, 890), (480, 800)),  # by a ninth: of another shape
        ("mp4", (120, 200), (480, 732), (480, 732)),
        ("mp4", (120, 200), (480, 720), (432, 720)),
        ("mp4", (1, 2), (1, 2), (4, 4)),
    ],
)
def test_a_dance_is_as_large_as_the_video_but_for_what_suits_the_format(renderer, silhouettes, picture, expected):
    recipe = Recipe().changed({"renderer": renderer})
    assert choose_render_size(recipe, discover(), silhouettes, picture) == expected
    asked = recipe.changed({"render_size": "1921x1081"})
    assert choose_render_size(asked, discover(), silhouettes, picture) == (1081, 1921)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["000001.png", "000002.svg"], ""),
        ([], ""),
        (["000001.png", "thesis.txt"], "or one of frames to replace, got .*, which holds thesis.txt; choose another"),
        ([".hidden"], "which holds .hidden"),
    ],
)
def test_a_folder_takes_the_place_of_frames_alone(tmp_path, names, told):
    for name in names:
        (tmp_path / name).touch()
    if not told:
        return check_place(tmp_path)
    with pytest.raises(OptionError, match=f"--out: expected a new folder, {told}" if "or one" in told else told):
        check_place(tmp_path)


def test_nothing_takes_the_place_of_what_is_read(tmp_path):
    clip, pictures = tmp_path / "clips" / "1.mp4", tmp_path / "pictures"
    for path in (clip, pictures / "000001.png"):
        path.parent.mkdir()
        path.touch()
    (tmp_path / "link.mp4").symlink_to(clip)
    read = ["demo", "", str(tmp_path / "gone.mp4"), str(clip), str(pictures)]
    for out in (clip, tmp_path / "link.mp4", clip.parent, pictures, pictures / "000001.png"):
        with pytest.raises(OptionError, match=f"--out: .* got {out}; choose another name"):
            check_place(out, read)
    for out in (clip.with_name("2.mp4"), tmp_path / "gone.mp4", pictures / "new.mp4"):
        check_place(out, read)


def test_a_folder_does_not_take_the_place_of_a_file(tmp_path):
    (tmp_path / "dance").touch()
    with pytest.raises(OptionError, match="--out: expected a folder, got the file .*dance; choose another name"):
        check_place(tmp_path / "dance")
    check_place(tmp_path / "new")
