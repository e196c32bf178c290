"""Tables as text and in notebooks: nothing in a name can break the format, and no figure is lost."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from pydantic import TypeAdapter
from tables import FIGURE, NAME, TABLES

from deepdance.evaluation.tables import Column, PaperTable, Row, Table, Tables, format_cell, join_paper_tables
from deepdance.metrics.bootstrap import Estimate
from deepdance.metrics.paper_table import PaperRow


class WellFormed(HTMLParser):
    """Raises where a tag is not closed in its order; collects what is seen."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.tags = [], "", []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.seen += data


def test_the_html_is_well_formed_and_escaped():
    page = WellFormed(TABLES._repr_html_())
    assert page.tags.count("table") == 2
    assert not {"i", "b"} & set(page.tags)
    assert NAME in page.seen
    assert "First & <b>" in page.seen
    assert page.tags.count("tr") == 3 + 2


def test_an_upright_table_is_turned_in_html_too():
    upright = Table(
        "T",
        [Column("a", "A"), Column("b", "B"), Column("c", "C")],
        [Row("x", "model", dict.fromkeys("abc", FIGURE))],
        upright=True,
    )
    assert WellFormed(upright._repr_html_()).tags.count("tr") == 4


def test_a_table_is_printed_as_aligned_text():
    rows = [
        Row("walk", "model", {"a": Estimate(0.5), "b": Estimate(12.25)}),
        Row("real, held out", "real", {"b": Estimate(1.0)}),
    ]
    table = Table("Title", [Column("a", "A"), Column("b", "long heading")], rows, "Legend.")
    lines = ["Title", "                   A  long heading", "walk            .500        12.250"]
    assert str(table) == "\n".join([*lines, "real, held out     –         1.000", "Legend."])
    assert str(replace(table, upright=True)).splitlines()[1] == " " * 16 + "walk  real, held out"
    assert str(Tables(one=table, two=table)) == f"{table}\n\n{table}"


def test_the_papers_table_has_its_figures_below_the_runs():
    row = PaperRow("codec", "conv-ae", 16, 0.95, 0.012345, 0.94, 0.001068, 0.97, 0.9, 0.00033333, 1358)
    table = PaperTable([row]).as_table()
    assert table.cells == [
        ["conv-ae", "16", ".950", ".0123", ".940", ".00107", ".970", ".900", ".000333"],
        ["the paper", "27", ".964", ".007", ".964", ".007", "–", "–", "–"],
    ]
    assert table.legend.endswith("Held out: 1,358 frames.")
    assert "what Keras calls accuracy" in WellFormed(PaperTable([row])._repr_html_()).seen


def test_the_paper_is_no_row_beside_other_models():
    row = PaperRow("sequence", "motion-field", 1, None, 0.01, None, None, 1.0, 0.9, 0.05)
    table = PaperTable([row]).as_table()
    assert [cells[0] for cells in table.cells] == ["motion-field"]
    assert "may be in units of its own" in table.legend


def test_the_papers_table_of_several_runs_tells_what_each_held_out():
    first, other = (
        [PaperRow(stage, name, 5, *[0.1] * 7, held_out) for stage, name in (("codec", "conv-ae"), ("sequence", "gru"))]
        for held_out in (30, 40)
    )
    table = join_paper_tables({"a": first, "b": other})
    assert [row.name for row in table.rows] == ["a: conv-ae", "b: conv-ae", "the paper", "a: gru", "b: gru"]
    assert "Held out of a: 30 frames and 30 windows. Held out of b: 40 frames and 40 windows." in table.legend
    shared = join_paper_tables({"a": first, "b": other, "c": first})
    assert "Held out of a, c: 30 frames and 30 windows. Held out of b: " in shared.legend
    same = join_paper_tables({"a": first, "b": first})
    assert same.legend.count("Held out") == 1


