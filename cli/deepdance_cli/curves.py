"""`dd curves`: how the trainings of runs went, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepdance_cli.arguments import Json, Workspace, find_run
from deepdance_cli.output import print_json


def curves(
    run: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN…]", help="Runs' names, or their folders. Default: the latest finished run."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The picture to write: .svg, .pdf or .png.")] = Path("curves.svg"),
    workspace: Workspace = Path("workspace"),
    json: Json = False,
) -> None:
    """Draw losses and accuracies of both models against epochs, several runs over one another.

    The paper's results are lines beside them. With --json all figures are printed too.

    Example: dd curves first-run second-run --out curves.svg
    """
    from deepdance import opened_runs
    from deepdance.evaluation.curves import check_curves, draw_curves, find_untrained
    from deepdance_cli import console
    from deepdance_cli.progress import open_session

    check_curves(out)
    histories, given = {}, [*run] if run else [None]
    for place, name in [find_run(text, workspace) for text in given]:
        title = name if name not in histories else str(place.run_folder(name))
        with open_session(place.root) as session:
            histories[title] = opened_runs.load_histories(session, name)
    draw_curves(histories, out)
    untrained = find_untrained(histories)
    if untrained:
        console.err.print(f"no curve where nothing is trained by epochs: {', '.join(untrained)}", style="dim")
    if json:
        print_json({"curves": str(out), "histories": histories})
    else:
        console.out.print(f"curves {out}")
