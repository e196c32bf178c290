"""`dd run`: from videos to a new dance."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepdance_cli.arguments import Json, Log, Settings, Workspace, component
from deepdance_cli.output import print_json

if TYPE_CHECKING:
    from deepdance.recipe import Recipe

DEMO_LINE = "No video given: the built-in demo dancer is used. For your own: dd run my-video.mp4"


def run(
    videos: Annotated[
        list[str] | None,
        typer.Argument(metavar="[VIDEO]...", help="Videos, a folder of videos or images, or arrays (.npy, .npz)."),
    ] = None,
    codec: Annotated[str | None, component("codec", "--codec")] = None,
    seq: Annotated[str | None, component("sequence", "--seq")] = None,
    source: Annotated[str | None, component("source", "--source")] = None,
    remover: Annotated[str | None, component("remover", "--remover")] = None,
    renderer: Annotated[str | None, component("renderer", "--renderer")] = None,
    preset: Annotated[
        str | None, typer.Option(help="quick, standard or paper. Default: standard, and quick for the demo.")
    ] = None,
    settings: Settings = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe in TOML; other flags change it.")] = None,
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
    fps: Annotated[
        float | None,
        typer.Option(
            help="Frames a second to learn from. Default: the sequence model's (10 or 3), or the video's if lower."
        ),
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="HEIGHTxWIDTH", help="Size of the silhouettes. Default: 120x200.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Where all randomness comes from. Default: 0.")] = None,
    name: Annotated[str | None, typer.Option(help="The run's name. Default: from the video and the models.")] = None,
    log: Log = None,
    workspace: Workspace = Path("workspace"),
    json: Json = False,
) -> None:
    """Learn the moves of one or more videos, and dance on.

    Example: dd run my-video.mp4 --codec conv-ae --seq lstm4
    """
    from deepdance import runs
    from deepdance_cli import show

    values = {"preset": preset, "fps": fps, "size": parse_size(size), "seed": seed, "frames": frames}
    values |= {"start": start, "temperature": temperature}
    components = {"source": source, "remover": remover, "codec": codec, "sequence": seq, "renderer": renderer}
    made = make_recipe(recipe, {**values, **components}, settings or [], demo=not videos)
    if not videos and made.source.name in ("auto", "demo"):
        (show.err if json else show.out).print(DEMO_LINE)
    with show.session(workspace, log or ()) as session:
        finished = runs.run(session, made, videos or [], name)
    if json:
        table = [asdict(row) for row in finished.table]
        paths = {"folder": str(finished.folder), "video": str(finished.video)}
        print_json({"run": finished.run.name, **paths, "paper_table": table})
        return
    show.paper_table(finished.table)
    show.out.print(f"run   {finished.run.name}\nvideo {finished.video}")


def make_recipe(file: Path | None, flags: dict[str, Any], settings: list[str], *, demo: bool = False) -> Recipe:
    """The recipe of a file or the default one, changed by the flags that were given, then by `--set`."""
    from deepdance.plugins import KINDS
    from deepdance.recipe import DEMO_RECIPE, Recipe, apply_settings
    from deepdance.validation import validate

    default = DEMO_RECIPE if demo else Recipe()
    base = Recipe.read(file) if file else default
    given = {name: value for name, value in flags.items() if value is not None}
    for kind in KINDS:
        if given.get(kind) == getattr(base, kind).name:
            del given[kind]
    return validate(Recipe, apply_settings(base.changed(given).table(only_set=True), settings))


def parse_size(text: str | None) -> tuple[int, int] | None:
    """`"120x200"` → `(120, 200)`, height first."""
    from deepdance.errors import OptionError

    if text is None:
        return None
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise OptionError(f"--size: expected HEIGHTxWIDTH such as 120x200, got {text!r}")
    return int(parts[0]), int(parts[1])
