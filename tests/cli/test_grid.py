"""Tables at every width: each figure, heading and name of the JSON is found whole in the text."""

import json
import os
import pty
import subprocess
import sys

import numpy as np
import pytest
from rich.cells import cell_len

from deepdance.evaluation.report import LONG_SUMMARY, SUMMARY
from deepdance.evaluation.tables import CEILING, COPY, REAL, Column, Row, Table
from deepdance.metrics.bootstrap import Estimate
from deepdance.metrics.paper_table import PaperRow
from deepdance.workspace import RunRecord, Workspace
from deepdance_cli import show
from deepdance_cli.grid import Grid, fold, lay_out

WIDTHS = (40, 50, 80, 120, None)
COLUMNS = tuple(Column(f"figure{n}", f"a long heading {n}", 4) for n in range(12))
ROLES = ((REAL, "real"), (COPY, "copy"), (CEILING, "ceiling"))
RUNS = tuple(f"a-rather-long-name-of-a-run-{n}-conv-ae-lstm4" for n in range(5))


@pytest.fixture(params=WIDTHS)
def width(request, monkeypatch):
    """A terminal's columns, or None where the output goes to a file."""
    monkeypatch.delenv("COLUMNS", raising=False)
    if request.param:
        monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


def fill(columns, names, horizons=(None,)):
    """A table whose figures all differ."""
    rows = []
    for horizon in horizons:
        for name, role in names:
            start = 100 * (len(rows) + 1)
            figures = {c.key: Estimate(start + n + 0.125, start + n, start + n + 0.25) for n, c in enumerate(columns)}
            rows.append(Row(name, role, figures, horizon))
    return Table("Title", columns, rows, "What it means, in so many words.")


MODEL = (("sdf-ae × motion-field", "model"), *ROLES)
TABLES = {
    "codec": Table(**{**vars(fill(COLUMNS[:8], MODEL)), "upright": True}),
    "next frame": fill(COLUMNS[:8], MODEL, (1, 2, 5, 10)),
    "long dances": Table(**{**vars(fill(COLUMNS, MODEL)), "upright": True}),
    "comparison": fill(SUMMARY, [*((run, "model") for run in RUNS), *ROLES[:2]]),
    "long comparison": fill(LONG_SUMMARY, [*((run, "model") for run in RUNS), *ROLES[:2]]),
}


def assert_fits(text, width):
    """No line is wider than the terminal but for a single word."""
    for line in text.splitlines() if width else ():
        assert cell_len(line) <= width or len(line.split()) == 1, line


@pytest.mark.parametrize("name", TABLES)
def test_every_figure_and_name_is_whole(name, width, capfd):
    table = TABLES[name]
    show.print_table(table)
    text = capfd.readouterr().out
    words = set(text.split())
    for column in table.columns:
        assert words.issuperset(column.title.split())
    for row in table.rows:
        assert words.issuperset(row.name.split())
        for column in table.columns:
            estimate = row.figures[column.key]
            assert f"{estimate.value:.{column.decimals}f}" in words
    assert_fits(text, width)


def test_a_file_has_a_line_a_row(monkeypatch, capfd):
    monkeypatch.delenv("COLUMNS", raising=False)
    show.print_table(TABLES["comparison"])
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:7]] == list(RUNS)
    assert all(line.count("±") == len(SUMMARY) for line in lines[2:9])


def test_where_figures_fit_beside_one_another_they_are_turned():
    table = fill(COLUMNS[:6], MODEL)
    lines = [str(line) for line in lay_out(show._build_grid(table), 100)]
    assert [line.split("  ")[0] for line in lines if "±" in line] == [column.title for column in table.columns]


def test_intervals_go_beneath_their_figures_all_or_none():
    lines = [str(line) for line in lay_out(show._build_grid(TABLES["codec"]), 50)]
    assert not any("±" in line and any(f"{n}." in line for n in (1, 2, 3, 4)) for line in lines)


