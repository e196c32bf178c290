"""Tables as files: nothing in a name can break the format, and no figure is lost."""

import csv
import json
import re

import pytest
from pydantic import TypeAdapter
from tables import FIGURE, NAME, TABLES

from deepdance.errors import OptionError
from deepdance.evaluation.tables import Column, Row, Table, Tables
from deepdance.metrics.bootstrap import Estimate


@pytest.fixture
def written(tmp_path):
    def write(name):
        TABLES.write(tmp_path / name)
        assert [path.name for path in tmp_path.iterdir()] == [name]
        return (tmp_path / name).read_text(encoding="utf-8")

    return write


def test_csv_has_a_line_for_each_figure_with_its_interval(written):
    lines = list(csv.DictReader(written("t.csv").splitlines()))
    assert len(lines) == 2 * 3 + 1
    first = lines[0]
    assert (first["table"], first["row"], first["figure"], first["ahead"]) == ("one", NAME, "iou", "")
    assert [float(first[key]) for key in ("value", "low", "high")] == [0.93123, 0.92, 0.94]
    assert lines[1]["value"] == ""
    assert (lines[-1]["table"], lines[-1]["ahead"], lines[-1]["low"]) == ("two", "10", "")


def test_json_is_what_the_tables_are(written):
    read = json.loads(written("t.json"))
    assert {name: TypeAdapter(Table).validate_python(table).figure("model", "iou") for name, table in read.items()} == {
        "one": FIGURE,
        "two": None,
    }


def test_markdown_has_as_many_cells_in_each_row(written):
    text = written("T.MD")
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [r"First & \<b\>", "Second"]
    blocks = [[line for line in part.splitlines() if line.startswith("|")] for part in text.split("## ")[1:]]
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block}) == 1
    assert "| IoU | .931 ±.010 | – |" in text
    assert "| grey ÷ outline | – | -2.59 \\[-7.16,\u00a0-1.21\\] |" in text
    assert "1 − x, so 0 \\< 1\\_000.  \nMore.  \n±: half a 95 % interval" in text
    assert ".100 ±.200 flat" in text
    assert r"\<i\>" in text


def test_tex_is_escaped_and_whole(written):
    text = written("t.tex")
    assert [text.count(part) for part in (r"\begin{table}", r"\end{table}", r"\begin{tabular}{lrr}")] == [2, 2, 2]
    assert r"IoU & $.931 \pm .010$ & -- \\" in text
    assert r"outline & -- & $-2.59\ [-7.16, -1.21]$ \\" in text
    assert r"slope & $.100 \pm .200$ flat & -- \\" in text
    assert r"a\textbar{}b\_c \& \textless{}i\textgreater{}50\%" in text
    assert r"\$x\$ \{y\} \textasciitilde{}\textasciicircum{}\textbackslash{} \#" in text
    assert r"\caption[First \& \textless{}b\textgreater{}]{First \& \textless{}b\textgreater{}. 1 $-$ x, so 0" in text
    assert r"1\_000. More. $\pm$: half a 95 \% interval" in text
    assert r"\label{tab:my-run-other\_run-two}".replace(r"\_", "_") in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_tex_sets_an_exponent_as_a_power_of_ten(tmp_path):
    row = Row("pca", "model", {"loss": Estimate(1.2312e-15)})
    Tables.of(["run"], one=Table("One", [Column("loss", "loss", digits=3)], [row])).write(tmp_path / "t.tex")
    assert r"pca & $1.23 \times 10^{-15}$ \\" in (tmp_path / "t.tex").read_text(encoding="utf-8")


def test_a_suffix_that_nobody_knows_is_told_before_a_file_is_there(tmp_path):
    with pytest.raises(OptionError, match=r"that ends in \.csv, \.json, \.md or \.tex, got .*t\.xlsx"):
        TABLES.write(tmp_path / "t.xlsx")
    assert not list(tmp_path.iterdir())


def test_what_was_there_stays_where_writing_fails(tmp_path):
    (tmp_path / "t.md").write_text("mine")
    broken = Tables(one=Table("T", [Column("x", "x", "three")], [Row("a", "model", {"x": FIGURE})]))
    with pytest.raises(ValueError, match="precision"):
        broken.write(tmp_path / "t.md")
    assert (tmp_path / "t.md").read_text() == "mine"


def test_figures_stand_below_one_another_where_there_are_more_of_them_than_rows(tmp_path):
    """A page is narrow and long."""
    shapes = [(1, 1, ["", "A"]), (2, 1, ["", "walk"]), (2, 2, ["", "A", "B"]), (3, 2, ["", "walk", "run"])]
    for figures, names, first in shapes:
        columns = [Column(key, key.upper()) for key in "abc"[:figures]]
        rows = [Row(name, "model", dict.fromkeys("abc", FIGURE)) for name in ("walk", "run")[:names]]
        Tables(one=Table("T", columns, rows)).write(tmp_path / "t.md")
        heading, rule = (tmp_path / "t.md").read_text().splitlines()[2:4]
        assert [cell.strip() for cell in heading.split("|")[1:-1]] == first
        assert rule == f"| :-- |{' --: |' * (len(first) - 1)}"


def test_a_table_without_rows_has_its_headings(tmp_path):
    Tables(one=Table("T", [Column("a", "A")], [], "None.")).write(tmp_path / "t.md")
    assert (tmp_path / "t.md").read_text() == "## T\n\n|  | A |\n| :-- | --: |\n\nNone.\n"


def test_a_figure_of_tex_is_mathematics_and_a_missing_one_a_dash(written):
    text = written("t.tex")
    assert r"gru & $10$ & $12.5000$ \\" in text
    assert text.count("& --") == 3