@pytest.mark.parametrize(
    ("estimate", "shown"),
    [
        (Estimate(0.931, 0.92, 0.94), ".931 ±.010"),
        (Estimate(-2.586, -7.156, -1.205), "-2.586 [-7.156,\u00a0-1.205]"),
        (Estimate(0.5, 0.5, 0.6), ".500 [.500,\u00a0.600]"),
        (Estimate(0.0002, 0.0, 0.0009), ".000 ±.000"),  # nobody sees that it is lopsided
        (Estimate(-0.0001, -0.0002, 0.0001), ".000 ±.000"),
        (Estimate(-0.0001), ".000"),
        (Estimate(12.0), "12.000"),
    ],
)
def test_a_lopsided_interval_shows_both_ends(estimate, shown):
    assert format_cell(Row("a", "model", {"x": estimate}), Column("x", "x")) == shown


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (0.00107123, ".00107"),
        (3.3333e-05, ".0000333"),
        (1.2312e-15, "1.23e-15"),
        (0.007, ".007"),
        (-1.5, "-1.5"),
        (-0.25, "-.25"),
        (0.0, "0"),
    ],
)
def test_a_loss_has_significant_digits(loss, shown):
    assert format_cell(Row("a", "model", {"x": Estimate(loss)}), Column("x", "x", digits=3)) == shown


def test_what_has_no_figure_is_left_out_and_named():
    columns = [
        Column("a", "A"),
        Column("b", "B", needs="16 frames"),
        Column("c", "C", needs="16 frames"),
        Column("d", "D"),
    ]
    rows = [Row("x", "model", {"a": Estimate(1.0), "b": None}), Row("y", "copy", {}, 2)]
    shown = Table("T", columns, rows, "What.").shown
    assert (shown.headings, shown.cells) == (["", "A"], [["x", "1.000"]])
    assert shown.legend == "What.\nLeft out, for nothing could be measured: B, C (needs 16 frames); D, y, 2 ahead."
    empty = Table("T", columns, [], "None.")
    assert empty.shown == empty


@pytest.mark.parametrize("upright", [False, True])
def test_a_notebook_has_the_headings_above_and_the_names_to_the_left(upright):
    rows = [Row(name, role, dict.fromkeys("ab", FIGURE)) for name, role in (("walk", "model"), ("real", "real"))]
    page = Table("T", [Column("a", "A"), Column("b", "B")], rows, upright=upright)._repr_html_()
    above, left = (re.findall(f'<th scope="{scope}">(.*?)</th>', page) for scope in ("col", "row"))
    names, figures = ["walk", "real"], ["A", "B"]
    assert (above, left) == ((["", *names], figures) if upright else (["", *figures], names))
    assert page.count("opacity") == (0 if upright else 1)  # what is there to compare with


def test_an_interval_is_lopsided_where_a_half_is_half_as_long_again_as_the_other():
    def show(low, high, decimals=3):
        return format_cell(Row("a", "model", {"x": Estimate(0.0, low, high)}), Column("x", "x", decimals))

    assert show(-0.1, 0.149) == ".000 ±.124"
    assert show(-0.1, 0.151).startswith(".000 [")
    assert show(-0.001, 0.003) == ".000 ±.002"  # which rounding hides
    assert show(-0.001, 0.0032).startswith(".000 [")
    assert show(-0.1, 0.4, decimals=0).endswith("±0")


def test_a_slope_is_flat_where_its_interval_holds_0():
    def show(low, high, slope=True):
        return format_cell(Row("a", "model", {"x": Estimate(0.1, low, high)}), Column("x", "x", slope=slope))

    assert [show(*ends).endswith(" flat") for ends in ((-0.1, 0.3), (0.0, 0.2), (0.01, 0.19))] == [True, True, False]
    assert not show(-0.1, 0.3, slope=False).endswith(" flat")


def test_a_table_comes_back_from_json_with_what_it_has_and_lacks():
    figures = {"a": Estimate(0.5, 0.25, 1.0), "b": None, "c": Estimate(1.5)}
    rows = [Row("x", "model", figures, 1), Row("y", "model", {"a": Estimate(9.0)}, 1), Row("z", "model", {}, 2)]
    table = Table("T", [Column(key, key) for key in "abc"], rows, "L.", curves={"x": {"a": [[0.5, None]]}})
    assert TypeAdapter(Table).validate_python(table.as_json()) == table
    assert table.figure("model", "a", 1) == figures["a"]  # of the first row that fits
    assert (table.figure("model", "a", 2), table.figure("real", "a", 1)) == (None, None)
