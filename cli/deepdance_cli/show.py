"""Measured figures as tables on standard output."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from deepdance.evaluation import tables
from deepdance.metrics.paper_table import PaperRow
from deepdance_cli.console import out


def print_paper_table(rows: Sequence[PaperRow]) -> None:
    """The run's figures above the paper's, with the ceiling and the copy of the last frame."""
    print_table(tables.PaperTable(rows).as_table())


def print_table(measured: tables.Table) -> None:
    """Measured figures with half their 95 % interval, and the legend below."""
    out.print(_build_upright(measured) if measured.upright else _build_across(measured))
    out.print(f"{measured.legend}\n", style="dim")


def _build_across(measured: tables.Table) -> Table:
    grid = _make_grid(measured.title)
    grid.add_column("", no_wrap=True)
    for title in measured.headings[1:]:
        grid.add_column(title, justify="right", no_wrap=True)
    for row, cells in zip(measured.rows, measured.cells, strict=True):
        grid.add_row(*cells, style=None if row.role == "model" else "dim")
    return grid


def _build_upright(measured: tables.Table) -> Table:
    grid = _make_grid(measured.title)
    grid.add_column("", no_wrap=True)
    for row in measured.rows:
        grid.add_column(row.name, justify="right", no_wrap=True, style=None if row.role == "model" else "dim")
    for column in measured.columns:
        grid.add_row(column.title, *(tables.format_cell(row, column) for row in measured.rows))
    return grid


def _make_grid(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
