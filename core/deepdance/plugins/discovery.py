"""Which plugins are installed, which of them are wanted, and what they offer."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from textwrap import shorten
from time import perf_counter

import pluggy

from deepdance.errors import PluginError
from deepdance.plugins.isolation import BUILT_IN, Note, Problem, canonical, one_line
from deepdance.plugins.redirection import capture_output
from deepdance.plugins.registry import Entry, Registry, other_plugins
from deepdance.plugins.spec import ENTRY_POINT_GROUP, Hooks, check_spec
from deepdance.validation import nearest

ONLY = "DEEPDANCE_PLUGINS"
WITHOUT = "DEEPDANCE_NO_PLUGINS"
SLOW_SECONDS = 0.5
"""A plugin that takes longer than this to load is told so: everybody waits for it."""


@dataclass(frozen=True)
class Installed:
    """An entry point and the distribution it came with."""

    point: EntryPoint
    distribution: str
    version: str


def discover() -> Registry:
    """Every installed plugin's components. A plugin that fails is noted as a problem and harms no other.

    `DEEPDANCE_PLUGINS=a,b` and `DEEPDANCE_NO_PLUGINS=a,b` name the only distributions or entry points to load besides
    the built-ins, and those never to load. Raises PluginError if one of these is not installed.
    """
    return _discover(os.environ.get(ONLY), os.environ.get(WITHOUT))


@cache
def _discover(only: str | None, without: str | None) -> Registry:
    registry = Registry()
    for plugin in choose(find_installed(), only, without):
        start = perf_counter()
        with capture_output() as said:
            _load(registry, plugin)
        seconds = perf_counter() - start
        if seconds > SLOW_SECONDS:
            registry.notes.append(_make_note(plugin, f"takes {seconds:.1f} s to load; every command waits for it"))
        if said[0]:
            text = shorten(said[0], 100, placeholder=" …")
            registry.notes.append(_make_note(plugin, f"writes when it is loaded: {text!r}"))
    return registry


def _load(registry: Registry, plugin: Installed) -> None:
    """Add the components of a plugin to the registry, or the reasons why they cannot be used."""
    point, distribution, version = plugin.point, plugin.distribution, plugin.version
    known = {(e.distribution, e.spec.kind, e.spec.name) for e in registry.entries}
    try:
        offered = _collect_specs(registry.hooks, plugin)
    except KeyboardInterrupt:
        out = f"leave it out with --no-plugins={point.name}"
        raise PluginError(f"stopped while loading {point.name} of {distribution} {version}; {out}") from None
    except BaseException as error:
        reason = one_line(error)
        registry.problems.append(Problem(point.name, distribution, version, reason, error=error))
        return
    for spec in offered:
        try:
            checked = check_spec(spec)
            if (distribution, checked.kind, checked.name) in known:
                raise PluginError(f"{checked.name!r}: expected one {checked.kind} of this name, got two")
        except PluginError as error:
            name = str(getattr(spec, "name", ""))
            registry.problems.append(Problem(point.name, distribution, version, str(error), component=name))
        else:
            known.add((distribution, checked.kind, checked.name))
            registry.entries.append(Entry(checked, distribution, version))


def _collect_specs(manager: pluggy.PluginManager, plugin: Installed) -> list[object]:
    loaded = plugin.point.load()
    if manager.is_registered(loaded):
        raise PluginError(f"expected a module of its own, got {plugin.point.value}, which another plugin is")
    try:
        manager.register(loaded, name=f"{plugin.point.name} of {plugin.distribution} {plugin.version}")
        _check_hooks(manager, loaded)
        groups = list(manager.subset_hook_caller("deepdance_components", other_plugins(manager, loaded))())
        return [spec for group in groups for spec in group]
    except BaseException:
        if manager.is_registered(loaded):
            manager.unregister(loaded)
        raise


def _check_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    names = [name for name in vars(Hooks) if not name.startswith("_")]
    implemented = [caller.name for caller in manager.get_hookcallers(plugin) or ()]
    if not implemented:
        raise PluginError(f"expected a hook ({', '.join(names)}) marked with @hookimpl, got none")
    try:
        manager.check_pending()
    except pluggy.PluginValidationError:
        wrong = next(name for name in implemented if name not in names)
        raise PluginError(
            f"there is no hook {wrong!r}{nearest(wrong, names)} (there are: {', '.join(names)})"
        ) from None


def find_installed() -> list[Installed]:
    """All entry points of the group, each once: the built-ins first, then by name."""
    found: dict[tuple[str, str], Installed] = {}
    for distribution in distributions():
        if f"[{ENTRY_POINT_GROUP}]" in (distribution.read_text("entry_points.txt") or ""):
            name, number = _read_identity(distribution)
            for point in distribution.entry_points.select(group=ENTRY_POINT_GROUP):
                found.setdefault((canonical(name), point.name), Installed(point, name, number))
    order = sorted(found.items(), key=lambda item: (item[0][0] != BUILT_IN, item[0]))
    return [installed for _, installed in order]


def choose(plugins: Iterable[Installed], only: str | None, without: str | None) -> list[Installed]:
    """The built-ins and, of the others, those that the user wants. Raises PluginError for a name that nobody has.

    `only` and `without` are names of distributions or entry points with commas between; `None` asks for nothing, and
    an empty `only` leaves no plugin.
    """
    plugins = list(plugins)
    others = [plugin for plugin in plugins if plugin.distribution != BUILT_IN]
    kept = set() if only is not None else {id(plugin) for plugin in others}
    for name in _split_names(only):
        kept |= {id(plugin) for plugin in _find_called(others, name, ONLY)}
    for name in _split_names(without):
        kept -= {id(plugin) for plugin in _find_called(others, name, "--no-plugins")}
    return [plugin for plugin in plugins if plugin.distribution == BUILT_IN or id(plugin) in kept]


def leave_out(names: str | None = None) -> None:
    """From now on, here and in child processes, load no plugin, or none of those named (with commas between)."""
    if names is None:
        os.environ[ONLY] = ""
    else:
        os.environ[WITHOUT] = ",".join(filter(None, [os.environ.get(WITHOUT), names]))


def _split_names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _find_called(others: list[Installed], name: str, asked_by: str) -> list[Installed]:
    called = [p for p in others if canonical(name) in (canonical(p.distribution), canonical(p.point.name))]
    if not called:
        known = ", ".join(sorted({plugin.distribution for plugin in others})) or "none"
        raise PluginError(
            f"{asked_by}: expected the name of an installed plugin ({known}), got {name!r}; the built-ins always stay"
        )
    return called


def _read_identity(distribution: Distribution) -> tuple[str, str]:
    try:
        metadata = distribution.metadata
        return metadata["Name"] or "unknown", metadata["Version"] or "?"
    except Exception:
        return "unknown", "?"


def _make_note(plugin: Installed, text: str) -> Note:
    return Note(plugin.point.name, plugin.distribution, plugin.version, text)
