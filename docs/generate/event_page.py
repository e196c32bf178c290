"""Hooks and events as the code defines them."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields
from typing import Any, get_args

from pieces import code, docstring, table

from deepdance import events as event_module
from deepdance.plugins import Hooks


def hook(name: str) -> str:
    """The signature and contract of one hook."""
    function = getattr(Hooks, name)
    signature = inspect.signature(function)
    plain = signature.replace(parameters=[p for p in signature.parameters.values() if p.name != "self"])
    return f"```text\n{name}{plain}\n```\n\n{docstring(function)}\n".replace("'", "")


def events() -> str:
    """A section for every event."""
    return "\n".join(map(_section, get_args(event_module.Event)))


def _section(event: Any) -> str:
    rows = [
        (code(field.name), code(str(field.type)), "" if field.default is MISSING else code(repr(field.default)))
        for field in fields(event)
    ]
    return f"### {event.__name__}\n\n{docstring(event)}\n\n{table(('field', 'type', 'default'), rows)}"
