"""`dd evaluate`: how good is a run?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from deepdance_cli.arguments import Debug, Json, RunName, Workspace


def evaluate(run: RunName, workspace: Workspace = Path("workspace"), json: Json = False, debug: Debug = False) -> None:
    """Print the paper's table of a run beside the paper's own figures.

    Example: dd evaluate my-run
    """
    from deepdance import runs
    from deepdance.workspace import locate_run
    from deepdance_cli import show

    place, name = locate_run(run, workspace)
    with show.studio(place.root) as studio:
        record, recipe = place.open_run(name)
        table = runs.paper_table(studio, recipe, record)
    if json:
        show.as_json({"run": name, "paper_table": [asdict(row) for row in table]})
    else:
        show.paper_table(table)
