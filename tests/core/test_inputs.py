"""Which source reads what somebody typed, and at what rate."""

import os
import re
import socket

import numpy as np
import pytest
from conftest import SHARED, needs_shared

from deepdance import inputs
from deepdance.errors import InputError, OptionError
from deepdance.inputs import (
    choose_size,
    choose_source,
    expand_inputs,
    open_same_source,
    open_source,
    recipe_for,
    resolve,
    settle,
    source_for,
)
from deepdance.interfaces import SourceInfo
from deepdance.plugins import discover
from deepdance.recipe import Opening, Recipe

REGISTRY = discover()


@pytest.mark.parametrize(
    ("location", "name"),
    [("demo", "demo"), ("a.MP4", "ffmpeg"), ("a.npz", "array"), (".", "images"), ("a.unheard-of", "ffmpeg")],
)
def test_the_ending_decides_and_ffmpeg_reads_the_rest(location, name):
    assert source_for(REGISTRY, location) == name


def test_the_recipes_source_comes_before_the_ending_and_several_endings_leave_it_open():
    assert choose_source(Recipe(source="array"), REGISTRY, ["a.mp4"]) == "array"
    assert choose_source(Recipe(), REGISTRY, ["a.mp4", "b.mov"]) == "ffmpeg"
    assert choose_source(Recipe(), REGISTRY, ["a.mp4", "b.npy"]) == "auto"
    with pytest.raises(OptionError, match="got inputs for array, ffmpeg; choose --source"):
        choose_source(Recipe(source={"name": "auto", "fps": 3}), REGISTRY, ["a.mp4", "b.npy"])
    with pytest.raises(OptionError, match="expected no video with the source demo"):
        choose_source(Recipe(source="demo"), REGISTRY, ["a.mp4"])


def test_a_folder_of_videos_stands_for_them_in_natural_order_and_nothing_for_the_demo(tmp_path):
    for name in ("b10.mp4", "b9.mp4", ".hidden.mp4", "notes.txt"):
        (tmp_path / name).touch()
    assert expand_inputs(REGISTRY, [str(tmp_path)]) == [str(tmp_path / "b9.mp4"), str(tmp_path / "b10.mp4")]
    assert expand_inputs(REGISTRY, []) == ["demo"]
    with pytest.raises(InputError, match=r"got no\.mp4, which does not exist"):
        expand_inputs(REGISTRY, ["no.mp4"])


def fill(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_a_folder_tells_what_it_took_and_left_out_in_one_line(tmp_path, caplog):
    caplog.set_level("INFO")
    clips = fill(tmp_path / "clips", "IMG_1.MP4", "old.Mov", "dance.NPZ", ".DS_Store")
    assert len(expand_inputs(REGISTRY, [str(clips)])) == 3
    (record,) = caplog.records
    assert (record.levelname, record.message) == (
        "INFO", "clips: 3 of 4 files taken as videos or arrays; left out: .DS_Store (hidden)",
    )  # fmt: skip
    caplog.clear()
    fill(clips, *[f"{number}.jpg" for number in (1, 2, 10, 11, 12)], "notes.txt")
    fill(clips / "more", "b.mp4")
    os.mkfifo(clips / "pipe.mp4")
    (clips / "gone.mp4").symlink_to("nowhere")
    assert len(expand_inputs(REGISTRY, [str(clips)])) == 3
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.message == (
        "clips: 3 of 13 files taken as videos or arrays; left out: 1.jpg, 2.jpg, 10.jpg and 2 more (picture beside "
        "videos), .DS_Store (hidden), gone.mp4 (broken link), more (folder), "
        "notes.txt (unknown ending), pipe.mp4 (pipe)"
    )


def test_a_file_that_may_not_be_read_is_left_out(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "a.mp4")
    assert expand_inputs(REGISTRY, [str(fill(tmp_path / "clips", "a.mp4", "b.mp4"))]) == [str(tmp_path / "clips/b.mp4")]
    assert caplog.messages == [
        "clips: 1 of 2 files taken as videos or arrays; left out: a.mp4 (not allowed to be read)"
    ]


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.mp4")
    fill(tmp_path / "pictures", "photo.jpg", "photo.webp", "photo.HEIC")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        yield


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("pipe.mp4", "got pipe.mp4, a pipe; save it as a file, and name that"),
        ("socket", "got socket, a socket; save it as a file, and name that"),
        ("/dev/null", "got /dev/null, a device; save it as a file"),
        ("/dev/stdin", "got standard input (/dev/stdin); save it as a file"),
        ("-", "got standard input (-); save it as a file"),
        (
            "https://example.org/dance.mp4?a=b",
            "got the address https://example.org/dance.mp4?…; add --allow-remote, or download it",
        ),
        ("RTSP://camera/1", "got the address RTSP://camera/1; add --allow-remote"),
        ("s3://bucket/dance.mp4", "got the address s3://bucket/dance.mp4; add --allow-remote"),
        ("pictures/photo.jpg", "got pictures/photo.jpg, one picture; name the folder whose pictures are the frames: "),
        ("pictures/photo.webp", "one picture; name the folder"),
        ("pictures/photo.HEIC", "one picture; name the folder"),
        ("a" * 300, "File name too long; check the path"),
        ("a\0b", "check the path"),
        ("dan\udce9.mp4", r"got dan\udce9.mp4, which does not exist; check the path"),
        ("two\nlines.mp4", r"got two\nlines.mp4, which does not exist; check the path"),
    ],
)
def test_what_no_source_reads_is_told_in_one_line_of_its_own(places, typed, message):
    with pytest.raises(InputError, match=re.escape(message)) as error:
        expand_inputs(REGISTRY, [typed])
    assert str(error.value).isprintable()


