"""From what the user typed to sources: which one reads an input, with which options, at what rate and what size."""

from __future__ import annotations

import logging
import mimetypes
import re
from collections.abc import Sequence
from functools import partial
from math import prod, sqrt
from pathlib import Path
from socket import gethostname
from typing import Any

from deepdance.errors import InputError, OptionError
from deepdance.folders import FOLDER, Listing, describe_kind, list_folder, show_path, show_url
from deepdance.frames import fit_size
from deepdance.interfaces import FrameSource, SourceInfo
from deepdance.plugins import KINDS, Registry
from deepdance.recipe import AUTO, PERSON, THRESHOLD, Choice, Recipe, apply_settings
from deepdance.validation import validate

DEMO = "demo"
"""The location of the demo dancer. Paths are absolute, so a file of that name is another thing."""
FALLBACK = "ffmpeg"
"""The source that reads what no other claims."""
STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
PAPER_SIZE = (120, 200)
SIDE_STEP = 8
"""Sides that are not given are multiples of this, which the convolutional codecs halve three times."""
MOST_ELONGATED = 4
"""Height to width, or width to height: a picture beyond it lies between bands of background."""
MOST_KEPT_PIXELS = 1.5 * prod(PAPER_SIZE)
"""Silhouettes of at most so many pixels are learned from as they are; more would only be slower."""
LEAST_FILL = 0.6
"""An input that fills less of the silhouettes than this share is told of: a portrait video among landscape ones."""

log = logging.getLogger("deepdance")


def expand_inputs(registry: Registry, typed: Sequence[str]) -> list[str]:
    """Locations, absolute paths but for the demo's; a folder that holds videos stands for them, in natural order.

    Nothing typed is the demo. What is taken of a folder, and what is left out, is told. Raises InputError.
    """
    locations: list[str] = []
    for text in typed:
        path = Path(text)
        if text == DEMO and not path.exists():
            locations.append(DEMO)
            continue
        _check_place(registry, text, path)
        videos = _list_videos(registry, path)
        if videos.taken:
            videos.tell("videos or arrays")
        locations += [str(p) for p in videos.taken] or [str(path.absolute())]
    return locations or [DEMO]


def _check_place(registry: Registry, text: str, path: Path) -> None:
    """Raise InputError for what no source can read, before any opens it: a pipe would never end."""
    problem = _find_problem(registry, text, path)
    if problem:
        raise InputError(f"expected a video, a folder of images or an array, got {problem}")


def _find_problem(registry: Registry, text: str, path: Path) -> str:
    """What is wrong with a place and what to do, if anything is."""
    shown = show_path(text)
    if text in STANDARD_INPUT:
        return f"standard input ({shown}); save it as a file, and name that"
    if URL.match(text):
        return f"the address {show_url(text)}; add --allow-remote, or download it and name the file"
    try:
        path.stat()
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        reason = ", which does not exist" if missing else f": {getattr(error, 'strerror', error)}"
        return f"{shown}{reason}; check the path"
    kind = describe_kind(path)
    if kind not in ("", FOLDER):
        return f"{shown}, a {kind}; save it as a file, and name that"
    if not kind and _is_picture(path) and not registry.for_suffix("source", path.suffix):
        folder = show_path(path.absolute().parent)
        return f"{shown}, one picture; name the folder whose pictures are the frames: {folder}"
    return ""


def _is_picture(path: Path) -> bool:
    return (mimetypes.guess_type(path.name, strict=False)[0] or "").startswith("image/")


def refuse_file(registry: Registry, path: Path) -> str:
    """Why a file of a folder is not taken for a video or an array, by its name; empty where it is."""
    if registry.for_suffix("source", path.suffix):
        return ""
    return "picture beside videos" if _is_picture(path) else "unknown ending"


def _list_videos(registry: Registry, folder: Path) -> Listing:
    try:
        return list_folder(folder, partial(refuse_file, registry)) if folder.is_dir() else Listing(folder)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{show_path(folder)}: expected a folder that can be read, got: {reason}; check its permissions"
        ) from None


def show_location(location: str) -> str:
    """A location as messages and progress bars name it: the file without its folder."""
    return Path(location).name or location


