"""What the commands show: progress bars, warnings, tables. Bars only on a terminal, results on standard output."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from deepdance.evaluation import tables
from deepdance.events import EpochFinished, Event, Listeners, StageFinished, StageStarted, follow
from deepdance.events import Progress as ProgressEvent
from deepdance.metrics.bootstrap import Estimate
from deepdance.metrics.paper_table import PAPER, PaperRow
from deepdance.plugins import discover
from deepdance.session import Session, make_loggers
from deepdance.workspace import Workspace

out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
TRAININGS = ("codec", "sequence")
FIGURES = ("acc", "loss", "val_acc", "val_loss")


class StageBars:
    """A listener that draws one bar a stage: what is done, epoch, loss, speed, time left."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}
        self._epoch: dict[str, tuple[int, int]] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            self._start(event.stage, event.detail)
        elif isinstance(event, ProgressEvent):
            self._advance(event)
        elif isinstance(event, EpochFinished):
            self._end_epoch(event)
        elif isinstance(event, StageFinished):
            self._finish(event)

    def _start(self, stage: str, detail: str) -> None:
        self._row(stage, None, detail)
        self._epoch.pop(stage, None)

    def _row(self, stage: str, total: float | None, note: str) -> None:
        if stage in self._tasks:
            self._bars.remove_task(self._tasks[stage])
        self._tasks[stage] = self._bars.add_task(stage, total=total, note=note, speed="")

    def _advance(self, event: ProgressEvent) -> None:
        task = self._tasks.get(event.stage)
        if task is None:
            return
        epoch, epochs = self._epoch.get(event.stage, (0, 0))
        if epochs and event.total:
            self._bars.update(task, completed=epoch * event.total + event.done, total=epochs * event.total)
        elif event.stage in TRAININGS:
            self._bars.update(task, note=f"first epoch, {event.done} of {event.total}")
        else:
            self._bars.update(task, completed=event.done, total=event.total)
        speed = self._bars.tasks[self._bars.task_ids.index(task)].speed
        self._bars.update(task, speed=f"{speed:.0f}/s" if speed else "")

    def _end_epoch(self, event: EpochFinished) -> None:
        task = self._tasks.get(event.stage)
        if task is None:
            return
        self._epoch[event.stage] = (event.epoch, event.epochs)
        losses = "  ".join(
            f"{name} {event.metrics[name]:.4f}" for name in ("loss", "val_loss") if name in event.metrics
        )
        self._bars.update(task, note=f"epoch {event.epoch}/{event.epochs}  {losses}")

    def _finish(self, event: StageFinished) -> None:
        if event.reused:
            self._row(event.stage, 1, f"{event.detail} (kept)")
        task = self._tasks.get(event.stage)
        if task is not None:
            total = self._bars.tasks[self._bars.task_ids.index(task)].total or 1
            self._bars.update(task, total=total, completed=total)


@contextmanager
def _own_descriptor(console: Console) -> Iterator[None]:
    """Meanwhile a terminal is written to past standard error, which is turned away while frameworks are imported."""
    if not console.is_terminal:
        yield
        return
    shared = console.file
    with open(os.dup(2), "w", encoding="utf-8") as own:  # noqa: PTH123
        console.file = own
        try:
            yield
        finally:
            console.file = shared


@contextmanager
def session(workspace: Path, logs: Sequence[str] = ()) -> Iterator[Session]:
    """A session whose progress is drawn, and logged by the loggers `logs`, while the block runs. Raises OptionError."""
    _show_warnings()
    registry = discover()
    listeners = [*make_loggers(registry, logs), *registry.listeners]
    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=16),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[speed]:>7}"),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with (
        _own_descriptor(err),
        Progress(*columns, console=err, disable=not err.is_terminal, speed_estimate_period=10) as bars,
    ):
        listen = Listeners([("the progress display", StageBars(bars)), *listeners])
        with follow(listen):
            yield Session(Workspace(workspace), registry, listen)


class _WarningLines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        err.print(f"{record.levelname.lower()}: {record.getMessage()}", style="yellow")


def _show_warnings() -> None:
    log = logging.getLogger("deepdance")
    if not log.handlers:
        log.addHandler(_WarningLines())
        log.propagate = False


def paper_table(rows: Sequence[PaperRow]) -> None:
    """The run's figures above the paper's, with the ceiling and the copy of the last frame."""
    table = _grid("The paper's table")
    for name in ("model", "epochs", "acc", "loss", "val acc", "val loss", "ceiling", "copy acc", "copy loss"):
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    for row in rows:
        figures = [row.acc, row.loss, row.val_acc, row.val_loss, row.ceiling_acc, row.copy_last_acc, row.copy_last_loss]
        table.add_row(row.component, str(row.epochs), *map(_figure, figures))
        paper = PAPER[row.stage]
        published = [_figure(paper[name]) for name in FIGURES]
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


def table(measured: tables.Table) -> None:
    """Measured figures with half their 95 % interval, and the legend below."""
    out.print(_upright(measured) if measured.upright else _across(measured))
    out.print(f"{measured.legend}\n", style="dim")


def _across(measured: tables.Table) -> Table:
    grid = _grid(measured.title)
    grid.add_column("", no_wrap=True)
    ahead = any(row.horizon is not None for row in measured.rows)
    for title in (["ahead"] if ahead else []) + [column.title for column in measured.columns]:
        grid.add_column(title, justify="right", no_wrap=True)
    for row in measured.rows:
        cells = [_cell(row, column) for column in measured.columns]
        horizon = [str(row.horizon)] if ahead else []
        grid.add_row(row.name, *horizon, *cells, style=None if row.role == "model" else "dim")
    return grid


def _upright(measured: tables.Table) -> Table:
    grid = _grid(measured.title)
    grid.add_column("", no_wrap=True)
    for row in measured.rows:
        grid.add_column(row.name, justify="right", no_wrap=True, style=None if row.role == "model" else "dim")
    for column in measured.columns:
        grid.add_row(column.title, *(_cell(row, column) for row in measured.rows))
    return grid


def _cell(row: tables.Row, column: tables.Column) -> str:
    figure = row.figures.get(column.key)
    text = _with_interval(figure, column.decimals)
    if not column.slope or figure is None or figure.low is None or figure.high is None:
        return text
    return f"{text} flat" if figure.low <= 0 <= figure.high else text


def _grid(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))


def _with_interval(figure: Estimate | None, decimals: int) -> str:
    """`.931 ±.004`: the interval is nearly even on both sides, JSON has its two ends."""
    if figure is None:
        return "–"
    value = _short(figure.value, decimals)
    if figure.low is None or figure.high is None:
        return value
    return f"{value} ±{_short((figure.high - figure.low) / 2, decimals)}"


def _short(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 and text.lstrip("-").startswith("0.") else text


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
