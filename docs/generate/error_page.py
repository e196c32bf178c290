"""Every message that the code can end with, found in the code, beside what `messages.toml` says of it."""

from __future__ import annotations

import ast
import inspect
import tomllib
from collections.abc import Iterator
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
    """All messages of the code, each once."""
    found: dict[tuple[str, str], Message] = {}
    for file in sorted(path for root in ("core", "plugins", "cli") for path in (ROOT / root).rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for message in _messages_in(tree, str(file.relative_to(ROOT))):
            found.setdefault((message.kind, message.text), message)
    return list(found.values())


def _messages_in(tree: ast.AST, place: str) -> Iterator[Message]:
    returned = {
        node.name: [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return) and inner.value]
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if isinstance(node.func, ast.Name) and node.func.id in ERRORS:
            for text in _texts(node.args[0], returned):
                yield Message(text, node.func.id, place)
        elif ast.unparse(node.func) == "log.warning":
            for text in _texts(node.args[0], returned):
                yield Message(text.replace("%s", SLOT).replace("%d", SLOT).replace("%.1f%%", SLOT), "warning", place)


def _texts(node: ast.expr, returned: dict[str, list[ast.expr]]) -> list[str]:
    """The texts an expression stands for: itself, or what a function of the same file returns."""
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).removeprefix("self.")
        return [text for value in returned.get(name, []) for text in _texts(value, {})] or [SLOT]
    return [_text(node)]


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values)).replace(SLOT * 2, SLOT)
    return SLOT


def _rows(found: list[Message], kind: str) -> str:
    rows = []
    for message in sorted((m for m in found if m.kind == kind), key=lambda m: m.text.lstrip(f"{SLOT}: ").lower()):
        about = explaining(message)
        rows.append((f"`{message.text}`", about.means if about else "", about.do if about else ""))
    return table(("message", "what it means", "what to do"), rows)
