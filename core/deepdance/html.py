"""HTML that needs nothing else: tables and pictures for a notebook, and what pages hold within themselves."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape as escape_html

from deepdance.controls import escape_controls

MOST_EPOCHS = 20
"""Rows of a training's table in a notebook."""


def write_html_table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], legend: str = "", dim: Sequence[bool] = ()
) -> str:
    """Cells beneath headings, the first of each row its name; rows that are `dim` are there to compare with."""
    faint = [*dim, *[False] * (len(rows) - len(dim))]
    body = "".join(_write_row(row, is_faint) for row, is_faint in zip(rows, faint, strict=True))
    head = "".join(f'<th scope="col">{_escape(heading)}</th>' for heading in headings)
    below = f'<p style="white-space: pre-line"><small>{_escape(legend)}</small></p>' if legend else ""
    caption = f'<caption style="text-align: left">{_escape(title)}</caption>'
    table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div style="overflow-x: auto">{table}</div>{below}'


def _escape(text: str) -> str:
    """Text as HTML shows it, with nothing in it that turns the order of reading."""
    return escape_html(escape_controls(text))


def _write_row(row: Sequence[str], is_dim: bool) -> str:
    style = ' style="opacity: .65"' if is_dim else ""
    cells = "".join(f"<td>{_escape(cell)}</td>" for cell in row[1:])
    return f'<tr{style}><th scope="row">{_escape(row[0])}</th>{cells}</tr>'


def write_html_picture(data: bytes, kind: str, alt: str) -> str:
    """A picture within the page; `kind` is its media type."""
    return f'<img alt="{_escape(alt)}" style="max-width: 100%" src="{encode_address(data, kind)}"/>'


def encode_address(data: bytes, kind: str) -> str:
    """An address that is its own content, of this media type."""
    return f"data:{kind};base64,{b64encode(data).decode()}"


def hash_inline(text: str) -> str:
    """How a content security policy names the only style or script that may stand in a page."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


class TrainingHistories(dict[str, list[dict[str, float]]]):
    """What each training noted of its epochs, in their order, by stage; in a notebook a table each."""

    def _repr_html_(self) -> str:
        return "".join(_write_history(stage, epochs) for stage, epochs in self.items())


def _write_history(stage: str, epochs: Sequence[dict[str, float]]) -> str:
    """At most `MOST_EPOCHS` of them, evenly spread: the first and the last among them."""
    names = list(dict.fromkeys(name for epoch in epochs for name in epoch))
    count = min(len(epochs), MOST_EPOCHS)
    step = (len(epochs) - 1) / (count - 1 or 1)
    shown = [round(number * step) for number in range(count)]
    rows = [[str(n + 1), *(f"{epochs[n][name]:.4g}" if name in epochs[n] else "–" for name in names)] for n in shown]
    legend = "" if len(shown) == len(epochs) else f"{len(shown)} of {len(epochs)} epochs"
    return write_html_table(stage, ["epoch", *names], rows, legend)
