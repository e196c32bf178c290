"""The register of what is broken."""

import sys
from dataclasses import dataclass, replace
from importlib import import_module

import my_codec
import my_logger
import my_remover
import my_renderer
import my_sequence
import my_source

from deepdance.plugins import ComponentSpec

PLUGINS = (my_source, my_remover, my_codec, my_sequence, my_renderer, my_logger)
GOOD = {spec.kind: spec for plugin in PLUGINS for spec in plugin.COMPONENTS}
"""The spec of a component of each kind that holds its contract."""


@dataclass(frozen=True)
class Broken:
    """A component that fails a check; one that is not guarded fails it where the toolkit does not see to it."""

    check: str
    spec: ComponentSpec
    guarded: bool = True

    def __str__(self):
        return f"{self.spec.kind}-{self.check}"


BROKEN: list[Broken] = []


def breaks(kind, *checks, guarded=True):
    """Register a class as one that fails checks of a kind."""

    def register(cls):
        module = sys.modules[cls.__module__]
        name = f"Broken{sum(known.startswith('Broken') for known in vars(module))}"  # alike in a fresh process
        setattr(module, name, cls)
        spec = spec_of(kind, f"{cls.__module__}:{name}")
        BROKEN.extend(Broken(check, spec, guarded) for check in checks)
        return cls

    return register


def change(component, method, to):
    """A component whose method returns what a function makes of what it returned before."""

    def changed(self, *arguments, **named):
        return to(getattr(super(cls, self), method)(*arguments, **named))

    cls = type(component.__name__, (component,), {method: changed, "__module__": to.__module__})
    return cls


def breaks_options(check):
    """Register options with which the good remover fails a check."""

    def register(cls):
        BROKEN.append(Broken(check, replace(GOOD["remover"], options=f"{cls.__module__}:{cls.__name__}")))
        return cls

    return register


def breaks_unguarded(kind, *checks):
    """Register the good component as one that fails these checks if it is not guarded."""
    BROKEN.extend(Broken(check, GOOD[kind], guarded=False) for check in checks)


def spec_of(kind, target):
    """The spec of the good component of a kind, with another class."""
    return replace(GOOD[kind], target=target)


def find_broken(kind, check):
    """The spec of the first component that fails a check of a kind."""
    import_module(f"contract.{kind}")
    return next(broken.spec for broken in BROKEN if (broken.spec.kind, broken.check) == (kind, check))
