"""`dd prepare`: silhouettes only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepdance_cli import arguments
from deepdance_cli.output import print_json


def prepare(
    videos: arguments.Videos,
    remover: arguments.Remover = None,
    settings: arguments.Settings = None,
    recipe: arguments.RecipeName = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames a second to keep. Default: 10, or the video's if lower.")
    ] = None,
    size: arguments.Size = None,
    fresh: arguments.FreshPreparation = None,
    workspace: arguments.Workspace = Path("workspace"),
    json: arguments.Json = False,
) -> None:
    """Turn videos into silhouettes, and write a contact sheet to judge them by.

    Example: dd prepare my-video.mp4 --set remover.level=auto
    """
    from deepdance import preparation
    from deepdance.events import collect_warnings
    from deepdance.inputs import expand_inputs, settle
    from deepdance.session import PREPARATION
    from deepdance_cli.console import out
    from deepdance_cli.progress import open_session

    asked = arguments.make_recipe(
        recipe, {"remover": remover, "fps": fps, "size": arguments.parse_size(size)}, settings or []
    )
    results = []
    with open_session(workspace) as opened:
        session = opened.make_anew(fresh, PREPARATION)
        inputs = expand_inputs(session.registry, videos)
        resolved = preparation.decide_removers(session, settle(asked, session.registry, inputs), inputs)
        made = preparation.prepare_all(session, [resolved] * len(inputs), inputs)
        for location, artifact in zip(inputs, made, strict=True):
            with collect_warnings() as doubts:
                preparation.check_dancer(session, resolved, location, artifact, force=True)
            sheet = preparation.write_sheet(session, resolved, artifact)
            notes = artifact.manifest()
            places = {"folder": str(artifact.folder), "sheet": str(sheet)}
            told = {"warnings": [*preparation.list_warnings(artifact, location), *doubts]}
            results.append({"input": location, "frames": notes["frames"], **places, **told})
    if json:
        print_json(results)
        return
    for result in results:
        out.print(f"{result['frames']} silhouettes of {result['input']}\n  sheet {result['sheet']}")
