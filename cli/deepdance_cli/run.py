"""`dd run`: from videos to a new dance."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deepdance_cli import arguments
from deepdance_cli.output import describe_alignment, describe_looks, print_json, write_alignment

DEMO_LINE = "No video given: the built-in demo dancer is used. For your own: dd run my-video.mp4"


def run(
    videos: Annotated[
        list[str] | None,
        typer.Argument(metavar="[VIDEO]...", help="Videos, a folder of videos or images, or arrays (.npy, .npz)."),
    ] = None,
    codec: arguments.Codec = None,
    seq: arguments.Sequence = None,
    source: arguments.Source = None,
    remover: arguments.Remover = None,
    renderer: arguments.Renderer = None,
    preset: Annotated[
        str | None, typer.Option(help="quick, standard or paper. Default: standard, and quick for the demo.")
    ] = None,
    settings: arguments.Settings = None,
    recipe: arguments.RecipeName = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="Start from: last (the default; 0 for the demo), random, noise, a frame number, or a video."
        ),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="How wild: 0 is calm, 1 as learned. Some models know only one way. Default: 1.")
    ] = None,
    frames: Annotated[int | None, typer.Option(help="Frames of the finished dance, at 30 a second.")] = None,
    seconds: arguments.Seconds = None,
    loop: arguments.Loop = None,
    music: arguments.Music = None,
    beats: arguments.Beats = None,
    fps: Annotated[
        float | None,
        typer.Option(
            help="Frames a second to learn from. Default: the sequence model's (10 or 3), or the video's if lower."
        ),
    ] = None,
    size: arguments.Size = None,
    render_size: arguments.RenderSize = None,
    seed: Annotated[int | None, typer.Option(help="Where all randomness comes from. Default: 0.")] = None,
    name: Annotated[str | None, typer.Option(help="The run's name. Default: from the video and the models.")] = None,
    allow_remote: arguments.AllowRemote = False,
    force: Annotated[bool, typer.Option("--force", help="Learn even from what cannot be a dancer.")] = False,
    fresh: arguments.Fresh = None,
    table: Annotated[
        bool, typer.Option("--table", help="Show the paper's table of any models, not of its own.")
    ] = False,
    log: arguments.Log = None,
    jobs: arguments.Jobs = None,
    executor: arguments.Executor = "",
    workspace: arguments.Workspace = Path("workspace"),
    json: arguments.Json = False,
) -> None:
    """Learn the moves of one or more videos, and dance on.

    Example: dd run my-video.mp4 --codec conv-ae --seq lstm4
    """
    from deepdance import report
    from deepdance.metrics.paper_table import PAPER_MODELS
    from deepdance_cli.console import err, out
    from deepdance_cli.progress import open_session
    from deepdance_cli.show import print_paper_table

    values = {"preset": preset, "fps": fps, "size": arguments.parse_size(size), "seed": seed, "frames": frames}
    values |= {"seconds": seconds, "start": start, "temperature": temperature, "loop": loop, "render_size": render_size}
    values |= {"music": music, "beats": beats}
    components = {"source": source, "remover": remover, "codec": codec, "sequence": seq, "renderer": renderer}
    made = arguments.make_recipe(recipe, {**values, **components}, settings or [], demo=not videos)
    if not videos and made.source.name in ("auto", "demo"):
        (err if json else out).print(DEMO_LINE)
    with open_session(workspace, log or (), jobs=jobs, engine=executor) as session:
        inputs = arguments.fetch_allowed(session, videos or [], allow_remote)
        finished = report.run(session, made, inputs, name, force=force, fresh=fresh)
    page = finished.folder / report.REPORT
    if json:
        rows = [asdict(row) for row in finished.table]
        paths = {"folder": str(finished.folder), "video": str(finished.video)}
        paths |= {"report": str(page)} if page.is_file() else {}
        looks = describe_looks(finished.impression)
        heard = describe_alignment(finished.alignment)
        print_json({"run": finished.run.name, **paths, "looks": looks, **heard, "paper_table": rows})
        return
    if table or all(row.component == PAPER_MODELS[row.stage] for row in finished.table):
        print_paper_table(finished.table)
    music_line = write_alignment(finished.alignment)
    out.print(f"run   {finished.run.name}\nlooks {finished.impression.sentence}\n{music_line}video {finished.video}")
    if page.is_file():
        out.print(f"page  {page}")
