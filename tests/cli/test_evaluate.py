import json

import pytest
from conftest import FAST

from deepdance.evaluation import report
from deepdance.events import Progress
from deepdance.pipeline import Studio
from deepdance.plugins import discover
from deepdance.workspace import Workspace

TINY = (
    *("--codec", "pca", "--set", "codec.latent_dim=8", "--set", "source.seconds=30"),
    *("--seq", "gru", *FAST, "--set", "sequence.layers=1", "--set", "sequence.epochs=1"),
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluated")


@pytest.fixture
def trained(dd, workspace):
    """A workspace with the runs `one` and `two`, whose sequence models differ."""
    if not (workspace / "runs").exists():
        for name, model in (("one", "sequence.units=16"), ("two", "sequence.units=8")):
            result = dd("run", *TINY, "--set", model, "--name", name, "--workspace", workspace)
            assert result.code == 0, result.err
    return workspace


def rows(table, horizon=None):
    return {row["role"]: row["figures"] for row in table["rows"] if row["horizon"] == horizon}


def test_evaluate_measures_the_codec_and_the_next_frame(dd, trained):
    result = dd("evaluate", "one", "--workspace", trained, "--json")
    assert result.code == 0, result.err
    measured = json.loads(result.out)
    assert [row["stage"] for row in measured["paper_table"]] == ["codec", "sequence"]
    codec = rows(measured["tables"]["codec"])
    assert set(codec) == {"model", "real", "copy"}
    for figure in (codec["model"][key] for key in ("iou", "boundary_iou", "limb_recall", "psnr", "ssim", "accuracy")):
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert codec["model"]["accuracy"]["value"] == pytest.approx(measured["paper_table"][0]["val_acc"], abs=1e-4)
    assert codec["model"]["accuracy"]["value"] <= codec["real"]["accuracy"]["value"] < 1
    assert codec["model"]["strred"] is None  # too small for it
    for horizon in (1, 2, 5, 10):
        ahead = rows(measured["tables"]["next_frame"], horizon)
        assert set(ahead) == {"model", "copy", "ceiling"}
        assert ahead["copy"]["skill"]["value"] == 0
        assert ahead["model"]["skill"]["value"] < 1


def test_the_tables_show_intervals_and_baselines(dd, trained):
    result = dd("evaluate", "one", "--workspace", trained)
    assert result.code == 0, result.err
    for text in ("the paper", "real, held out", "copy the last frame", "the codec alone", "limb recall", " ±."):
        assert text in result.out
    assert max(map(len, result.out.splitlines())) < 140


def test_a_second_evaluation_reads_what_the_first_kept(dd, trained):
    first = dd("evaluate", "one", "--workspace", trained, "--json")
    before = {path: path.stat().st_mtime_ns for path in (trained / "artifacts").glob("*/table.json")}
    again = dd("evaluate", "one", "--workspace", trained, "--json")
    assert again.out == first.out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    saved = json.loads((trained / "runs/one/evaluation.json").read_text())
    assert saved == json.loads(first.out)["tables"]


def test_compare_has_a_row_a_run_and_measures_a_shared_codec_once(dd, trained):
    result = dd("compare", "one", trained / "runs" / "two", "--workspace", trained, "--json")
    assert result.code == 0, result.err
    table = json.loads(result.out)
    assert [row["name"] for row in table["rows"]] == ["one", "two", "real, held out", "copy the last frame"]
    first, second = (row["figures"] for row in table["rows"][:2])
    assert first["codec.iou"] == second["codec.iou"]
    assert first["next_frame.skill.1"] != second["next_frame.skill.1"]
    assert len(list((trained / "artifacts").glob("codec_table-*"))) == 1
    assert len(list((trained / "artifacts").glob("next_frame_table-*"))) == 2
    shown = dd("compare", "one", "two", "--workspace", trained)
    assert "one: pca × gru" in shown.out
    assert not shown.err


def test_a_run_that_is_not_there_is_told_in_one_line(dd, trained):
    for command in ("evaluate", "compare"):
        result = dd(command, "nobody", "--workspace", trained)
        assert result.code == 2
        assert result.err.count("\n") == 1
        assert "one, two" in result.err


def test_progress_is_told_while_measuring(dd, trained, tmp_path):
    import shutil

    for kept in (trained / "artifacts").glob("*_table-*"):
        shutil.copytree(kept, tmp_path / kept.name)
        shutil.rmtree(kept)
    told = []
    report.evaluate(Studio(Workspace(trained), discover(), told.append), "one")
    for stage in ("codec_table", "next_frame_table"):
        steps = [event for event in told if isinstance(event, Progress) and event.stage == stage]
        assert steps
        assert steps[-1].done == steps[-1].total
