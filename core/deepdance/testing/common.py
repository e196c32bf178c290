"""What every component must hold, whatever its kind: its class and its options."""

from __future__ import annotations

from inspect import isabstract
from typing import Any, get_args

from deepdance.errors import OptionError
from deepdance.interfaces import Options
from deepdance.testing.subject import Subject, collect_checks, expect, expect_error
from deepdance.validation import validate

PRESETS = ("quick", "standard", "paper")
FAR = 10**9


def implements_the_interface(subject: Subject) -> None:
    """The target is a class of its kind's interface, with every method."""
    cls, interface = subject.cls, subject.interface
    derived = isinstance(cls, type) and issubclass(cls, interface)
    expect(derived, f"{subject.spec.target} to be a subclass of {interface.__name__}", cls)
    missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
    expect(not isabstract(cls), f"every method of {interface.__name__}", f"none for {missing}")


def options_have_defaults(subject: Subject) -> None:
    """The options are an Options model that can be made from nothing."""
    model = subject.options_model
    derived = isinstance(model, type) and issubclass(model, Options)
    expect(derived, f"{subject.spec.options} to be a subclass of deepdance.interfaces.Options", model)
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    expect(not required, "a default for every option", f"none for {', '.join(required)}")
    model()


def options_are_described(subject: Subject) -> None:
    """Every option has a description, which `dd plugins show` prints."""
    silent = [name for name, field in subject.options_model.model_fields.items() if not field.description]
    expect(not silent, "Field(…, description=…) for every option", f"none for {', '.join(silent)}")


def presets_are_valid(subject: Subject) -> None:
    """Presets are called quick, standard or paper, and their values fit."""
    presets = subject.options_model.presets
    unknown = sorted(set(presets) - set(PRESETS))
    expect(not unknown, f"presets among {', '.join(PRESETS)}", ", ".join(unknown))
    for preset in presets:
        try:
            subject.make_options({}, preset)
        except OptionError as error:
            expect(False, f"values that fit in the preset {preset}", error)


def unknown_options_are_refused(subject: Subject) -> None:
    """A misspelt option is an error, never ignored."""
    with expect_error(OptionError, "an option that does not exist"):
        subject.make_options({"no_such_option": 1})


def options_out_of_range_are_refused(subject: Subject) -> None:
    """A number has a limit, below or above, beyond which it is an error."""
    model = subject.options_model
    numbers = [name for name, field in model.model_fields.items() if _takes_numbers(field.annotation)]
    endless = [name for name in numbers if _accepts(subject, name, -FAR) and _accepts(subject, name, FAR)]
    expect(not endless, "a limit (ge=, gt=, le= or lt=) for every number", f"none for {', '.join(endless)}")


def options_survive_a_recipe(subject: Subject) -> None:
    """Options written to a recipe, as JSON or TOML has them, are the same when read again."""
    for options in (subject.options_model(), subject.options):
        written = options.model_dump(mode="json", exclude_none=True)
        try:
            again = validate(subject.options_model, written)
        except OptionError as error:
            expect(False, f"{written} to be read again", error)
        expect(again == options, f"{options!r} when read again", repr(again))


def _takes_numbers(annotation: Any) -> bool:
    parts = get_args(annotation) or (annotation,)
    return int in parts or float in parts


def _accepts(subject: Subject, name: str, value: int) -> bool:
    try:
        subject.make_options({name: value})
    except OptionError:
        return False
    return True


CHECKS = collect_checks(__name__)
