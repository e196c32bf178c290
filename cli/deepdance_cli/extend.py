"""`dd extend`: a video, danced on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepdance_cli import arguments
from deepdance_cli.arguments import Beats, Json, Log, Music, RenderSize, Workspace, find_run, name_flags
from deepdance_cli.output import describe_alignment, print_json, write_alignment


def extend(
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="The video to continue.")],
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="The run whose models dance on: its name, or its folder. Default: the latest finished run.",
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="How long to dance on. Default: 20, or to the end of --music.")
    ] = None,
    music: Music = None,
    beats: Beats = None,
    out: Annotated[
        Path, typer.Option(help="The file to write, such as a .mp4 or .gif, or a folder of pictures: no ending.")
    ] = Path("extended.mp4"),
    render_size: RenderSize = None,
    allow_remote: arguments.AllowRemote = False,
    log: Log = None,
    workspace: Workspace = Path("workspace"),
    json: Json = False,
) -> None:
    """Write a video's silhouettes followed by their continuation.

    Example: dd extend my-video.mp4 --run my-run --seconds 20
    """
    from deepdance import runs
    from deepdance.remote import fetch_input
    from deepdance_cli import console
    from deepdance_cli.progress import open_session

    place, name = find_run(run, workspace)
    with open_session(place.root, log or ()) as session, name_flags():
        video = fetch_input(session.registry, video, session.listen) if allow_remote else video
        written = runs.extend(session, name, video, seconds, out, render_size, music=music or "", beats=beats or ())
    if json:
        print_json({"run": name, "video": str(written.video), **describe_alignment(written.alignment)})
    else:
        console.out.print(f"{write_alignment(written.alignment)}video {written.video}")
