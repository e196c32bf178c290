"""`dd plugins check`: does a component hold the contract of its kind?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepdance_cli.arguments import ComponentKind, ComponentName, Json, find_component
from deepdance_cli.output import print_json

if TYPE_CHECKING:
    from deepdance.plugins import Entry, Registry
    from deepdance.testing import Result

STYLES = {"passed": "green", "failed": "bold red", "skipped": "yellow"}


def check_plugin(
    name: ComponentName,
    location: Annotated[
        str | None, typer.Argument(metavar="LOCATION", help="For a source: what it reads, instead of a small file.")
    ] = None,
    kind: ComponentKind = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="An option of it, such as epochs=2.")
    ] = None,
    json: Json = False,
) -> None:
    """Check that a component holds the contract of its kind; exit with 1 if it does not.

    It is checked with the options of its `quick` preset and those of --set: a network that learns for minutes is
    checked sooner with fewer steps.

    Example: dd plugins check pca
    """
    from deepdance.errors import OptionError
    from deepdance.plugins import discover

    registry = discover()
    entry = find_component(registry, name, kind)
    if location is not None and entry.spec.kind != "source":
        raise OptionError(f"expected a location for a source only, got {location!r} for a {entry.spec.kind}")
    registry.component(entry.spec.kind, name)
    options = _options(registry, entry, name, settings or [])
    results = _run(entry, options, location)
    if json:
        origin = {"distribution": entry.distribution, "version": entry.version}
        shown = [asdict(result) for result in results]
        print_json({"kind": entry.spec.kind, "name": entry.spec.name, **origin, "checks": shown})
    else:
        _show(entry, results)
    if any(result.outcome == "failed" for result in results):
        raise typer.Exit(1)


def _options(registry: Registry, entry: Entry, name: str, settings: list[str]) -> dict[str, Any]:
    """Options given as `epochs=2` or `codec.epochs=2`. Raises OptionError for those that it does not have."""
    from deepdance.recipe import apply_settings

    kind = entry.spec.kind
    table = apply_settings({}, settings)
    given = {**table.pop(kind, {}), **table}
    registry.options(kind, name, "quick", given)
    return given


def _run(entry: Entry, options: dict[str, Any], location: str | None) -> list[Result]:
    from rich.progress import Progress

    from deepdance.testing import make_checks, run_checks
    from deepdance_cli.console import err

    ended = []
    with Progress(console=err, disable=not err.is_terminal, transient=True) as bars:
        total = len(make_checks(entry.spec, options=options, location=location))
        task = bars.add_task(entry.spec.name, total=total)
        for result in run_checks(entry.spec, options=options, location=location):
            ended.append(result)
            bars.advance(task)
    return ended


def _show(entry: Entry, results: list[Result]) -> None:
    from deepdance_cli.grid import Grid, print_grid, print_text

    rows = [[result.name, result.outcome, result.reason or result.meaning] for result in results]
    print_grid(Grid(("check", "result", "what, or why not"), rows, [STYLES[result.outcome] for result in results]))
    counts = [
        f"{count} {outcome}" for outcome in STYLES if (count := sum(result.outcome == outcome for result in results))
    ]
    print_text(f"{entry.spec.kind} {entry.spec.name} of {entry.distribution} {entry.version}: {', '.join(counts)}")
