"""Components that no plugin offers: classes of a script or a notebook, given in Python in place of a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from inspect import signature
from typing import Any

from pydantic import BaseModel

from deepdance.errors import OptionError
from deepdance.guards import unguard
from deepdance.interfaces import INTERFACES, Component, find_options_model
from deepdance.plugins.isolation import UNREGISTERED
from deepdance.plugins.registry import Entry, Registry
from deepdance.plugins.spec import KINDS, ComponentSpec, check_spec

TRAITS = ("suffixes", "frame_rate", "frame_size", "most_lines")
"""What a plugin's spec says besides; here they are attributes of the class, and have the same defaults."""


def adopt(registry: Registry, fields: Mapping[str, Any]) -> tuple[Registry, dict[str, Any]]:
    """A recipe's fields with names in place of classes and instances, and a registry that knows these by them.

    A component that is registered keeps its name; any other is `python:ItsClass`. Raises OptionError, PluginError.
    """
    named = dict(fields)
    for kind in KINDS:
        given = _take_apart(kind, named.get(kind))
        if given:
            component, options = given
            registry, name = _register(registry, kind, component)
            named[kind] = {"name": name, **options}
    return registry, named


def _take_apart(kind: str, given: Any) -> tuple[type, dict[str, Any]] | None:
    """A class and its options of what stands for a component; None where that is a name, or nothing."""
    if isinstance(given, type):
        return unguard(given), {}
    if isinstance(given, Mapping) and isinstance(given.get("name"), type):
        return unguard(given["name"]), {key: value for key, value in given.items() if key != "name"}
    if given is None or isinstance(given, str | Mapping | BaseModel):
        return None
    if not isinstance(given, Component):
        base = f"{INTERFACES[kind].__module__}.{INTERFACES[kind].__name__}"
        raise OptionError(
            f"{kind}: expected a name, a subclass of {base} or an instance of one, got a {type(given).__name__}; "
            f"derive a class from {INTERFACES[kind].__name__}, and give that"
        )
    component = unguard(type(given))
    _check(kind, component)
    if kind == "source":
        raise OptionError(f"source: expected a class, got one {component.__name__} that is opened; give the class")
    return component, given.options.model_dump(mode="json", exclude_unset=True)


def _register(registry: Registry, kind: str, component: type) -> tuple[Registry, str]:
    _check(kind, component)
    name, target = component.__name__, f"{component.__module__}:{component.__qualname__}"
    for entry in registry.entries:
        if (entry.spec.kind, entry.spec.target, entry.loaded) == (kind, target, None):
            return registry, registry.reference(entry)
    options = find_options_model(component)
    traits = {trait: getattr(component, trait) for trait in TRAITS if hasattr(component, trait)}
    place, model = (f"{each.__module__}:{each.__name__}" for each in (component, options))
    spec = check_spec(ComponentSpec(kind, name, place, model, component.__doc__ or "", **traits))
    others = [e for e in registry.entries if not e.loaded or (e.spec.kind, e.spec.name) != (kind, name)]
    return replace(registry, entries=[*others, Entry(spec, UNREGISTERED, "", component)]), f"{UNREGISTERED}:{name}"


def _check(kind: str, component: type) -> None:
    """Raise OptionError where a class is no component of `kind`, or cannot be made of its options."""
    base, name = INTERFACES[kind], component.__name__
    if not issubclass(component, base):
        raise OptionError(f"{kind}: expected a name or a subclass of {base.__module__}.{base.__name__}, got {name}")
    lacking = ", ".join(sorted(getattr(component, "__abstractmethods__", ())))
    if lacking:
        raise OptionError(f"{kind}: expected all that a {base.__name__} must have, got {name}; add {lacking}")
    if "options" not in signature(component).parameters:
        raise OptionError(
            f"{kind}: expected a class that is made of its options, got {name}{signature(component)}; "
            f"derive it from {base.__name__}[MyOptions], and let __init__ take `options`"
        )
