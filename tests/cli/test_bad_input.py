"""Each mistake ends in one line and exit code 2, and leaves no half-written artifact."""

import json
import resource
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from conftest import FAST, SHARED, SMALL_RUN, demo_frames, write_video

from deepdance.errors import InputError

FILES = {"text.mp4": b"not a video at all\n" * 50, "empty.mp4": b"", "notes.npy": b"\x93NUMPY is missing"}
WITH_VIDEO = [
    (["--codec", "conv_ae"], "no codec is called 'conv_ae'; did you mean 'conv-ae'?"),
    (["--seq", "lstm"], "no sequence is called 'lstm'; did you mean 'lstm4'?"),
    (
        ["--codec", "conv-ae", "--set", "codec.epoch=3"],
        "codec.epoch: conv-ae has no such option; did you mean 'epochs'?",
    ),
    (["--codec", "conv-ae", "--set", "codec.epochs=0"], "codec.epochs: expected greater than or equal to 1, got 0"),
    (["--codec", "conv-ae", "--set", "codec.epochs=many"], "codec.epochs: expected a valid integer"),
    (["--set", "epochs"], "--set: expected NAME=VALUE"),
    (["--preset", "fast"], "preset: expected 'quick', 'standard' or 'paper', got 'fast'"),
    (["--fps", "0"], "fps: expected greater than 0, got 0"),
    (["--size", "huge"], "--size: expected HEIGHTxWIDTH such as 120x200, got 'huge'"),
    (["--recipe", "none.toml"], "expected a recipe file, got none.toml, which does not exist"),
    (["--from", "tomorrow"], "--from: expected last, random, noise, a frame number or a video, got 'tomorrow'"),
    (["--temperature", "-1"], "temperature: expected greater than or equal to 0, got -1"),
    (["--nonsense"], "No such option: --nonsense"),
    (["--source", "demo"], "source: expected no video with the source demo"),
    (["--log", "jsnol"], "no logger is called 'jsnol'; did you mean 'jsonl'? (there are: jsonl, tensorboard)"),
]

ONE_EPOCH = ("--codec", "conv-ae", "--set", "codec.epochs=1")
"""More would be foretold on a slow machine."""


def assert_one_line(result, message):
    assert result.code == 2
    assert result.err.startswith("dd: ")
    assert message in result.err
    assert len(result.err.strip().splitlines()) == 1, result.err


def assert_nothing_half_written(workspace):
    for folder in (workspace / "artifacts").glob("*"):
        assert folder.name.startswith(".") or (folder / "manifest.json").exists()


@pytest.mark.parametrize("location", ["nothing.mp4", *FILES, "folder"])
def test_what_is_no_video(dd, tmp_path, location):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    assert_one_line(dd("run", location), "expected")
    assert_nothing_half_written(tmp_path / "workspace")


@pytest.mark.parametrize(("arguments", "message"), WITH_VIDEO, ids=[" ".join(words) for words, _ in WITH_VIDEO])
def test_wrong_options(dd, video, tmp_path, arguments, message):
    assert_one_line(dd("run", video, *arguments), message)
    assert not (tmp_path / "workspace").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seq", "lstm4", "--fps", "1"], "expected a clip of more than 10 frames to learn from"),
        ([*ONE_EPOCH, "--size", "20x40"], "expected a height and width divisible by 8, got 20x40"),
    ],
)
def test_options_that_the_frames_do_not_allow(dd, video, tmp_path, arguments, message):
    assert_one_line(dd("run", video, "--remover", "threshold", *arguments), message)
    assert_nothing_half_written(tmp_path / "workspace")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["generate", "none"], "expected a run in"),
        (["extend", ".", "--run", "none"], "expected a run in"),
        (["prepare"], "Missing argument 'VIDEO...'"),
        (["plugins", "show", "conv"], "did you mean 'conv-ae'?"),
    ],
)
def test_wrong_arguments(dd, command, message):
    assert_one_line(dd(*command), message)


def test_an_unknown_ending(dd, video):
    assert dd("run", video, "--codec", "pca", "--seq", "gru", *FAST).code == 0
    assert_one_line(dd("generate", "dancer-pca-gru", "--out", "dance.txt"), "ending in .gif, .mov, .mp4, .png, ")


def test_a_workspace_that_is_a_file(dd, video, tmp_path):
    (tmp_path / "file").write_text("")
    assert_one_line(dd("run", video, "--workspace", "file"), "choose another folder with --workspace")


