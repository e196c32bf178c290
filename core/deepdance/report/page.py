"""The contents of runs → one HTML file. Every text in it may be a stranger's, and is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from deepdance.controls import escape_controls
from deepdance.evaluation.tables import Table, Tables, join_paper_tables
from deepdance.html import hash_inline
from deepdance.report.contents import Contents
from deepdance.storage import write_text

STAGES = {"codec": "codec", "sequence": "sequence model"}


def write_page(
    runs: Sequence[Contents],
    path: Path,
    comparison: Tables | None = None,
    others: Mapping[str, str] | None = None,
    title: str = "",
    failed: Mapping[str, str] | None = None,
) -> None:
    """Write the page of these runs, beside one another where they are several; it appears when it is whole.

    `comparison` has the tables of them and of `others`, which are not shown: a link each, by run. `failed`
    says by run why others are in no table. Without a `title` the page has the names of the runs.
    """
    write_text(path, build_page(runs, comparison, others, title, failed))


def build_page(
    runs: Sequence[Contents],
    comparison: Tables | None = None,
    others: Mapping[str, str] | None = None,
    title: str = "",
    failed: Mapping[str, str] | None = None,
) -> str:
    """The page as HTML. It loads nothing, and its policy keeps it from doing so."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def make_printable(value: Any) -> Any:
        return escape_controls(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=make_printable, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "seconds": format_seconds,
        "lines": list_lines,
        "figure": format_figure,
        "flags": mark_flags,
    }
    style, script = _read_asset("page.css"), _read_asset("page.js")
    paper = join_paper_tables({(run.record.name if len(runs) > 1 else ""): run.paper_table for run in runs})
    compared: dict[str, Table] = dict(comparison or {})
    return environment.from_string(_read_asset("page.html.j2")).render(
        runs=runs,
        stages=STAGES,
        paper=compared.pop("paper", paper),
        comparison=compared,
        others=others or {},
        failed=failed or {},
        title=title,
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        style_hash=hash_inline(style),
        script_hash=hash_inline(script),
    )


def _read_asset(name: str) -> str:
    return files("deepdance.report").joinpath(name).read_text(encoding="utf-8")


def mark_flags(text: str) -> Any:
    """A sentence as HTML in which no line ends within a flag."""
    from markupsafe import Markup, escape

    escaped = str(escape(escape_controls(text)))
    return Markup(re.sub(r"--[a-z][a-z-]*", r"<code>\g<0></code>", escaped))  # noqa: S704


def list_lines(table: Table) -> list[list[str]]:
    """Headings, then rows; turned where a table has many figures."""
    lines = [table.headings, *table.cells]
    return [list(line) for line in zip(*lines, strict=True)] if table.upright else lines


def format_seconds(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def format_figure(value: float, digits: int = 3) -> str:
    """So many significant digits."""
    return f"{value:.{digits}g}"
