"""What a plugin offers, how plugins are found, and the registry that hands out their components."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from textwrap import shorten
from time import perf_counter
from typing import Any

import pluggy

from deepdance.errors import PluginError
from deepdance.events import Event, Listener
from deepdance.installed import (
    BUILT_IN,
    ENTRY_POINT_GROUP,
    ONLY,
    WITHOUT,
    Installed,
    Note,
    Problem,
    canonical,
    find_installed,
    one_line,
    unmet,
    wanted,
)
from deepdance.loading import imported, is_missing
from deepdance.redirection import captured
from deepdance.validation import nearest, validated

API_VERSION = 1
KINDS = ("source", "remover", "codec", "sequence", "renderer")
SLOW_SECONDS = 0.5
"""A plugin that takes longer than this to load is told so: everybody waits for it."""

hookspec = pluggy.HookspecMarker(ENTRY_POINT_GROUP)
hookimpl = pluggy.HookimplMarker(ENTRY_POINT_GROUP)


@dataclass(frozen=True)
class ComponentSpec:
    """One component, described without importing it.

    `target` and `options` are `"package.module:Class"`; they are imported when the component is selected.
    `suffixes` are the file endings a source reads or a renderer writes (`".mp4"`; `"/"` is a folder). `requires` are
    distributions that it works with and its own distribution does not install, as pip takes them (`"torch>=2.4"`).
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
        raise NotImplementedError  # as above


@dataclass(frozen=True)
class Entry:
    """A component and the distribution it came with."""

    spec: ComponentSpec
    distribution: str
    version: str

    @property
    def title(self) -> str:
        """The component as messages name it."""
        return f"the {self.spec.kind} {self.spec.name!r} of {self.distribution} {self.version}"


def _plugin_manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(ENTRY_POINT_GROUP)
    manager.add_hookspecs(Hooks)
    return manager


@dataclass
class Registry:
    """All components found, the built-ins first; `hooks` holds the plugins that work, each named with its origin."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    hooks: pluggy.PluginManager = field(default_factory=_plugin_manager)

    @property
    def listeners(self) -> list[tuple[str, Listener]]:
        """Each plugin's `deepdance_event`, by the plugin and its distribution."""
        following = [hook.plugin for hook in self.hooks.hook.deepdance_event.get_hookimpls()]
        return [
            (f"the plugin {self.hooks.get_name(plugin)}", partial(_tell, self.hooks, plugin)) for plugin in following
        ]

    def find(self, kind: str, name: str) -> Entry:
        """The component called `name`, or `distribution:name` where two distributions share it.

        A name alone is a built-in's before it is anybody else's. Raises PluginError.
        """
        found = self._called(kind, name)
        if ":" not in name:
            found = [e for e in found if e.distribution == BUILT_IN] or found
        if not found:
            raise self._unknown(kind, name)
        if len(found) > 1:
            raise PluginError(f"two plugins offer a {kind} called {found[0].spec.name!r}: choose {_choices(found)}")
        return found[0]

    def kind_of(self, name: str) -> str:
        """The one kind that has a component called `name`, or `distribution:name`. Raises PluginError."""
        kinds = [kind for kind in KINDS if self._called(kind, name)]
        if not kinds:
            raise self._unknown("component", name)
        if len(kinds) > 1:
            raise PluginError(f"there is a {' and a '.join(kinds)} called {name!r}: choose with --kind {kinds[0]}")
        return kinds[0]

    def reference(self, entry: Entry) -> str:
        """The shortest name under which `find` gives this component."""
        namesakes = self._called(entry.spec.kind, entry.spec.name)
        if entry.distribution == BUILT_IN or len(namesakes) == 1:
            return entry.spec.name
        return f"{entry.distribution}:{entry.spec.name}"

    def state(self, entry: Entry) -> tuple[str, str]:
        """`ready`, `shared`, `needs` or `broken`, and why: as far as it is known without importing the component."""
        missing = [target for target in (entry.spec.target, entry.spec.options) if is_missing(target)]
        if missing:
            return "broken", f"there is no {missing[0].partition(':')[0]}"
        lacking = unmet(entry.spec.requires)
        if lacking:
            return "needs", lacking
        if self.reference(entry) != entry.spec.name:
            return "shared", f"the name is shared: choose {_choices(self._called(entry.spec.kind, entry.spec.name))}"
        return "ready", ""

    def for_suffix(self, kind: str, suffix: str) -> Entry | None:
        """The first component of `kind` that handles files ending in `suffix`."""
        return next((e for e in self.entries if e.spec.kind == kind and suffix.lower() in e.spec.suffixes), None)

    def options(self, kind: str, name: str, preset: str, given: Mapping[str, Any]) -> Any:
        """Options of a component: its defaults, then the preset's values, then those given. Raises OptionError."""
        model = self.options_model(kind, name)
        return validated(model, {**model.presets.get(preset, {}), **given}, prefix=kind, owner=name)

    def options_model(self, kind: str, name: str) -> Any:
        """The pydantic model of a component's options, imported now. Raises PluginError."""
        from deepdance.interfaces import Options

        entry = self.find(kind, name)
        return imported(entry.spec.options, Options, entry.title, entry.distribution)

    def component(self, kind: str, name: str) -> Any:
        """The class of a component, imported now. Raises PluginError."""
        from deepdance.interfaces import INTERFACES

        entry = self.find(kind, name)
        lacking = unmet(entry.spec.requires)
        if lacking:
            raise PluginError(f"{entry.title} {lacking}")
        return imported(entry.spec.target, INTERFACES[kind], entry.title, entry.distribution)

    def _called(self, kind: str, name: str) -> list[Entry]:
        distribution, _, short = name.rpartition(":")
        namesakes = [entry for entry in self.entries if (entry.spec.kind, entry.spec.name) == (kind, short)]
        return [e for e in namesakes if not distribution or canonical(distribution) == canonical(e.distribution)]

    def _unknown(self, kind: str, name: str) -> PluginError:
        names = sorted({self.reference(entry) for entry in self.entries if kind in (entry.spec.kind, "component")})
        told = f"no {kind} is called {name!r}{nearest(name, names)} (there are: {', '.join(names)})"
        meant = [problem for problem in self.problems if problem.is_about(name)]
        broken = "".join(f"; {p.distribution} {p.version} failed to load: {p.reason}" for p in meant or self.problems)
        unknown = PluginError(f"{told}{broken}")
        unknown.__cause__ = meant[0].error if meant else None
        return unknown


