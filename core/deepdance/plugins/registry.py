"""The registry of all components found, which hands them out, guarded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pluggy

from deepdance.errors import InputError, OptionError, PluginError
from deepdance.events import Event, Listener
from deepdance.plugins.fingerprints import describe_code, fingerprint_class
from deepdance.plugins.isolation import BUILT_IN, UNREGISTERED, Note, Problem, canonical, import_class, is_missing
from deepdance.plugins.requirements import describe_unmet, find_versions
from deepdance.plugins.spec import ENTRY_POINT_GROUP, KINDS, LOGGER, ComponentSpec, Hooks
from deepdance.validation import nearest, validate

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from deepdance.arrays import Float32
    from deepdance.workers import Workers


@dataclass(frozen=True)
class Entry:
    """A component and the distribution it came with, or the class itself where it came with none."""

    spec: ComponentSpec
    distribution: str
    version: str
    loaded: type | None = None

    @property
    def title(self) -> str:
        """The component as messages name it."""
        if self.loaded:
            return f"the {self.spec.kind} {self.spec.name!r} of {self.loaded.__module__}"
        return f"the {self.spec.kind} {self.spec.name!r} of {self.distribution} {self.version}"

    def describe_code(self) -> dict[str, str]:
        """What a key holds of the code that the component is made of."""
        if self.loaded:
            return {"distribution": self.distribution, "code": fingerprint_class(self.loaded)}
        return describe_code(self.distribution, self.version, self.spec.target)


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

    def read_audio(self, path: Path, rate: int, most_seconds: float) -> Float32:
        """What the first plugin that reads it makes of a track, as `deepdance_audio` says. Raises InputError."""
        samples = self.hooks.hook.deepdance_audio(path=path, rate=rate, most_seconds=most_seconds)
        if getattr(samples, "ndim", None) != 1 or samples.dtype.kind != "f":
            raise InputError(f"{path.name}: expected a plugin that reads its sound, found none; convert it to WAV")
        import numpy as np

        return np.nan_to_num(np.asarray(samples, np.float32), nan=0.0, posinf=0.0, neginf=0.0)

    def open_workers(self, address: str, jobs: int | None) -> AbstractContextManager[Workers]:
        """What the first plugin that knows an address has there, as `deepdance_workers` says. Raises OptionError."""
        opened = self.hooks.hook.deepdance_workers(address=address, jobs=jobs)
        if opened is None:
            raise OptionError(
                f"--executor: expected ray, ray://HOST:PORT, dask://HOST:PORT or what a plugin offers, "
                f"got {address!r}; leave it out for processes of this machine"
            )
        return cast("AbstractContextManager[Workers]", opened)

    def describe_code(self) -> dict[str, str]:
        """What components are made of and compute with, by distribution: where this is equal they make the same."""
        code = {entry.distribution: " ".join(entry.describe_code().values()) for entry in self.entries}
        optional = {text for entry in self.entries for text in entry.spec.requires}
        backend = os.environ.get("KERAS_BACKEND", "")
        return {**find_versions(frozenset(code), frozenset({*optional, backend})), **code}

    def find(self, kind: str, name: str) -> Entry:
        """The component called `name`, or `distribution:name` where two distributions share it.

        A name alone is a built-in's before it is anybody else's. Raises PluginError.
        """
        found = self._find_namesakes(kind, name)
        if ":" not in name:
            found = [e for e in found if e.distribution == BUILT_IN] or found
        if not found:
            raise self._report_unknown(kind, name)
        if len(found) > 1:
            raise PluginError(
                f"two plugins offer a {kind} called {found[0].spec.name!r}: choose {_list_choices(found)}"
            )
        return found[0]

    def kind_of(self, name: str) -> str:
        """The one kind that has a component called `name`, or `distribution:name`. Raises PluginError."""
        kinds = [kind for kind in (*KINDS, LOGGER) if self._find_namesakes(kind, name)]
        if not kinds:
            raise self._report_unknown("component", name)
        if len(kinds) > 1:
            raise PluginError(f"there is a {' and a '.join(kinds)} called {name!r}: choose with --kind {kinds[0]}")
        return kinds[0]

    def reference(self, entry: Entry) -> str:
        """The shortest name under which `find` gives this component."""
        namesakes = self._find_namesakes(entry.spec.kind, entry.spec.name)
        if entry.distribution == BUILT_IN or len(namesakes) == 1:
            return entry.spec.name
        return f"{entry.distribution}:{entry.spec.name}"

    def state(self, entry: Entry) -> tuple[str, str]:
        """`ready`, `shared`, `needs` or `broken`, and why: as far as it is known without importing the component."""
        missing = [target for target in (entry.spec.target, entry.spec.options) if is_missing(target)]
        if missing:
            return "broken", f"there is no {missing[0].partition(':')[0]}"
        lacking = describe_unmet(entry.spec.requires)
        if lacking:
            return "needs", lacking
        if self.reference(entry) != entry.spec.name:
            namesakes = self._find_namesakes(entry.spec.kind, entry.spec.name)
            return "shared", f"the name is shared: choose {_list_choices(namesakes)}"
        return "ready", ""

    def for_suffix(self, kind: str, suffix: str) -> Entry | None:
        """The first component of `kind` that handles files ending in `suffix`."""
        return next((e for e in self.entries if e.spec.kind == kind and suffix.lower() in e.spec.suffixes), None)

    def options(self, kind: str, name: str, preset: str, given: Mapping[str, Any]) -> Any:
        """Options of a component: its defaults, then the preset's values, then those given. Raises OptionError."""
        model = self.options_model(kind, name)
        return validate(model, {**model.presets.get(preset, {}), **given}, prefix=kind, owner=name)

    def options_model(self, kind: str, name: str) -> Any:
        """The pydantic model of a component's options, imported now. Raises PluginError."""
        from deepdance.interfaces import Options, find_options_model

        entry = self.find(kind, name)
        if entry.loaded:
            return find_options_model(entry.loaded)
        return import_class(entry.spec.options, Options, entry.title, entry.distribution)

    def component(self, kind: str, name: str) -> Any:
        """The class of a component, imported now, with the guards of its kind. Raises PluginError."""
        from deepdance.guards import guard
        from deepdance.interfaces import INTERFACES

        entry = self.find(kind, name)
        if entry.loaded:
            return guard(entry.loaded)
        lacking = describe_unmet(entry.spec.requires)
        if lacking:
            raise PluginError(f"{entry.title} {lacking}")
        return guard(import_class(entry.spec.target, INTERFACES[kind], entry.title, entry.distribution))

    def _find_namesakes(self, kind: str, name: str) -> list[Entry]:
        distribution, _, short = name.rpartition(":")
        namesakes = [entry for entry in self.entries if (entry.spec.kind, entry.spec.name) == (kind, short)]
        return [e for e in namesakes if not distribution or canonical(distribution) == canonical(e.distribution)]

    def _report_unknown(self, kind: str, name: str) -> PluginError:
        origin, _, short = name.rpartition(":")
        if origin == UNREGISTERED:
            return PluginError(
                f"expected the {kind} of an installed plugin, got {name!r}, a class that was given in Python; there it "
                f"goes on: deepdance.open_run(RUN, {kind}={short})"
            )
        names = sorted({self.reference(entry) for entry in self.entries if kind in (entry.spec.kind, "component")})
        told = f"no {kind} is called {name!r}{nearest(name, names)} (there are: {', '.join(names)})"
        meant = [problem for problem in self.problems if problem.is_about(name)]
        broken = "".join(f"; {p.distribution} {p.version} failed to load: {p.reason}" for p in meant or self.problems)
        unknown = PluginError(f"{told}{broken}")
        unknown.__cause__ = meant[0].error if meant else None
        return unknown


def _list_choices(entries: list[Entry]) -> str:
    return " or ".join(f"{entry.distribution}:{entry.spec.name}" for entry in entries)


def _tell(manager: pluggy.PluginManager, plugin: object, event: Event) -> None:
    """Call the `deepdance_event` of one plugin, apart from the others'."""
    manager.subset_hook_caller("deepdance_event", other_plugins(manager, plugin))(event=event)


def other_plugins(manager: pluggy.PluginManager, plugin: object) -> list[object]:
    """All registered plugins but one."""
    return [other for other in manager.get_plugins() if other is not plugin]
