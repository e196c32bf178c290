"""The page of the player: its template, its style, its modules and a dance, as one text that needs nothing else."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

MODULE = "page.js"
"""The module that uses all others."""
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=async|function|class|const)", re.MULTILINE)
PLACE = re.compile(r"\{\{(\w+)\}\}")


def build_page(meta: Mapping[str, Any], data: str, *, title: str = "deepdance") -> str:
    """An HTML page that dances without end what `material.pack` gave, `meta` and `data`.

    Nothing in it asks for anything outside it, nor runs any script but its own: its policy forbids that.
    """
    style, script = _read("page.css"), join_modules()
    own = f"script-src '{_hash(script)}'; style-src '{_hash(style)}'"
    parts = {
        "policy": f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'",
        "title": escape(title),
        "style": style,
        "meta": json.dumps(meta, allow_nan=False).replace("<", r"\u003c"),
        "data": data,
        "script": script,
    }
    return PLACE.sub(lambda place: parts[place[1]], _read("page.html"))


def join_modules() -> str:
    """The modules of the player as one, each after those that it imports."""
    texts: dict[str, str] = {}
    _gather(MODULE, texts)
    return "\n".join(EXPORT.sub("", IMPORT.sub("", text)) for text in texts.values())


def _gather(name: str, texts: dict[str, str]) -> None:
    text = _read(name)
    for imported in IMPORT.findall(text):
        if imported not in texts:
            _gather(imported, texts)
    texts[name] = text


def _read(name: str) -> str:
    return files("deepdance_plugins.player").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """How a policy names the only text that may stand there."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
