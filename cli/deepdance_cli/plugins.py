"""`dd plugins`: what can be plugged in."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from deepdance_cli.arguments import FLAGS, ComponentKind, ComponentName, Json, find_component
from deepdance_cli.check import check_plugin
from deepdance_cli.new import new_plugin
from deepdance_cli.options import describe_options
from deepdance_cli.output import print_json

if TYPE_CHECKING:
    from deepdance.plugins import Entry, Registry

app = typer.Typer(help="See the components that a pipeline can be made of.", no_args_is_help=True)

app.command("check")(check_plugin)
app.command("new")(new_plugin)


@app.command("list")
def list_plugins(json: Json = False) -> None:
    """List every component, where it comes from, and whether it can be used.

    Example: dd plugins list
    """
    from deepdance.plugins import discover

    registry = discover()
    if json:
        print_json(_list_components(registry))
    else:
        _print_list(_list_components(registry))


def _list_components(registry: Registry) -> dict[str, Any]:
    components = []
    for entry in registry.entries:
        state, reason = registry.state(entry)
        origin = {"distribution": entry.distribution, "version": entry.version}
        components.append({**asdict(entry.spec), **origin, "state": state, "reason": reason})
    problems = [
        {name: getattr(problem, name) for name in ("plugin", "component", "distribution", "version", "reason")}
        for problem in registry.problems
    ]
    return {"components": components, "problems": problems, "notes": [asdict(note) for note in registry.notes]}


def _print_list(listed: dict[str, Any]) -> None:
    from deepdance_cli.grid import Grid, print_grid, print_text

    columns = ("name", "kind", "summary", "distribution", "version", "state")
    rows = [[row[name] for name in columns] for row in listed["components"]]
    styles = ["" if row["state"] == "ready" else "yellow" for row in listed["components"]]
    for row in listed["problems"]:
        rows.append([row["component"] or row["plugin"], "–", "–", row["distribution"], row["version"], "broken"])
        styles.append("yellow")
    print_grid(Grid(columns, rows, styles))
    for row in listed["problems"]:
        origin = f"{row['distribution']} {row['version']}"
        print_text(f"warning: {origin} could not be used: {row['reason']}", "yellow")
    for row in listed["components"]:
        if row["state"] != "ready":
            origin = f"{row['distribution']} {row['version']}"
            print_text(f"{row['state']}: {row['kind']} {row['name']} of {origin}: {row['reason']}", "yellow")
    for row in listed["notes"]:
        print_text(f"note: {row['distribution']} {row['version']} {row['text']}", "yellow")


@app.command("show")
def show_plugin(
    name: ComponentName,
    kind: ComponentKind = None,
    json: Json = False,
) -> None:
    """Show a component's options with types, defaults and meaning, what it needs, its file, and how to use it.

    Example: dd plugins show conv-ae
    """
    from deepdance.plugins import discover

    registry = discover()
    entry = find_component(registry, name, kind)
    shown = _describe_component(registry, entry)
    if json:
        print_json(shown)
    else:
        _print_component(shown)


def _describe_component(registry: Registry, entry: Entry) -> dict[str, Any]:
    from importlib.util import find_spec

    from deepdance.errors import PluginError
    from deepdance.plugins.requirements import look_up

    kind, reference = entry.spec.kind, registry.reference(entry)
    required = look_up(entry.spec.requires)
    full = f"{entry.distribution}:{entry.spec.name}"
    options = describe_options(registry.options_model(kind, full))
    state, reason = registry.state(entry)
    if state == "broken":
        raise PluginError(f"{entry.title} cannot be used: {reason}; update or remove {entry.distribution}")
    module = find_spec(entry.spec.target.partition(":")[0])
    if module and module.name in sys.modules and state != "needs":  # a network's is not loaded to show its options
        registry.component(kind, full)
    return {
        **asdict(entry.spec),
        "distribution": entry.distribution,
        "version": entry.version,
        "file": module.origin if module else None,
        "needs": [asdict(need) for need in required],
        "options_table": options,
        "example": _make_example(entry, reference, options),
    }


def _make_example(entry: Entry, reference: str, options: list[dict[str, str]]) -> str:
    kind = entry.spec.kind
    given = "my-video.mp4"
    if kind == "source":
        suffix = next(iter(entry.spec.suffixes), None)
        given = "" if suffix is None else f"my-video{suffix}"
    plain = [option for option in options if option["default"] not in ("None", "required")]
    setting = (
        f"--set {kind}.{plain[0]['name']}={_write_value(plain[0]['default'])}" if plain and kind != "logger" else ""
    )
    return " ".join(filter(None, ["dd run", given, FLAGS[kind], reference, setting]))


def _write_value(default: str) -> str:
    """A Python value as it is typed after `--set`."""
    return {"True": "true", "False": "false"}.get(default, default.strip("'"))


def _print_component(shown: dict[str, Any]) -> None:
    from deepdance_cli.console import out
    from deepdance_cli.grid import Grid, print_grid, print_text

    kind = shown["kind"]
    print_text(f"{kind} {shown['name']}: {shown['summary']}", "bold")
    print_grid(Grid(("", ""), *_list_origin(shown)))
    if shown["options_table"]:
        names = ("type", "default", "bounds", "meaning")
        rows = [[f"{kind}.{row['name']}", *(row[name] for name in names)] for row in shown["options_table"]]
        print_text("")
        print_grid(Grid(("option", "type", "default", "range", "meaning"), rows))
        print_text("")
    else:
        print_text("no options")
    out.print(f"example: {shown['example']}")


def _list_origin(shown: dict[str, Any]) -> tuple[list[list[str]], list[str]]:
    """Where a component comes from and what it needs, and the style of each line."""
    rows = [["from", f"{shown['distribution']} {shown['version']}, {shown['target']}"]]
    rows.append(["file", shown["file"] or "none"])
    styles = ["", ""]
    for need in shown["needs"]:
        there = f"{need['installed']} is installed" if need["installed"] else "not installed"
        rows.append(["needs", f"{need['requirement']} ({there})"])
        styles.append("" if need["met"] else "yellow")
    if shown["suffixes"]:
        rows.append(["files", " ".join(shown["suffixes"])])
        styles.append("")
    return rows, styles