def _choices(entries: list[Entry]) -> str:
    return " or ".join(f"{entry.distribution}:{entry.spec.name}" for entry in entries)


def discover() -> Registry:
    """Every installed plugin's components. A plugin that fails is noted as a problem and harms no other.

    `DEEPDANCE_PLUGINS=a,b` and `DEEPDANCE_NO_PLUGINS=a,b` name the only distributions or entry points to load besides
    the built-ins, and those never to load. Raises PluginError if one of these is not installed.
    """
    return _discover(os.environ.get(ONLY), os.environ.get(WITHOUT))


@cache
def _discover(only: str | None, without: str | None) -> Registry:
    registry = Registry()
    for plugin in wanted(find_installed(), only, without):
        start = perf_counter()
        with captured() as said:
            _load(registry, plugin)
        seconds = perf_counter() - start
        if seconds > SLOW_SECONDS:
            registry.notes.append(_note(plugin, f"takes {seconds:.1f} s to load; every command waits for it"))
        if said[0]:
            text = shorten(said[0], 100, placeholder=" …")
            registry.notes.append(_note(plugin, f"writes when it is loaded: {text!r}"))
    return registry


def _load(registry: Registry, plugin: Installed) -> None:
    """Add the components of a plugin to the registry, or the reasons why they cannot be used."""
    point, distribution, version = plugin.point, plugin.distribution, plugin.version
    known = {(e.distribution, e.spec.kind, e.spec.name) for e in registry.entries}
    try:
        offered = _offered(registry.hooks, plugin)
    except KeyboardInterrupt:
        out = f"leave it out with --no-plugins={point.name}"
        raise PluginError(f"stopped while loading {point.name} of {distribution} {version}; {out}") from None
    except BaseException as error:
        reason = one_line(error)
        registry.problems.append(Problem(point.name, distribution, version, reason, error=error))
        return
    for spec in offered:
        try:
            checked = _checked(spec)
            if (distribution, checked.kind, checked.name) in known:
                raise PluginError(f"{checked.name!r}: expected one {checked.kind} of this name, got two")
        except PluginError as error:
            name = str(getattr(spec, "name", ""))
            registry.problems.append(Problem(point.name, distribution, version, str(error), component=name))
        else:
            known.add((distribution, checked.kind, checked.name))
            registry.entries.append(Entry(checked, distribution, version))


def _offered(manager: pluggy.PluginManager, plugin: Installed) -> list[object]:
    loaded = plugin.point.load()
    if manager.is_registered(loaded):
        raise PluginError(f"expected a module of its own, got {plugin.point.value}, which another plugin is")
    try:
        manager.register(loaded, name=f"{plugin.point.name} of {plugin.distribution} {plugin.version}")
        _check_hooks(manager, loaded)
        groups = list(manager.subset_hook_caller("deepdance_components", _others(manager, loaded))())
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


def _tell(manager: pluggy.PluginManager, plugin: object, event: Event) -> None:
    """Call the `deepdance_event` of one plugin, apart from the others'."""
    manager.subset_hook_caller("deepdance_event", _others(manager, plugin))(event=event)


def _others(manager: pluggy.PluginManager, plugin: object) -> list[object]:
    return [other for other in manager.get_plugins() if other is not plugin]


def _checked(spec: object) -> ComponentSpec:
    if not isinstance(spec, ComponentSpec):
        raise PluginError(f"expected a ComponentSpec, got {type(spec).__name__}")
    name = spec.name
    if spec.api_version > API_VERSION:
        raise PluginError(
            f"{name!r} needs plugin API {spec.api_version}, this deepdance has {API_VERSION}; update deepdance"
        )
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
        raise PluginError(f"expected a name of letters, digits, '.', '_' and '-', got {name!r}")
    if spec.kind not in KINDS:
        raise PluginError(f"{name!r} is of kind {spec.kind!r}, expected one of {', '.join(KINDS)}")
    for target in (spec.target, spec.options):
        if not isinstance(target, str) or not re.fullmatch(r"\w[\w.]*:\w+", target):
            raise PluginError(f"{name!r}: expected 'package.module:Class', got {target!r}")
    if not isinstance(spec.suffixes, tuple) or (spec.kind == "renderer" and not spec.suffixes):
        raise PluginError(f"{name!r}: expected a tuple of file endings as suffixes, got {spec.suffixes!r}")
    if not isinstance(spec.requires, tuple):
        raise PluginError(f"{name!r}: expected a tuple of requirements as requires, got {spec.requires!r}")
    return spec


def _note(plugin: Installed, text: str) -> Note:
    return Note(plugin.point.name, plugin.distribution, plugin.version, text)
