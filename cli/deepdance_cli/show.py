"""Measured figures as tables on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deepdance.evaluation import tables
from deepdance.metrics.bootstrap import Estimate
from deepdance.metrics.paper_table import PAPER, PaperRow
from deepdance_cli.grid import Grid, find_width, fits, print_grid, print_text

FIGURES = ("acc", "loss", "val_acc", "val_loss")


def print_paper_table(rows: Sequence[PaperRow]) -> None:
    """The run's figures above the paper's, with the ceiling and the copy of the last frame."""
    headings = ("model", "epochs", "acc", "loss", "val acc", "val loss", "ceiling", "copy acc", "copy loss")
    lines: list[list[str]] = []
    for row in rows:
        figures = [row.acc, row.loss, row.val_acc, row.val_loss, row.ceiling_acc, row.copy_last_acc, row.copy_last_loss]
        lines.append([row.component, str(row.epochs), *map(_format_figure, figures)])
        paper = PAPER[row.stage]
        published = [_format_figure(paper[name]) for name in FIGURES]
        lines.append(["the paper", str(paper["epochs"]), *published, "", "", ""])
    print_text("The paper's table", "italic")
    print_grid(Grid(headings, lines, ["", "dim"] * len(rows), figures=True))
    print_text(f"\n{_LEGEND}", "dim")


_LEGEND = """\
acc is what Keras calls accuracy. Pictures: mean(x == (y > .5)), so an
anti-aliased pixel can never be right. Latents: how often the largest number
stands in the same place. ceiling: the most that accuracy can be. copy: showing
the last frame again. val, ceiling and copy are measured on held-out frames.
"""


def print_table(measured: tables.Table) -> None:
    """Measured figures with half their 95 % interval, and the legend below.

    Where several horizons beside one another are too wide, each has a block of its own.
    """
    grid = _build_grid(measured)
    horizons = list(dict.fromkeys(row.horizon for row in measured.rows))
    if len(horizons) < 2 or fits(grid, find_width()):
        print_text(measured.title, "italic")
        print_grid(grid)
    else:
        for horizon in horizons:
            _print_horizon(measured, horizon)
    print_text(f"{measured.legend}\n", "dim")


def _print_horizon(measured: tables.Table, horizon: int | None) -> None:
    rows = [replace(row, horizon=None) for row in measured.rows if row.horizon == horizon]
    print_text(measured.title if horizon is None else f"{measured.title}, {horizon} ahead", "italic")
    print_grid(_build_grid(replace(measured, rows=rows, upright=True)))
    print_text("")


def _build_grid(measured: tables.Table) -> Grid:
    ahead = any(row.horizon is not None for row in measured.rows)
    headings = ["", *(["ahead"] if ahead else []), *(column.title for column in measured.columns)]
    rows = []
    for row in measured.rows:
        cells = [_format_cell(row, column) for column in measured.columns]
        rows.append([row.name, *([str(row.horizon)] if ahead else []), *cells])
    styles = ["" if row.role == "model" else "dim" for row in measured.rows]
    return Grid(headings, rows, styles, figures=True, upright=measured.upright)


def _format_cell(row: tables.Row, column: tables.Column) -> str:
    figure = row.figures.get(column.key)
    text = _format_estimate(figure, column.decimals)
    if not column.slope or figure is None or figure.low is None or figure.high is None:
        return text
    return f"{text} flat" if figure.low <= 0 <= figure.high else text


def _format_estimate(figure: Estimate | None, decimals: int) -> str:
    """`.931 ±.004`: the interval is nearly even on both sides, JSON has its two ends."""
    if figure is None:
        return "–"
    value = _shorten(figure.value, decimals)
    if figure.low is None or figure.high is None:
        return value
    return f"{value} ±{_shorten((figure.high - figure.low) / 2, decimals)}"


def _shorten(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 and text.lstrip("-").startswith("0.") else text


def _format_figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
