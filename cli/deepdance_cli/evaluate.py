"""`dd evaluate`: what a run is worth, measured on frames that it has not learned from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from deepdance_cli.arguments import (
    Executor,
    FreshTable,
    Jobs,
    Json,
    Length,
    RunName,
    Seeds,
    TablesFile,
    Workspace,
    find_run,
)
from deepdance_cli.output import print_json


def evaluate(
    run: RunName = None,
    frames: Length = 1000,
    seeds: Seeds = 5,
    fresh: FreshTable = None,
    out: TablesFile = None,
    jobs: Jobs = None,
    executor: Executor = "",
    workspace: Workspace = Path("workspace"),
    json: Json = False,
) -> None:
    """Measure a run on its held-out frames: the paper's table, the codec, the next frame, long dances.

    Beside every figure stand what real frames and copying the last frame reach.

    Example: dd evaluate my-run --out tables.tex
    """
    from deepdance import report
    from deepdance.evaluation import export
    from deepdance_cli import console
    from deepdance_cli.progress import open_session
    from deepdance_cli.show import print_table

    if out:
        export.check_format(out)
    place, name = find_run(run, workspace)
    with open_session(place.root, jobs=jobs, engine=executor) as session:
        measured = report.evaluate(session, name, frames, seeds, fresh=fresh)
    if out:
        measured.all_tables.write(out)
    if json:
        print_json(asdict(measured))
        return
    for table in measured.all_tables.values():
        print_table(table)
    if out:
        console.out.print(f"tables {out}")
