"""Measured figures as tables on standard output."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from deepdance.evaluation import tables
from deepdance.metrics.bootstrap import Estimate
from deepdance.metrics.paper_table import PAPER, PaperRow
from deepdance_cli.console import out

FIGURES = ("acc", "loss", "val_acc", "val_loss")


def print_paper_table(rows: Sequence[PaperRow]) -> None:
    """The run's figures above the paper's, with the ceiling and the copy of the last frame."""
    table = _make_grid("The paper's table")
    for name in ("model", "epochs", "acc", "loss", "val acc", "val loss", "ceiling", "copy acc", "copy loss"):
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    for row in rows:
        figures = [row.acc, row.loss, row.val_acc, row.val_loss, row.ceiling_acc, row.copy_last_acc, row.copy_last_loss]
        table.add_row(row.component, str(row.epochs), *map(_format_figure, figures))
        paper = PAPER[row.stage]
        published = [_format_figure(paper[name]) for name in FIGURES]
        table.add_row("  the paper", str(paper["epochs"]), *published, style="dim")
        table.add_row()
    out.print(table)
    out.print(_LEGEND, style="dim")


_LEGEND = """\
acc is what Keras calls accuracy. Pictures: mean(x == (y > .5)), so an
anti-aliased pixel can never be right. Latents: how often the largest number
stands in the same place. ceiling: the most that accuracy can be. copy: showing
the last frame again. val, ceiling and copy are measured on held-out frames.
"""


def print_table(measured: tables.Table) -> None:
    """Measured figures with half their 95 % interval, and the legend below."""
    out.print(_build_upright(measured) if measured.upright else _build_across(measured))
    out.print(f"{measured.legend}\n", style="dim")


def _build_across(measured: tables.Table) -> Table:
    grid = _make_grid(measured.title)
    grid.add_column("", no_wrap=True)
    ahead = any(row.horizon is not None for row in measured.rows)
    for title in (["ahead"] if ahead else []) + [column.title for column in measured.columns]:
        grid.add_column(title, justify="right", no_wrap=True)
    for row in measured.rows:
        cells = [_format_cell(row, column) for column in measured.columns]
        horizon = [str(row.horizon)] if ahead else []
        grid.add_row(row.name, *horizon, *cells, style=None if row.role == "model" else "dim")
    return grid


def _build_upright(measured: tables.Table) -> Table:
    grid = _make_grid(measured.title)
    grid.add_column("", no_wrap=True)
    for row in measured.rows:
        grid.add_column(row.name, justify="right", no_wrap=True, style=None if row.role == "model" else "dim")
    for column in measured.columns:
        grid.add_row(column.title, *(_format_cell(row, column) for row in measured.rows))
    return grid


def _format_cell(row: tables.Row, column: tables.Column) -> str:
    figure = row.figures.get(column.key)
    text = _format_estimate(figure, column.decimals)
    if not column.slope or figure is None or figure.low is None or figure.high is None:
        return text
    return f"{text} flat" if figure.low <= 0 <= figure.high else text


def _make_grid(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))


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
