import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import FAST, SMALL_RUN, demo_frames, probe, write_video

PCA = ("--codec", "pca", "--set", "codec.latent_dim=16")
CONV_AE = ("--codec", "conv-ae", "--set", "codec.epochs=2")


def stages(workspace):
    folders = (workspace / "artifacts").iterdir()
    return sorted(folder.name.rpartition("-")[0] for folder in folders if not folder.name.startswith("."))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Where the first test runs the paper's two models, small, on a real video, and others go on."""
    return tmp_path_factory.mktemp("finished")


def test_the_papers_command_from_a_video_to_a_dance(dd, video, workspace):
    result = dd("run", video, *CONV_AE, "--seq", "lstm4", "--workspace", workspace, *FAST, "--json")
    assert result.code == 0, result.err
    report = json.loads(result.out)
    meta, frames = probe(report["video"])
    assert (meta["codec"], meta["fps"], frames.shape) == ("h264", 30, (40, 120, 200))
    assert report["run"] == "dancer-conv-ae-lstm4"
    assert report["looks"]["sentence"].startswith("It ")
    codec, sequence = report["paper_table"]
    assert (codec["epochs"], sequence["epochs"]) == (2, 2)
    assert 0 < codec["val_acc"] <= codec["ceiling_acc"] < 1
    assert codec["copy_last_acc"] > 0.5
    assert sequence["val_loss"] > 0
    folder = workspace / "runs" / report["run"]
    made = {"recipe.toml", "run.json", "metrics.json", "dance.mp4", "dance.npy", "report.html"}
    assert {path.name for path in folder.iterdir()} == made
    assert report["report"] == str(folder / "report.html")
    assert stages(workspace) == ["codec", "evaluation", "latents", "sequence", "silhouettes"]


def test_another_sequence_model_reuses_the_rest(dd, video, workspace):
    arguments = ("run", video, *CONV_AE, "--seq", "gru", "--workspace", workspace, *FAST, "--table")
    result = dd(*arguments)
    assert result.code == 0, result.err
    assert stages(workspace) == ["codec", "evaluation", "evaluation", "latents", "sequence", "sequence", "silhouettes"]
    assert "the paper" in result.out
    assert ".964" in result.out
    before = sorted((workspace / "artifacts").iterdir())
    assert dd(*arguments).code == 0
    assert sorted((workspace / "artifacts").iterdir()) == before


def test_a_finished_run_can_be_evaluated_generated_and_listed(dd, video, workspace, tmp_path):
    run = "dancer-conv-ae-lstm4"
    evaluated = dd("evaluate", run, "--workspace", workspace, "--json")
    assert [row["stage"] for row in json.loads(evaluated.out)["paper_table"]] == ["codec", "sequence"]
    starts = {"a.mp4": "random", "b.gif": 3, "c.png": "last", "d.mp4": video, "e.png": "noise"}
    for name, start in starts.items():
        result = dd("generate", workspace / "runs" / run, "--frames", 20, "--fps", 25, "--from", start, "--out", name)
        assert result.code == 0, result.err
        assert (tmp_path / name).stat().st_size > 0
    meta, frames = probe(tmp_path / "a.mp4")
    assert (meta["fps"], len(frames)) == (25, 20)
    listed = json.loads(dd("runs", "--workspace", workspace, "--json").out)
    assert run in [entry["name"] for entry in listed]
    assert all(entry["status"] == "finished" for entry in listed)
    assert run in dd("runs", "--workspace", workspace).out


def test_temperature_and_seed_reach_a_model_that_knows_chance(dd, video, tmp_path):
    small = ("--size", "24x40", "--fps", "10", "--frames", "90")
    result = dd("run", video, *PCA, "--seq", "texture", *small, "--temperature", 0.5)
    assert result.code == 0, result.err
    assert "temperature = 0.5" in (tmp_path / "workspace/runs/dancer-pca-texture/recipe.toml").read_text()
    dances = []
    for temperature, seed in ((0, 1), (0, 2), (9, 1), (9, 1), (9, 2)):
        more = ("--temperature", temperature, "--seed", seed, "--out", "dance.mp4")
        assert dd("generate", "dancer-pca-texture", *more).code == 0
        dances.append(probe(tmp_path / "dance.mp4")[1])
    assert [np.array_equal(one, other) for one, other in pairwise(dances)] == [True, False, True, False]


def test_a_loop_is_as_long_as_was_asked_for_and_what_is_danced_on_is_none(dd, video, tmp_path):
    def read(name):
        return probe(tmp_path / name)[1].astype(float)

    result = dd("run", video, *PCA, "--seq", "motion-field", "--size", "24x40", "--fps", "10", "--loop", 2)
    assert result.code == 0, result.err
    run = "dancer-pca-motion-field"
    loop = read(f"workspace/runs/{run}/dance.mp4")
    assert len(loop) == 60
    steps = np.abs(loop - np.roll(loop, 1, axis=0)).mean(axis=(1, 2))
    assert steps[0] <= steps[1:].max()
    assert dd("generate", run, "--loop", 1.5, "--fps", 20, "--out", "shorter.mp4").code == 0
    assert dd("generate", run, "--loop", 0, "--frames", 7, "--out", "none.mp4").code == 0
    assert dd("extend", video, "--run", run, "--seconds", 1, "--out", "on.mp4").code == 0
    assert [len(read(name)) for name in ("shorter.mp4", "none.mp4", "on.mp4")] == [30, 7, 270]


