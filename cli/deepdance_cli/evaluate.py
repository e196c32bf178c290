"""`dd evaluate`: what a run is worth, measured on frames that it has not learned from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deepdance_cli.arguments import Debug, Json, Length, Seeds, Workspace, names_of


def evaluate(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="A run's name, or its folder.")] = None,
    frames: Length = 1000,
    seeds: Seeds = 5,
    video: Annotated[
        list[str] | None, typer.Option(metavar="VIDEO", help="Measure this video, or a folder of them, instead.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="RUN", help="The run whose frames are the real ones for --video.")
    ] = None,
    remover: Annotated[
        str | None,
        typer.Option(help="For --video: another background remover.", autocompletion=names_of("remover")),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="For --video: an option, such as source.crop=54,44,335,200."),
    ] = None,
    workspace: Workspace = Path("workspace"),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure a run on its held-out frames: the paper's table, the codec, the next frame, long dances.

    Beside every figure stand what real frames and copying the last frame reach.

    Example: dd evaluate my-run

    Example: dd evaluate --video theirs.mp4 --against my-run
    """
    from deepdance.errors import OptionError
    from deepdance.evaluation import report
    from deepdance.workspace import locate_run
    from deepdance_cli import show

    name = against if video else run
    if name is None or (run and video) or (not video and (against or remover or settings)):
        raise OptionError("expected a RUN, or --video VIDEO --against RUN, got something else; see dd evaluate --help")
    place, name = locate_run(name, workspace)
    with show.session(place.root) as session:
        if video:
            tables = {"videos": report.evaluate_videos(session, name, video, remover, settings or [])}
        else:
            measured = report.evaluate(session, name, frames, seeds)
            tables = measured.tables
    if json:
        show.as_json(tables["videos"].as_json() if video else asdict(measured))
        return
    if not video:
        show.paper_table(measured.paper_table)
    for table in tables.values():
        show.table(table)
