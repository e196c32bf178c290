"""JSON that every reader takes: it has no NaN and no infinity, so these are written as `null`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""For pydantic: a float that is `null` in JSON where it is not finite."""


def dump_json(value: Any, *, indent: int | None = None, ensure_ascii: bool = True) -> str:
    """The value as JSON; mappings, sequences and NumPy's numbers become JSON's own, anything else its text."""
    return json.dumps(make_plain(value), indent=indent, ensure_ascii=ensure_ascii, allow_nan=False)


def restore_metrics(history: Iterable[Mapping[str, float | None]]) -> list[dict[str, float]]:
    """A history as it was before it became JSON: `null` is NaN again. Raises TypeError, ValueError."""
    return [{name: math.nan if value is None else float(value) for name, value in e.items()} for e in history]


def make_plain(value: Any) -> Any:
    """The value in what JSON knows: dicts with text for keys, lists, text, finite numbers, and None."""
    if isinstance(value, Mapping):
        return {str(key): make_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [make_plain(item) for item in value]
    if hasattr(value, "item"):  # a number of NumPy's, which whoever prints JSON need not import
        return make_plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
