"""`dd play`: a dance without an end, to look at."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from deepdance_cli.arguments import RunName, Workspace, find_run

if TYPE_CHECKING:
    from deepdance.opened_runs import OpenedRun


def play(
    run: RunName = None,
    terminal: Annotated[
        bool | None,
        typer.Option(
            "--terminal/--browser",
            help="Where to dance. Default: in the browser; over SSH, or where there is no display, in the terminal.",
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="End after so many. Default: none, Ctrl-C ends.")
    ] = None,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Dance on and on with the models of a run: in the browser, or in the terminal.

    Example: dd play my-run --terminal
    """
    from deepdance import opened_runs, pipeline
    from deepdance_cli.live.terminal import check_terminal
    from deepdance_cli.progress import open_session

    in_terminal = not _has_display() if terminal is None else terminal
    if in_terminal:
        check_terminal(seconds)
    place, name = find_run(run, workspace)
    with open_session(place.root) as session:
        record, recipe = session.workspace.open_run(name)
        opened = opened_runs.open_run(session, recipe, record)
        pipeline.import_components(session, recipe)
        if not in_terminal:
            from deepdance_plugins.player.web import make_page

            page, note = make_page(opened, name)
    if in_terminal:
        _dance_here(opened, seconds)
    else:
        _serve(page, note, seconds)


def _has_display() -> bool:
    """Whether a browser that is opened here would be seen."""
    if any(name in os.environ for name in ("SSH_CONNECTION", "SSH_TTY")):
        return False
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _dance_here(run: OpenedRun, seconds: float | None) -> None:
    from deepdance_cli import console
    from deepdance_cli.live.terminal import show_dance

    console.err.print(show_dance(run, seconds), style="dim")


def _serve(page: str, note: str, seconds: float | None) -> None:
    """Serve the page, say where, and open it if that can be seen."""
    import webbrowser

    from deepdance_cli import console
    from deepdance_cli.live.server import PageServer

    if note:
        console.out.print(f"note {note}")
    with PageServer(page) as server:
        console.out.print(f"page {server.url}")
        if _has_display():
            # Beside what serves it: some browsers that BROWSER names are waited for until they are closed.
            Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        server.serve(math.inf if seconds is None else seconds)
