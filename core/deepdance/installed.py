"""Which plugins are installed, and which of them are wanted: from metadata alone, before any is loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distributions, version
from textwrap import shorten
from traceback import format_exception_only

from deepdance.errors import PluginError

ENTRY_POINT_GROUP = "deepdance"
BUILT_IN = "deepdance"
"""The distribution whose components are always there."""
ONLY = "DEEPDANCE_PLUGINS"
WITHOUT = "DEEPDANCE_NO_PLUGINS"


@dataclass(frozen=True)
class Installed:
    """An entry point and the distribution it came with."""

    point: EntryPoint
    distribution: str
    version: str


@dataclass(frozen=True)
class Problem:
    """A plugin, or one component of it, that cannot be used, and why."""

    plugin: str
    distribution: str
    version: str
    reason: str
    component: str = ""
    error: BaseException | None = field(default=None, compare=False, repr=False)

    def is_about(self, name: str) -> bool:
        """Whether somebody who asks for the component `name`, or `distribution:name`, means this."""
        distribution, _, short = name.rpartition(":")
        if distribution:
            return canonical(distribution) == canonical(self.distribution)
        return short in (self.component, self.plugin, self.distribution)


@dataclass(frozen=True)
class Note:
    """A plugin that works, and what its users and its author should know of it."""

    plugin: str
    distribution: str
    version: str
    text: str


@dataclass(frozen=True)
class Need:
    """A requirement of a component, the version of it that is installed, and whether that will do."""

    requirement: str
    installed: str | None
    met: bool


def find_installed() -> list[Installed]:
    """All entry points of the group, each once: the built-ins first, then by name."""
    found: dict[tuple[str, str], Installed] = {}
    for distribution in distributions():
        if f"[{ENTRY_POINT_GROUP}]" in (distribution.read_text("entry_points.txt") or ""):
            name, number = _identity(distribution)
            for point in distribution.entry_points.select(group=ENTRY_POINT_GROUP):
                found.setdefault((canonical(name), point.name), Installed(point, name, number))
    order = sorted(found.items(), key=lambda item: (item[0][0] != BUILT_IN, item[0]))
    return [installed for _, installed in order]


def wanted(plugins: Iterable[Installed], only: str | None, without: str | None) -> list[Installed]:
    """The built-ins and, of the others, those that the user wants. Raises PluginError for a name that nobody has.

    `only` and `without` are names of distributions or entry points with commas between; `None` asks for nothing, and
    an empty `only` leaves no plugin.
    """
    plugins = list(plugins)
    others = [plugin for plugin in plugins if plugin.distribution != BUILT_IN]
    kept = set() if only is not None else {id(plugin) for plugin in others}
    for name in _names(only):
        kept |= {id(plugin) for plugin in _called(others, name, ONLY)}
    for name in _names(without):
        kept -= {id(plugin) for plugin in _called(others, name, "--no-plugins")}
    return [plugin for plugin in plugins if plugin.distribution == BUILT_IN or id(plugin) in kept]


def leave_out(names: str | None = None) -> None:
    """From now on, here and in child processes, load no plugin, or none of those named (with commas between)."""
    if names is None:
        os.environ[ONLY] = ""
    else:
        os.environ[WITHOUT] = ",".join(filter(None, [os.environ.get(WITHOUT), names]))


def needs(requirements: Iterable[str]) -> list[Need]:
    """What is installed of requirements such as `"torch>=2.4"`; those of other platforms are left out."""
    return [need for text in requirements if (need := _need(text))]


def unmet(requirements: Iterable[str]) -> str:
    """In words, which requirements are not installed and how they would be; nothing where all are."""
    lacking = [need for need in needs(requirements) if not need.met]
    if not lacking:
        return ""
    found = ", ".join(f"{need.requirement} ({need.installed or 'not'} installed)" for need in lacking)
    return f"needs {found}: pip install {' '.join(repr(need.requirement) for need in lacking)}"


def _need(text: str) -> Need | None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate():
            return None
        number = version(requirement.name)
    except (InvalidRequirement, PackageNotFoundError):
        return Need(text, None, False)
    return Need(text, number, requirement.specifier.contains(number, prereleases=True))


def canonical(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def one_line(error: BaseException) -> str:
    """An exception's type and message in one line of bearable length; a PluginError speaks for itself."""
    text = str(error) if isinstance(error, PluginError) else "".join(format_exception_only(error))
    return shorten(text, 300, placeholder=" …")


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _called(others: list[Installed], name: str, asked_by: str) -> list[Installed]:
    called = [p for p in others if canonical(name) in (canonical(p.distribution), canonical(p.point.name))]
    if not called:
        known = ", ".join(sorted({plugin.distribution for plugin in others})) or "none"
        raise PluginError(
            f"{asked_by}: expected the name of an installed plugin ({known}), got {name!r}; the built-ins always stay"
        )
    return called


def _identity(distribution: Distribution) -> tuple[str, str]:
    try:
        metadata = distribution.metadata
        return metadata["Name"] or "unknown", metadata["Version"] or "?"
    except Exception:
        return "unknown", "?"
