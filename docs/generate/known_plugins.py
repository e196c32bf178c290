"""The plugins of `docs/known-plugins.toml`, which others have published, as a table."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from components import make_table
from pydantic import BaseModel, ConfigDict, Field

LIST = Path(__file__).parents[1] / "known-plugins.toml"


class KnownPlugin(BaseModel):
    """A published package: its name, the kinds of its components, what it does, and where it is."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    kinds: list[Literal["source", "remover", "codec", "sequence", "renderer", "logger"]] = Field(min_length=1)
    summary: str = Field(pattern=r"^[^\n|]{1,100}$")
    url: str = Field(pattern=r"^https://\S+$")


def read(text: str) -> list[KnownPlugin]:
    """The plugins of a list in TOML, by name. Raises pydantic's ValidationError for an entry that is none."""
    plugins = [KnownPlugin.model_validate(entry) for entry in tomllib.loads(text).get("plugin", [])]
    return sorted(plugins, key=lambda plugin: plugin.name)


def show(plugins: list[KnownPlugin]) -> str:
    """A row each, or that there is none."""
    if not plugins:
        return "*None yet: yours may be the first.*\n"
    rows = [(f"[`{one.name}`]({one.url})", ", ".join(one.kinds), one.summary) for one in plugins]
    return make_table(("plugin", "brings", "what it is"), rows)


def table() -> str:
    """All that are known."""
    return show(read(LIST.read_text(encoding="utf-8")))
