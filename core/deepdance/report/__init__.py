"""A page that shows a run to who would rather look than read: one file, which needs nothing else.

`run` and `evaluate` are those of `runs` and `evaluation`, and leave the run with its page.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from deepdance import runs
from deepdance.errors import OptionError
from deepdance.evaluation.report import LENGTH, SEEDS, Evaluation
from deepdance.evaluation.report import evaluate as measure
from deepdance.events import StageFinished, StageStarted
from deepdance.folders import show_path
from deepdance.plugins.isolation import one_line
from deepdance.recipe import Recipe
from deepdance.report.contents import collect
from deepdance.report.page import write_page
from deepdance.runs import Finished
from deepdance.session import Session

__all__ = ["REPORT", "check_report", "collect", "evaluate", "run", "write_page", "write_report"]

REPORT = "report.html"
SUFFIXES = (".html", ".htm")

log = logging.getLogger("deepdance")


def run(
    session: Session,
    recipe: Recipe,
    locations: Sequence[str] = (),
    name: str | None = None,
    *,
    numbered: bool = False,
    force: bool = False,
    fresh: str | None = None,
) -> Finished:
    """`runs.run`, and the run's report beside its video."""

    def report(finished: Finished) -> None:
        _try_to_write(session, finished.run.name, finished)

    return runs.run(session, recipe, locations, name, numbered=numbered, force=force, fresh=fresh, report=report)


def evaluate(
    session: Session, name: str, length: int = LENGTH, seeds: int = SEEDS, *, fresh: str | None = None
) -> Evaluation:
    """`evaluation.report.evaluate`, and the run's report with its tables."""
    evaluation = measure(session, name, length, seeds, fresh=fresh)
    _try_to_write(session, name)
    return evaluation


def _try_to_write(session: Session, name: str, finished: Finished | None = None) -> None:
    """What has been made or measured stays, whatever its report lacks: a plugin's codec may fail, a disk be full."""
    try:
        write_report(session, name, finished)
    except Exception as error:
        log.warning("%s: its report could not be written: %s; try again: dd report %s", name, one_line(error), name)


def write_report(session: Session, name: str, finished: Finished | None = None) -> Path:
    """Write the report of a run into its folder. `finished` is the run where it has just been made.

    Raises InputError for a run that has not trained, WorkspaceError for one that is not there, or damaged.
    """
    path = session.workspace.run_folder(name) / REPORT
    session.listen(StageStarted("report", path.name))
    write_page([collect(session, name, finished)], path)
    session.listen(StageFinished("report", False, str(path)))
    return path


def check_report(path: Path) -> None:
    """Raise OptionError if no report can be written under this name."""
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(f"--out: expected a name that ends in .html, got {show_path(path)!r}; give one")
