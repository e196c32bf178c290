"""Every message that the code can end with, found in the code, beside what `messages.toml` says of it."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pieces import table

from deepdance import errors as error_module

ROOT = Path(__file__).parents[2]
MESSAGES = Path(__file__).with_name("messages.toml")
ERRORS = {name for name, _ in inspect.getmembers(error_module, inspect.isclass)}
SLOT = "…"


@dataclass(frozen=True)
class Message:
    """A message with `…` for what it fills in, its class (`warning` for a warning), and where it stands."""

    text: str
    kind: str
    place: str


@dataclass(frozen=True)
class Explanation:
    """What is to be said of the messages that contain `has`."""

    has: str
    means: str
    do: str


def errors() -> str:
    """A table for every class of error."""
    found = [message for message in messages() if message.kind != "warning"]
    kinds = sorted({message.kind for message in found}, key=list(vars(error_module)).index)
    return "\n".join(
        f"### {kind}\n\n{inspect.getdoc(getattr(error_module, kind))}\n\n{_rows(found, kind)}" for kind in kinds
    )


def warnings() -> str:
    """A table of the warnings."""
    return _rows(messages(), "warning")


@cache
def explanations() -> list[Explanation]:
    """What `messages.toml` says."""
    return [Explanation(**entry) for entry in tomllib.loads(MESSAGES.read_text(encoding="utf-8"))["message"]]


def explaining(message: Message) -> Explanation | None:
    """The explanation of a message: the one that names the longest part of it."""
    fitting = [one for one in explanations() if one.has in message.text]
    return max(fitting, key=lambda one: len(one.has), default=None)


@cache
def messages() -> list[Message]:
    """All messages of the code, each once. Templates of plugins have their own."""
    files = sorted(path for root in ("core", "plugins", "cli") for path in (ROOT / root).rglob("*.py"))
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files if "templates" not in path.parts}
    returned = {name: text for tree in trees.values() for name, text in _returned(tree)}
    found: dict[tuple[str, str], Message] = {}
    for path, tree in trees.items():
        for kind, text in _messages_in(tree, returned):
            if re.search(r"[a-z]", text):
                found.setdefault((kind, text), Message(text, kind, str(path.relative_to(ROOT))))
    return list(found.values())


def _returned(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What functions return, where it is a text with something to fill in."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            values = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
            yield from ((function.name, _text(value, {})) for value in values if isinstance(value, ast.JoinedStr))


def _messages_in(tree: ast.AST, returned: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        known = dict(returned)
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                known[node.targets[0].id] = _text(node.value, known)
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and node.args:
                if isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                    yield node.func.id, _text(node.args[0], known)
                elif ast.unparse(node.func) == "log.warning":
                    yield "warning", re.sub(r"%s|%d|%\.1f%%", SLOT, _text(node.args[0], known))


def _text(node: ast.expr, known: Mapping[str, str]) -> str:
    """The text of an expression; a name, or a call of a function, stands for what is known of it."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value, known) for value in node.values).replace(SLOT * 2, SLOT)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, known) if isinstance(node.value, ast.Name) else SLOT
    name = ast.unparse(node.func if isinstance(node, ast.Call) else node).removeprefix("self.")
    return known.get(name, SLOT)


def _rows(found: list[Message], kind: str) -> str:
    rows = []
    for message in sorted((m for m in found if m.kind == kind), key=lambda m: m.text.lstrip(f"{SLOT}: ").lower()):
        about = explaining(message)
        rows.append((f"`{message.text}`", about.means if about else "", about.do if about else ""))
    return table(("message", "what it means", "what to do"), rows)
