import json
import re
import shutil

import pytest
from conftest import FAST

import deepdance
from deepdance.errors import WorkspaceError
from deepdance.evaluation import report
from deepdance.events import Progress
from deepdance.plugins import discover
from deepdance.session import Session
from deepdance.workspace import Workspace
from deepdance_cli import progress

TINY = (
    *("--codec", "pca", "--set", "codec.latent_dim=8", "--set", "source.seconds=30"),
    *("--seq", "gru", *FAST, "--set", "sequence.layers=1", "--set", "sequence.epochs=1"),
)
SHORT = ("--frames", "30", "--seeds", "2")


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


@pytest.fixture
def told(dd, trained):
    """What a command says of runs of that workspace, read from its JSON."""

    def call(*command):
        result = dd(*command, "--workspace", trained, "--json")
        assert result.code == 0, result.err
        return json.loads(result.out)

    return call


def rows(table, horizon=None):
    return {row["role"]: row["figures"] for row in table["rows"] if row["horizon"] == horizon}


def test_evaluate_measures_the_codec_and_the_next_frame(told):
    measured = told("evaluate", "one", *SHORT)
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
    result = dd("evaluate", "one", *SHORT, "--workspace", trained)
    assert result.code == 0, result.err
    baselines = ("real, held out", "copy the last frame", "the codec alone")
    for text in (*baselines, "limb recall", " ±.", "slope of area"):
        assert text in result.out
    assert max(map(len, result.out.splitlines())) < 140


def test_a_second_evaluation_reads_what_the_first_kept(told, trained):
    first = told("evaluate", "one", *SHORT)
    before = {path: path.stat().st_mtime_ns for path in (trained / "artifacts").glob("*/table.json")}
    assert told("evaluate", "one", *SHORT) == first
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert json.loads((trained / "runs/one/evaluation.json").read_text()) == first["tables"]


def test_compare_has_a_row_a_run_and_measures_a_shared_codec_once(dd, told, trained):
    tables = told("compare", "one", trained / "runs" / "two", *SHORT)
    table = tables["frames"]
    references = ["real, held out", "copy the last frame", "the codec alone, pca"]
    assert [row["name"] for row in table["rows"]] == ["one", "two", *references]
    first, second = (row["figures"] for row in table["rows"][:2])
    assert first["codec.iou"] == second["codec.iou"]
    assert first["next_frame.skill.1"] != second["next_frame.skill.1"]
    made = [folder.name.partition("-")[0] for folder in (trained / "artifacts").iterdir()]
    assert [made.count(f"{name}_table") for name in ("codec", "next_frame", "long")] == [1, 2, 2]
    assert tables["long"]["rows"][2]["figures"]["long.frechet_frames"]["value"] == 1
    shown = dd("compare", "one", "two", *SHORT, "--workspace", trained)
    assert "one, two: pca × gru" in shown.out
    assert not shown.err


def test_compare_says_which_of_how_many_runs_is_at_work(dd, trained, monkeypatch):
    titles, opened = [], progress.open_session

    def note(*given, title, **options):
        titles.append(title)
        return opened(*given, **options)

    monkeypatch.setattr(progress, "open_session", note)
    assert dd("compare", "one", "two", *SHORT, "--workspace", trained).code == 0
    assert titles == ["one (1 of 2)", "two (2 of 2)"]


@pytest.mark.parametrize(("suffix", "said"), [("csv", "frames,two,model"), ("md", "| one |"), ("tex", "& one &")])
def test_a_comparison_is_written_as_a_file(dd, trained, tmp_path, suffix, said):
    path = tmp_path / f"table.{suffix}"
    result = dd("compare", "one", "two", *SHORT, "--out", path, "--workspace", trained)
    assert (result.code, result.out.splitlines()[-1]) == (0, f"tables {path}"), result.err
    assert said in path.read_text()


def test_an_evaluation_is_written_as_a_file(dd, trained, tmp_path):
    path = tmp_path / "tables.tex"
    result = dd("evaluate", "one", *SHORT, "--out", path, "--workspace", trained)
    assert (result.code, result.out.splitlines()[-1]) == (0, f"tables {path}"), result.err
    labels = re.findall(r"\\label{(.*)}", path.read_text())
    assert labels == ["tab:one-paper", "tab:one-codec", "tab:one-next_frame", "tab:one-long"]
    assert r"epochs & $1$ & $1$ \\" in path.read_text()
    assert "ST-RRED (needs pictures of 48 pixels each way)" in path.read_text()
    assert re.search(r"Held out: \d+ frames and \d+ windows\.", path.read_text())


