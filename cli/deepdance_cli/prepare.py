"""`dd prepare`: silhouettes only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepdance_cli import arguments
from deepdance_cli.output import print_json

SHEET_FRAMES = 120
"""Frames that the sheet chooses from: reading all of a long video's back would map it into memory."""


def prepare(
    videos: arguments.Videos,
    remover: arguments.Remover = None,
    settings: arguments.Settings = None,
    recipe: arguments.RecipeFile = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames a second to keep. Default: 10, or the video's if lower.")
    ] = None,
    size: arguments.Size = None,
    workspace: arguments.Workspace = Path("workspace"),
    json: arguments.Json = False,
) -> None:
    """Turn videos into silhouettes, and write a contact sheet to judge them by.

    Example: dd prepare my-video.mp4 --set remover.level=auto
    """
    import numpy as np

    from deepdance import pipeline
    from deepdance.events import collect_warnings
    from deepdance.frames import Silhouettes
    from deepdance.inputs import expand_inputs, settle
    from deepdance_cli.console import out
    from deepdance_cli.progress import open_session

    made = arguments.make_recipe(
        recipe, {"remover": remover, "fps": fps, "size": arguments.parse_size(size)}, settings or []
    )
    results = []
    with open_session(workspace) as session:
        inputs = expand_inputs(session.registry, videos)
        resolved = settle(made, session.registry, inputs)
        for location in inputs:
            with collect_warnings() as warnings:
                artifact = pipeline.prepare(session, resolved, location)
            frames = Silhouettes.load([artifact.folder])
            sheet = artifact.folder / "sheet.png"
            if not sheet.exists():
                picks = np.linspace(0, len(frames) - 1, min(len(frames), SHEET_FRAMES)).astype(int)
                pipeline.render(session, resolved, [frames[picks]], sheet, "sheet")
            places = {"folder": str(artifact.folder), "sheet": str(sheet)}
            told = {"warnings": list(dict.fromkeys(warnings))}
            results.append({"input": location, "frames": len(frames), **places, **told})
    if json:
        print_json(results)
        return
    for result in results:
        out.print(f"{result['frames']} silhouettes of {result['input']}\n  sheet {result['sheet']}")
