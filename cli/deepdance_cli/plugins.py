"""`dd plugins`: what can be plugged in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, get_args

import typer

from deepdance_cli.arguments import Debug, Json
from deepdance_cli.check import check_plugin
from deepdance_cli.new import new_plugin

app = typer.Typer(help="See the components that a pipeline can be made of.", no_args_is_help=True)
app.command("check")(check_plugin)
app.command("new")(new_plugin)


@app.command("list")
def list_plugins(json: Json = False, debug: Debug = False) -> None:
    """List every component and where it comes from.

    Example: dd plugins list
    """
    from deepdance.plugins import discover

    registry = discover()
    if json:
        print_json(
            {
                "components": [
                    {**asdict(e.spec), "distribution": e.distribution, "version": e.version} for e in registry.entries
                ],
                "problems": [asdict(problem) for problem in registry.problems],
            }
        )
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False, highlight=False)
    table = Table("kind", "name", "summary", "from")
    for entry in registry.entries:
        spec = entry.spec
        table.add_row(spec.kind, spec.name, spec.summary, f"{entry.distribution} {entry.version}")
    console.print(table)
    for problem in registry.problems:
        console.print(
            f"warning: {problem.distribution} {problem.version} could not be used: {problem.reason}", style="yellow"
        )


@app.command("show")
def show_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A component's name.")],
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show a component's options with their types and defaults.

    Example: dd plugins show conv-ae
    """
    from deepdance.errors import PluginError
    from deepdance.plugins import KINDS, discover
    from deepdance.validation import nearest

    registry = discover()
    names = [entry.spec.name for entry in registry.entries]
    kinds = [
        kind for kind in KINDS for e in registry.entries if (e.spec.kind, e.spec.name) == (kind, name.split(":")[-1])
    ]
    if not kinds:
        raise PluginError(f"expected a component's name, got {name!r}{nearest(name, names)}; see dd plugins list")
    for kind in dict.fromkeys(kinds):
        entry = registry.find(kind, name)
        options = options_of(registry.options_model(kind, name))
        if json:
            print_json({**asdict(entry.spec), "distribution": entry.distribution, "options_table": options})
        else:
            _print_component(entry, options)


def options_of(model: Any) -> list[dict[str, str]]:
    """One row an option: its name, type, default and meaning."""
    rows = []
    for name, field in model.model_fields.items():
        bounds = ", ".join(str(bound) for bound in field.metadata)
        plain = isinstance(field.annotation, type) and not get_args(field.annotation)
        kind = field.annotation.__name__ if plain else str(field.annotation).replace("typing.", "")
        rows.append({"name": name, "type": kind, "default": repr(field.default), "bounds": bounds,
                     "meaning": field.description or ""})  # fmt: skip
    return rows


def _print_component(entry: Any, options: list[dict[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    spec = entry.spec
    console = Console(markup=False, emoji=False, highlight=False)
    console.print(f"{spec.kind} {spec.name}: {spec.summary}", style="bold")
    console.print(f"from {entry.distribution} {entry.version}, {spec.target}\n")
    if not options:
        console.print("no options")
        return
    table = Table("option", "type", "default", "bounds", "meaning")
    for row in options:
        table.add_row(f"{spec.kind}.{row['name']}", row["type"], row["default"], row["bounds"], row["meaning"])
    console.print(table)
    example = f"--set {spec.kind}.{options[0]['name']}={options[0]['default']}"
    console.print(f"example: dd run my-video.mp4 {example}")


def print_json(value: Any) -> None:
    """Print JSON without importing more than that."""
    import json

    typer.echo(json.dumps(value, indent=2))
