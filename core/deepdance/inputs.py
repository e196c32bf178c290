"""From what the user typed to sources: which one reads an input, with which options, and at what rate."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepdance.errors import InputError, OptionError
from deepdance.folders import FOLDER, Listing, describe_kind, list_folder, show_path
from deepdance.interfaces import FrameSource
from deepdance.plugins import KINDS, Registry
from deepdance.recipe import AUTO, Choice, Recipe, apply_settings
from deepdance.validation import validate

DEMO = "demo"
"""The location of the demo dancer. Paths are absolute, so a file of that name is another thing."""
FALLBACK = "ffmpeg"
"""The source that reads what no other claims."""
STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


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
        return f"the address {shown}; download it, and name the file"
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


def _list_videos(registry: Registry, folder: Path) -> Listing:
    def refuse(path: Path) -> str:
        if registry.for_suffix("source", path.suffix):
            return ""
        return "picture beside videos" if _is_picture(path) else "unknown ending"

    return list_folder(folder, refuse) if folder.is_dir() else Listing(folder)


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


def resolve(recipe: Recipe, registry: Registry, locations: Sequence[str]) -> Recipe:
    """The recipe with every option written out and checked; no component is imported, but for its options.

    Raises OptionError, PluginError.
    """
    changes: dict[str, Any] = {}
    for kind in KINDS:
        choice = getattr(recipe, kind)
        name = choose_source(recipe, registry, locations) if kind == "source" else choice.name
        if name == AUTO:
            continue
        options = registry.options(kind, name, recipe.preset, choice.options)
        written = options.model_dump(mode="json", exclude_none=True)
        if "seed" in written and "seed" not in choice.options:
            written["seed"] = recipe.seed
        changes[kind] = {"name": name, "options": written}
    if "fps" not in recipe.model_fields_set:
        changes["fps"] = registry.find("sequence", recipe.sequence.name).spec.frame_rate
    return recipe.changed(changes)


def settle(recipe: Recipe, registry: Registry, locations: Sequence[str]) -> Recipe:
    """`resolve`, with a look at the inputs: a rate that is not given is at most theirs, so that no frame comes twice.

    Raises InputError too.
    """
    settled = resolve(recipe, registry, locations)
    if "fps" in recipe.model_fields_set:
        return settled
    rates = (open_source(settled, registry, location)[1].info().fps for location in locations)
    return settled.changed({"fps": min([settled.fps, *filter(None, rates)])})


def recipe_for(
    recipe: Recipe, registry: Registry, location: str, remover: str | None = None, settings: Sequence[str] = ()
) -> Recipe:
    """The recipe of a run for another location: with the source for its ending; the same one keeps its options.

    It may be given another `remover`, and `settings` such as `remover.level=auto`. Raises OptionError.
    """
    changed = recipe.changed({"source": source_for(registry, location), "remover": remover or recipe.remover.name})
    return validate(Recipe, apply_settings(changed.table(only_set=True), settings)) if settings else changed
