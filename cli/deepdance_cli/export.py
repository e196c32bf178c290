"""`dd export`: what a run has learned, for other programs to dance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepdance_cli.arguments import Json, RunName, Workspace, find_run
from deepdance_cli.output import print_json

app = typer.Typer(help="Take a dance to other programs.", no_args_is_help=True)


@app.command("web")
def web(
    run: RunName = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The .html file to write. Default: dance.html, or dance-2.html where that is there."),
    ] = None,
    workspace: Workspace = Path("workspace"),
    json: Json = False,
) -> None:
    """Write a page that dances without end: one file, for every browser, OBS and TouchDesigner.

    Example: dd export web my-run --out dance.html
    """
    from deepdance_cli import console
    from deepdance_cli.progress import open_session
    from deepdance_plugins.player.web import export_web

    place, name = find_run(run, workspace)
    with open_session(place.root) as session:
        exported = export_web(session, name, out)
    if json:
        print_json({"run": name, "page": str(exported.page), "note": exported.note})
        return
    if exported.note:
        console.out.print(f"note {exported.note}")
    console.out.print(f"page {exported.page}")