def test_all_runs_are_there_before_one_is_measured(dd, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "evaluate", lambda *_: pytest.fail("measured"))
    result = dd("compare", "one", "nobody", "--workspace", trained)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "got 'nobody'; there are: two, one" in result.err
    with pytest.raises(WorkspaceError, match="nobody"):
        deepdance.compare(["one", "nobody"], workspace=trained)


def test_curves_are_drawn_and_what_has_none_is_told(dd, trained, tmp_path):
    none = dd("curves", "one", "--out", tmp_path / "c.svg", "--workspace", trained)
    assert none.code == 2
    assert "trained by epochs, got none in one" in none.err
    trainings = ("--seq", "gru", *FAST, "--set", "sequence.layers=1")
    made = dd("run", *TINY, *trainings, "--name", "longer", "--workspace", tmp_path / "w")
    assert made.code == 0, made.err
    latest = dd("curves", "--out", tmp_path / "c.pdf", "--workspace", tmp_path / "w")
    assert (latest.code, latest.out) == (0, f"curves {tmp_path / 'c.pdf'}\n"), latest.err
    assert "the latest run: longer" in latest.err
    drawn = dd("curves", "longer", trained / "runs/one", "--out", tmp_path / "c.png", "--workspace", tmp_path / "w")
    assert (drawn.code, drawn.out) == (0, f"curves {tmp_path / 'c.png'}\n"), drawn.err
    assert "no curve where nothing is trained by epochs: codec of longer, codec of one, sequence" in drawn.err
    assert (tmp_path / "c.png").read_bytes()[1:4] == b"PNG"


def test_other_long_dances_are_measured_anew(told):
    asked = [("--frames", length, "--seeds", seeds) for length, seeds in ((30, 2), (40, 2), (30, 3))]
    tables = [told("evaluate", "one", *flags)["tables"]["long"] for flags in asked]
    assert [table["legend"].partition(",")[0] for table in tables] == ["2 dances", "2 dances", "3 dances"]
    assert [len(table["curves"]["pca × gru"]["area"]) for table in tables] == [2, 2, 3]
    held = [rows(table)["copy"]["freeze_seconds"]["value"] for table in tables]
    assert held == pytest.approx([2.9, 3.9, 2.9])


def test_a_video_is_measured_against_a_run(dd, told, trained, video):
    whole = rows(told("measure", video, "--run", "one"))
    assert 0.3 < whole["model"]["motion_ratio"]["value"] < 3
    assert whole["model"]["nearest_ratio"]["value"] is not None
    command = ("measure", video, "--run", "one", "--workspace", trained)
    cropped = dd(*command, "--set", "source.crop=50,0,100,120", "--remover", "luma")
    assert cropped.code == 0, cropped.err
    assert "1 dance, 80 frames in all, 10 a second" in cropped.out
    assert video.name in cropped.out
    wide = dd(*command, "--set", "source.crop=150,0,100,120")
    assert wide.code == 2
    assert "200×120" in wide.err


def test_a_folder_of_videos_is_several_dances(told, video, tmp_path):
    (tmp_path / "videos").mkdir()
    for name in "ab":
        shutil.copy(video, tmp_path / "videos" / f"{name}.mp4")
    table = told("measure", tmp_path / "videos", "--run", "one")
    assert table["rows"][0]["name"] == "2 videos"
    assert table["legend"].startswith("2 dances, 160 frames")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evaluate", "one", "--set", "seed=1"), "No such option: --set"),
        (("measure", "--run", "one"), "Missing argument 'VIDEO...'"),
        (("measure", "theirs.mp4", "--run", "one"), "got theirs.mp4, which does not exist"),
        (("evaluate", "nobody"), "two, one"),
        (("compare", "nobody"), "two, one"),
        (("compare", "nobody", "--out", "t.xls"), "a name that ends in .csv, .json, .md or .tex, got 't.xls'"),
        (("evaluate", "one", "--out", "t.xls"), "a name that ends in .csv, .json, .md or .tex, got 't.xls'"),
    ],
)
def test_what_is_to_be_measured_must_be_clear(dd, trained, arguments, message):
    result = dd(*arguments, "--workspace", trained)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert message in result.err


def test_progress_is_told_while_measuring(trained, tmp_path):
    for kept in (trained / "artifacts").glob("*_table-*"):
        shutil.copytree(kept, tmp_path / kept.name)
        shutil.rmtree(kept)
    heard = []
    report.evaluate(Session(Workspace(trained), discover(), heard.append), "one", 30, 2)
    for stage in ("codec_table", "next_frame_table", "long_table"):
        steps = [event for event in heard if isinstance(event, Progress) and event.stage == stage]
        assert steps
        assert steps[-1].done == steps[-1].total
