"""Tables of measured figures, as data: what is in a cell, and how it goes to JSON and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from deepdance.html import write_html_table
from deepdance.metrics.bootstrap import Estimate
from deepdance.metrics.paper_table import PAPER, PAPER_MODELS, PaperRow

Role = Literal["model", "real", "copy", "ceiling"]
Figures = dict[str, Estimate | None]
"""By the key of their column; `None` where one means nothing."""
Curves = Mapping[str, Sequence[Sequence[float | None]]]
"""Per figure and stream, one mean per 1,000 frames."""
REAL = "real, held out"
COPY = "copy the last frame"
CEILING = "the codec alone"
INTERVAL = "±: half a 95 % interval; where its halves differ, both its ends stand in brackets."
TINY = 1e-6
NO_BREAK = "\u00a0"
"""A blank at which no line ends."""


@dataclass(frozen=True)
class Column:
    """A measure: its key in JSON, its heading, and the decimals that it is shown with.

    With `digits` so many significant ones are shown instead, below a millionth with an exponent. `needs` says without
    what nothing can be measured.
    """

    key: str
    title: str
    decimals: int = 3
    slope: bool = False
    """A change, which is flat if its interval holds 0."""
    digits: int = 0
    needs: str = ""


@dataclass(frozen=True)
class Row:
    """What was measured of one thing. `horizon` is how many frames ahead, where that differs."""

    name: str
    role: Role
    figures: Figures
    horizon: int | None = None


@dataclass(frozen=True)
class Table:
    """What was measured, with a legend that says how: whole sentences, those of one line a paragraph.

    `upright`: shown with one line a figure, for there are many.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    legend: str = ""
    upright: bool = False
    curves: Mapping[str, Curves] = field(default_factory=dict)
    """By row: figures that develop over time."""

    def figure(self, role: Role, key: str, horizon: int | None = None) -> Estimate | None:
        """The figure in the first row of this role and horizon, if there is one."""
        rows = [row for row in self.rows if row.role == role and row.horizon == horizon]
        return rows[0].figures.get(key) if rows else None

    @property
    def shown(self) -> Table:
        """What is printed of it: no row or column without any figure; its legend names those, and says what ± is."""
        if not self.rows:
            return self
        columns = [c for c in self.columns if any(row.figures.get(c.key) for row in self.rows)]
        rows = [row for row in self.rows if any(row.figures.get(c.key) for c in columns)]
        figures = [row.figures.get(c.key) for row in rows for c in columns]
        has_intervals = any(figure and figure.low is not None for figure in figures)
        notes = [self.legend, self._tell_left_out(columns, rows), INTERVAL if has_intervals else ""]
        return replace(self, columns=columns, rows=rows, legend="\n".join(filter(None, notes)))

    def _tell_left_out(self, columns: Sequence[Column], rows: Sequence[Row]) -> str:
        left_out: dict[str, list[str]] = {}
        for column in self.columns:
            if column not in columns:
                left_out.setdefault(column.needs, []).append(column.title)
        for row in self.rows:
            if row not in rows:
                left_out.setdefault("", []).append(row.name + (f", {row.horizon} ahead" if row.horizon else ""))
        named = [", ".join(names) + (f" (needs {needs})" if needs else "") for needs, names in left_out.items()]
        return f"Left out, for nothing could be measured: {'; '.join(named)}." if named else ""

    @property
    def headings(self) -> list[str]:
        """Those of `cells`: the name's is empty, then, where horizons differ, how far ahead."""
        ahead = ["ahead"] if self._is_ahead else []
        return ["", *ahead, *(column.title for column in self.columns)]

    @property
    def cells(self) -> list[list[str]]:
        """A line of text for each row: its name, then its figures with their 95 % interval."""
        return [
            [row.name, *([str(row.horizon)] if self._is_ahead else []), *(format_cell(row, c) for c in self.columns)]
            for row in self.rows
        ]

    @property
    def _is_ahead(self) -> bool:
        return any(row.horizon is not None for row in self.rows)

    def __str__(self) -> str:
        shown = self.shown
        lines = [shown.headings, *shown.cells]
        if self.upright:
            lines = [list(line) for line in zip(*lines, strict=True)]
        return "\n".join(filter(None, [self.title, *align(lines), shown.legend]))

    def _repr_html_(self) -> str:
        shown = self.shown
        lines, dim = [shown.headings, *shown.cells], [row.role != "model" for row in shown.rows]
        if self.upright:
            lines, dim = [list(line) for line in zip(*lines, strict=True)], []
        return write_html_table(self.title, lines[0], lines[1:], shown.legend, dim)

    def as_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return asdict(self)


