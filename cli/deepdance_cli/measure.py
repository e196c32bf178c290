"""`dd measure`: other people's videos beside the frames that a run learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepdance_cli.arguments import (
    AllowRemote,
    Executor,
    Jobs,
    Json,
    Settings,
    Videos,
    Workspace,
    complete_names,
    fetch_allowed,
    find_run,
)
from deepdance_cli.output import print_json


def measure(
    videos: Videos,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="The run whose frames are the real ones: name or folder. Default: the latest finished run.",
        ),
    ] = None,
    remover: Annotated[
        str | None,
        typer.Option(help="Another background remover than the run's.", autocompletion=complete_names("remover")),
    ] = None,
    settings: Settings = None,
    allow_remote: AllowRemote = False,
    jobs: Jobs = None,
    executor: Executor = "",
    workspace: Workspace = Path("workspace"),
    json: Json = False,
) -> None:
    """Measure videos beside a run's frames: what `dd evaluate` says of its long dances, of anybody's.

    They are read as the run's videos were, unless --remover or --set say otherwise.

    Example: dd measure theirs.mp4 --run my-run --set source.crop=54,44,335,200
    """
    from deepdance.evaluation import report
    from deepdance_cli.progress import open_session
    from deepdance_cli.show import print_table

    place, name = find_run(run, workspace)
    with open_session(place.root, jobs=jobs, engine=executor) as session:
        inputs = fetch_allowed(session, videos, allow_remote)
        table = report.evaluate_videos(session, name, inputs, remover, settings or [])
    if json:
        print_json(table.as_json())
    else:
        print_table(table)
