"""`dd runs`: what the workspace holds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from deepdance_cli.arguments import Json, Workspace
from deepdance_cli.output import print_json


def runs(workspace: Workspace = Path("workspace"), json: Json = False) -> None:
    """List the runs of the workspace.

    Example: dd runs --json
    """
    from deepdance.workspace import Workspace as Folder
    from deepdance_cli.console import out
    from deepdance_cli.grid import Grid, print_grid

    place = Folder(workspace)
    found = place.runs()
    if json:
        print_json([{**asdict(run), "folder": str(place.run_folder(run.name))} for run in found])
        return
    if not found:
        out.print(f"no runs in {workspace} yet; start one with: dd run my-video.mp4")
        return
    rows = []
    for run in found:
        video = str(place.run_folder(run.name) / run.video) if run.video else "–"
        rows.append([run.name, run.status, run.created[:16].replace("T", " "), str(len(run.inputs)), video])
    print_grid(Grid(("run", "state", "made", "inputs", "video"), rows))
