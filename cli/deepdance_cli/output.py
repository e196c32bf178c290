"""What holds for all that is written: no sign ends a command, and results for scripts are JSON."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from deepdance.impression import Impression


def tolerate_encodings() -> None:
    """Show `?` for what a terminal, or a file that is written to, has no sign for."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def describe_looks(impression: Impression) -> dict[str, Any]:
    """How a dance looks, for JSON."""
    from dataclasses import asdict

    return {"sentence": impression.sentence, **asdict(impression)}


def print_json(value: Any) -> None:
    """Print a result as JSON. What the output has no sign for is escaped."""
    from deepdance.strict_json import dump_json

    text = dump_json(value, indent=2, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        text = dump_json(value, indent=2)
    typer.echo(text)
