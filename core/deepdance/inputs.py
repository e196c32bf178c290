"""From what the user typed to sources: which one reads an input, with which options, and at what rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepdance.errors import InputError, OptionError
from deepdance.frames import natural_order
from deepdance.interfaces import FrameSource
from deepdance.plugins import KINDS, Registry
from deepdance.recipe import AUTO, Choice, Recipe, apply_settings
from deepdance.validation import validate

DEMO = "demo"
"""The location of the demo dancer. Paths are absolute, so a file of that name is another thing."""
FALLBACK = "ffmpeg"
"""The source that reads what no other claims."""


def expand_inputs(registry: Registry, typed: Sequence[str]) -> list[str]:
    """Locations, absolute paths but for the demo's; a folder that holds videos stands for them, in natural order.

    Nothing typed is the demo. Raises InputError.
    """
    locations: list[str] = []
    for text in typed:
        path = Path(text)
        if text == DEMO and not path.exists():
            locations.append(DEMO)
        elif not path.exists():
            raise InputError(
                f"expected a video, a folder of images or an array, got {text}, which does not exist; check the path"
            )
        else:
            locations += [str(p) for p in _list_videos(registry, path)] or [str(path.absolute())]
    return locations or [DEMO]


def _list_videos(registry: Registry, folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    videos = [p.absolute() for p in files if registry.for_suffix("source", p.suffix)]
    return sorted(videos, key=natural_order)


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
