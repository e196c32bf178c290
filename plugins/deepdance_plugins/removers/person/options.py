"""The options of `person`."""

from typing import Literal

from pydantic import Field

from deepdance.interfaces import Options


class PersonOptions(Options):
    """Who is kept."""

    people: Literal["one", "all"] = Field(
        "one", description="`one` keeps the person who dances, by size and movement; `all` keeps everybody."
    )
