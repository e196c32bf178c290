"""What follows a run: logs, and a plugin that is really installed."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from conftest import demo_frames
from wheels import install, wheel, with_site

SMALL = ("--remover", "threshold", "--size", "24x40", "--frames", "40", "--codec", "pca", "--set", "codec.latent_dim=8")
TINY = ("--seq", "gru", "--set=sequence.layers=1", "--set=sequence.units=8", "--set=sequence.epochs=2")
FOLLOWER = """
import json
from dataclasses import asdict
from pathlib import Path
from deepdance.plugins import hookimpl

@hookimpl
def deepdance_event(event):
    with Path("heard.jsonl").open("a") as file:
        file.write(json.dumps([type(event).__name__, asdict(event)], default=str) + "\\n")
"""
RAISER = """
from deepdance.plugins import hookimpl

@hookimpl
def deepdance_event(event):
    raise RuntimeError("no room to write")
"""


@pytest.fixture(scope="module")
def dance(tmp_path_factory):
    """Six seconds of the demo dancer, as an array."""
    path = tmp_path_factory.mktemp("dance") / "dance.npz"
    np.savez(path, frames=demo_frames(6, 10, (96, 160)), fps=10.0)
    return path


@pytest.fixture(scope="module")
def trained(dance):
    """A run with a training in it, which tests share, logged in both ways."""
    workspace = dance.with_name("workspace")
    logged = ("--name", "small", "--workspace", workspace, "--log", "tensorboard", "--log", "jsonl")
    return ("run", dance, *SMALL, "--fps", "10", *TINY, *logged), workspace


def lines(path: Path) -> list[dict]:
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]


def names(records: list[dict]) -> list[str]:
    """Each event with its stage, where it has one; progress aside."""
    return [":".join(filter(None, (r["event"], r.get("stage")))) for r in records if r["event"] != "Progress"]


def test_a_run_tells_its_events_in_order_and_what_is_kept_is_told_so(dd, trained):
    arguments, workspace = trained
    assert dd(*arguments).code == 0
    log = workspace / "runs/small/log.jsonl"
    first = lines(log)
    assert names(first) == [
        "RunStarted",
        *("StageStarted:models", "StageFinished:models"),
        *("StageStarted:silhouettes", "ArtifactReady:silhouettes", "StageFinished:silhouettes"),
        *("StageStarted:codec", "EpochFinished:codec", "ArtifactReady:codec", "StageFinished:codec"),
        *("StageStarted:latents", "ArtifactReady:latents", "StageFinished:latents"),
        *("StageStarted:sequence", "EpochFinished:sequence", "EpochFinished:sequence"),
        *("ArtifactReady:sequence", "StageFinished:sequence"),
        *("StageStarted:evaluation", "ArtifactReady:evaluation", "StageFinished:evaluation"),
        *("StageStarted:render", "StageFinished:render"),
        *("StageStarted:report", "StageFinished:report"),
        "RunFinished",
    ]
    assert first[0]["recipe"]["codec"]["latent_dim"] == 8
    times = [datetime.fromisoformat(record["time"]) for record in first]
    assert times == sorted(times)
    assert times[0].tzinfo is not None
    epochs = [record for record in first if record["event"] == "EpochFinished"]
    assert [(record["epoch"], record["epochs"]) for record in epochs] == [(1, 1), (1, 2), (2, 2)]
    assert epochs[2]["metrics"].keys() >= {"loss", "acc", "val_loss", "val_acc"}
    for record in (record for record in first if record["event"] == "ArtifactReady"):
        assert Path(record["folder"]).name == f"{record['stage']}-{record['key']}"
        assert (Path(record["folder"]) / "manifest.json").is_file()
        assert record["reused"] is False
    progress = [record for record in first if record["event"] == "Progress"]
    assert {record["stage"] for record in progress} >= {"silhouettes", "latents", "sequence", "render"}

    assert dd(*arguments).code == 0
    second = lines(log)[len(first) :]
    assert "EpochFinished:sequence" not in names(second)
    assert {r["reused"] for r in second if r["event"] == "ArtifactReady"} == {True}
    assert second[-1]["event"] == "RunFinished"
    assert dd("generate", "small", "--workspace", workspace, "--out", "again.gif", "--log", "jsonl").code == 0
    third = lines(log)[len(first) + len(second) :]
    assert names(third) == [
        "RunStarted",
        *("StageStarted:models", "StageFinished:models"),
        *("StageStarted:render", "StageFinished:render"),
        "RunFinished",
    ]
    assert third[-1]["video"] == "again.gif"


def test_after_an_error_the_last_line_tells_it(dd, dance, tmp_path):
    result = dd("run", dance, *SMALL, "--seq", "ridge", "--set", "sequence.context=70", "--name", "x", "--log", "jsonl")
    assert result.code == 2
    last = lines(tmp_path / "workspace/runs/x/log.jsonl")[-1]
    assert (last["event"], last["error"]) == ("Failed", "InputError")
    assert f"dd: {last['message']}\n" == result.err


def test_after_ctrl_c_the_last_line_tells_it(dd, dance, tmp_path, monkeypatch):
    from deepdance_plugins.codecs.pca import PCA

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(PCA, "fit", interrupted)
    assert dd("run", dance, *SMALL, "--seq", "ridge", "--name", "x", "--log", "jsonl").code == 130
    assert lines(tmp_path / "workspace/runs/x/log.jsonl")[-1]["error"] == "KeyboardInterrupt"


def test_numbers_that_json_cannot_hold_become_null(tmp_path):
    from deepdance.events import EpochFinished, Progress, RunStarted
    from deepdance.interfaces import Options
    from deepdance_plugins.loggers.jsonl import JsonLines

    log = JsonLines(Options())
    log(RunStarted("x", tmp_path, {"size": (24, 40)}))
    log(EpochFinished("codec", 1, 1, {"loss": float("nan"), "acc": np.float32(0.5), "val_loss": np.inf}))
    for done in range(1, 1001):
        log(Progress("codec", done, 1000))
    started, epoch, *progress = lines(tmp_path / "log.jsonl")
    assert started["recipe"] == {"size": [24, 40]}
    assert epoch["metrics"] == {"loss": None, "acc": 0.5, "val_loss": None}
    assert [record["done"] for record in (progress[0], progress[-1])] == [1, 1000]
    assert len(progress) < 20


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """What the TensorBoard files of a folder hold: by tag and step."""
    import tensorflow as tf

    found: dict[str, dict[int, float]] = {}
    for path in sorted(folder.iterdir()):
        records = tf.data.TFRecordDataset(str(path))
        first, *events = [tf.compat.v1.Event.FromString(record.numpy()) for record in records]
        assert first.file_version == "brain.Event:2"
        for event in events:
            for value in event.summary.value:
                assert event.step not in found.setdefault(value.tag, {})
                found[value.tag][event.step] = value.simple_value
    return found


def test_tensorboard_has_the_curves_of_both_trainings(dd, trained):
    arguments, workspace = trained
    assert dd(*arguments).code == 0
    folder = workspace / "runs/small"
    logged = scalars(folder / "tensorboard")
    epochs = [record for record in lines(folder / "log.jsonl") if record["event"] == "EpochFinished"]
    assert set(logged) >= {"codec/loss", "codec/val_acc", "sequence/loss", "sequence/val_loss"}
    assert list(logged["sequence/loss"]) == [1, 2]
    for record in epochs:
        for name, value in record["metrics"].items():
            assert logged[f"{record['stage']}/{name}"][record["epoch"]] == pytest.approx(value)

    assert dd(*arguments).code == 0
    assert scalars(folder / "tensorboard") == logged
    assert dd(*arguments, "--name", "kept").code == 0
    assert scalars(workspace / "runs/kept/tensorboard") == logged


def test_a_log_that_cannot_be_written_is_switched_off_and_the_run_goes_on(dd, dance, tmp_path):
    command = ("run", dance, *SMALL, "--seq", "ridge", "--name", "small")
    assert dd(*command).code == 0
    (tmp_path / "workspace/runs/small/log.jsonl").mkdir()
    result = dd(*command, "--log", "jsonl")
    assert result.code == 0
    assert result.err.count("warning: ") == result.err.count("switched off") == 1
    assert "warning: the log jsonl failed at RunStarted and is switched off: IsADirectoryError" in result.err


def test_installed_plugins_follow_a_run_and_one_that_raises_is_named_once(dance, tmp_path):
    ear = wheel(tmp_path, "dance-ear", "1.5", {"dance_ear.py": FOLLOWER})
    raiser = wheel(tmp_path, "dance-raiser", "1.5", {"dance_raiser.py": RAISER})
    install([ear, raiser], tmp_path / "site")
    command = [Path(sys.executable).with_name("deepdance"), "run", dance, *SMALL, "--seq", "ridge"]
    env = with_site(tmp_path / "site")
    result = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stderr
    warning = "warning: the plugin raiser of dance-raiser 1.5 failed at RunStarted and is switched off: RuntimeError"
    assert [line.startswith(warning) for line in result.stderr.splitlines()] == [True]
    heard = lines(tmp_path / "heard.jsonl")
    assert (heard[0][0], heard[-1][0]) == ("RunStarted", "RunFinished")
    assert "switched off" in next(fields["message"] for name, fields in heard if name == "Warned")
