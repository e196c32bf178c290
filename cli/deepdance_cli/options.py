"""What the options of a component may be, in words: for `dd plugins show`, recipes and the site."""

from __future__ import annotations

from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

SIGNS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}", "multiple_of": "multiple of {}"}
SIGNS |= {"min_length": "length ≥ {}", "max_length": "length ≤ {}"}


def describe_options(model: Any) -> list[dict[str, str]]:
    """One row an option: its name, type, default, range and meaning."""
    return [
        {
            "name": name,
            "type": _describe_type(field.annotation, field.metadata),
            "default": "required" if field.is_required() else repr(field.get_default(call_default_factory=True)),
            "bounds": _describe_bounds(field.metadata),
            "meaning": field.description or "",
        }
        for name, field in model.model_fields.items()
    ]


def _describe_type(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """An annotation as its author would say it: `int | 'auto'`, the range of one member in brackets."""
    written = [schema.json_schema["type"] for schema in metadata if hasattr(schema, "json_schema")]
    if written:
        return str(written[0])
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = _describe_bounds(bound for field in inner[1:] for bound in getattr(field, "metadata", [field]))
        return f"{_describe_type(inner[0])} ({bounds})" if bounds else _describe_type(inner[0])
    if origin in (Union, UnionType):
        return " | ".join(map(_describe_type, inner))
    if origin is Literal:
        return " | ".join(map(repr, inner))
    if annotation is NoneType:
        return "None"
    return annotation.__name__ if isinstance(annotation, type) and not inner else str(annotation).replace("typing.", "")


def _describe_bounds(metadata: Iterable[Any]) -> str:
    """What pydantic keeps of `Field(ge=1, lt=9)`, as `≥ 1, < 9`."""
    known = [(sign, getattr(bound, name)) for bound in metadata for name, sign in SIGNS.items() if hasattr(bound, name)]
    return ", ".join(sign.format(value if isinstance(value, int) else f"{value:g}") for sign, value in known)
