"""Called by MkDocs: makes the pages of components, and fills `<!-- generated: … -->` from the code."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import command_page
import component_pages
import error_page
import event_page
import latex2mathml.converter
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
MARK = re.compile(r"^<!-- generated: (\w+) ?(.*?) -->$", re.MULTILINE)
FILLED: dict[str, Callable[..., str]] = {
    "file": lambda name: (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "]("),
    "commands": command_page.commands,
    "recipe": component_pages.recipe,
    "hook": event_page.hook,
    "events": event_page.events,
    "errors": error_page.errors,
    "warnings": error_page.warnings,
}


def on_config(config: MkDocsConfig) -> None:
    """Give formulas their form, and the components their place in the navigation."""
    fence = {"name": "math", "class": "math", "format": _formula}
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [fence]}
    for entry in config.nav or []:
        if entry.get("Components") == "components":
            entry["Components"] = component_pages.navigation()


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages of kinds and components."""
    for path, text in component_pages.pages().items():
        files.append(File.generated(config, path, content=text))


def on_page_markdown(markdown: str, **kwargs: Any) -> str:
    """Fill the marks of a page."""
    return MARK.sub(lambda mark: FILLED[mark[1]](*mark[2].split()), markdown)


def _formula(source: str, *args: Any, **kwargs: Any) -> str:
    """TeX → MathML, which browsers show without a script."""
    return "".join(latex2mathml.converter.convert(line, display="block") for line in source.strip().split("\n\n"))
