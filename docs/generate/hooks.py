"""Called by MkDocs: adds the pages of components, and fills `<!-- generated: … -->` from the code."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import components
import known_plugins
import latex2mathml.converter
from markdown import Extension, Markdown
from markdown.treeprocessors import Treeprocessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import deepdance
from deepdance.session import Session
from deepdance_plugins.catalog import COMPONENTS
from deepdance_plugins.player.web import export_web

MARK = re.compile(r"^<!-- generated: (\w+) ?([\w-]*) -->$", re.MULTILINE)
WORKSPACE = Path(__file__).parents[2] / ".cache/docs"
SEARCH = 'data-md-component="search" role="dialog"'


def on_config(config: MkDocsConfig) -> None:
    """Give formulas their form, and the components their places in the navigation."""
    fence = {"name": "math", "class": "math", "format": _formula}
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [fence]}
    config.markdown_extensions.append(_Tables())
    kinds = next(entry["Components"] for entry in config.nav or [] if "Components" in entry)
    for entry in kinds:
        for title, kind in entry.items() if isinstance(entry, dict) else ():
            pages = [components.path_of(spec) for spec in COMPONENTS if spec.kind == kind]
            if pages:
                entry[title] = [f"components/{kind}/index.md", *pages]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages of components that nobody has written, and an endless dance."""
    for spec in COMPONENTS:
        path = components.path_of(spec)
        if path not in files.src_uris:
            files.append(File.generated(config, path, content=components.page(spec)))
    files.append(File.generated(config, "dance.html", abs_src_path=str(_export_dance())))


def _export_dance() -> Path:
    """What `dd export web` writes of the demo dancer. It is kept: only what has changed is made anew."""
    made = deepdance.run(name="demo", source={"name": "demo", "seconds": 24}, frames=10, workspace=WORKSPACE)
    return export_web(Session.open(WORKSPACE), made.name, WORKSPACE / "dance.html").page


def on_page_markdown(markdown: str, **kwargs: Any) -> str:
    """Fill the marks of a page."""
    return MARK.sub(lambda mark: FILLED[mark[1]](*filter(None, mark.groups()[1:])), markdown)


class _Tables(Extension):
    """Every cell knows its column's title, which a phone shows beside it: `docs/style.css`."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        md.treeprocessors.register(_Labels(md), "labels", priority=1)  # once links and code have their elements


class _Labels(Treeprocessor):
    def run(self, root: Element) -> None:
        for table in root.iter("table"):
            titles = ["".join(title.itertext()) for title in table.iter("th")]
            for row in table.iterfind("tbody/tr"):
                for title, cell in zip(titles, row, strict=True):
                    cell.set("data-title", title)


def on_post_page(output: str, **kwargs: Any) -> str:
    """Name the theme's search for screen readers."""
    return output.replace(SEARCH, f'{SEARCH} aria-label="Search"')


def _commands() -> str:
    """What Typer writes of the commands, without its title and its lists of their names; examples can be copied."""
    written = subprocess.run(
        [sys.executable, "-m", "typer", "deepdance_cli.main", "utils", "docs", "--name", "dd"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    sections = re.sub(r"\*\*Commands\*\*:\n\n(\* .*\n)+", "", written.partition("\n")[2])
    return re.sub(r"^Example: (.+)$", r"```console\n$ \1\n```", sections, flags=re.MULTILINE)


def _formula(source: str, *args: Any, **kwargs: Any) -> str:
    """TeX → MathML, which browsers show without a script."""
    return "".join(latex2mathml.converter.convert(line, display="block") for line in source.strip().split("\n\n"))


def _scale(name: str) -> str:
    """A table of what hours of video cost, reckoned anew."""
    script = Path(__file__).parents[2] / "benchmarks/at_scale.py"
    return str(runpy.run_path(str(script))["write_table"](name))


FILLED: dict[str, Callable[..., str]] = {
    "commands": _commands,
    "component": components.page_of,
    "components": components.overview,
    "kind": components.kind,
    "known_plugins": known_plugins.table,
    "recipe": components.recipe,
    "scale": _scale,
    "times": components.times,
}