def test_the_folder_that_a_single_picture_is_in_can_be_named(places, tmp_path):
    with pytest.raises(InputError) as error:
        expand_inputs(REGISTRY, ["pictures/photo.jpg"])
    folder = str(error.value).rpartition(": ")[2]
    assert expand_inputs(REGISTRY, [folder]) == [str(tmp_path / "pictures")]
    assert source_for(REGISTRY, folder) == "images"


@needs_shared
def test_a_phones_videos_and_a_camcorders_are_both_taken_or_told(caplog):
    caplog.set_level("INFO")
    taken = expand_inputs(REGISTRY, [str(SHARED / "inputs/mixedfolder")])
    assert len(taken) == 2 or "00000.MTS (unknown ending)" in caplog.text


def test_a_rate_that_is_not_given_is_the_models_and_never_above_the_videos(tmp_path):
    path = tmp_path / "slow.npz"
    np.savez(path, frames=np.zeros((4, 8, 8), np.uint8), fps=2.0)
    assert resolve(Recipe(sequence="lstm4"), REGISTRY, [str(path)]).fps == 3
    assert settle(Recipe(sequence="lstm4"), REGISTRY, [str(path)]).fps == 2
    assert settle(Recipe(sequence="lstm4", fps=5), REGISTRY, [str(path)]).fps == 5


@pytest.mark.parametrize(
    ("recipe", "location", "name"),
    [
        (Recipe(), "a.mp4", "auto"),
        (Recipe(), "demo", "threshold"),
        (Recipe(preset="paper"), "a.mp4", "threshold"),
        (Recipe(remover={"name": "auto", "level": 9}), "a.mp4", "threshold"),
        (Recipe(remover={"name": "auto", "people": "all"}), "demo", "person"),
        (Recipe(remover="luma"), "demo", "luma"),
    ],
)
def test_a_remover_that_nobody_chose_is_the_one_whose_options_are_set_or_the_papers(recipe, location, name):
    assert resolve(recipe, REGISTRY, [location]).remover.name == name


def test_options_that_no_remover_has_are_told():
    with pytest.raises(OptionError, match="options of one of threshold, person, got sharpness; choose --remover"):
        resolve(Recipe(remover={"name": "auto", "sharpness": 9}), REGISTRY, ["a.mp4"])


def test_a_component_with_a_seed_has_the_recipes_unless_it_has_its_own():
    assert resolve(Recipe(seed=5), REGISTRY, ["demo"]).source.options["seed"] == 5
    own = Recipe(seed=5, source={"name": "demo", "seed": 7})
    assert resolve(own, REGISTRY, ["demo"]).source.options["seed"] == 7


def write_array(path, shape=(4, 8, 8), fps=None):
    """The path of an array of black frames, which says its rate."""
    np.savez(path, frames=np.zeros(shape, np.uint8), **({} if fps is None else {"fps": fps}))
    return str(path)


def test_a_slow_input_of_several_is_told_and_does_not_slow_the_others(tmp_path, caplog):
    rates = {"fast": 30.0, "slow": 3.0, "slower": 2.5, "free": None}
    paths = {name: write_array(tmp_path / f"{name}.npz", fps=fps) for name, fps in rates.items()}

    def settled(*names, **fields):
        caplog.clear()
        return settle(Recipe(**fields), REGISTRY, [paths[name] for name in names]).fps

    assert settled("slow", "fast") == 10
    (told,) = caplog.messages
    assert told == (
        "slow.npz: fewer than the 10 frames a second that are learned from, so frames are repeated; "
        "to learn from each once, --fps 3"
    )
    assert settled("slow", "slower", "free") == 3
    assert [message.partition(",")[0] for message in caplog.messages] == [
        "slower.npz: fewer than the 3 frames a second that are learned from"
    ]
    assert settled("fast", "slow", sequence="lstm4") == 3
    assert settled("slow", "fast", fps=3) == 3
    assert settled("slower") == 2.5
    assert settled("free") == 10
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((480, 800), (120, 200)),
        ((1280, 720), (208, 120)),
        ((720, 1280), (120, 208)),
        ((500, 500), (152, 152)),
        ((10, 1000), (80, 312)),
        ((1000, 10), (312, 80)),
    ],
)
def test_silhouettes_have_the_shape_of_the_video_and_as_many_pixels_as_the_papers(shape, size):
    assert choose_size(SourceInfo(*shape)) == size
    assert abs(size[0] * size[1] / 24_000 - 1) < 0.05


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((120, 200), (120, 200)),
        ((24, 40), (24, 40)),
        ((176, 200), (176, 200)),
        ((184, 200), (152, 160)),
        ((480, 800), (120, 200)),
    ],
)
def test_small_silhouettes_keep_their_size(shape, size):
    assert choose_size(SourceInfo(*shape, silhouettes=True)) == size