def test_an_array_without_enough_frames(dd, tmp_path):
    np.save(tmp_path / "few.npy", np.zeros((5, 24, 40), np.uint8) + np.uint8([0] * 10 + [255] * 30))
    assert_one_line(dd("run", "few.npy", "--codec", "pca", "--seq", "lstm4", "--size", "24x40"), "got 5 at 3")


@contextmanager
def files_of_at_most(size):
    """A disk that is full when a file has so many bytes."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_keeps_finished_stages(dd, video, tmp_path):
    arguments = ("run", video, "--codec", "pca", "--seq", "gru", *FAST)
    with files_of_at_most(200_000):
        result = dd(*arguments)
    assert_one_line(result, "dd: ")
    assert_nothing_half_written(tmp_path / "workspace")
    assert any(folder.name.startswith("silhouettes-") for folder in (tmp_path / "workspace/artifacts").iterdir())
    assert dd(*arguments).code == 0


def test_a_disk_that_is_full_while_a_video_is_read_does_not_cut_it_short(dd, video, tmp_path):
    with files_of_at_most(90_000):
        result = dd("prepare", video, *SMALL_RUN[:6])
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("dd: could not write or read: File too large")
    assert list((tmp_path / "workspace").rglob("silhouettes.npy")) == []


def test_debug_shows_where(dd, monkeypatch):
    for arguments in (("run", "nothing.mp4", "--debug"), ("--debug", "run", "nothing.mp4")):
        with pytest.raises(InputError, match="does not exist"):
            dd(*arguments)
    assert dd("run", "nothing.mp4").err.count("\n") == 1


def test_a_render_that_fails_leaves_no_file(dd, video, tmp_path):
    assert dd("run", video, "--codec", "pca", "--seq", "gru", *FAST).code == 0
    (tmp_path / "blocked").write_text("")
    assert dd("generate", "dancer-pca-gru", "--out", "blocked/dance.mp4").code == 2
    assert not list(tmp_path.glob("**/.dance*"))


ODD = sorted(path for path in (SHARED / "odd").rglob("*") if path.suffix not in (".md", "")) if SHARED.is_dir() else []


@pytest.mark.skipif(not ODD, reason="needs shared/data")
@pytest.mark.parametrize("path", ODD, ids=lambda path: path.name)
def test_odd_videos_end_in_a_right_result_or_one_line(dd, tmp_path, path):
    result = dd("prepare", path, "--json")
    assert "Traceback" not in result.err
    if result.code == 0:
        (prepared,) = json.loads(result.out)
        frames = np.load(tmp_path / prepared["folder"] / "silhouettes.npy")
        assert 20_000 < np.prod(frames.shape[1:]) < 28_000
        assert len(frames) == prepared["frames"] > 0
    else:
        assert_one_line(result, "expected")
        assert_nothing_half_written(tmp_path / "workspace")


def test_the_video_that_is_read_is_never_overwritten(dd, video, tmp_path):
    copy = Path(shutil.copy(video, tmp_path / "dancer.mp4"))
    assert dd("run", copy, "--codec", "pca", "--seq", "gru", *FAST).code == 0
    result = dd("extend", copy, "--run", "dancer-pca-gru", "--out", copy)
    assert_one_line(result, "--out: expected another place than that of the video")
    again = dd("generate", "dancer-pca-gru", "--out", "dancer.mp4")
    assert_one_line(again, "--out: expected another place than that of the video")
    assert dd("generate", "dancer-pca-gru", "--frames", 3, "--out", "another.mp4").code == 0
    extended = dd("extend", "another.mp4", "--run", "dancer-pca-gru", "--out", "dancer.mp4")
    assert_one_line(extended, "--out: expected another place than that of the video")
    assert copy.read_bytes() == video.read_bytes()


@pytest.mark.parametrize("start", ["400", "VIDEO"])
def test_a_start_out_of_reach_is_told_before_training(dd, video, tmp_path, start):
    short = write_video(tmp_path / "short.mp4", demo_frames(0.5, 10, (48, 80)), 10)
    result = dd("run", video, "--seq", "lstm4", *FAST, "--from", short if start == "VIDEO" else start)
    assert_one_line(result, "expected")
    made = [folder.name.split("-")[0] for folder in (tmp_path / "workspace/artifacts").glob("[!.]*")]
    assert made == ["silhouettes"] * (2 if start == "VIDEO" else 1)
