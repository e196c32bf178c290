"""`dd prepare`: silhouettes only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepdance_cli import arguments
from deepdance_cli.output import print_json

if TYPE_CHECKING:
    from deepdance.recipe import Recipe
    from deepdance.session import Session


def prepare(
    videos: arguments.Videos,
    remover: arguments.Remover = None,
    settings: arguments.Settings = None,
    recipe: arguments.RecipeName = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames a second to keep. Default: 10, or the video's if lower.")
    ] = None,
    size: arguments.Size = None,
    allow_remote: arguments.AllowRemote = False,
    fresh: arguments.FreshPreparation = None,
    every: Annotated[
        bool,
        typer.Option("--try", help="Try every way to remove the background on a few frames, on one sheet, and stop."),
    ] = False,
    jobs: arguments.Jobs = None,
    executor: arguments.Executor = "",
    workspace: arguments.Workspace = Path("workspace"),
    json: arguments.Json = False,
) -> None:
    """Turn videos into silhouettes, and write a contact sheet to judge them by.

    Example: dd prepare my-video.mp4 --try
    """
    from deepdance import preparation
    from deepdance.events import collect_warnings
    from deepdance.inputs import expand_inputs, settle
    from deepdance.remover_selection import decide_removers
    from deepdance.session import PREPARATION
    from deepdance_cli.console import out
    from deepdance_cli.progress import open_session

    asked = arguments.make_recipe(
        recipe, {"remover": remover, "fps": fps, "size": arguments.parse_size(size)}, settings or []
    )
    results = []
    with open_session(workspace, jobs=jobs, engine=executor) as opened:
        session = opened.make_anew(fresh, PREPARATION)
        typed = arguments.fetch_allowed(session, videos, allow_remote)
        inputs = expand_inputs(session.registry, typed)
        settled = settle(asked, session.registry, inputs)
        if every:
            _show_trials(session, settled, inputs, json)
            return
        resolved = decide_removers(session, settled, inputs)
        made = preparation.prepare_all(session, [resolved] * len(inputs), inputs)
        for location, artifact in zip(inputs, made, strict=True):
            with collect_warnings() as doubts:
                preparation.check_dancer(session, resolved, location, artifact, force=True)
            sheet = preparation.write_sheet(session, resolved, artifact)
            notes = artifact.read_notes(preparation.SilhouetteNotes)
            places = {"folder": str(artifact.folder), "sheet": str(sheet)}
            told = {"warnings": [*preparation.list_warnings(artifact, location), *doubts]}
            results.append({"input": location, "frames": notes.frames, **places, **told})
    if json:
        print_json(results)
        return
    for result in results:
        out.print(f"{result['frames']} silhouettes of {result['input']}\n  sheet {result['sheet']}")


def _show_trials(session: Session, recipe: Recipe, inputs: Sequence[str], json: bool) -> None:
    """A sheet for each input, and what failed in it."""
    from deepdance.trial import try_removers
    from deepdance_cli.console import out

    tried = [(location, *try_removers(session, recipe, location)) for location in inputs]
    if json:
        ways = [[{"flags": each.flags, "failed": each.failed} for each in attempts] for _, _, attempts in tried]
        print_json(
            [{"input": name, "sheet": str(sheet), "ways": of} for (name, sheet, _), of in zip(tried, ways, strict=True)]
        )
        return
    for location, sheet, attempts in tried:
        out.print(f"{len(attempts)} ways to remove the background of {location}, each with its flags\n  sheet {sheet}")
