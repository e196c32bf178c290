"""Options that break the checks which every kind has."""

from typing import ClassVar

from pydantic import ConfigDict, Field

from contract.broken import breaks, breaks_options
from deepdance.interfaces import BackgroundRemover, Options


@breaks("remover", "implements_the_interface")
class _(BackgroundRemover):
    pass


@breaks("codec", "implements_the_interface")
class _:
    pass


@breaks_options("options_have_defaults")
class NoDefault(Options):
    level: int = Field(ge=0, description="needed")


@breaks_options("options_have_defaults")
class NotOptions:
    pass


@breaks_options("options_are_described")
class NotDescribed(Options):
    level: int = Field(3, ge=0)


@breaks_options("presets_are_valid")
class WrongPreset(Options):
    presets: ClassVar = {"standard": {"level": -1}}
    level: int = Field(3, ge=0, description="a level")


@breaks_options("presets_are_valid")
class UnknownPreset(Options):
    presets: ClassVar = {"best": {}}


@breaks_options("unknown_options_are_refused")
class TakesAnything(Options):
    model_config = ConfigDict(extra="ignore")


@breaks_options("options_out_of_range_are_refused")
class Endless(Options):
    level: int | None = Field(3, description="a level")


@breaks_options("options_survive_a_recipe")
class HasAnAlias(Options):
    level: int = Field(3, ge=0, alias="strength", description="a level")
