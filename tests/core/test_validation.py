import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from deepdance.errors import OptionError
from deepdance.validation import nearest, validate


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    units: int = Field(8, ge=1)
    layers: int = 2
    size: tuple[int, int] = (8, 8)

    @field_validator("layers")
    @classmethod
    def _check(cls, layers: int) -> int:
        if layers > 9:
            raise ValueError("at most 9 layers; use fewer")
        return layers


class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


def told(model, values, **told_by):
    with pytest.raises(OptionError) as refused:
        validate(model, values, **told_by)
    return str(refused.value)


def test_a_near_name_or_a_longer_one_is_offered_and_no_other():
    names = ["gru", "lstm4", "motion-field"]
    assert nearest("gur", names) == "; did you mean 'gru'?"
    assert nearest("mot", iter(names)) == "; did you mean 'motion-field'?"
    assert nearest("xyz", names) == nearest("", names) == nearest("gru", []) == ""


def test_what_fits_is_made():
    assert validate(Settings, {"units": "3"}) == Settings(units=3)


def test_what_does_not_fit_is_told_with_its_place_what_was_expected_and_what_was_got():
    assert told(Settings, {"units": 0}) == "units: expected greater than or equal to 1, got 0"
    assert told(Settings, {"units": "many"}, prefix="codec").startswith("codec.units: expected a valid integer")
    assert told(Settings, {"size": (8, "x")}).startswith("size: expected a valid integer")
    assert told(Settings, {"layers": 12}) == "layers: expected at most 9 layers, got 12; use fewer"


def test_what_is_expected_is_told_as_toml_calls_it():
    assert told(Settings, {"size": 8}) == "size: expected a list, got 8"


def test_a_value_that_is_long_is_told_in_part():
    assert len(told(Settings, {"units": "x" * 10_000})) < 500


def test_an_option_that_there_is_not_is_told_with_those_that_there_are():
    assert told(Settings, {"unit": 3}, prefix="codec", owner="pca") == (
        "codec.unit: pca has no such option; did you mean 'units'? (it has: units, layers, size)"
    )
    assert told(Nothing, {"x": 3}) == "x: recipe has no such option (it has: none)"