class Tables(dict[str, Table]):
    """Tables by name, one below another in a notebook. `runs` are those that they are of."""

    runs: Sequence[str] = ()

    @classmethod
    def of(cls, runs: Sequence[str], /, **tables: Table) -> Self:
        """Tables of these runs."""
        made = cls(tables)
        made.runs = runs
        return made

    def write(self, path: str | Path) -> None:
        """All of them as one file: .csv, .json, .md or .tex. Raises OptionError."""
        from deepdance.evaluation.export import write_tables

        write_tables(self, Path(path))

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.values()))

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self.values())


class PaperTable(list[PaperRow]):
    """The paper's table: a row for the codec, a row for the sequence model."""

    def as_table(self) -> Table:
        """The run's figures, with the ceiling and the copy of the last frame; below the paper's models, its own."""
        return join_paper_tables({"": self})

    def __str__(self) -> str:
        return str(self.as_table())

    def _repr_html_(self) -> str:
        return self.as_table()._repr_html_()


PAPER_COLUMNS = (
    Column("epochs", "epochs", 0),
    Column("acc", "acc"),
    Column("loss", "loss", digits=3),
    Column("val_acc", "val acc"),
    Column("val_loss", "val loss", digits=3),
    Column("ceiling_acc", "ceiling"),
    Column("copy_last_acc", "copy acc"),
    Column("copy_last_loss", "copy loss", digits=3),
)
PAPER_LEGEND = (
    "acc is what Keras calls accuracy. Pictures: mean(x == (y > .5)), so an anti-aliased pixel can never be right. "
    "Latents: how often the largest number stands in the same place. ceiling: the most that accuracy can be. copy: "
    "showing the last frame again; its loss is the mean squared error, that of a model may be in units of its own. "
    "val, ceiling and copy are measured on held-out frames."
)
UNITS = {"codec": "frames", "sequence": "windows"}
"""What is held out of a stage."""


def join_paper_tables(tables: Mapping[str, Sequence[PaperRow]]) -> Table:
    """The rows of runs, by run, and below those of the paper's models its own."""
    rows: list[Row] = []
    for stage, figures in PAPER.items():
        own = {run: row for run, of in tables.items() for row in of if row.stage == stage}
        rows += [
            _make_row(": ".join(filter(None, (run, row.component))), "model", vars(row)) for run, row in own.items()
        ]
        if any(row.component == PAPER_MODELS[stage] for row in own.values()):
            rows.append(_make_row("the paper", "real", figures))
    return Table("The paper's table", PAPER_COLUMNS, rows, " ".join([PAPER_LEGEND, *_tell_held_out(tables)]))


def _tell_held_out(tables: Mapping[str, Sequence[PaperRow]]) -> Iterator[str]:
    """How many frames and windows that is: once of all runs of which it is the same."""
    counts = {run: [f"{row.held_out:,} {UNITS[row.stage]}" for row in of if row.held_out] for run, of in tables.items()}
    told: dict[str, list[str]] = {}
    for run, count in counts.items():
        if count:
            told.setdefault(" and ".join(count), []).append(run)
    for shown, runs in told.items():
        yield f"Held out: {shown}." if len(told) == 1 else f"Held out of {', '.join(runs)}: {shown}."


def _make_row(name: str, role: Role, values: Mapping[str, Any]) -> Row:
    return Row(name, role, {column.key: Estimate.of(values.get(column.key)) for column in PAPER_COLUMNS})


def align(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of cells as text: names to the left, figures to the right, two spaces between columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for name, *figures in lines:
        right = [f"  {figure:>{width}}" for figure, width in zip(figures, widths[1:], strict=True)]
        yield f"{name:<{widths[0]}}{''.join(right)}".rstrip()


def format_cell(row: Row, column: Column) -> str:
    """A figure as it is shown: `.931 ±.004`, `-2.586 [-7.156, -1.205]` if lopsided, or `–` for none."""
    figure = row.figures.get(column.key)
    if figure is None:
        return "–"
    value = _shorten(figure.value, column)
    if figure.low is None or figure.high is None:
        return value
    text = f"{value} {_format_interval(figure.value, figure.low, figure.high, column)}"
    return f"{text} flat" if column.slope and figure.low <= 0 <= figure.high else text


def _format_interval(value: float, low: float, high: float, column: Column) -> str:
    """Half of it, or both ends where one half is more than 1.5 times the other, by more than rounding hides."""
    half, off_centre = (high - low) / 2, abs(value - (high + low) / 2)
    if off_centre <= max(half / 5, 10**-column.decimals):
        return f"±{_shorten(half, column)}"
    return f"[{_shorten(low, column)},{NO_BREAK}{_shorten(high, column)}]"


def _shorten(value: float, column: Column) -> str:
    if column.digits and 0 < abs(value) < TINY:
        return np.format_float_scientific(value, column.digits - 1, trim="-", exp_digits=1)
    if column.digits:
        text = np.format_float_positional(value, column.digits, fractional=False, trim="-")
    else:
        text = f"{value:z.{column.decimals}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