def test_extend_shows_the_video_and_goes_on_without_a_jump(dd, video, workspace, tmp_path):
    run = ("--run", "dancer-conv-ae-lstm4", "--workspace", workspace)
    result = dd("extend", video, *run, "--seconds", 1, "--out", "e.mp4")
    assert result.code == 0, result.err
    _, frames = probe(tmp_path / "e.mp4")
    assert len(frames) == 8 * 30 + 30
    assert (frames[:240] < 128).any(axis=(1, 2)).all()
    differences = np.abs(np.diff(frames.astype(float), axis=0)).mean(axis=(1, 2))
    assert differences[239] <= np.percentile(differences[:239], 99)


def test_several_videos_images_and_arrays_in_one_run(dd, video, tmp_path):
    import cv2

    frames = demo_frames(4, 10, (48, 80), seed=2)
    (tmp_path / "pictures").mkdir()
    for number, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / "pictures" / f"{number}.png"), frame[..., ::-1])
    np.savez(tmp_path / "cuts.npz", frames=frames, fps=10.0, shot_starts=np.array([0, 25]))
    result = dd("run", video, "pictures", "cuts.npz", *PCA, "--seq", "ridge", *SMALL_RUN, "--json")
    assert result.code == 0, result.err
    record = json.loads((tmp_path / "workspace/runs" / json.loads(result.out)["run"] / "run.json").read_text())
    assert len(record["artifacts"]["silhouettes"]) == 3
    folder = tmp_path / "workspace/artifacts" / record["artifacts"]["silhouettes"][2]
    clips = json.loads((folder / "clips.json").read_text())
    assert [(clip["start"], clip["stop"]) for clip in clips] == [(0, 25), (25, 40)]


def test_a_slow_video_is_read_at_its_own_rate_unless_another_is_asked_for(dd, silhouettes):
    np.savez("slow.npz", frames=silhouettes, fps=4.0)
    read = [json.loads(dd("prepare", "slow.npz", "--json", *rate).out)[0] for rate in ([], ["--fps", 8])]
    assert [one["frames"] for one in read] == [120, 239]


def test_a_folder_of_videos_is_each_of_them(dd, tmp_path):
    (tmp_path / "clips").mkdir()
    for name in ("b10.mp4", "b9.mp4"):
        write_video(tmp_path / "clips" / name, demo_frames(3, 10, (48, 80)), 10)
    prepared = json.loads(dd("prepare", "clips", "--fps", 10, "--size", "24x40", "--json").out)
    read = [(Path(entry["input"]).name, entry["frames"]) for entry in prepared]
    assert read == [("b9.mp4", 30), ("b10.mp4", 30)]


def test_without_a_video_the_demo_dancer_is_used_and_the_first_line_says_so(dd):
    result = dd("run", *PCA, "--seq", "ridge", *SMALL_RUN, "--set", "source.seconds=6")
    assert result.code == 0, result.err
    first = result.out.splitlines()[0]
    assert "demo dancer" in first
    assert "dd run my-video.mp4" in first


def test_a_recipe_repeats_a_run(dd, video, tmp_path):
    first = dd("run", video, *PCA, "--seq", "gru", *FAST, "--seed", 3, "--json")
    folder = json.loads(first.out)["folder"]
    again = dd("run", video, "--recipe", f"{folder}/recipe.toml", "--json")
    assert json.loads(again.out)["folder"] == folder


def test_training_goes_on_after_ctrl_c(dd, video, tmp_path, monkeypatch):
    from deepdance_plugins.networks import training as keras_training

    checkpoint = keras_training._checkpoint
    saved = []

    def interrupted(model, folder, history):
        checkpoint(model, folder, history)
        saved.append(len(history))
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(keras_training, "_checkpoint", interrupted)
    arguments = ("run", video, *PCA, "--seq", "gru", *FAST, "--set", "sequence.epochs=4")
    stopped = dd(*arguments)
    assert stopped.code == 130
    assert stopped.err.strip() == "dd: stopped; finished stages are kept, the same command goes on from there"
    assert stages(tmp_path / "workspace") == ["codec", "latents", "silhouettes"]
    assert dd(*arguments).code == 0
    assert saved == [1, 2, 3, 4]


def test_fresh_makes_silhouettes_anew_and_an_unknown_stage_is_told(dd, tmp_path):
    prepare = ("prepare", "demo", "--size", "24x40", "--fps", "5", "--json")
    (first,), (kept,), (fresh,) = (json.loads(dd(*prepare, *more).out) for more in ((), (), ("--fresh", "silhouettes")))
    assert first["folder"] == kept["folder"] != fresh["folder"]
    assert first["frames"] == fresh["frames"]
    wrong = dd("evaluate", "one", "--fresh", "codec")
    assert (wrong.code, wrong.out) == (2, "")
    assert "--fresh: expected one of evaluation, codec_table, " in wrong.err
    assert "got 'codec'; did you mean 'codec_table'?" in wrong.err


def test_a_wild_learning_rate_ends_in_a_line_whose_advice_helps_and_the_codec_stays(dd, video, tmp_path):
    command = ("run", video, *FAST, "--codec", "pca", "--seq", "lstm4")
    result = dd(*command, "--set", "sequence.learning_rate=1e9")
    assert result.code == 2
    told = result.err.splitlines()[-1]
    assert told.startswith("dd: LSTM4: expected a ")
    assert "in epoch 1 of 2; its learning rate of 1e+09 is too high: try --set " in told
    (codec,) = (tmp_path / "workspace/artifacts").glob("codec-*")
    made = codec.stat().st_mtime_ns
    again = dd(*command, "--set", told.rpartition("--set ")[2])
    assert again.code == 0, again.err
    assert [(path, path.stat().st_mtime_ns) for path in codec.parent.glob("codec-*")] == [(codec, made)]
