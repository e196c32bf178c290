"""A dance of any size, in any format: `--render-size`, `--renderer`, `--set renderer.…`, and `--out`."""

import json

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from conftest import SMALL_RUN

import deepdance
from deepdance.pipeline import decode_frames

MODELS = ("--codec", "pca", "--set", "codec.latent_dim=16", "--seq", "ridge", *SMALL_RUN)
RUN = "dancer-pca-ridge"


def read_rgb(path):
    """Frames `(n, h, w, 3)` and frames a second of a video."""
    reader = imageio_ffmpeg.read_frames(str(path))
    meta = next(reader)
    width, height = meta["size"]
    return np.stack([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]), meta["fps"]


def count_grey(frames):
    """Share of the pixels that are neither ink nor ground."""
    return np.mean((frames > 40) & (frames < 215))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Where the first test makes a run, and others go on."""
    return tmp_path_factory.mktemp("sized")


def test_a_dance_is_as_large_as_the_video(dd, video, workspace):
    result = dd("run", video, *MODELS, "--workspace", workspace, "--json")
    assert result.code == 0, result.err
    frames, fps = read_rgb(json.loads(result.out)["video"])
    assert (frames.shape, fps) == ((40, 120, 200, 3), 30)
    assert 0.01 < (frames < 128).mean() < 0.5
    assert count_grey(frames) < 0.02
    assert "render_size" not in (workspace / "runs" / RUN / "recipe.toml").read_text()


@pytest.mark.parametrize(("size", "shape"), [("640x384", (384, 640)), ("401x333", (334, 402)), ("32x24", (24, 32))])
def test_another_is_of_the_size_that_is_asked_for(dd, workspace, tmp_path, size, shape):
    result = dd("generate", RUN, "--workspace", workspace, "--render-size", size, "--out", "a.mp4")
    assert result.code == 0, result.err
    frames, _ = read_rgb(tmp_path / "a.mp4")
    assert frames.shape == (40, *shape, 3)
    assert 0.01 < (frames < 128).mean() < 0.5
    if shape[0] > 100:
        assert count_grey(frames) < 0.02


def test_a_size_in_a_recipe_is_kept(dd, video, workspace, tmp_path):
    sized = ("--render-size", "240x144", "--name", "sized", "--workspace", workspace)
    result = dd("run", video, *MODELS, *sized, "--json")
    assert result.code == 0, result.err
    assert read_rgb(json.loads(result.out)["video"])[0].shape[1:3] == (144, 240)
    assert 'render_size = "240x144"' in (workspace / "runs/sized/recipe.toml").read_text()
    assert dd("generate", "sized", "--workspace", workspace, "--out", "a.gif").code == 0
    assert read_rgb(tmp_path / "a.gif")[0].shape[1:3] == (144, 240)


def test_an_array_is_danced_on_at_its_own_size(dd, silhouettes, tmp_path):
    np.savez("dance.npz", frames=silhouettes.repeat(4, axis=1).repeat(4, axis=2), fps=10.0)
    result = dd("run", "dance.npz", "--codec", "pca", "--seq", "ridge", *SMALL_RUN[2:], "--json")
    assert result.code == 0, result.err
    assert read_rgb(json.loads(result.out)["video"])[0].shape[1:3] == (96, 160)


def test_a_renderer_and_its_options_are_chosen_for_one_dance(dd, workspace, tmp_path):
    more = ("--workspace", workspace, "--frames", 6, "--render-size", "80x48")
    wanted = ("--renderer", "hap", "--set", "renderer.ink=red", "--set", "renderer.ground=#00f")
    assert dd("generate", RUN, *more, *wanted, "--out", "a.mov").code == 0
    frames, _ = read_rgb(tmp_path / "a.mov")
    assert frames.shape == (6, 48, 80, 3)
    red, blue = (np.abs(frames.astype(int) - colour).max(axis=3) < 16 for colour in ((255, 0, 0), (0, 0, 255)))
    assert red.mean() > 0.01
    assert (red | blue).mean() > 0.9
    assert dd("generate", RUN, *more, "--set", "renderer.ink=navy", "--out", "b.mp4").code == 0
    assert np.abs(read_rgb(tmp_path / "b.mp4")[0].astype(int) - (0, 0, 128)).max(axis=3).min() < 12


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--render-size", "huge"],
            "--render-size: expected WIDTHxHEIGHT such as 1920x1080, each from 16 to 8192, got",
        ),
        (["--renderer", "hap", "--out", "a.mp4"], "--out: expected a name ending in .mov for hap, got 'a.mp4'"),
        (["--renderer", "hpa"], "no renderer is called 'hpa'; did you mean 'hap'?"),
        (
            ["--set", "codec.latent_dim=3"],
            "codec.latent_dim: expected what another dance may change, got what decides how",
        ),
        (["--set", "codec.dim=3"], "codec.dim: pca has no such option (it has: latent_dim, power_iterations)"),
        (
            ["--set", "sequence.context=3"],
            "got what decides how the sequence model is trained; for a new run: dd run VIDEO",
        ),
        (["--set", "remover.invert=true"], "for a new run: dd run VIDEO --set remover.invert=true"),
        (
            ["--set", "fps=5"],
            "fps: expected what another dance may change, got what decides how the models are trained",
        ),
        (["--set", "curv=linear"], "curv: recipe has no such option; did you mean 'curve'?"),
        (
            ["--seconds", "4", "--frames", "3"],
            "--seconds: expected one length of a dance, got --frames too; leave one of them out",
        ),
        (["--loop", "2", "--set", "seconds=4"], "--loop: expected one length of a dance, got --seconds too; leave"),
        (["--set", "ink=teal"], "ink: recipe has no such option; did you mean renderer.ink?"),
        (["--fps", "999"], "--fps: expected less than or equal to 240, got 999"),
        (["--seconds", "-1"], "--seconds: expected a length above 0, got -1.0"),
        (["--set", "renderer.scale=4"], "renderer.scale: mp4 has no such option (it has: ink, ground, music, crf)"),
        (["--set", "renderer.ground=transparent"], "renderer.ground: expected a colour, for nothing is transparent"),
        (["--out", "."], "--out: expected a new folder, or one of frames to replace, got ., which holds"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(dd, workspace, tmp_path, arguments, told):
    (tmp_path / "thesis.txt").touch()
    result = dd("generate", RUN, "--workspace", workspace, *arguments)
    (line,) = result.err.strip().splitlines()
    assert result.code == 2
    assert told in line
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("renderer", "made"),
    [("", "dance.mp4"), ("webm", "dance.webm"), ("hap", "dance.mov"), ("svg", "dance.svg"), ("png", "dance")],
)
def test_a_dance_that_nobody_named_has_the_ending_of_its_renderer(dd, workspace, tmp_path, renderer, made):
    asked = ("--renderer", renderer) if renderer else ()
    result = dd("generate", RUN, *asked, "--workspace", workspace, "--frames", 3, "--render-size", "80x48")
    assert result.code == 0, result.err
    looks, path = result.out.splitlines()
    assert looks.startswith("looks It ")
    assert path == f"video {made}"
    assert [path.name for path in tmp_path.iterdir()] == [made]
    before = [path.read_bytes() for path in tmp_path.glob(made) if path.is_file()]
    again = dd("generate", RUN, *asked, "--workspace", workspace, "--frames", 2, "--render-size", "80x48")
    assert again.out.splitlines()[1] == f"video {made.replace('dance', 'dance-2')}"
    assert [path.read_bytes() for path in tmp_path.glob(made) if path.is_file()] == before


@pytest.mark.parametrize(("renderer", "suffix"), [("png", "png"), ("svg", "svg")])
def test_a_folder_of_pictures_is_written_and_written_again(dd, workspace, tmp_path, renderer, suffix):
    asked = ("--workspace", workspace, "--renderer", renderer, "--out", "dance/", "--render-size", "80x48")
    for frames in (7, 5):
        result = dd("generate", RUN, *asked, "--frames", frames)
        assert result.code == 0, result.err
        names = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
        assert names == [f"{number:06d}.{suffix}" for number in range(1, frames + 1)]
    if renderer == "png":
        picture = cv2.imread(str(tmp_path / "dance/000001.png"), cv2.IMREAD_UNCHANGED)
        assert picture.shape == (48, 80, 4)
        assert (picture[..., :3] == 0).all()
        assert picture[..., 3].max() == 255


def test_a_run_may_end_in_a_folder(dd, video, workspace):
    folder = ("--name", "pictures", "--renderer", "png", "--render-size", "80x48", "--workspace", workspace)
    for _ in range(2):
        result = dd("run", video, *MODELS, *folder, "--json")
        assert result.code == 0, result.err
        assert len(list((workspace / "runs/pictures/dance").iterdir())) == 40
        assert json.loads(result.out)["video"].endswith("dance")
    assert "000001.png" not in repr(deepdance.open_run("pictures", workspace=workspace)._repr_html_())


def test_a_video_is_danced_on_at_its_own_size_without_a_jump(dd, video, workspace, tmp_path):
    asked = ("--run", RUN, "--workspace", workspace, "--seconds", 1, "--out", "e.mp4")
    assert dd("extend", video, *asked).code == 0
    frames, _ = read_rgb(tmp_path / "e.mp4")
    assert frames.shape == (8 * 30 + 30, 120, 200, 3)
    steps = np.abs(np.diff(frames[..., 0].astype(float), axis=0)).mean(axis=(1, 2))
    assert steps[239] <= np.percentile(steps[:239], 99)


def test_in_python_a_file_has_its_size_and_arrays_that_of_the_silhouettes(workspace, tmp_path):
    run = deepdance.open_run(RUN, workspace=workspace)
    assert run.dance(frames=4).shape == (4, 24, 40)
    run.generate(tmp_path / "a.gif", frames=4, render_size=(96, 160), renderer={"ink": "red"})
    frames, _ = read_rgb(tmp_path / "a.gif")
    assert frames.shape[1:3] == (96, 160)
    assert frames[..., 0].min() > 200
    run.generate(tmp_path / "b.mov", frames=4, render_size="64x48", renderer="hap")
    assert read_rgb(tmp_path / "b.mov")[0].shape == (4, 48, 64, 3)


def test_large_frames_come_a_few_at_a_time(workspace):
    run = deepdance.open_run(RUN, workspace=workspace)
    latents = run.latents[:20]
    chunks = list(decode_frames(run.codec, [latents], size=(1080, 1920)))
    assert [len(chunk) for chunk in chunks] == [8, 8, 4]
    assert {chunk.shape[1:] for chunk in chunks} == {(1080, 1920)}
    small = np.concatenate(list(decode_frames(run.codec, [latents], size=(24, 40))))
    assert np.array_equal(small, np.concatenate(list(decode_frames(run.codec, [latents]))))
