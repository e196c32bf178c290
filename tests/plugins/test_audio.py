"""The sound of files: read, refused, and carried by videos."""

import time
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import demo_frames, write_video
from tracks import RATE, make_track, write_track

import deepdance
from deepdance.errors import InputError
from deepdance.plugins import discover
from deepdance_plugins._ffmpeg import audio


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds."""
    return write_track(tmp_path_factory.mktemp("tracks") / "track.wav", make_track(120, 4)[0])


def read_sound(path: Path) -> tuple[np.ndarray, int]:
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.audio[0]))
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]), sum(f.samples for f in frames)


def test_samples_are_those_of_the_file(track):
    samples = discover().read_audio(track, RATE, 100)
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, make_track(120, 4)[0] * 32000 / 32768, atol=1e-3)
    assert len(discover().read_audio(track, RATE, 1.5)) == 1.5 * RATE


@pytest.mark.parametrize(("renderer", "suffix"), [("mp4", "mp4"), ("webm", "webm"), ("prores", "mov"), ("hap", "mov")])
@pytest.mark.parametrize("count", [40, 200])
def test_sound_is_as_long_as_the_video(track, tmp_path, renderer, suffix, count):
    path = tmp_path / f"dance.{suffix}"
    frames = [np.full((count // 2, 32, 48), 255, np.uint8)] * 2
    deepdance.renderer(renderer, music=str(track)).render(frames, 25, path)
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == count
    assert read_sound(path)[1] / audio.RATE == pytest.approx(count / 25, abs=1 / 25)
    heard = discover().read_audio(path, RATE, 100)
    loud = np.abs(heard[: 4 * RATE]).max()
    assert loud > 0.3
    if count / 25 > 4:  # the first beat of the second round
        assert np.abs(heard[int(4.3 * RATE) : int(4.45 * RATE)]).max() > loud / 2


def test_a_video_with_sound_is_music_too(track, tmp_path):
    video = tmp_path / "dance.mp4"
    deepdance.renderer("mp4", music=str(track)).render([np.full((50, 32, 48), 255, np.uint8)], 25, video)
    assert len(discover().read_audio(video, RATE, 100)) == pytest.approx(2 * RATE, abs=RATE / 25)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("text", "but ffmpeg says: "),
        ("empty", "but ffmpeg says: "),
        ("silent video", "got one without"),
        ("playlist", "but ffmpeg says: "),
        ("list of files", "but ffmpeg says: "),
    ],
)
def test_what_has_no_sound_is_refused(track, tmp_path, kind, reason):
    path = tmp_path / "track.mp3"
    if kind == "silent video":
        write_video(tmp_path / "silent.mp4", demo_frames(1, 10, (48, 80)), 10).rename(path)
    else:
        lists = {
            "playlist": f"#EXTM3U\n#EXTINF:4,\nfile://{track}\n",
            "list of files": f"ffconcat version 1.0\nfile '{track}'\n",
        }
        path.write_text({"text": "la la la", "empty": "", **lists}[kind])
    expected = rf"track\.mp3: expected a file with sound, {reason}.{{,99}}; choose another file"
    with pytest.raises(InputError, match=expected):
        discover().read_audio(path, RATE, 10)


def test_a_pipe_that_says_nothing_is_given_up(tmp_path, monkeypatch):
    import os
    import threading

    pipe = tmp_path / "endless.wav"
    os.mkfifo(pipe)
    monkeypatch.setattr("deepdance_plugins._ffmpeg.process.STALL_SECONDS", 1.0)
    holder = threading.Thread(target=lambda: pipe.open("wb"), daemon=True)
    holder.start()
    started = time.monotonic()
    with pytest.raises(InputError):
        discover().read_audio(pipe, RATE, 10)
    assert time.monotonic() - started < 20


def test_an_endless_header_costs_nothing(tmp_path, track):
    content = bytearray(track.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "huge.wav").write_bytes(content)
    assert len(discover().read_audio(tmp_path / "huge.wav", RATE, 100)) == 4 * RATE


def test_damaged_tracks_end_in_a_line_or_in_sound(track, tmp_path):
    rng = np.random.default_rng(0)
    whole = np.frombuffer(track.read_bytes(), np.uint8)
    for number in range(20):
        content = whole.copy()
        content[rng.integers(0, 60, 4)] = rng.integers(0, 256, 4)
        path = tmp_path / f"{number}.wav"
        path.write_bytes(content.tobytes())
        try:
            assert len(discover().read_audio(path, RATE, 10)) <= 10 * RATE
        except InputError as error:
            assert "\n" not in str(error)
