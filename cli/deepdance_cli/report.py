"""`dd report`: a page that shows runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepdance_cli.arguments import Json, Workspace, find_run
from deepdance_cli.output import print_json


def report(
    run: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN…]", help="Runs' names, or their folders. Default: the latest finished run."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The page to write. Default: report.html in the run's folder; of several runs, here."),
    ] = None,
    workspace: Workspace = Path("workspace"),
    json: Json = False,
) -> None:
    """Make the page report.html of a run anew, or one that shows several beside one another.

    It is one file, which can be opened, kept and sent without the workspace. It holds frames of the videos.

    Example: dd report first-run second-run --out both.html
    """
    from deepdance import opened_runs
    from deepdance import report as reports
    from deepdance_cli import console
    from deepdance_cli.progress import open_session

    if out:
        reports.check_report(out)
    given = [*run] if run else [None]
    found = [find_run(text, workspace) for text in given]
    for place, name in found:
        opened_runs.check_trained(place, name)
    shown = []
    for number, (place, name) in enumerate(found, 1):
        title = f"{name} ({number} of {len(found)})" if len(found) > 1 else ""
        with open_session(place.root, title=title) as session:
            shown.append(reports.collect(session, name))
    path = out or (Path(reports.REPORT) if len(found) > 1 else found[0][0].run_folder(found[0][1]) / reports.REPORT)
    reports.write_page(shown, path)
    if json:
        print_json({"report": str(path)})
    else:
        console.out.print(f"report {path}")
