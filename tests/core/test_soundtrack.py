"""What a track decides of a dance, before anything is trained."""

import numpy as np
import pytest
from tracks import RATE, make_track, write_track

from deepdance import soundtrack
from deepdance.errors import OptionError
from deepdance.plugins import discover
from deepdance.recipe import Recipe
from deepdance.soundtrack import Soundtrack, open_soundtrack


@pytest.fixture
def track(tmp_path):
    return write_track(tmp_path / "track.wav", make_track(120, 8)[0])


def test_music_alone_sets_the_length(track):
    recipe, opened = open_soundtrack(Recipe(music=track), discover())
    assert recipe.frames == 240
    assert opened.seconds == 8
    assert len(opened.beats) == pytest.approx(15, abs=1)


def test_a_length_that_is_asked_for_holds(track):
    assert open_soundtrack(Recipe(music=track, frames=60), discover())[0].frames == 60


def test_new_music_takes_the_place_of_the_olds_length_and_beats(track):
    old = Recipe(music="old.mp3", frames=60, beats=(1, 2), music_hash="x")
    assert not {"frames", "beats", "music_hash"} & old.changed({"music": track}).model_fields_set
    assert old.changed({"music": track, "seconds": 2}).frames == 60
    assert old.changed({"music": track, "beats": "0.5,1"}).beats == (0.5, 1)


def test_a_recipe_is_the_same_read_again(track, tmp_path):
    recipe, opened = open_soundtrack(Recipe(music=track, beats="0.5,1.25"), discover())
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    again = Recipe.read(tmp_path / "recipe.toml")
    assert again == recipe
    np.testing.assert_array_equal(open_soundtrack(again, discover())[1].beats, opened.beats)


def test_a_changed_track_is_told(track, log, caplog):
    recipe, _ = open_soundtrack(Recipe(music=track), discover())
    write_track(track, make_track(100, 8)[0])
    again, _ = open_soundtrack(recipe, discover())
    assert "has changed since the recipe was written" in caplog.text
    assert again.music_hash != recipe.music_hash


def test_beats_begin_anew_with_the_track():
    opened = Soundtrack(np.array([0.5, 1.5]), 2.0)
    np.testing.assert_allclose(opened.list_beats(0, 5), [0.5, 1.5, 2.5, 3.5, 4.5])
    np.testing.assert_allclose(opened.list_beats(3, 6), [0.5, 1.5, 2.5])
    np.testing.assert_allclose(Soundtrack(np.array([0.5, 1.5])).list_beats(1, 9), [0.5])


def test_known_beats_need_no_music():
    recipe, opened = open_soundtrack(Recipe(beats="0.5, 1, 1.5"), discover())
    assert recipe.frames == 300
    np.testing.assert_array_equal(opened.beats, [0.5, 1, 1.5])


def test_a_file_without_sound_is_left_out(tmp_path, log, caplog):
    (tmp_path / "a.mp3").write_text("no sound")
    recipe, opened = open_soundtrack(Recipe(music=tmp_path / "a.mp3"), discover())
    assert "the dance is made without it" in caplog.text
    assert not recipe.music
    assert not len(opened.beats)


def test_a_track_of_a_moment_is_left_out(tmp_path, log, caplog):
    blip = write_track(tmp_path / "blip.wav", make_track(120, 8)[0][: RATE // 100])
    recipe, opened = open_soundtrack(Recipe(music=blip, beats="0", frames=30), discover())
    assert "expected a track of at least 1 s, got 0.01 s; the dance is made without it" in caplog.text
    assert (recipe.music, opened.seconds) == ("", None)


def test_a_track_without_beats_keeps_its_sound(tmp_path, log, caplog):
    silence = write_track(tmp_path / "silence.wav", np.zeros(3 * RATE))
    recipe, opened = open_soundtrack(Recipe(music=silence), discover())
    assert "no beat is found" in caplog.text
    assert (recipe.music, recipe.frames, len(opened.beats)) == (str(silence), 90, 0)


def test_a_long_track_is_cut(track, log, caplog, monkeypatch):
    monkeypatch.setattr(soundtrack, "MOST_SECONDS", 5)
    assert open_soundtrack(Recipe(music=track), discover())[1].seconds == 5
    assert "are heard" in caplog.text


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"music": "nowhere.mp3"}, "--music: expected a file with sound, got 'nowhere.mp3', which does not exist"),
        ({"music": "."}, "no file; check the path"),
        ({"beats": "0.5", "frames": 40_000}, "at most 20 minutes to fall on beats, got 22; ask for less"),
    ],
)
def test_what_cannot_be_is_told_at_once(fields, told):
    with pytest.raises(OptionError, match=told):
        open_soundtrack(Recipe(**fields), discover())


@pytest.mark.parametrize("beats", ["1,0.5", "-1,2", "a", [1, 1], [float("nan")], 3])
def test_beats_rise(beats):
    with pytest.raises(OptionError, match="beats: expected rising seconds such as 0.5,1.0,1.5"):
        Recipe().changed({"beats": beats})


def test_a_loop_has_no_music(track):
    with pytest.raises(OptionError, match="--loop: expected a dance with an end for --music"):
        Recipe(loop=4).changed({"music": track})