def test_both_ends_of_a_lopsided_interval_stand_together(width, capfd):
    figures = {column.key: Estimate(-2.586, -7.156, -1.205) for column in SUMMARY}
    rows = [Row(run, "model", figures) for run in RUNS]
    show.print_table(Table("Title", SUMMARY, rows, "A legend. " * 40))
    text = capfd.readouterr().out
    assert text.count("[-7.156, -1.205]") == sum(column.decimals == 3 for column in SUMMARY) * len(RUNS)
    assert_fits(text, width)
    assert all(cell_len(line) <= 80 for line in text.splitlines() if "legend" in line)


def test_the_papers_table_is_whole(width, capfd):
    figures = dict.fromkeys(
        ("acc", "loss", "val_acc", "val_loss", "ceiling_acc", "copy_last_acc", "copy_last_loss"), 0.125
    )
    stages = (("codec", "conv-ae", 27), ("sequence", "lstm4", 853))
    rows = [PaperRow(stage=stage, component=name, epochs=epochs, **figures) for stage, name, epochs in stages]
    show.print_paper_table(rows)
    text = capfd.readouterr().out
    assert {"conv-ae", "lstm4", "27", "853", ".125", "epochs", "ceiling"} <= set(text.split())
    assert text.split().count(".125") == 14
    assert_fits(text, width)


def call(dd, width, *arguments, monkeypatch):
    """What a command prints at a width, and its JSON."""
    as_json = json.loads(dd(*arguments, "--json").out)
    monkeypatch.setenv("COLUMNS", str(width)) if width else monkeypatch.delenv("COLUMNS")
    return dd(*arguments).out, as_json


@pytest.mark.parametrize("columns", WIDTHS)
def test_runs_are_named_whole(dd, columns, monkeypatch, tmp_path):
    from deepdance.recipe import Recipe

    place = Workspace(tmp_path / "a-workspace-in-a-folder-with-a-long-name")
    for run in RUNS:
        place.run_folder(run).mkdir(parents=True)
        place.record(RunRecord(run, ["a.mp4"], status="finished", created="2026-11-26", video="dance.mp4"), Recipe())
    text, listed = call(dd, columns, "runs", "--workspace", place.root, monkeypatch=monkeypatch)
    for run in listed:
        assert {run["name"], f"{run['folder']}/{run['video']}", run["status"]} <= set(text.split())


@pytest.mark.parametrize("columns", WIDTHS)
def test_plugins_are_listed_and_shown_whole(dd, columns, monkeypatch):
    text, listed = call(dd, columns, "plugins", "list", monkeypatch=monkeypatch)
    for row in listed["components"]:
        assert {row["name"], row["kind"], row["distribution"], row["version"], *row["summary"].split()} <= set(
            text.split()
        )
    assert_fits(text, columns)
    monkeypatch.setenv("COLUMNS", "200")
    text, shown = call(dd, columns, "plugins", "show", "lstm4", monkeypatch=monkeypatch)
    for row in shown["options_table"]:
        assert {f"sequence.{row['name']}", row["type"], row["default"], *row["meaning"].split()} <= set(text.split())
    assert shown["file"] in text
    assert shown["example"] in text
    assert_fits(text.replace(shown["example"], ""), columns)


@pytest.mark.parametrize("columns", WIDTHS)
def test_checks_are_whole(dd, columns, monkeypatch):
    text, told = call(dd, columns, "plugins", "check", "luma", monkeypatch=monkeypatch)
    for row in told["checks"]:
        assert {row["name"], row["outcome"], *(row["reason"] or row["meaning"]).split()} <= set(text.split())
    assert_fits(text, columns)


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_doctor_is_whole(dd, columns, monkeypatch):
    from deepdance_cli import doctor

    found = {
        "python": lambda: "3.11.7, 2 cores",
        "person model": lambda: "/a/folder/that/lies/very/deep/in/the/disk/models",
    }
    monkeypatch.setattr(doctor, "_list_checks", lambda workspace: found)
    text, told = call(dd, columns, "doctor", monkeypatch=monkeypatch)
    for row in told:
        assert set(f"{row['check']} {row['found']}".split()) <= set(text.split())
    assert_fits(text, columns)


