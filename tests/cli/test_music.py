"""`--music` and `--beats`: a dance falls on the beats, and its video carries the track."""

import json

import av
import numpy as np
import pytest
from conftest import SMALL_RUN
from tracks import RATE, make_track, write_track

import deepdance

QUICK = (*SMALL_RUN[:-2], "--codec", "pca", "--seq", "texture", "--render-size", "80x48")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A run of the demo dancer whose recipe is the usual one, but for its size."""
    folder = tmp_path_factory.mktemp("music")
    fields = {"size": (24, 40), "remover": "threshold", "codec": "pca", "sequence": "motion-field"}
    return deepdance.run(workspace=folder, name="demo", frames=40, render_size=(48, 80), **fields)


def write_tempo(folder, tempo, seconds=30.0):
    return write_track(folder / f"{tempo}.wav", make_track(tempo, seconds)[0])


def lengths_of(path):
    with av.open(str(path)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    with av.open(str(path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
        return frames, samples / container.streams.audio[0].rate


@pytest.mark.parametrize("tempo", [96, 110, 124, 140])
def test_the_demo_dances_on_the_beat(dd, demo, tmp_path, tempo):
    track = write_tempo(tmp_path, tempo)
    result = dd("generate", demo.folder, "--music", track, "--out", "dance.mp4", "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)["music"]
    assert told["score"] >= 0.6
    assert told["random"] <= 0.35
    assert told["before"] <= 0.4
    assert told["beats"] == pytest.approx(30 * tempo / 60, abs=2)
    frames, seconds = lengths_of(tmp_path / "dance.mp4")
    assert frames == 900
    assert seconds == pytest.approx(30, abs=1 / 30)


def test_a_run_keeps_its_music_in_its_recipe(dd, tmp_path):
    track = write_tempo(tmp_path, 120, 5)
    result = dd("run", "--music", track, *QUICK, "--name", "one")
    assert result.code == 0, result.err
    assert "beat alignment" in result.out
    assert lengths_of(tmp_path / "workspace/runs/one/dance.mp4") == (150, pytest.approx(5, abs=1 / 30))
    again = dd("run", "--recipe", "workspace/runs/one/recipe.toml", "--name", "two")
    assert again.code == 0, again.err
    one, two = (deepdance.open_run(name) for name in ("one", "two"))
    assert one.recipe == two.recipe
    np.testing.assert_array_equal(one.frames, two.frames)


def test_a_length_cuts_the_track_or_repeats_it(dd, demo, tmp_path):
    track = write_tempo(tmp_path, 120, 4)
    for seconds in (2, 6):
        assert dd("generate", demo.folder, "--music", track, "--seconds", seconds, "--out", "dance.webm").code == 0
        assert lengths_of(tmp_path / "dance.webm") == (30 * seconds, pytest.approx(seconds, abs=1 / 30))


def test_a_silent_format_says_so(dd, demo, tmp_path):
    result = dd("generate", demo.folder, "--music", write_tempo(tmp_path, 120, 4), "--out", "dance.gif")
    assert "gif writes no sound: the dance keeps to the beats, and its file is silent" in result.err
    assert "beat alignment" in result.out


def test_known_beats_need_no_music(dd, demo):
    result = dd("generate", demo.folder, "--beats", "0.5,1,1.5,2", "--seconds", "3", "--out", "dance.mp4", "--json")
    assert json.loads(result.out)["music"]["beats"] == 4


def test_without_music_nothing_is_told_of_it(dd, demo):
    assert "music" not in json.loads(dd("generate", demo.folder, "--out", "dance.mp4", "--json").out)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--music", "nowhere.mp3"], "--music: expected a file with sound, got 'nowhere.mp3', which does not exist"),
        (["--beats", "2,1"], "beats: expected rising seconds such as 0.5,1.0,1.5"),
        (["--beats", ","], "beats: expected rising seconds such as 0.5,1.0,1.5"),
        (["--beats", "1,2", "--loop", "4"], "--loop: expected a dance with an end"),
    ],
)
def test_mistakes_are_told_before_anything_is_learned(dd, tmp_path, flags, told):
    result = dd("run", *flags)
    assert result.code == 2
    assert told in result.err
    assert not list(tmp_path.glob("workspace/artifacts/*"))


@pytest.mark.parametrize("kind", ["text", "silence"])
def test_what_is_no_music_is_told_and_the_dance_is_made(dd, demo, tmp_path, kind):
    track = tmp_path / "track.wav"
    write_track(track, np.zeros(2 * RATE)) if kind == "silence" else track.write_text("la la la")
    result = dd("generate", demo.folder, "--music", track, "--seconds", "1", "--out", "dance.mp4")
    assert result.code == 0
    assert {"text": "is made without it", "silence": "keeps its own time"}[kind] in result.err
    assert (tmp_path / "dance.mp4").exists()
    assert "beat alignment" not in result.out


def test_a_video_is_danced_on_to_the_music_that_begins_with_it(dd, demo, video, tmp_path):
    track = write_tempo(tmp_path, 120, 14)
    result = dd("extend", video, "--run", demo.folder, "--music", track, "--out", "long.mp4", "--json")
    assert result.code == 0, result.err
    frames, seconds = lengths_of(tmp_path / "long.mp4")
    assert frames == pytest.approx(14 * 30, abs=1)
    assert seconds == pytest.approx(14, abs=2 / 30)
    assert json.loads(result.out)["music"]["beats"] == pytest.approx(12, abs=1)


def test_music_in_python(demo, tmp_path):
    track = write_tempo(tmp_path, 120, 5)
    own, bent = demo.dance(frames=150), demo.dance(music=track)
    assert own.shape == bent.shape
    assert (own != bent).any()
    np.testing.assert_array_equal(bent, demo.dance(music=track))
    assert (demo.dance(music=write_tempo(tmp_path, 90, 5)) != bent).any()
