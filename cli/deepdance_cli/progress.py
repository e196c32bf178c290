"""What a command shows while it works: a bar a stage, and warnings. Bars only on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from deepdance.controls import escape_controls
from deepdance.events import EpochFinished, Event, RunFinished, RunStarted, StageFinished, StageStarted, follow
from deepdance.events import Progress as ProgressEvent
from deepdance.plugins import discover
from deepdance.progress import TRAININGS, describe_epoch, title_stage
from deepdance.session import WAITING, Session, make_listeners, make_loggers
from deepdance.workspace import Workspace
from deepdance_cli.console import err
from deepdance_cli.forecast import AFTER_READING, Forecast, format_time
from deepdance_cli.output import GuardedStream

SWEEP = "sweep"
"""The stage of which each step is a run."""


class StageBars:
    """A listener that draws one bar a stage: what is done, time left, of the run too, epoch, losses.

    Inputs that are prepared at once share a bar, which names them.
    """

    def __init__(self, bars: Progress, forecast: Forecast) -> None:
        self._bars, self._forecast = bars, forecast
        self._tasks: dict[str, Any] = {}
        self._epoch: dict[str, tuple[int, int]] = {}
        self._working: dict[str, list[str]] = {}
        self._made = 0
        """Runs of a sweep, without those that were there."""

    def __call__(self, event: Event) -> None:
        self._forecast(event)
        if isinstance(event, StageStarted):
            self._start(event.stage, event.detail)
        elif isinstance(event, ProgressEvent):
            self._advance(event)
        elif isinstance(event, EpochFinished):
            self._end_epoch(event)
        elif isinstance(event, StageFinished):
            self._finish(event)
        elif isinstance(event, RunStarted) and SWEEP in self._tasks:
            self._bars.update(self._tasks[SWEEP], note=event.run)
        elif isinstance(event, RunFinished):
            self._made += 1
        self._show_rest()

    def _show_rest(self) -> None:
        rest = self._forecast.rest()
        for stage in AFTER_READING[:-1]:  # the last has its own time left
            task = self._tasks.get(stage)
            if task is not None:
                shown = f"run {format_time(rest)}" if rest is not None and self._working.get(stage) else ""
                self._bars.update(task, rest=shown)

    def _start(self, stage: str, detail: str) -> None:
        working = self._working.setdefault(stage, [])
        if not working:
            self._row(stage, None, detail)
            self._epoch.pop(stage, None)
        if detail != WAITING:
            working.append(detail)
        self._bars.update(self._tasks[stage], note=", ".join(working) or detail)

    def _row(self, stage: str, total: float | None, note: str) -> None:
        if stage in self._tasks:
            self._bars.remove_task(self._tasks[stage])
        self._tasks[stage] = self._bars.add_task(title_stage(stage), total=total, note=note, rest="")

    def _advance(self, event: ProgressEvent) -> None:
        task = self._tasks.get(event.stage)
        if task is None:
            return
        if event.note:
            if event.note != WAITING or not self._working.get(event.stage):
                self._bars.update(task, note=event.note)
            return
        epoch, epochs = self._epoch.get(event.stage, (0, 0))
        if epochs and event.total:
            self._bars.update(task, completed=epoch * event.total + event.done, total=epochs * event.total)
        elif event.stage in TRAININGS:
            self._bars.update(task, note=f"first epoch, {event.done} of {event.total}")
        else:
            self._bars.update(task, completed=event.done, total=event.total)
        if event.stage == SWEEP and self._made:
            self._show_rest_of_sweep(task)

    def _show_rest_of_sweep(self, task: Any) -> None:
        """Its steps are too far apart for the bar's own time left; runs that were there do not count."""
        shown = self._bars.tasks[self._bars.task_ids.index(task)]
        rest = (shown.elapsed or 0) / self._made * ((shown.total or 0) - shown.completed)
        self._bars.update(task, rest=f"all {format_time(rest)}" if rest else "")

    def _end_epoch(self, event: EpochFinished) -> None:
        task = self._tasks.get(event.stage)
        if task is None:
            return
        self._epoch[event.stage] = (event.epoch, event.epochs)
        self._bars.update(task, note=describe_epoch(event.epoch, event.epochs, event.metrics))

    def _finish(self, event: StageFinished) -> None:
        working = self._working.get(event.stage, [])
        if event.detail in working:
            working.remove(event.detail)
        elif not event.reused:  # a stage that works on one thing at a time ends with another detail than it began
            working.clear()
        if working:
            self._bars.update(self._tasks[event.stage], note=", ".join(working))
            return
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
    with open(os.dup(2), "w", encoding=sys.stderr.encoding, errors="replace") as own:  # noqa: PTH123
        console.file = cast(TextIO, GuardedStream(own, optional=True))
        try:
            yield
        finally:
            console.file = shared


@contextmanager
def open_session(
    workspace: Path, logs: Sequence[str] = (), title: str = "", *, jobs: int | None = None, engine: str = ""
) -> Iterator[Session]:
    """A session whose progress is drawn, and logged by the loggers `logs`, while the block runs.

    It works on `jobs` things at once by an `engine`, as `Session` says. `title` stands above the bars: which run they
    are of, where there are several. Raises OptionError.
    """
    place, registry = Workspace(workspace), discover()
    if title and err.is_terminal:
        err.print(title, style="bold")
    others = [*make_loggers(registry, logs), *registry.listeners]
    with _own_descriptor(err), make_bars(err) as bars:
        shown = ("the progress display", StageBars(bars, Forecast(place, registry)))
        listen = make_listeners(registry, [shown, *others])
        with follow(listen):
            yield Session(place, registry, listen, jobs=jobs, spawns=True, engine=engine)


class _NoteColumn(ProgressColumn):
    """What a stage is at, escaped before it is cut: names of files, and what plugins say."""

    def render(self, task: Task) -> Text:
        return Text(escape_controls(task.fields["note"]))


def make_bars(console: Console) -> Progress:
    """Bars as wide as the console: where that is narrow, the note is cut, and nothing before it."""
    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=8),
        TextColumn("{task.percentage:>3.0f}%", table_column=Column(no_wrap=True)),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True, table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[rest]}", table_column=Column(no_wrap=True)),
        _NoteColumn(table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal, speed_estimate_period=10, expand=True)