def test_a_terminal_says_how_wide_it_is(tmp_path):
    import fcntl
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 57, 0, 0))
    code = "from deepdance_cli.grid import find_width; raise SystemExit(find_width())"
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    assert subprocess.run([sys.executable, "-c", code], stdout=follower, env=env).returncode == 57
    os.close(leader)
    os.close(follower)


def test_signs_that_are_two_columns_wide_are_counted():
    lines = [str(line) for line in lay_out(Grid(("名前", "b"), [["踊り 踊り 踊り", "1"]]), 8)]
    assert max(map(cell_len, lines)) <= 8
    assert fold("踊り 踊り", 8) == ["踊り", "踊り"]


def draw(grid, width):
    return [str(line) for line in lay_out(grid, width)]


PROSE_GRID = Grid(("name", "meaning"), [["luma", "the brightest of all that is not the dancer's"], ["auto", "any"]])


def test_nothing_is_folded_where_all_fits_and_a_column_less_folds_prose_between_words():
    natural = len("luma") + 2 + len("the brightest of all that is not the dancer's")
    assert draw(PROSE_GRID, natural) == [
        "name  meaning",
        "luma  the brightest of all that is not the dancer's",
        "auto  any",
    ]
    assert draw(PROSE_GRID, natural - 1) == [
        "name meaning",
        "luma the brightest of all that is not the dancer's",
        "auto any",
    ]
    assert draw(PROSE_GRID, natural - 2)[1:3] == ["luma the brightest of all that is not the", "     dancer's"]


def test_prose_is_folded_into_no_less_than_can_be_read():
    """24 columns; where there are less, a block a row."""
    assert max(map(len, draw(PROSE_GRID, 29))) <= 29
    assert draw(PROSE_GRID, 29)[0] == "name meaning"
    assert draw(PROSE_GRID, 28)[:4] == ["luma", "meaning", "the brightest of all that is", "not the dancer's"]


FIGURES = Grid(("", "first", "second"), [["walk", "1.25", "2.5"], ["stand still", "10.125", "2"]], figures=True)


def test_figures_stand_beneath_one_another_on_the_right_and_names_on_the_left():
    assert draw(FIGURES, 27) == [
        "              first  second",
        "walk           1.25     2.5",
        "stand still  10.125       2",
    ]


def test_figures_that_do_not_fit_side_by_side_are_turned():
    wide = Grid(("", *(f"figure {n}" for n in range(5))), [["walk", *"12345"]], figures=True)
    assert draw(wide, 14) == ["          walk", *(f"figure {n}     {n + 1}" for n in range(5))]
    upright = Grid(wide.headings, wide.rows, figures=True, upright=True)
    assert draw(upright, 200) == draw(wide, 14)


def test_blocks_compare_names_if_they_fit_beside_a_figure_and_else_have_a_block_a_name():
    grid = Grid(
        ("", *(f"heading{n}" for n in range(3))), [[f"name{n}", *["12.345"] * 3] for n in range(9)], figures=True
    )
    assert draw(grid, 12)[:3] == ["heading0", "name0 12.345", "name1 12.345"]
    assert draw(grid, 11)[0] == "name0"


@pytest.mark.parametrize("seed", range(8))
def test_no_line_is_too_wide_and_no_word_is_lost_at_any_width(seed):
    rng = np.random.default_rng(seed)

    def write():
        return " ".join("x" * length for length in rng.integers(1, 9, rng.integers(0, 7)))

    shape = rng.integers(2, 5, 2)
    rows = [[f"row{n}", *(write() for _ in range(shape[1]))] for n in range(shape[0])]
    grid = Grid(("name", *(f"head{n}" for n in range(shape[1]))), rows)
    words = sorted(word for row in rows for cell in row for word in cell.split())
    for width in range(8, 100):
        lines = draw(grid, width)
        assert max(map(len, lines)) <= width
        assert sorted(word for line in lines for word in line.split() if "x" in word or "row" in word) == words
