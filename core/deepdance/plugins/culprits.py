"""Whose code an exception came out of."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from types import FrameType

from deepdance.plugins.fingerprints import find_package
from deepdance.plugins.isolation import BUILT_IN
from deepdance.plugins.registry import Entry, Registry

_BROUGHT = "deepdance_culprit"
"""The attribute of an exception that comes from another process."""


@dataclass(frozen=True)
class Culprit:
    """A plugin, or a component of it, that raised what nobody expects, and where."""

    title: str
    place: str

    def __str__(self) -> str:
        return f"{self.title} failed at {self.place}"


def find_culprit(error: BaseException, registry: Registry) -> Culprit | None:
    """The plugin in whose code an exception arose, or in what that called; None where it is nobody's but ours.

    It is the innermost frame in a plugin's package that counts, unless a built-in component lies further in: one plugin
    may be asking another component for frames.
    """
    brought = getattr(error, _BROUGHT, None)
    if isinstance(brought, Culprit):
        return brought
    frames = list(walk_tb(error.__traceback__))[::-1]
    for depth, (frame, line) in enumerate(frames):
        title = _find_owner(frame, registry)
        if title == BUILT_IN:
            return None
        if title:
            around = (_find_component(outer, registry) for outer, _ in frames[depth:])
            component = next((entry.title for entry in around if entry and entry.distribution != BUILT_IN), title)
            return Culprit(component, f"{frame.f_code.co_filename}:{line}")
    return None


def attach_culprit(error: BaseException, registry: Registry) -> None:
    """Have an exception bring its culprit to another process: its traceback stays here."""
    setattr(error, _BROUGHT, find_culprit(error, registry))


def _find_owner(frame: FrameType, registry: Registry) -> str:
    """Whose file a frame is in: a plugin, named with its origin, a built-in component's, or of nobody who is asked."""
    file = Path(frame.f_code.co_filename)
    for entry in registry.entries:
        module = entry.spec.target.partition(":")[0]
        if entry.distribution == BUILT_IN or entry.loaded:
            if frame.f_globals.get("__name__") == module:
                return entry.title if entry.loaded else BUILT_IN
        elif _is_within(file, module):
            return f"the plugin {entry.distribution} {entry.version}"
    for name, plugin in registry.hooks.list_name_plugin():
        if f" of {BUILT_IN} " not in name and _is_within(file, getattr(plugin, "__name__", "")):
            return f"the plugin {name}"
    return ""


def _is_within(file: Path, module: str) -> bool:
    top = module.partition(".")[0]
    return top in sys.modules and any(file.is_relative_to(place) for place in find_package(top))


def _find_component(frame: FrameType, registry: Registry) -> Entry | None:
    """The component whose method a frame is."""
    receiver = frame.f_locals.get("self", frame.f_locals.get("cls"))
    names = {f"{each.__module__}:{each.__name__}" for each in getattr(receiver, "__mro__", type(receiver).__mro__)}
    return next((entry for entry in registry.entries if entry.spec.target in names), None)