def source_for(registry: Registry, location: str) -> str:
    """The source that claims the ending of `location`, or the one that reads what nobody claims."""
    if location == DEMO:
        return DEMO
    suffix = "/" if Path(location).is_dir() else Path(location).suffix
    entry = registry.for_suffix("source", suffix)
    return registry.reference(entry) if entry else FALLBACK


def choose_source(recipe: Recipe, registry: Registry, locations: Sequence[str]) -> str:
    """The source that reads all of `locations`: the recipe's, or that of their endings; `AUTO` if those are several.

    Raises OptionError where the recipe's source, or its options, cannot be meant for them.
    """
    if recipe.source.name == DEMO and any(location != DEMO for location in locations):
        raise OptionError("source: expected no video with the source demo, got some; choose --source auto")
    if recipe.source.name != AUTO:
        return recipe.source.name
    names = {source_for(registry, location) for location in locations} or {DEMO}
    if len(names) == 1:
        return names.pop()
    if recipe.source.options:
        raise OptionError(f"source options need one source, got inputs for {', '.join(sorted(names))}; choose --source")
    return AUTO


def open_source(recipe: Recipe, registry: Registry, location: str) -> tuple[str, FrameSource[Any]]:
    """The name of the source that reads one location, and the source. Raises OptionError, PluginError."""
    chosen = recipe.source if recipe.source.name != AUTO else Choice(name=source_for(registry, location))
    options = registry.options("source", chosen.name, recipe.preset, chosen.options)
    source: FrameSource[Any] = registry.component("source", chosen.name)(location, options)
    return chosen.name, source


def open_same_source(recipe: Recipe, registry: Registry, location: str, fingerprint: str) -> FrameSource[Any]:
    """For a worker: the source of an input, which has the fingerprint that it has where the command runs.

    Raises InputError where this machine has another input under that path, or none; OptionError, PluginError.
    """
    try:
        _, source = open_source(recipe, registry, location)
        if source.fingerprint() == fingerprint:
            return source
        got = "another one of that name"
    except (InputError, OSError) as error:
        got = str(error)
    raise InputError(
        f"expected {location} on {gethostname()} as where the command runs, got: {got}; share its folder with that "
        "machine, or copy it there"
    )


def resolve(recipe: Recipe, registry: Registry, locations: Sequence[str]) -> Recipe:
    """The recipe with every option written out and checked; no component is imported, but for its options.

    Raises OptionError, PluginError.
    """
    changes: dict[str, Any] = {}
    for kind in KINDS:
        choice = getattr(recipe, kind)
        name = _resolve_name(kind, recipe, registry, locations)
        if name == AUTO:
            continue
        options = registry.options(kind, name, recipe.preset, choice.options)
        written = options.model_dump(mode="json", exclude_none=True)
        if "seed" in written and "seed" not in choice.options:
            written["seed"] = recipe.seed
        changes[kind] = {"name": name, "options": written}
    if "fps" not in recipe.model_fields_set:
        changes["fps"] = registry.find("sequence", recipe.sequence.name).spec.frame_rate
    size = find_frame_size(recipe, registry)
    if "size" not in recipe.model_fields_set and size is not None:
        changes["size"] = size
    return recipe.changed(changes)


def _resolve_name(kind: str, recipe: Recipe, registry: Registry, locations: Sequence[str]) -> str:
    """A component's name; `auto` where that takes a look at the inputs."""
    name: str = getattr(recipe, kind).name
    if kind == "source":
        return choose_source(recipe, registry, locations)
    if kind == "remover" and name == AUTO:
        return _find_meant_remover(recipe, registry, locations)
    return name


def _find_meant_remover(recipe: Recipe, registry: Registry, locations: Sequence[str]) -> str:
    """The remover whose options are set, or the paper's for its preset and for the demo; else `auto`.

    Raises OptionError, PluginError.
    """
    if recipe.remover.options:
        for name in (THRESHOLD, PERSON):
            if recipe.remover.options.keys() <= registry.options_model("remover", name).model_fields.keys():
                return name
        raise OptionError(
            f"expected options of one of {THRESHOLD}, {PERSON}, got {', '.join(recipe.remover.options)}; "
            "choose --remover"
        )
    paper = recipe.preset == "paper" or set(locations) <= {DEMO}
    return THRESHOLD if paper else AUTO


