"""`dd evaluate`: what a run is worth, measured on frames that it has not learned from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from deepdance_cli.arguments import Debug, Json, RunName, Workspace


def evaluate(run: RunName, workspace: Workspace = Path("workspace"), json: Json = False, debug: Debug = False) -> None:
    """Measure a run on its held-out frames: the paper's table, the codec, the next frame.

    Beside every figure stand its 95 % interval and what real frames and copying the last frame reach.

    Example: dd evaluate my-run
    """
    from deepdance.evaluation import report
    from deepdance.workspace import locate_run
    from deepdance_cli import show

    place, name = locate_run(run, workspace)
    with show.studio(place.root) as studio:
        measured = report.evaluate(studio, name)
    if json:
        show.as_json(asdict(measured))
        return
    show.paper_table(measured.paper_table)
    for table in measured.tables.values():
        show.table(table)
