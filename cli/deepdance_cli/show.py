"""Measured figures as tables on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deepdance.evaluation import tables
from deepdance.metrics.paper_table import PaperRow
from deepdance_cli.grid import LINE, Grid, find_width, fits, print_grid, print_text


def print_paper_table(rows: Sequence[PaperRow]) -> None:
    """The run's figures above the paper's, with the ceiling and the copy of the last frame."""
    print_table(tables.PaperTable(rows).as_table())


def print_table(measured: tables.Table) -> None:
    """Measured figures with their 95 % interval, and the legend below.

    Where several horizons beside one another are too wide, each has a block of its own.
    """
    measured = measured.shown
    grid = _build_grid(measured)
    horizons = list(dict.fromkeys(row.horizon for row in measured.rows))
    if len(horizons) < 2 or fits(grid, find_width()):
        print_text(measured.title, "italic")
        print_grid(grid)
    else:
        for horizon in horizons:
            _print_horizon(measured, horizon)
    print_text(f"{measured.legend}\n", "dim", LINE)


def _print_horizon(measured: tables.Table, horizon: int | None) -> None:
    rows = [replace(row, horizon=None) for row in measured.rows if row.horizon == horizon]
    print_text(measured.title if horizon is None else f"{measured.title}, {horizon} ahead", "italic")
    print_grid(_build_grid(replace(measured, rows=rows, upright=True)))
    print_text("")


def _build_grid(measured: tables.Table) -> Grid:
    styles = ["" if row.role == "model" else "dim" for row in measured.rows]
    return Grid(measured.headings, measured.cells, styles, figures=True, upright=measured.upright)
