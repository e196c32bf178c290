"""What a component works with and does not bring along: is it installed?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version


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
