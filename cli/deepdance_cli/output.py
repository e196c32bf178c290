"""Results for scripts."""

from __future__ import annotations

from typing import Any

import typer


def print_json(value: Any) -> None:
    """Print a result as JSON, and import no more than that takes."""
    import json

    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