def find_frame_size(recipe: Recipe, registry: Registry) -> tuple[int, int] | None:
    """The one size that the recipe's codec, or the paper's preset, is made for; None where any will do."""
    made_for = registry.find("codec", recipe.codec.name).spec.frame_size
    return made_for or (PAPER_SIZE if recipe.preset == "paper" else None)


def settle(recipe: Recipe, registry: Registry, locations: Sequence[str]) -> Recipe:
    """`resolve`, with a look at the inputs: their rate and their shape decide what the recipe leaves open.

    Raises InputError too.
    """
    settled, given = resolve(recipe, registry, locations), recipe.model_fields_set
    if {"fps", "size"} <= given:
        return settled
    infos = [(show_location(location), open_source(settled, registry, location)[1].info()) for location in locations]
    if "fps" not in given:
        settled = settled.changed({"fps": _choose_rate(settled.fps, infos)})
    if "size" not in settled.model_fields_set:
        settled = settled.changed({"size": choose_size(infos[0][1])})
    if "size" not in given:
        _tell_other_shapes(settled.size, infos)
    return settled


def _choose_rate(rate: float, infos: Sequence[tuple[str, SourceInfo]]) -> float:
    """The model's `rate`, or that of the fastest input if it is lower: above it every frame would come twice.

    A slower input among others does not slow them: its frames are repeated, which is told.
    """
    known = [(info.fps, name) for name, info in infos if info.fps]
    chosen = min(rate, max(known)[0]) if known else rate
    slower = [name for fps, name in known if fps < chosen]
    if slower:
        log.warning(
            "%s: fewer than the %g frames a second that are learned from, so frames are repeated; "
            "to learn from each once, --fps %g",
            ", ".join(slower),
            chosen,
            min(known)[0],
        )
    return chosen


def choose_size(info: SourceInfo) -> tuple[int, int]:
    """Height and width of an input's silhouettes: its shape, with about as many pixels as the paper's 120×200.

    Silhouettes that are small enough, and whose sides the codecs can halve, keep their size exactly.
    """
    height, width = info.height, info.width
    if info.silhouettes and height * width <= MOST_KEPT_PIXELS and not (height % SIDE_STEP or width % SIDE_STEP):
        return height, width
    ratio = min(max(height / width, 1 / MOST_ELONGATED), MOST_ELONGATED)
    sides = sqrt(prod(PAPER_SIZE) * ratio), sqrt(prod(PAPER_SIZE) / ratio)
    tall, wide = (SIDE_STEP * round(side / SIDE_STEP) for side in sides)
    return tall, wide


def _tell_other_shapes(size: tuple[int, int], infos: Sequence[tuple[str, SourceInfo]]) -> None:
    """Warn, once, of the inputs that lie between broad bands of background, and how they would not."""
    others = [
        (name, info) for name, info in infos if choose_size(info) != size and _share_filled(info, size) < LEAST_FILL
    ]
    if others:
        log.warning(
            "%s: of another shape than the silhouettes, %dx%d, and fills %.0f%% of them; for its shape, --size %dx%d",
            ", ".join(name for name, _ in others),
            *size,
            100 * _share_filled(others[0][1], size),
            *choose_size(others[0][1]),
        )


def _share_filled(info: SourceInfo, size: tuple[int, int]) -> float:
    return prod(fit_size(info.height, info.width, size)) / prod(size)


def recipe_for(
    recipe: Recipe, registry: Registry, location: str, remover: str | None = None, settings: Sequence[str] = ()
) -> Recipe:
    """The recipe of a run for another location: with the source for its ending; the same one keeps its options.

    What another source reads has a remover of its own, such as a person's video beside the demo. It may be given
    another `remover`, and `settings` such as `remover.level=auto`. Raises OptionError.
    """
    source = source_for(registry, location)
    usual = recipe.remover.name if source == recipe.source.name else AUTO
    changed = recipe.changed({"source": source, "remover": remover or usual})
    return validate(Recipe, apply_settings(changed.table(only_set=True), settings)) if settings else changed
