"""What a plugin offers, how plugins are found, and the registry that hands out their components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from deepdance.errors import PluginError
from deepdance.events import Event, Listener
from deepdance.validation import nearest, validated

ENTRY_POINT_GROUP = "deepdance"
API_VERSION = 1
KINDS = ("source", "remover", "codec", "sequence", "renderer")

hookspec = pluggy.HookspecMarker(ENTRY_POINT_GROUP)
hookimpl = pluggy.HookimplMarker(ENTRY_POINT_GROUP)


@dataclass(frozen=True)
class ComponentSpec:
    """One component, described without importing it.

    `target` and `options` are `"package.module:Class"`; they are imported when the component is selected.
    `suffixes` are the file endings a source reads or a renderer writes (`".mp4"`; `"/"` is a folder).
    """

    kind: str
    name: str
    target: str
    options: str
    summary: str
    suffixes: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    api_version: int = API_VERSION


class Hooks:
    """What a plugin may implement."""

    @hookspec
    def deepdance_components(self) -> Iterable[ComponentSpec]:
        """The components that the plugin adds. Called once; must import nothing heavy."""
        raise NotImplementedError  # pluggy reads a hookspec's signature and never calls it

    @hookspec
    def deepdance_event(self, event: Event) -> None:
        """Follow a run: called with every event of `deepdance.events`, in their order, while the run waits.

        A plugin that raises is named in a warning and called no more; the run goes on.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Entry:
    """A component and the distribution it came with."""

    spec: ComponentSpec
    distribution: str
    version: str


@dataclass(frozen=True)
class Problem:
    """A plugin that could not be used, and why."""

    plugin: str
    distribution: str
    version: str
    reason: str


@dataclass
class Registry:
    """All components found, by kind and name."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    listeners: list[tuple[str, Listener]] = field(default_factory=list)
    """Each plugin's `deepdance_event`, by the plugin and its distribution."""

    def find(self, kind: str, name: str) -> Entry:
        """The component called `name`, or `distribution:name` where two distributions share it."""
        distribution, _, short = name.rpartition(":")
        same_kind = [entry for entry in self.entries if entry.spec.kind == kind]
        found = [e for e in same_kind if e.spec.name == short and distribution in ("", e.distribution)]
        if not found:
            raise PluginError(self._unknown(kind, name, same_kind))
        if len(found) > 1:
            choices = " or ".join(f"{e.distribution}:{short}" for e in found)
            raise PluginError(f"two plugins offer a {kind} called {short!r}: choose {choices}")
        return found[0]

    def _unknown(self, kind: str, name: str, same_kind: list[Entry]) -> str:
        names = sorted(entry.spec.name for entry in same_kind)
        broken = "".join(f"; {p.distribution} {p.version} failed to load: {p.reason}" for p in self.problems)
        return f"no {kind} is called {name!r}{nearest(name, names)} (there are: {', '.join(names)}){broken}"

    def for_suffix(self, kind: str, suffix: str) -> Entry | None:
        """The first component of `kind` that handles files ending in `suffix`."""
        return next((e for e in self.entries if e.spec.kind == kind and suffix.lower() in e.spec.suffixes), None)

    def options(self, kind: str, name: str, preset: str, given: Mapping[str, Any]) -> Any:
        """Options of a component: its defaults, then the preset's values, then those given. Raises OptionError."""
        model = self.options_model(kind, name)
        return validated(model, {**model.presets.get(preset, {}), **given}, prefix=kind, owner=name)

    def options_model(self, kind: str, name: str) -> Any:
        """The pydantic model of a component's options, imported now. Raises PluginError."""
        return _import(self.find(kind, name), "options")

    def component(self, kind: str, name: str) -> Any:
        """The class of a component, imported now. Raises PluginError."""
        return _import(self.find(kind, name), "target")


def _import(entry: Entry, attribute: str) -> Any:
    target: str = getattr(entry.spec, attribute)
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except (Exception, SystemExit) as error:
        spec, who = entry.spec, f"{entry.distribution} {entry.version}"
        raise PluginError(
            f"the {spec.kind} {spec.name!r} of {who} could not be imported from {target}: "
            f"{type(error).__name__}: {error}; reinstall or remove {entry.distribution}"
        ) from error


@cache
def discover() -> Registry:
    """Every installed plugin's components. A plugin that fails is noted as a problem and harms no other."""
    manager = pluggy.PluginManager(ENTRY_POINT_GROUP)
    manager.add_hookspecs(Hooks)
    registry = Registry()
    unique = {(point.dist.name if point.dist else "", point.name): point for point in entry_points(group="deepdance")}
    for point in unique.values():
        distribution = point.dist.name if point.dist else "unknown"
        version = point.dist.version if point.dist else "?"
        try:
            specs = _components_of(manager, point)
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}"
            registry.problems.append(Problem(point.name, distribution, version, reason))
        else:
            registry.entries += [Entry(spec, distribution, version) for spec in specs]
            name = f"the plugin {point.name} of {distribution} {version}"
            registry.listeners += [(name, listener) for listener in _listeners_of(manager, point)]
    return registry


def _listeners_of(manager: pluggy.PluginManager, point: EntryPoint) -> list[Listener]:
    """The plugin's `deepdance_event`, if it has one, to be called apart from the other plugins'."""
    plugin = manager.get_plugin(point.value)
    follows = any(hook.plugin is plugin for hook in manager.hook.deepdance_event.get_hookimpls())
    return [partial(_tell, manager, plugin)] if follows else []


def _tell(manager: pluggy.PluginManager, plugin: object, event: Event) -> None:
    manager.subset_hook_caller("deepdance_event", _others(manager, plugin))(event=event)


def _components_of(manager: pluggy.PluginManager, point: EntryPoint) -> list[ComponentSpec]:
    plugin = point.load()
    manager.register(plugin, name=point.value)
    try:
        manager.check_pending()
        specs = list(manager.subset_hook_caller("deepdance_components", _others(manager, plugin))())
        found = [spec for group in specs for spec in group]
        for spec in found:
            _check(spec)
    except BaseException:
        manager.unregister(plugin)
        raise
    return found


def _others(manager: pluggy.PluginManager, plugin: object) -> list[object]:
    return [other for other in manager.get_plugins() if other is not plugin]


def _check(spec: object) -> None:
    if not isinstance(spec, ComponentSpec):
        raise PluginError(f"expected a ComponentSpec, got {type(spec).__name__}")
    if spec.api_version > API_VERSION:
        raise PluginError(f"{spec.name!r} needs plugin API {spec.api_version}, this deepdance has {API_VERSION}")
    if spec.kind not in KINDS:
        raise PluginError(f"{spec.name!r} is of kind {spec.kind!r}, expected one of {', '.join(KINDS)}")
    if not isinstance(spec.suffixes, tuple) or (spec.kind == "renderer" and not spec.suffixes):
        raise PluginError(f"{spec.name!r}: expected a tuple of file endings as suffixes, got {spec.suffixes!r}")
