"""`dd plugins check`: does a component, or every component of a package, hold the contract of its kind?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepdance_cli.arguments import ComponentKind, Json, find_component
from deepdance_cli.output import print_json

if TYPE_CHECKING:
    from deepdance.plugins import Entry, Registry
    from deepdance.testing import Result

STYLES = {"passed": "green", "failed": "bold red", "skipped": "yellow"}


def check_plugin(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A component, DISTRIBUTION:NAME where two share it, or a package."),
    ],
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
    checked sooner with fewer steps. Of a package, all components are checked, a line each and what has failed; --kind
    says that a component is meant that is called as its package.

    Example: dd plugins check pca
    """
    from deepdance.plugins import discover

    registry = discover()
    one = location is not None or bool(settings)
    if kind is None and (entries := _list_components(registry, name, one=one)):
        _refuse_options_of_one(name, entries, location, settings)
        passed = _check_package(registry, entries, json)
    else:
        passed = _check_one(registry, find_component(registry, name, kind), settings or [], location, json)
    if not passed:
        raise typer.Exit(1)


def _list_components(registry: Registry, name: str, *, one: bool) -> list[Entry]:
    """The components of the package `name`; none where a component is called so and meant.

    Its own component is meant where `one` is asked for, that of another package always.
    """
    from deepdance.plugins.isolation import canonical

    components = [entry for entry in registry.entries if canonical(entry.distribution) == canonical(name)]
    namesakes = [entry for entry in registry.entries if entry.spec.name == name]
    return [] if any(one or entry not in components for entry in namesakes) else components


def _refuse_options_of_one(
    package: str, entries: list[Entry], location: str | None, settings: list[str] | None
) -> None:
    from deepdance.errors import OptionError

    if location is not None or settings:
        given = "--set" if settings else f"the location {location!r}"
        names = ", ".join(entry.spec.name for entry in entries)
        raise OptionError(f"expected {given} for a component ({names}), got the package {package!r}; name one of them")


def _check_package(registry: Registry, entries: list[Entry], json: bool) -> bool:
    """Check all components of a package, showing each as soon as it is done; whether all hold their contracts."""
    distribution, version = entries[0].distribution, entries[0].version
    shown, passed = [], True
    for entry in entries:
        results = _check_any(registry, entry)
        shown.append({"kind": entry.spec.kind, "name": entry.spec.name, "checks": [asdict(one) for one in results]})
        passed &= not _list_failed(results)
        if not json:
            _show_failed(entry, results)
    reasons = [problem.reason for problem in registry.problems if problem.distribution == distribution]
    if json:
        print_json({"distribution": distribution, "version": version, "components": shown, "problems": reasons})
    else:
        _show_problems(distribution, version, reasons)
    return passed and not reasons


def _check_any(registry: Registry, entry: Entry) -> list[Result]:
    """The results of a component, of which the only one is a failure where it cannot be imported."""
    from deepdance.errors import PluginError
    from deepdance.testing import Result

    try:
        registry.component(entry.spec.kind, _full_name(entry))
    except PluginError as error:
        return [Result("is_imported", "Its class can be imported.", "failed", str(error))]
    return _run(entry, {}, None)


def _check_one(registry: Registry, entry: Entry, settings: list[str], location: str | None, json: bool) -> bool:
    """Check a component and show every check; whether it holds its contract."""
    from deepdance.errors import OptionError

    if location is not None and entry.spec.kind != "source":
        raise OptionError(f"expected a location for a source only, got {location!r} for a {entry.spec.kind}")
    registry.component(entry.spec.kind, _full_name(entry))
    results = _run(entry, _options(registry, entry, settings), location)
    if json:
        origin = {"distribution": entry.distribution, "version": entry.version}
        shown = [asdict(result) for result in results]
        print_json({"kind": entry.spec.kind, "name": entry.spec.name, **origin, "checks": shown})
    else:
        _show(entry, results)
    return not _list_failed(results)


def _full_name(entry: Entry) -> str:
    return f"{entry.distribution}:{entry.spec.name}"


def _list_failed(results: list[Result]) -> list[Result]:
    return [result for result in results if result.outcome == "failed"]


def _options(registry: Registry, entry: Entry, settings: list[str]) -> dict[str, Any]:
    """Options given as `epochs=2` or `codec.epochs=2`. Raises OptionError for those that it does not have."""
    from deepdance.recipe import apply_settings

    kind = entry.spec.kind
    table = apply_settings({}, settings)
    given = {**table.pop(kind, {}), **table}
    registry.options(kind, registry.reference(entry), "quick", given)
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
    print_text(f"{entry.spec.kind} {entry.spec.name} of {entry.distribution} {entry.version}: {_count(results)}")


def _show_failed(entry: Entry, results: list[Result]) -> None:
    """A line for a component, and one below it for each check that has failed."""
    from deepdance_cli.grid import print_text

    failed = _list_failed(results)
    print_text(f"{entry.spec.kind} {entry.spec.name}: {_count(results)}", style=STYLES["failed"] if failed else "")
    for reason in dict.fromkeys(result.reason for result in failed):
        names = ", ".join(result.name for result in failed if result.reason == reason)
        print_text(f"  {names}: {reason}")


def _show_problems(distribution: str, version: str, reasons: list[str]) -> None:
    """What of a package could not be loaded at all."""
    from deepdance_cli.grid import print_text

    for reason in reasons:
        print_text(f"{distribution} {version} could not be used: {reason}", style=STYLES["failed"])


def _count(results: list[Result]) -> str:
    numbers = {outcome: sum(result.outcome == outcome for result in results) for outcome in STYLES}
    return ", ".join(f"{number} {outcome}" for outcome, number in numbers.items() if number)
