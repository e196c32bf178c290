"""A page for each built-in component, from what `dd plugins show` says of it; the recipe's own entries."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from typer.testing import CliRunner

from deepdance.plugins import KINDS, ComponentSpec
from deepdance.recipe import Recipe
from deepdance_cli.forecast import foretell, format_time, read_times
from deepdance_cli.main import app
from deepdance_cli.options import describe_options
from deepdance_plugins.catalog import COMPONENTS

PRESETS = ("quick", "standard", "paper")
MINUTES = (1, 5, 20, 84)
"""Lengths of video in the table of times; the paper's is the last."""
PAPER_RATE = 3
"""Samples a second of the paper's models, its codec too."""


def path_of(spec: ComponentSpec) -> str:
    """Where a component's page lies."""
    return f"components/{spec.kind}/{spec.name}.md"


def overview() -> str:
    """All components, a row a kind."""
    links: dict[str, list[str]] = {}
    for spec in COMPONENTS:
        links.setdefault(spec.kind, []).append(f"[`{spec.name}`]({spec.kind}/{spec.name}.md)")
    return make_table(
        ("kind", "built in"), ((f"[{kind}]({kind}/index.md)", " ".join(of)) for kind, of in links.items())
    )


def kind(name: str) -> str:
    """All components of a kind, a row each."""
    default = Recipe.model_fields[name].default.name if name in KINDS else ""
    rows = []
    for spec in (spec for spec in COMPONENTS if spec.kind == name):
        marked = " (the default)" if spec.name == default else ""
        rows.append((f"[`{spec.name}`]({spec.name}.md){marked}", spec.summary, _suffixes(spec)))
    return make_table((name, "what it is", "files"), rows)


def recipe() -> str:
    """The recipe's own entries; the options of components stand on their pages."""
    return _options(row for row in describe_options(Recipe) if row["name"] not in KINDS)


def times() -> str:
    """What trainings take, a row for each component and preset, a column for each length of video."""
    timed = [spec for spec in COMPONENTS if any(spec.name in read_times()[of] for of in ("epoch", "step"))]
    rows = [(f"`{spec.name}`", preset, *_foretell(spec, preset)) for spec in timed for preset in PRESETS]
    return make_table(("model", "preset", *(f"{minutes} min" for minutes in MINUTES)), rows)


def _foretell(spec: ComponentSpec, preset: str) -> list[str]:
    model = _load(spec.options)
    options = model(**model.presets.get(preset, {})).model_dump()
    rate = PAPER_RATE if spec.kind == "codec" else spec.frame_rate
    whole = (foretell(spec.name, preset, options, round(60 * minutes * rate)) for minutes in MINUTES)
    return ["–" if seconds is None else format_time(seconds) for seconds in whole]


def page_of(name: str) -> str:
    """What a page of a component begins with, where more is written by hand."""
    return next(page(spec) for spec in COMPONENTS if spec.name == name)


def page(spec: ComponentSpec) -> str:
    """The page of a component."""
    show = ["plugins", "show", spec.name, "--kind", spec.kind, "--json"]
    shown = json.loads(CliRunner().invoke(app, show, catch_exceptions=False).stdout)
    files = f"Files: {_suffixes(spec)}\n\n" if spec.suffixes else ""
    return f"""\
# {spec.name}

A [{spec.kind}](index.md): {spec.summary}.

{inspect.getdoc(_load(spec.target))}

{files}```console
$ {shown["example"]}
```

## Options

{_options_of(spec, shown["options_table"])}

The code: `plugins/{spec.target.partition(":")[0].replace(".", "/")}.py`
"""


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def _suffixes(spec: ComponentSpec) -> str:
    return " ".join("a folder" if suffix == "/" else f"`{suffix}`" for suffix in spec.suffixes)


def _options(rows: Iterable[dict[str, str]], prefix: str = "") -> str:
    cells = (
        (f"`{prefix}{row['name']}`", row["meaning"], f"`{row['default']}`", row["type"], row["bounds"]) for row in rows
    )
    return make_table(("option", "meaning", "default", "type", "range"), cells)


def _options_of(spec: ComponentSpec, rows: list[dict[str, str]]) -> str:
    model = _load(spec.options)
    if not rows:
        return "It has none."
    return f"{inspect.getdoc(model)}\n\n{_options(rows, f'{spec.kind}.')}{_presets(spec.kind, model)}"


def _presets(kind: str, model: Any) -> str:
    """The options that presets change, with their values."""
    changed = [name for name in model.model_fields if any(name in values for values in model.presets.values())]
    if not changed:
        return ""
    rows = []
    for name in changed:
        default = model.model_fields[name].default
        rows.append((f"`{kind}.{name}`", *(f"`{model.presets.get(p, {}).get(name, default)!r}`" for p in PRESETS)))
    return "\nPresets change:\n\n" + make_table(("option", *(f"`--preset {preset}`" for preset in PRESETS)), rows)


def make_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, without columns that have nothing to say; a `|` in a cell is escaped."""
    lines = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    kept = [column for column in range(len(titles)) if any(line[column] for line in lines)]
    cells = [titles, ["---"] * len(titles), *lines]
    return "\n".join("| " + " | ".join(line[column] for column in kept) + " |" for line in cells) + "\n"
