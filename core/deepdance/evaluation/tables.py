"""Tables of measured figures, as data: what is in a cell, and how it goes to JSON and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

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


@dataclass(frozen=True)
class Column:
    """A measure: its key in JSON, its heading, and the decimals that it is shown with."""

    key: str
    title: str
    decimals: int = 3
    slope: bool = False
    """A change, which is flat if its interval holds 0."""


@dataclass(frozen=True)
class Row:
    """What was measured of one thing. `horizon` is how many frames ahead, where that differs."""

    name: str
    role: Role
    figures: Figures
    horizon: int | None = None


@dataclass(frozen=True)
class Table:
    """What was measured, with a legend that says how. `upright`: shown with one line a figure, for there are many."""

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
    def headings(self) -> list[str]:
        """Those of `cells`: the name's is empty, then, where horizons differ, how far ahead."""
        ahead = ["ahead"] if self._is_ahead else []
        return ["", *ahead, *(column.title for column in self.columns)]

    @property
    def cells(self) -> list[list[str]]:
        """A line of text for each row: its name, then its figures with half their 95 % interval."""
        return [
            [row.name, *([str(row.horizon)] if self._is_ahead else []), *(format_cell(row, c) for c in self.columns)]
            for row in self.rows
        ]

    @property
    def _is_ahead(self) -> bool:
        return any(row.horizon is not None for row in self.rows)

    def __str__(self) -> str:
        lines = [self.headings, *self.cells]
        if self.upright:
            lines = [list(line) for line in zip(*lines, strict=True)]
        return "\n".join(filter(None, [self.title, *align(lines), self.legend]))

    def _repr_html_(self) -> str:
        lines, dim = [self.headings, *self.cells], [row.role != "model" for row in self.rows]
        if self.upright:
            lines, dim = [list(line) for line in zip(*lines, strict=True)], []
        return write_html_table(self.title, lines[0], lines[1:], self.legend, dim)

    def as_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The table that `as_json` gave."""
        rows = []
        for row in value["rows"]:
            figures = {key: None if cell is None else Estimate(**cell) for key, cell in row["figures"].items()}
            rows.append(Row(row["name"], row["role"], figures, row["horizon"]))
        return cls(**{**value, "columns": [Column(**column) for column in value["columns"]], "rows": rows})


class Tables(dict[str, Table]):
    """Tables by name, one below another in a notebook."""

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
        rows = [row for own in self for row in _make_rows(own)]
        return Table("The paper's table", PAPER_COLUMNS, rows, PAPER_LEGEND)

    def __str__(self) -> str:
        return str(self.as_table())

    def _repr_html_(self) -> str:
        return self.as_table()._repr_html_()


PAPER_COLUMNS = (
    Column("epochs", "epochs", 0),
    Column("acc", "acc"),
    Column("loss", "loss"),
    Column("val_acc", "val acc"),
    Column("val_loss", "val loss"),
    Column("ceiling_acc", "ceiling"),
    Column("copy_last_acc", "copy acc"),
    Column("copy_last_loss", "copy loss"),
)
PAPER_LEGEND = """\
acc is what Keras calls accuracy. Pictures: mean(x == (y > .5)), so an
anti-aliased pixel can never be right. Latents: how often the largest number
stands in the same place. ceiling: the most that accuracy can be. copy: showing
the last frame again; its loss is the mean squared error, that of a model may be
in units of its own. val, ceiling and copy are measured on held-out frames."""


def _make_rows(row: PaperRow) -> Iterator[Row]:
    yield _make_row(row.component, "model", vars(row))
    if row.component == PAPER_MODELS[row.stage]:
        yield _make_row("the paper", "real", PAPER[row.stage])


def _make_row(name: str, role: Role, values: Mapping[str, Any]) -> Row:
    return Row(name, role, {column.key: Estimate.of(values.get(column.key)) for column in PAPER_COLUMNS})


def align(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of cells as text: names to the left, figures to the right, two spaces between columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for name, *figures in lines:
        right = [f"  {figure:>{width}}" for figure, width in zip(figures, widths[1:], strict=True)]
        yield f"{name:<{widths[0]}}{''.join(right)}".rstrip()


def format_cell(row: Row, column: Column) -> str:
    """A figure as it is shown: `.931 ±.004`, for the interval is nearly even on both sides, or `–` for none."""
    figure = row.figures.get(column.key)
    if figure is None:
        return "–"
    value = _shorten(figure.value, column.decimals)
    if figure.low is None or figure.high is None:
        return value
    text = f"{value} ±{_shorten((figure.high - figure.low) / 2, column.decimals)}"
    return f"{text} flat" if column.slope and figure.low <= 0 <= figure.high else text


def _shorten(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 and text.lstrip("-").startswith("0.") else text
