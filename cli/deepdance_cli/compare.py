"""`dd compare`: several runs in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepdance_cli.arguments import Debug, Json, Workspace


def compare(
    run: Annotated[list[str], typer.Argument(metavar="RUN…", help="Runs' names, or their folders.")],
    workspace: Workspace = Path("workspace"),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show the main figures of several runs beside one another, one row each.

    Example: dd compare first-run second-run
    """
    from deepdance.evaluation import report
    from deepdance.workspace import locate_run
    from deepdance_cli import show

    evaluations = []
    for place, name in [locate_run(text, workspace) for text in run]:
        with show.studio(place.root) as studio:
            evaluations.append(report.evaluate(studio, name))
    table = report.comparison(evaluations)
    if json:
        show.as_json(table.as_json())
    else:
        show.table(table)
