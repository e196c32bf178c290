"""Measured tables as files: CSV for a program, JSON with everything, Markdown and TeX for a text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from deepdance.errors import OptionError
from deepdance.evaluation.tables import NO_BREAK, Table, Tables
from deepdance.storage import write_atomically
from deepdance.strict_json import dump_json

CSV_FIELDS = ("table", "row", "role", "ahead", "figure", "title", "value", "low", "high")
TEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "[": "{[}",  # after \\ it would begin the space between rows
    "]": "{]}",
    NO_BREAK: "~",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": "--",
    "±": r"$\pm$",
    "÷": r"$\div$",
    "×": r"$\times$",
    "−": "$-$",
    "½": r"$\frac{1}{2}$",
    "′": "$'$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
}


def write_tables(tables: Tables, path: Path) -> None:
    """All tables as one file, which appears when it is whole; its suffix decides the format. Raises OptionError."""
    check_format(path)
    text = FORMATS[path.suffix.lower()](tables)
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def check_format(path: Path) -> None:
    """Raise OptionError if no table can be written under this name."""
    if path.suffix.lower() not in FORMATS:
        *others, last = FORMATS
        raise OptionError(f"--out: expected a name that ends in {', '.join(others)} or {last}, got {str(path)!r}")
    if path.is_dir():
        raise OptionError(f"--out: expected a file, got the folder {str(path)!r}; choose another name")


def format_csv(tables: Tables) -> str:
    """A line for each figure, with both ends of its interval: so tables of other columns share one file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_FIELDS)
    for name, table in tables.items():
        for row in table.rows:
            for column in table.columns:
                figure = row.figures.get(column.key)
                numbers = (figure.value, figure.low, figure.high) if figure else (None, None, None)
                writer.writerow([name, row.name, row.role, row.horizon, column.key, column.title, *numbers])
    return text.getvalue()


def format_json(tables: Tables) -> str:
    """What `--json` prints."""
    return dump_json({name: table.as_json() for name, table in tables.items()}, indent=2, ensure_ascii=False) + "\n"


def format_markdown(tables: Tables) -> str:
    """A heading, a table and its legend for each."""
    return "\n".join(_write_markdown(table) for table in tables.values())


def _write_markdown(table: Table) -> str:
    table = table.shown
    heading, *lines = [[_escape_markdown(cell) for cell in line] for line in _lay_out(table)]
    rule = [":--", *["--:"] * (len(heading) - 1)]
    rows = "\n".join(f"| {' | '.join(line)} |" for line in (heading, rule, *lines))
    legend = "  \n".join(_escape_markdown(line) for line in table.legend.strip().splitlines())
    return f"## {_escape_markdown(table.title)}\n\n{rows}\n\n{legend}\n"


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", text)


def format_tex(tables: Tables) -> str:
    """A `table` environment for each, for `\\input`; LaTeX needs no package for it."""
    return "\n".join(_write_tex(_make_label([*tables.runs, name]), table.shown) for name, table in tables.items())


def _make_label(names: Sequence[str]) -> str:
    """With the runs in it, so that two files in one text do not clash."""
    return "tab:" + "-".join(re.sub(r"[^\w.-]+", "-", name) for name in names)


def _write_tex(label: str, table: Table) -> str:
    heading, *lines = _lay_out(table)
    rows = " \\\\\n".join(" & ".join([_escape_tex(name), *map(_set_figure, figures)]) for name, *figures in lines)
    title, legend = _escape_tex(table.title), _escape_tex(" ".join(table.legend.strip().splitlines()))
    return f"""\
\\begin{{table}}
\\centering
\\begin{{tabular}}{{l{"r" * (len(heading) - 1)}}}
\\hline
{" & ".join(map(_escape_tex, heading))} \\\\
\\hline
{rows} \\\\
\\hline
\\end{{tabular}}
\\caption[{title}]{{{title}. {legend}}}
\\label{{{label}}}
\\end{{table}}
"""


def _set_figure(text: str) -> str:
    """As mathematics, where a minus is one."""
    if text == "–":
        return _escape_tex(text)
    number, flat, _ = text.partition(" flat")
    number = re.sub(r"e(-\d+)", r" \\times 10^{\1}", number)
    number = number.replace(" ±", r" \pm ").replace(" [", r"\ [").replace(NO_BREAK, " ")
    return f"${number}${flat}"


def _escape_tex(text: str) -> str:
    return "".join(TEX.get(character, character) for character in text)


def _lay_out(table: Table) -> list[list[str]]:
    """Headings, then rows; with a line for each figure where there are more of them than rows: pages are narrow."""
    lines = [table.headings, *table.cells]
    if len(table.columns) > len(table.rows) > 0:
        return [list(line) for line in zip(*lines, strict=True)]
    return lines


FORMATS = {".csv": format_csv, ".json": format_json, ".md": format_markdown, ".tex": format_tex}
