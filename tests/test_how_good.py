"""The page of figures begins with a verdict and the main models."""

from pathlib import Path

import pytest
from benchmarks.how_good import HEADLINE, PAPER, WIDTH, write_page
from conftest import SHARED

from deepdance.evaluation.tables import Column, Row, Table
from deepdance.metrics.bootstrap import Estimate
from deepdance.plugins import discover
from deepdance.sweeps import Sweep

RUNS = Path(__file__).parents[1] / "benchmarks/how_good.toml"


def make_row(name, role="model", **figures):
    return Row(name, role, {key: Estimate(value) for key, value in figures.items()})


def make_columns(keys):
    return [Column(key, key, 1) for key in keys]


def make_tables(name, freeze):
    dance = make_row(name, motion_ratio=0.9, freeze_seconds=freeze, frechet_frames=1.0, replay_seconds=2.0)
    baselines = [make_row("real, held out", "real", freeze_seconds=1.0), make_row("the codec alone", "ceiling")]
    codec = Table("", make_columns("abcdefgh"), [make_row("pca", a=1.0)])
    long = Table("", make_columns(HEADLINE), [dance, *baselines], "2 dances.\nMore.")
    return {"codec": codec, "long": long, "next_frame": Table("", [], [])}


@pytest.fixture
def page():
    runs = {"a": make_tables("pca × ridge", 0.5), "b": make_tables("pca × gru", 8.0), "c": make_tables(PAPER, 90.0)}
    return write_page(runs, None, "deepdance 1.0, runs of 2026-11-23", [])


def test_a_verdict_and_the_main_models_come_first(page):
    first = page.partition("\n## ")[0]
    assert first.startswith(
        "# How good is it?\n\n**`pca × ridge` moves 90 % as much as the real dancers, stands still for"
    )
    assert f"the paper's `{PAPER}` stands still for 90.0 s.**" in first.replace("\n", " ")
    rows = [line.split(" | ")[0] for line in first.splitlines() if line.startswith("|")]
    assert rows == ["| dance", "| ---", "| pca × ridge", f"| {PAPER}", "| real, held out"]
    assert "Figures of deepdance 1.0, runs of 2026-11-23." in first


def test_what_no_run_has_is_no_column(page):
    assert "| told |" not in page.partition("\n## ")[0]


def test_no_table_of_figures_is_wider_than_the_page(page):
    codecs = page.partition("## Codecs")[2].partition("\n## ")[0]
    heads = [line for line in codecs.splitlines() if line.startswith("| codec")]
    assert heads == ["| codec | a | b | c | d |", "| codec | e | f | g | h |"]
    assert all(line.count("|") <= WIDTH + 2 for line in codecs.splitlines())


def test_the_runs_are_every_codec_with_every_sequence_model():
    (video,) = Sweep.read(RUNS).videos
    assert Path(video[0]).name == "corpus_10fps_gray.npz"
    planned = Sweep.read(RUNS).model_copy(update={"videos": ()}).plan(discover())
    assert len({(run.recipe.codec.name, run.recipe.sequence.name) for run in planned}) == len(planned) == 21
    assert f"{planned[0].recipe.codec.name} × {planned[0].recipe.sequence.name}" == "sdf-ae × motion-field"
    assert planned[0].recipe.codec.options["prior"] == "none"


def test_the_corpus_is_where_the_file_looks_for_it():
    if not SHARED.is_dir():
        pytest.skip("needs shared/data")
    assert (SHARED / "corpus/corpus_10fps_gray.npz").is_file()
