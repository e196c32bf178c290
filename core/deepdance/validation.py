"""One-line messages for values that do not fit a pydantic model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from deepdance.errors import OptionError

if TYPE_CHECKING:
    from pydantic import BaseModel

ModelT = TypeVar("ModelT", bound="BaseModel")

PLAIN = {"tuple_type": "a list", "list_type": "a list", "dict_type": "a table", "model_type": "a table"}
"""By the type of pydantic's error: what is expected, as TOML calls it."""
MOST_SHOWN = 300
"""Characters of a value that does not fit."""


def nearest(name: str, names: Iterable[str]) -> str:
    """`"; did you mean 'gru'?"`, or nothing when no name is near, nor begins with this one."""
    known = list(names)
    close = get_close_matches(name, known, n=1) or [each for each in known if name and each.startswith(name)]
    return f"; did you mean {close[0]!r}?" if close else ""


def validate(model: type[ModelT], values: Mapping[str, Any], *, prefix: str = "", owner: str = "recipe") -> ModelT:
    """`model(**values)`; the first thing that does not fit is an OptionError."""
    from pydantic import ValidationError

    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([*filter(None, [prefix]), *map(str, first["loc"][:1])])
        if first["type"] == "extra_forbidden":
            names = list(model.model_fields)
            wrong = str(first["loc"][-1])
            known = ", ".join(names) or "none"
            raise OptionError(f"{where}: {owner} has no such option{nearest(wrong, names)} (it has: {known})") from None
        message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        expected, *advice = PLAIN.get(first["type"], message).split("; ", 1)
        got = _shorten(first["input"])
        raise OptionError("; ".join([f"{where}: expected {expected}, got {got}", *advice])) from None


def _shorten(value: Any) -> str:
    """A value in a line, in full where that is not too long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} …"
