"""`dd compare`: several runs beside one another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepdance_cli.arguments import Executor, Jobs, Json, Length, Seeds, TablesFile, Workspace
from deepdance_cli.output import print_json


def compare(
    run: Annotated[list[str], typer.Argument(metavar="RUN…", help="Runs' names, or their folders.")],
    frames: Length = 1000,
    seeds: Seeds = 5,
    out: TablesFile = None,
    jobs: Jobs = None,
    executor: Executor = "",
    workspace: Workspace = Path("workspace"),
    json: Json = False,
) -> None:
    """Show the main figures of several runs beside one another, one row each, and the paper's table of all.

    Example: dd compare first-run second-run --out table.tex
    """
    from deepdance import opened_runs, report
    from deepdance.evaluation import export
    from deepdance.evaluation import report as measured
    from deepdance.workspace import locate_run
    from deepdance_cli import console
    from deepdance_cli.progress import open_session
    from deepdance_cli.show import print_table

    if out:
        export.check_format(out)
    evaluations, places = [], [locate_run(text, workspace) for text in run]
    for place, name in places:
        opened_runs.check_trained(place, name)
    for number, (place, name) in enumerate(places, 1):
        title = f"{name} ({number} of {len(run)})"
        with open_session(place.root, title=title, jobs=jobs, engine=executor) as session:
            evaluations.append(report.evaluate(session, name, frames, seeds))
    tables = measured.compare(evaluations)
    if out:
        tables.write(out)
    if json:
        print_json({key: table.as_json() for key, table in tables.items()})
        return
    for table in tables.values():
        print_table(table)
    if out:
        console.out.print(f"tables {out}")
