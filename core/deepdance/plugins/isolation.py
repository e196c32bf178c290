"""What is broken in somebody's plugin is told by name, and breaks nothing else."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from textwrap import shorten
from traceback import extract_tb, format_exception_only

from deepdance.controls import escape_controls
from deepdance.errors import PluginError
from deepdance.plugins.redirection import capture_output

BUILT_IN = "deepdance"
"""The distribution whose components are always there."""

UNREGISTERED = "python"
"""Stands for a distribution where a component is a class that somebody gave in Python."""


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


def import_class(target: str, base: type, title: str, distribution: str) -> type:
    """The class at `"package.module:Class"`, a subclass of `base` that lacks nothing. Raises PluginError.

    `title` and `distribution` name the component in messages. What a plugin prints meanwhile goes to standard error;
    of the built-ins it is the frameworks' chatter, and shown to nobody.
    """
    module, _, name = target.partition(":")
    try:
        with capture_output() as said:
            found = getattr(import_module(module), name)
    except KeyboardInterrupt:
        raise
    except PluginError as error:
        raise PluginError(f"{title}: {one_line(error)}") from error
    except BaseException as error:
        raise PluginError(
            f"{title} could not be imported from {target}: {describe_failure(error)}; "
            f"mend it, or reinstall or remove {distribution}"
        ) from error
    if said[0] and distribution != BUILT_IN:
        print(escape_controls(said[0]), file=sys.stderr)  # noqa: T201
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


def canonical(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def one_line(error: BaseException) -> str:
    """An exception's type and message in one line of bearable length; a PluginError speaks for itself."""
    text = str(error) if isinstance(error, PluginError) else "".join(format_exception_only(error))
    return shorten(text, 300, placeholder=" …")


def describe_failure(error: BaseException) -> str:
    """`one_line` of what ended an import, and the file and line that it came from, where it began to run."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} at {error.filename}:{error.lineno}"
    machinery = ("<frozen ", import_module.__code__.co_filename, __file__)
    places = [frame for frame in extract_tb(error.__traceback__) if not frame.filename.startswith(machinery)]
    place = f" at {places[-1].filename}:{places[-1].lineno}" if places else ""
    return f"{one_line(error)}{place}"
