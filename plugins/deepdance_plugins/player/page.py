"""The page of the player: its template, its style, its modules and a dance, as one text that needs nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

from deepdance.html import hash_inline

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
    own = f"script-src '{hash_inline(script)}'; style-src '{hash_inline(style)}'"
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
