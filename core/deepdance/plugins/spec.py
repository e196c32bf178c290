"""What a plugin offers: a frozen spec of each component, and the hooks that deepdance calls."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

from deepdance.errors import PluginError
from deepdance.events import Event

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from deepdance.arrays import Float32
    from deepdance.workers import Workers

ENTRY_POINT_GROUP = "deepdance"
API_VERSION = 2
KINDS = ("source", "remover", "codec", "sequence", "renderer")
"""The boxes of the pipeline, in the order a frame meets them."""
LOGGER = "logger"
"""The kind of what follows a run for `--log`; it is no box of the pipeline."""

hookspec = pluggy.HookspecMarker(ENTRY_POINT_GROUP)
hookimpl = pluggy.HookimplMarker(ENTRY_POINT_GROUP)


@dataclass(frozen=True)
class ComponentSpec:
    """One component, described without importing it.

    `target` and `options` are `"package.module:Class"`; they are imported when the component is selected, the options
    alone where its options are listed or checked. `suffixes` are the file endings a source reads or a renderer writes
    (`".mp4"`; `"/"` is a folder). `requires` are distributions that it works with and its own distribution does not
    install, as pip takes them (`"torch>=2.4"`). `frame_rate` is the frames a second that a sequence model is made for:
    a run's, where its user asks for no other. `frame_size` is the height and width that a codec is made for: a run's,
    too; None is a codec that takes the shape of the video. `most_lines` are the lines that suit what a renderer writes:
    more, its user has to ask for.
    """

    kind: str
    name: str
    target: str
    options: str
    summary: str
    suffixes: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    frame_rate: float = 10.0
    frame_size: tuple[int, int] | None = None
    most_lines: int = 1080
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

    @hookspec(firstresult=True)
    def deepdance_audio(self, path: Path, rate: int, most_seconds: float) -> Float32 | None:
        """The sound of a track as mono samples `(n,)`, float32, full scale ±1, at `rate` a second.

        It is as much of the beginning as `most_seconds`. None leaves the file to the next plugin: the built-in one,
        which is asked last, reads all that FFmpeg does. Raises InputError for a file that has no sound.
        """
        raise NotImplementedError  # as above

    @hookspec(firstresult=True)
    def deepdance_workers(self, address: str, jobs: int | None) -> AbstractContextManager[Workers] | None:
        """What does the work of a command for `--executor ADDRESS`, while a `with` block runs; closed at its end.

        `jobs` is how many tasks its user wants done at once; None is as many as there is room for. None leaves the
        address to the next plugin. The built-in ones, `ray` and `dask`, are asked last. Raises OptionError for an
        address that is theirs, and cannot be reached.
        """
        raise NotImplementedError  # as above


def check_spec(spec: object) -> ComponentSpec:
    """The spec, if it makes sense. Raises PluginError."""
    if not isinstance(spec, ComponentSpec):
        raise PluginError(f"expected a ComponentSpec, got {type(spec).__name__}")
    name = spec.name
    if spec.api_version > API_VERSION:
        raise PluginError(
            f"{name!r} needs plugin API {spec.api_version}, this deepdance has {API_VERSION}; update deepdance"
        )
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
        raise PluginError(f"expected a name of letters, digits, '.', '_' and '-', got {name!r}")
    if spec.kind not in (*KINDS, LOGGER):
        raise PluginError(f"{name!r} is of kind {spec.kind!r}, expected one of {', '.join((*KINDS, LOGGER))}")
    for target in (spec.target, spec.options):
        if not isinstance(target, str) or not re.fullmatch(r"\w[\w.]*:\w+", target):
            raise PluginError(f"{name!r}: expected 'package.module:Class', got {target!r}")
    if not isinstance(spec.suffixes, tuple) or (spec.kind == "renderer" and not spec.suffixes):
        raise PluginError(f"{name!r}: expected a tuple of file endings as suffixes, got {spec.suffixes!r}")
    if not isinstance(spec.requires, tuple):
        raise PluginError(f"{name!r}: expected a tuple of requirements as requires, got {spec.requires!r}")
    if not isinstance(spec.frame_rate, float | int) or not 0 < spec.frame_rate <= 240:
        raise PluginError(f"{name!r}: expected frames a second, above 0 and at most 240, got {spec.frame_rate!r}")
    if spec.frame_size is not None and not _is_size(spec.frame_size):
        raise PluginError(f"{name!r}: expected a height and width from 8 to 4096 or None, got {spec.frame_size!r}")
    if not isinstance(spec.most_lines, int) or not 16 <= spec.most_lines <= 8192:
        raise PluginError(f"{name!r}: expected lines of a picture, from 16 to 8192, got {spec.most_lines!r}")
    return spec


def _is_size(value: object) -> bool:
    sides = value if isinstance(value, tuple) else ()
    return len(sides) == 2 and all(isinstance(side, int) and 8 <= side <= 4096 for side in sides)
