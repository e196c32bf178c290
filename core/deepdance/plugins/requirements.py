"""What a component works with and does not bring along: is it installed?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version

INDIFFERENT = frozenset(
    {
        "filelock",
        "jinja2",
        "packaging",
        "platformdirs",
        "pluggy",
        "pydantic",
        "rich",
        "threadpoolctl",
        "tomli-w",
        "typer",
    }
)
"""Requirements that change nothing in what components make."""


@dataclass(frozen=True)
class Need:
    """A requirement of a component, the version of it that is installed, and whether that will do."""

    requirement: str
    installed: str | None
    met: bool


def look_up(requirements: Iterable[str]) -> list[Need]:
    """What is installed of requirements such as `"torch>=2.4"`; those of other platforms are left out."""
    return [need for text in requirements if (need := _look_up_one(text))]


def describe_unmet(requirements: Iterable[str]) -> str:
    """In words, which requirements are not installed and how they would be; nothing where all are."""
    lacking = [need for need in look_up(requirements) if not need.met]
    if not lacking:
        return ""
    found = ", ".join(f"{need.requirement} ({need.installed or 'not'} installed)" for need in lacking)
    return f"needs {found}: pip install {' '.join(repr(need.requirement) for need in lacking)}"


@cache
def find_versions(distributions: frozenset[str], others: frozenset[str] = frozenset()) -> dict[str, str]:
    """What distributions compute with: the packages that they require, but for extras, and other requirements.

    Each as its name and version, by its name; those that are not installed are left out. A process looks once.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    required = [text for name in sorted(distributions) for text in _list_requirements(name)]
    installed = {
        canonicalize_name(Requirement(need.requirement).name): need.installed
        for need in look_up([*required, *others])
        if need.installed
    }
    return {name: f"{name} {number}" for name, number in installed.items() if name not in INDIFFERENT}


def _list_requirements(distribution: str) -> list[str]:
    try:
        return requires(distribution) or []
    except PackageNotFoundError:
        return []


def _look_up_one(text: str) -> Need | None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate():
            return None
        number = version(requirement.name)
    except (InvalidRequirement, PackageNotFoundError):
        return Need(text, None, False)
    return Need(text, number, requirement.specifier.contains(number, prereleases=True))
