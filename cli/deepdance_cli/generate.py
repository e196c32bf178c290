"""`dd generate`: another dance from a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from deepdance_cli import arguments
from deepdance_cli.arguments import Json, Log, Renderer, RenderSize, RunName, Settings, Workspace, parse_renderer
from deepdance_cli.output import print_json


def generate(
    run: RunName,
    frames: Annotated[int | None, typer.Option(help="Frames to generate. Default: as the run's.")] = None,
    loop: arguments.Loop = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second of the video. Default: as the run's.")] = None,
    render_size: RenderSize = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The file to write, such as a .mp4 or .gif, or a folder of pictures: no ending. "
            "Default: dance, with the ending of --renderer, or of the run's."
        ),
    ] = None,
    renderer: Renderer = None,
    settings: Settings = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Start from: last, random, noise, a frame number, or a video.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="How wild: 0 is calm, 1 as learned. Default: the run's.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Where the randomness comes from. Default: the run's.")] = None,
    log: Log = None,
    workspace: Workspace = Path("workspace"),
    json: Json = False,
) -> None:
    """Dance again with the models of a run.

    Example: dd generate my-run --out dance.webm --render-size 1920x1080 --set renderer.ink=teal
    """
    from deepdance import runs
    from deepdance.workspace import locate_run
    from deepdance_cli import console
    from deepdance_cli.progress import open_session

    changes: dict[str, Any] = {
        "frames": frames,
        "loop": loop,
        "render_fps": fps,
        "start": start,
        "temperature": temperature,
        "seed": seed,
    }
    changes |= {"render_size": render_size, "renderer": parse_renderer(renderer, settings or [])}
    place, name = locate_run(run, workspace)
    with open_session(place.root, log or ()) as session:
        video = runs.generate(session, name, out, {key: value for key, value in changes.items() if value is not None})
    if json:
        print_json({"run": name, "video": str(video)})
    else:
        console.out.print(f"video {video}")
