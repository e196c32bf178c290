"""Importing what a spec names, and seeing that it is what its kind must be."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

from deepdance.errors import PluginError
from deepdance.installed import one_line
from deepdance.redirection import redirected


def imported(target: str, base: type, title: str, distribution: str) -> type:
    """The class at `"package.module:Class"`, a subclass of `base` that lacks nothing. Raises PluginError.

    `title` and `distribution` name the component in messages. What is printed meanwhile goes to standard error.
    """
    module, _, name = target.partition(":")
    try:
        with redirected(1, to=2):
            found = getattr(import_module(module), name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(
            f"{title} could not be imported from {target}: {one_line(error)}; reinstall or remove {distribution}"
        ) from error
    if not isinstance(found, type) or not issubclass(found, base):
        got = found.__name__ if isinstance(found, type) else f"a {type(found).__name__}"
        raise PluginError(
            f"{title}: expected {target} to be a subclass of {base.__module__}.{base.__name__}, got {got}; "
            f"update or remove {distribution}"
        )
    lacking = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
    if lacking:
        raise PluginError(
            f"{title} lacks {lacking}, which a {base.__name__} must have; update or remove {distribution}"
        )
    return found


def is_missing(target: str) -> bool:
    """Whether the module of `"package.module:Class"` is known not to exist: its package is loaded and has no such."""
    module = target.partition(":")[0]
    package = module.rpartition(".")[0]
    if package and package not in sys.modules:
        return False
    try:
        return find_spec(module) is None
    except (ImportError, ValueError):
        return True
