"""Small pieces of Markdown."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from deepdance_cli.plugins import options_of


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a `|` in a cell is escaped."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines) + "\n"


def code(text: object) -> str:
    """Text as inline code, or nothing where there is none."""
    return f"`{text}`" if str(text) else ""


def docstring(thing: Any) -> str:
    """A docstring as it was written, unindented."""
    return inspect.getdoc(thing) or ""


def value_text(value: Any) -> str:
    """A value as `--set` takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(map(value_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def options_table(model: Any, prefix: str = "", leave_out: Collection[str] = ()) -> str:
    """One row an option of a pydantic model, as `dd plugins show` has them."""
    rows = [
        (code(f"{prefix}{row['name']}"), row["type"], code(row["default"]), row["bounds"], row["meaning"])
        for row in options_of(model)
        if row["name"] not in leave_out
    ]
    return table(("option", "type", "default", "range", "meaning"), rows)
