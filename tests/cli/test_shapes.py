"""What is no dancer stops a run before anything is learned; a portrait video gives a portrait dance."""

import json

import cv2
import numpy as np
import pytest
from conftest import write_video
from dancers import draw_dancer

import deepdance
from deepdance.errors import InputError

FAST = ("--codec", "pca", "--seq", "ridge", "--frames", "20")


def film(path, silhouettes, scale=2):
    """Silhouettes `(n, h, w)` as a video, enlarged."""
    grown = silhouettes.repeat(scale, axis=1).repeat(scale, axis=2)
    return write_video(path, grown[..., None].repeat(3, axis=3), 10)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A dancer, one in white on black, nobody, and one upright, each six seconds."""
    folder, dancer = tmp_path_factory.mktemp("videos"), draw_dancer(60, 0)
    made = {"dancer": dancer, "inverted": 255 - dancer, "nobody": np.full_like(dancer, 255)}
    return {
        "portrait": film(folder / "portrait.mp4", dancer[:, :, 33:67], 4),
        **{name: film(folder / f"{name}.mp4", frames) for name, frames in made.items()},
    }


def stages(workspace):
    return {folder.name.partition("-")[0] for folder in (workspace / "artifacts").glob("[!.]*")}


def read_size(path):
    reader = cv2.VideoCapture(str(path))
    return int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(reader.get(cv2.CAP_PROP_FRAME_WIDTH))


def test_a_run_stops_before_it_learns_from_what_is_no_dancer(dd, videos, tmp_path):
    result = dd("run", videos["dancer"], videos["inverted"], *FAST, "--remover", "threshold")
    (line,) = result.err.strip().splitlines()
    assert result.code == 2
    assert line.startswith("dd: inverted.mp4: expected a dancer, got a shape on 9")
    assert line.endswith(".png; try --set remover.invert=true, or go on with --force")
    (sheet,) = (tmp_path / "workspace").rglob("sheet.png")
    assert str(sheet.relative_to(tmp_path)) in line
    assert stages(tmp_path / "workspace") == {"silhouettes"}
    assert dd("run", videos["inverted"], *FAST, "--set", "remover.invert=true").code == 0


def test_force_goes_on_and_tells(dd, videos):
    result = dd("run", videos["inverted"], *FAST, "--remover", "threshold", "--force")
    assert result.code == 0, result.err
    assert "expected a dancer, got a shape on 9" in result.err
    assert "--force" not in result.err


def test_prepare_tells_and_goes_on(dd, videos):
    result = dd("prepare", videos["dancer"], videos["nobody"], "--json")
    assert result.code == 0
    assert len(json.loads(result.out)) == 2
    assert "nobody.mp4: expected a dancer, got a shape on 0.0% of the picture (at least 0.3%)" in result.err
    assert "dancer.mp4: expected" not in result.err


def test_arrays_are_looked_at_too(tmp_path, log):
    """Two tones are read with the rarer one as the dancer; what is told to be dark may look inverted."""
    frames = 255 - draw_dancer(60, 0)[:, 2:58, 2:98]
    chosen = {"codec": "pca", "sequence": "ridge", "frames": 20, "source": {"name": "array", "dancer": "dark"}}
    with pytest.raises(InputError, match=r"it looks inverted; .*; save it with 0 for the dancer and 255 for"):
        deepdance.run(frames, workspace=tmp_path, **chosen)
    assert deepdance.run(255 - frames, workspace=tmp_path, **chosen).frames.shape == (20, 56, 96)
    assert deepdance.run(frames, workspace=tmp_path, force=True, **chosen).frames.shape == (20, 56, 96)


def test_a_video_that_is_danced_on_or_measured_is_told_of(dd, videos):
    assert dd("run", videos["dancer"], *FAST, "--name", "one").code == 0
    told = "nobody.mp4: expected a dancer, got"
    assert told in dd("extend", videos["nobody"], "--run", "one", "--out", "more.mp4").err
    assert told in dd("generate", "one", "--from", videos["nobody"], "--out", "more.gif").err
    assert told in dd("measure", videos["nobody"], "--run", "one").err


def test_a_portrait_video_gives_a_portrait_dance(dd, videos, tmp_path):
    made = dd("run", videos["portrait"], *FAST, "--name", "one", "--json")
    assert made.code == 0, made.err
    assert deepdance.open_run(tmp_path / "workspace/runs/one").frames.shape == (20, 208, 120)
    assert read_size(json.loads(made.out)["video"]) == (240, 136)
    assert dd("generate", "one", "--from", videos["dancer"], "--frames", "20", "--out", "new.gif").code == 0
    assert dd("extend", videos["dancer"], "--run", "one", "--seconds", "1", "--out", "more.mp4").code == 0
    assert read_size("new.gif")[0] > read_size("new.gif")[1]
    height, width = read_size("more.mp4")
    assert height / width == pytest.approx(208 / 120, rel=0.02)
    assert dd("generate", "one", "--frames", "20", "--out", "sheet.png").code == 0
    assert dd("evaluate", "one", "--frames", "60", "--seeds", "1").code == 0


def test_a_landscape_video_after_a_portrait_one_lies_between_white_bands(dd, videos):
    result = dd("prepare", videos["portrait"], videos["dancer"], "--json")
    assert result.err.count("of another shape than the silhouettes, 208x120, and fills") == 1
    frames = np.load(f"{json.loads(result.out)[1]['folder']}/silhouettes.npy")
    assert frames.shape == (60, 208, 120)
    assert (frames[:, :60] == 255).all() and (frames[:, -60:] == 255).all()
    assert (frames[:, 68:140] < 128).any()
