"""`dd export`: what a run has learned, for other programs to dance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepdance_cli.arguments import Json, RunName, Workspace, find_run, name_flags
from deepdance_cli.output import print_json

if TYPE_CHECKING:
    from deepdance_plugins.exports.onnx.export import OnnxFile

app = typer.Typer(help="Take a dance to other programs.", no_args_is_help=True)


@app.command("web")
def web(
    run: RunName = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The .html file to write. Default: dance.html, or dance-2.html where that is there."),
    ] = None,
    workspace: Workspace = Path("workspace"),
    json: Json = False,
) -> None:
    """Write a page that dances without end: one file, for every browser, OBS and TouchDesigner.

    Example: dd export web my-run --out dance.html
    """
    from deepdance_cli import console
    from deepdance_cli.progress import open_session
    from deepdance_plugins.player.web import export_web

    place, name = find_run(run, workspace)
    with open_session(place.root) as session:
        exported = export_web(session, name, out)
    if json:
        print_json({"run": name, "page": str(exported.page), "note": exported.note})
        return
    if exported.note:
        console.out.print(f"note {exported.note}")
    console.out.print(f"page {exported.page}")


@app.command("onnx")
def onnx(
    run: RunName = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The .onnx file of the decoder; the step's is beside it. Default: dance.onnx and dance-step.onnx, or "
            "dance-2.onnx where that is there."
        ),
    ] = None,
    render_size: Annotated[
        str | None,
        typer.Option(
            "--render-size", metavar="WIDTHxHEIGHT", help="Size of the decoder's pictures. Default: the silhouettes'."
        ),
    ] = None,
    workspace: Workspace = Path("workspace"),
    json: Json = False,
) -> None:
    """Write a run's models as ONNX: latents to a picture and, where the model has one, the step to the next latents.

    Example: dd export onnx my-run --out dance.onnx
    """
    from deepdance_cli.progress import open_session
    from deepdance_plugins.exports.onnx.export import export_onnx

    place, name = find_run(run, workspace)
    with open_session(place.root) as session, name_flags():
        files = export_onnx(session, name, out, render_size)
    if json:
        print_json([{"file": str(file.path), "inputs": file.inputs, "outputs": file.outputs} for file in files])
        return
    for title, file in zip(("decoder", "step"), files, strict=False):
        _tell_file(title, file)


def _tell_file(title: str, file: OnnxFile) -> None:
    from deepdance_cli.console import out

    given, gives = (
        ", ".join(f"{name} ({', '.join(map(str, shape))})" for name, shape in values.items())
        for values in (file.inputs, file.outputs)
    )
    out.print(f"{title} {file.path}: {given} → {gives}")
