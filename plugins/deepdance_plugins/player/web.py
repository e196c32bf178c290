"""A run's endless dance as one file for browsers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deepdance import opened_runs, pipeline
from deepdance.errors import OptionError
from deepdance.events import StageFinished, StageStarted
from deepdance.folders import show_path
from deepdance.opened_runs import OpenedRun
from deepdance.outputs import check_place, number_dance
from deepdance.session import Session
from deepdance.storage import write_text
from deepdance_plugins.player.material import make_material, pack
from deepdance_plugins.player.page import build_page

SUFFIXES = (".html", ".htm")


@dataclass(frozen=True)
class Exported:
    """A page that was written."""

    page: Path
    note: str
    """What it dances in place of the run's own models, if it cannot dance with these."""


def export_web(session: Session, name: str, out: Path | None = None) -> Exported:
    """Write the endless dance of a finished run as one HTML file, which needs no network and opens from the disk.

    Without `out` it is `dance.html`, or `dance-2.html` where that is there.
    Raises InputError, OptionError, WorkspaceError.
    """
    out = out or number_dance(SUFFIXES[0])
    if out.suffix.lower() not in SUFFIXES or out.is_dir():
        raise OptionError(f"--out: expected a name ending in .html, got {show_path(out)}; such as --out dance.html")
    record, recipe = session.workspace.open_run(name)
    check_place(out, record.inputs)
    pipeline.import_components(session, recipe)
    session.listen(StageStarted("export", str(out)))
    page, note = make_page(opened_runs.open_run(session, recipe, record), name)
    write_text(out, page)
    session.listen(StageFinished("export", False, str(out)))
    return Exported(out, note)


def make_page(run: OpenedRun, title: str) -> tuple[str, str]:
    """The page of a run, as HTML, and what it dances in place of the run's own models, if it cannot with these."""
    meta, data = pack(make_material(run))
    return build_page(meta, data, title=title), meta["note"]
