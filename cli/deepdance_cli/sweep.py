"""`dd sweep`: many runs from one file, and their tables."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepdance_cli import arguments
from deepdance_cli.output import print_json

if TYPE_CHECKING:
    from deepdance.session import Session
    from deepdance.sweeps import PlannedRun, Sweep, Swept

FAILED = 1
"""The exit code where a run has failed; 2 is a mistake with which nothing could begin."""


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="What varies, and what all runs have in common.")],
    videos: Annotated[
        list[str] | None,
        typer.Argument(metavar="[VIDEO]...", help="Videos in place of those of the file: each makes runs of its own."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the runs, and the stage that each would begin with.")
    ] = False,
    allow_remote: arguments.AllowRemote = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Runs that are made at once, each by a process of its own. Default: what cores and memory allow.",
            show_default=False,
        ),
    ] = None,
    executor: arguments.Executor = "",
    out: arguments.TablesFile = None,
    workspace: arguments.Workspace = Path("workspace"),
    json: arguments.Json = False,
) -> None:
    """Make every combination of videos, components, options and seeds, each stage once, and compare them.

    The same command goes on after an interruption. If a run fails, the others go on, and the exit code is 1.

    Example: dd sweep models.toml --jobs 2 --out tables.md
    """
    from deepdance.evaluation import export
    from deepdance.sweeps import Sweep, run_sweep
    from deepdance_cli.progress import open_session

    if out:
        export.check_format(out)
    read = Sweep.read(file)
    with open_session(workspace, jobs=jobs, engine=executor) as session:
        groups = [[each] for each in videos] if videos else read.videos
        given = tuple(tuple(arguments.fetch_allowed(session, [*group], allow_remote)) for group in groups)
        asked = read.model_copy(update={"videos": given})
        if dry_run:
            _list_runs(session, asked, json)
            return
        swept = run_sweep(session, asked)
    if out and swept.tables:
        swept.tables.write(out)
    _show_json(swept, out) if json else _show(swept, out)
    if swept.failed:
        raise typer.Exit(FAILED)


def _list_runs(session: Session, asked: Sweep, json: bool) -> None:
    from deepdance_cli.console import out

    states = {run.name: _describe_state(session, asked, run) for run in asked.plan(session.registry)}
    if json:
        print_json([{"run": name, "state": state} for name, state in states.items()])
        return
    for name, state in states.items():
        out.print(f"{name}  {state}")


def _describe_state(session: Session, asked: Sweep, planned: PlannedRun) -> str:
    from deepdance.errors import DeepDanceError
    from deepdance.sweeps import find_first_missing

    try:
        stage = find_first_missing(session, asked, planned)
    except DeepDanceError as error:
        return f"would fail: {error}"
    return f"begins with {stage}" if stage else "is finished"


def _show_json(swept: Swept, out: Path | None) -> None:
    tables = {key: table.as_json() for key, table in (swept.tables or {}).items()}
    paths = {"report": swept.report and str(swept.report), "tables_file": str(out) if out and swept.tables else None}
    print_json({"runs": [asdict(result) for result in swept.results], **paths, "tables": tables})


def _show(swept: Swept, out: Path | None) -> None:
    from deepdance_cli import console
    from deepdance_cli.show import print_table

    for table in (swept.tables or {}).values():
        print_table(table)
    if out and swept.tables:
        console.out.print(f"tables {out}")
    if swept.report:
        console.out.print(f"report {swept.report}")
    for result in swept.failed:
        console.err.print(f"{result.run} failed: {result.error}", style="red")
    if swept.failed:
        console.err.print(f"{len(swept.failed)} of {len(swept.results)} runs failed; the same command tries them again")
