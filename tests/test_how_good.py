"""The page of figures begins with a verdict and the main models."""

import pytest
from benchmarks.how_good import HEADLINE, PAPER, WIDTH, write_page


def make_row(name, role="", **figures):
    return {"name": name, "role": role, "figures": {key: {"value": x, "low": None} for key, x in figures.items()}}


def make_columns(keys):
    return [{"key": key, "title": key, "decimals": 1, "slope": False} for key in keys]


def make_tables(name, freeze):
    dance = make_row(name, motion_ratio=0.9, freeze_seconds=freeze, frechet_frames=1.0, replay_seconds=2.0)
    baselines = [make_row("real, held out", freeze_seconds=1.0), make_row("the codec alone", "ceiling")]
    codec = {"columns": make_columns("abcdefgh"), "rows": [make_row("pca", a=1.0)]}
    long = {"columns": make_columns(HEADLINE), "rows": [dance, *baselines], "legend": "2 dances.\nMore."}
    return {"codec": codec, "long": long, "next_frame": {"rows": []}}


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
