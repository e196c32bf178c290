"""`dd generate`: another dance from a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from deepdance_cli import arguments
from deepdance_cli.arguments import Json, Log, Renderer, RenderSize, RunName, Workspace, find_run
from deepdance_cli.output import describe_alignment, describe_looks, print_json, write_alignment


def generate(
    run: RunName = None,
    frames: Annotated[int | None, typer.Option(help="Frames to generate. Default: as the run's.")] = None,
    seconds: arguments.Seconds = None,
    loop: arguments.Loop = None,
    music: arguments.Music = None,
    beats: arguments.Beats = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second of the video. Default: as the run's.")] = None,
    render_size: RenderSize = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The file to write, such as a .mp4 or .gif, or a folder of pictures: no ending. "
            "Default: dance, or dance-2 where that is there, with the ending of --renderer, or of the run's."
        ),
    ] = None,
    renderer: Renderer = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="What another dance may change, such as renderer.ink=teal, curve=linear or sequence.cuts=none.",
        ),
    ] = None,
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
    from deepdance.recipe import apply_settings
    from deepdance_cli import console
    from deepdance_cli.progress import open_session

    changes: dict[str, Any] = {
        "frames": frames,
        "seconds": seconds,
        "loop": loop,
        "music": music,
        "beats": beats,
        "render_fps": fps,
        "start": start,
        "temperature": temperature,
        "seed": seed,
        "render_size": render_size,
        "renderer": renderer,
    }
    given = {key: value for key, value in changes.items() if value is not None}
    place, name = find_run(run, workspace)
    with open_session(place.root, log or ()) as session, arguments.name_flags():
        danced = runs.generate(session, name, out, apply_settings(given, settings or []))
    if json:
        heard = describe_alignment(danced.alignment)
        print_json({"run": name, "video": str(danced.video), "looks": describe_looks(danced.impression), **heard})
    else:
        console.out.print(
            f"looks {danced.impression.sentence}\n{write_alignment(danced.alignment)}video {danced.video}"
        )
