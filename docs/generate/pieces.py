"""Small pieces of Markdown."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


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


def type_text(annotation: Any) -> str:
    """`int | Literal["auto"]` → `int or "auto"`; four numbers → `int, int, int, int`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is NoneType:
        return "nothing"
    if origin is Annotated:
        return type_text(arguments[0])
    if origin in (Union, UnionType):
        return " or ".join(map(type_text, arguments))
    if origin is Literal:
        return ", ".join(f'"{choice}"' for choice in arguments)
    if origin is tuple:
        return ", ".join("…" if argument is Ellipsis else type_text(argument) for argument in arguments)
    return getattr(annotation, "__name__", str(annotation))


def range_text(field: Any) -> str:
    """The bounds of a pydantic field: `≥ 0, ≤ 764`."""
    bounds = list(field.metadata)
    for member in get_args(field.annotation):
        bounds += [bound for info in get_args(member)[1:] for bound in getattr(info, "metadata", [])]
    found = [f"{sign} {getattr(bound, name):g}" for bound in bounds for name, sign in BOUNDS.items()
             if getattr(bound, name, None) is not None]  # fmt: skip
    return ", ".join(found)


def value_text(value: Any) -> str:
    """A value as `--set` takes it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(map(value_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def options_table(model: Any, prefix: str) -> str:
    """One row an option of a pydantic model: its name, type, default, range and meaning."""
    rows = [
        (
            code(f"{prefix}{name}"),
            type_text(field.annotation),
            code(value_text(field.default)),
            range_text(field),
            field.description or "",
        )
        for name, field in model.model_fields.items()
    ]
    return table(("option", "type", "default", "range", "meaning"), rows)
