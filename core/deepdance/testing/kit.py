"""From a spec to its checks: for pytest, for `dd plugins check`, and by a plain call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import SkipTest

from deepdance.errors import PluginError
from deepdance.plugins import ComponentSpec, Entry, Registry
from deepdance.plugins.culprits import find_culprit
from deepdance.testing import codec, logger, remover, renderer, sequence, source
from deepdance.testing.subject import CheckFailed, Subject
from deepdance.validation import nearest

CONTRACTS: Mapping[str, tuple[type[Subject], Iterable[Callable[[Any], None]]]] = {
    "source": (source.SourceSubject, source.CHECKS),
    "remover": (remover.RemoverSubject, remover.CHECKS),
    "codec": (codec.CodecSubject, codec.CHECKS),
    "sequence": (sequence.SequenceSubject, sequence.CHECKS),
    "renderer": (renderer.RendererSubject, renderer.CHECKS),
    "logger": (logger.LoggerSubject, logger.CHECKS),
}
"""Of each kind: what its checks are made on, and the checks."""


@dataclass(frozen=True)
class Check:
    """One thing that a component must hold. Calling it raises CheckFailed if it does not, or whatever it raises.

    A check that cannot be made raises `unittest.SkipTest`, which pytest knows.
    """

    name: str
    meaning: str
    run: Callable[[], None]

    def __call__(self) -> None:
        try:
            self.run()
        except PluginError as error:  # a guard has seen it before the check
            raise CheckFailed(str(error)) from error


@dataclass(frozen=True)
class Result:
    """How a check ended: `passed`, `failed` or `skipped`, and why if it did not pass."""

    name: str
    meaning: str
    outcome: str
    reason: str = ""


def make_checks(
    spec: ComponentSpec, *, options: Mapping[str, Any] | None = None, location: str | None = None
) -> list[Check]:
    """All checks of a component. What is costly, such as a fit, is done once, by the first that needs it.

    The component has the options of its `quick` preset and those given. `location` is what a source reads; without it,
    the kit writes something small for a source of `.npy`, `.mp4`, `.avi` or `.cbz` files or folders of images.
    """
    subject = make_subject(spec, options or {}, location)
    _, functions = CONTRACTS[spec.kind]
    return [Check(function.__name__, _summarize(function), partial(function, subject)) for function in functions]


def make_subject(spec: ComponentSpec, options: Mapping[str, Any], location: str | None = None) -> Subject:
    """What the checks of a kind are made on."""
    if spec.kind not in CONTRACTS:
        raise PluginError(f"{spec.name!r} is of kind {spec.kind!r}, expected one of {', '.join(CONTRACTS)}")
    cls, _ = CONTRACTS[spec.kind]
    return cls(spec, options, location)


def _summarize(function: Callable[[Any], None]) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0]


def run_checks(
    spec: ComponentSpec, *, options: Mapping[str, Any] | None = None, location: str | None = None
) -> Iterator[Result]:
    """Make every check, one after the other, and tell how each ended."""
    for check in make_checks(spec, options=options, location=location):
        make_result = partial(Result, check.name, check.meaning)
        try:
            check()
        except SkipTest as why:
            yield make_result("skipped", str(why))
        except Exception as error:
            yield make_result("failed", _describe_failure(error, spec))
        else:
            yield make_result("passed")


def _describe_failure(error: Exception, spec: ComponentSpec) -> str:
    """What is wrong, and the line of the component's package in which it arose, where it is an exception of that."""
    failed = isinstance(error, CheckFailed)
    cause = error.__cause__ if failed else error
    culprit = cause and find_culprit(cause, Registry([Entry(spec, distribution="", version="")]))
    what = str(error) if failed else f"{type(error).__name__}: {error}"
    return f"{what} (at {culprit.place})" if culprit else what


def parametrize_with_checks(
    spec: ComponentSpec,
    *,
    options: Mapping[str, Any] | None = None,
    location: str | None = None,
    expected_failed_checks: Mapping[str, str] | None = None,
) -> Any:
    """Decorate a pytest test that takes `check` and calls it: every check is a test with an id of its own.

    `expected_failed_checks` maps names of checks that are known to fail to the reason. They are `xfail`, strictly: the
    test fails once such a check passes. `options` and `location` are those of `make_checks`.
    """
    import pytest

    made = make_checks(spec, options=options, location=location)
    # a plugin that is not done yet can be tested from its first day; strictly, so that no reason outlives its failure
    expected, names = expected_failed_checks or {}, [check.name for check in made]
    for name in expected:
        if name not in names:
            raise ValueError(f"expected the name of a check of a {spec.kind}, got {name!r}{nearest(name, names)}")
    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(
                check,
                id=check.name,
                marks=[pytest.mark.xfail(reason=expected[check.name], strict=True)] if check.name in expected else [],
            )
            for check in made
        ],
    )


def check_component(
    spec: ComponentSpec, *, options: Mapping[str, Any] | None = None, location: str | None = None
) -> None:
    """Raise CheckFailed, with a line for each check that failed, if a component breaks its contract."""
    ended = run_checks(spec, options=options, location=location)
    failed = [f"{result.name}: {result.reason}" for result in ended if result.outcome == "failed"]
    if failed:
        raise CheckFailed("\n".join(failed))