def test_the_first_input_decides_unless_the_codec_or_the_preset_is_made_for_one_size(tmp_path, caplog):
    tall = write_array(tmp_path / "tall.npz", (4, 64, 40), 30.0)
    wide = write_array(tmp_path / "wide.npz", (4, 40, 64), 30.0)
    assert settle(Recipe(), REGISTRY, [tall]).size == (64, 40)
    assert settle(Recipe(), REGISTRY, ["demo"]).size == (120, 200)
    assert settle(Recipe(size=(24, 40)), REGISTRY, [tall]).size == (24, 40)
    nearly = write_array(tmp_path / "nearly.npz", (4, 40, 56), 30.0)
    assert settle(Recipe(), REGISTRY, [wide, nearly]).size == (40, 64)
    assert caplog.messages == []
    assert settle(Recipe(), REGISTRY, [wide, tall]).size == (40, 64)
    assert settle(Recipe(codec="conv-ae"), REGISTRY, [tall]).size == (120, 200)
    assert settle(Recipe(preset="paper"), REGISTRY, [tall]).size == (120, 200)
    told = "tall.npz: of another shape than the silhouettes, {}, and fills {} of them; for its shape, --size 64x40"
    assert caplog.messages == [told.format("40x64", "39%"), *[told.format("120x200", "38%")] * 2]


def test_another_video_of_a_run_is_read_by_its_own_ending_with_the_runs_options_where_they_fit():
    recipe = Recipe(source={"name": "ffmpeg", "cuts": False}, remover="luma")
    assert recipe_for(recipe, REGISTRY, "b.mov") == recipe
    assert recipe_for(recipe, REGISTRY, "b.npy").remover.name == "auto"
    other = recipe_for(recipe, REGISTRY, "b.npy", "threshold", ["remover.level=9"])
    assert (other.source.name, other.source.options) == ("array", {})
    assert (other.remover.name, other.remover.options) == ("threshold", {"level": 9})
    assert open_source(recipe, REGISTRY, "b.mov")[1].options.cuts is False


@pytest.mark.parametrize(
    ("typed", "opening"),
    [
        ("last", Opening("last")),
        ("noise", Opening("noise")),
        ("12", Opening("frame", frame=12)),
        (12, Opening("frame", frame=12)),
        ("missing.mp4", Opening("video", video="missing.mp4")),
    ],
)
def test_an_opening_is_made_from_what_is_typed_and_written_as_it(typed, opening):
    recipe = Recipe(start=typed)
    assert recipe.start == opening
    assert str(recipe.start) == str(typed)
    assert Recipe(**recipe.table()) == Recipe(**Recipe().table() | {"start": typed})


def test_a_video_to_start_from_is_known_by_its_whole_path_and_must_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dance.mp4").touch()
    opening = Opening.parse("dance.mp4")
    assert opening.video == str(tmp_path / "dance.mp4")
    opening.check_exists()
    with pytest.raises(OptionError, match="--from: expected last, random, noise, a frame number or a video, got 'lst'"):
        Opening.parse("lst").check_exists()


def test_a_machine_that_lacks_an_input_is_named_however_its_source_says_so(tmp_path, monkeypatch):
    def refuse(*_):
        raise InputError("found nothing")

    np.save(tmp_path / "a.npy", np.zeros((3, 4, 4), np.uint8))
    video = str(tmp_path / "a.npy")
    fingerprint = open_source(Recipe(), REGISTRY, video)[1].fingerprint()
    assert open_same_source(Recipe(), REGISTRY, video, fingerprint).fingerprint() == fingerprint
    with pytest.raises(InputError, match=f"on {socket.gethostname()} .*got: another one of that name"):
        open_same_source(Recipe(), REGISTRY, video, "1-2")
    monkeypatch.setattr(inputs, "open_source", refuse)  # a source that looks at its file as soon as it is opened
    with pytest.raises(InputError, match=f"on {socket.gethostname()} .*got: found nothing"):
        open_same_source(Recipe(), REGISTRY, video, fingerprint)
