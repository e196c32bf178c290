"""From what the user typed to a file: what another dance may change, which renderer writes it, and at what size."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any

from deepdance.errors import OptionError
from deepdance.folders import show_path
from deepdance.frames import fit_size
from deepdance.plugins import Registry
from deepdance.recipe import AUTO, Choice, Recipe, check_entries

FOLDER = "/"
"""The suffix of what is no file but a folder of them."""
FRAME = re.compile(r"\d+\.\w+")
"""What a renderer calls the files of a folder."""
SAME_SHAPE = 1.1
"""Up to this ratio of their widths two pictures of a height have one shape: sides of silhouettes are multiples of 8."""
SIDE_STEP = 4
"""Sides that nobody asked for are multiples of this: each format takes them without a line of padding."""


MAKERS = {
    **dict.fromkeys(("preset", "fps", "size", "validation"), "how the models are trained"),
    **{"source": "how the video is read", "remover": "how the silhouettes are made"},
    **{"codec": "how the codec is trained", "sequence": "how the sequence model is trained"},
}
"""What another dance may not change of a recipe, and what it decides."""


def change_dance(recipe: Recipe, registry: Registry, changes: Mapping[str, Any]) -> Recipe:
    """The recipe of another dance from a run's models, with all `changes` but the renderer's.

    `sequence` may hold options that its model reads when it dances. Raises OptionError for what needs a new training,
    or does not exist.
    """
    check_entries(recipe, registry, changes)
    for entry in changes.keys() & MAKERS.keys():
        _check_entry(recipe, registry, entry, changes[entry])
    sequence = {**recipe.sequence.table(), **changes.get("sequence", {})}
    return recipe.changed({**changes, "renderer": recipe.renderer.model_dump(), "sequence": sequence})


def _check_entry(recipe: Recipe, registry: Registry, entry: str, value: Any) -> None:
    """Raise OptionError where another dance may not change an entry of `MAKERS`."""
    chosen = getattr(recipe, entry)
    if not isinstance(value, Mapping) or not isinstance(chosen, Choice):
        raise _refuse(entry, value, MAKERS[entry])
    able = frozenset[str]()
    if chosen.name != AUTO:
        registry.options(entry, chosen.name, recipe.preset, {**chosen.options, **value})
        able = registry.options_model(entry, chosen.name).when_dancing if entry == "sequence" else able
    for option in value.keys() - able:
        raise _refuse(f"{entry}.{option}", value[option], MAKERS[entry])


def _refuse(setting: str, value: Any, decided: str) -> OptionError:
    typed = str(value).lower() if isinstance(value, bool) else value
    return OptionError(
        f"{setting}: expected what another dance may change, got what decides {decided}; "
        f"for a new run: dd run VIDEO --set {setting}={typed}"
    )


def name_dance(recipe: Recipe, registry: Registry, asked: str | Mapping[str, Any] = "") -> Path:
    """What a dance is called that nobody named: `dance`, or `dance-2` where that is taken, and the renderer's ending.

    It is the first ending of the renderer that `choose_renderer` chooses. Raises PluginError.
    """
    suffix = registry.find("renderer", _read_name(asked) or recipe.renderer.name).spec.suffixes[0]
    return number_dance(suffix)


def number_dance(suffix: str) -> Path:
    """`dance` with this ending, or `dance-2` where that is taken, and so on."""
    numbered = (Path(f"dance-{number}{suffix}") for number in count(2))
    return next(path for path in chain([Path(f"dance{suffix}")], numbered) if not path.exists())


def _read_name(asked: str | Mapping[str, Any]) -> str:
    return asked if isinstance(asked, str) else str(asked.get("name", ""))


def choose_renderer(recipe: Recipe, registry: Registry, out: Path, asked: str | Mapping[str, Any] = "") -> Recipe:
    """The recipe with the renderer that writes `out`: the one that is `asked` for, the recipe's, or that of the ending.

    `asked` is a renderer's name, or its options with or without its `name`. Raises OptionError, PluginError.
    """
    given = {} if isinstance(asked, str) else {key: value for key, value in asked.items() if key != "name"}
    name = _read_name(asked) or _find_renderer(recipe, registry, out)
    suffixes = registry.find("renderer", name).spec.suffixes
    if _find_suffix(out) not in suffixes:
        raise OptionError(f"--out: expected {_list_endings(suffixes)} for {name}, got {out.name!r}")
    known = registry.options_model("renderer", name).model_fields
    written = recipe.renderer.options if name == recipe.renderer.name else {}
    # a run of an earlier version may have an option that there is no more, such as `scale`
    options = {**{key: value for key, value in written.items() if key in known}, **given}
    registry.options("renderer", name, recipe.preset, options)
    return recipe.changed({"renderer": {"name": name, "options": options}})


def _find_renderer(recipe: Recipe, registry: Registry, out: Path) -> str:
    suffix = _find_suffix(out)
    if suffix in registry.find("renderer", recipe.renderer.name).spec.suffixes:
        return recipe.renderer.name
    entry = registry.for_suffix("renderer", suffix)
    if entry is None:
        known = {suffix for e in registry.entries if e.spec.kind == "renderer" for suffix in e.spec.suffixes}
        raise OptionError(f"--out: expected {_list_endings(known).rstrip(',')}, got {out.name!r}")
    return registry.reference(entry)


def _find_suffix(out: Path) -> str:
    return out.suffix.lower() or FOLDER


def _list_endings(suffixes: Iterable[str]) -> str:
    files = ", ".join(sorted(set(suffixes) - {FOLDER}))
    ways = [f"ending in {files}"] * bool(files) + ["without an ending, for a folder,"] * (FOLDER in suffixes)
    return f"a name {' or '.join(ways)}"


def check_place(out: Path, locations: Iterable[str] = ()) -> None:
    """Raise OptionError where `out` would take the place of what is read at `locations`, or of what is no dance."""
    for location in locations:
        if Path(location).is_absolute() and _takes_place(out, Path(location)):
            raise OptionError(
                f"--out: expected another place than that of the video {show_path(location)}, got {show_path(out)}; "
                "choose another name"
            )
    if _find_suffix(out) != FOLDER or not out.exists():
        return
    if not out.is_dir():
        raise OptionError(f"--out: expected a folder, got the file {show_path(out)}; choose another name")
    others = [path.name for path in out.iterdir() if not FRAME.fullmatch(path.name)]
    if others:
        raise OptionError(
            f"--out: expected a new folder, or one of frames to replace, got {show_path(out)}, which holds "
            f"{show_path(others[0])}; choose another name"
        )


def _takes_place(out: Path, read: Path) -> bool:
    """Whether `out` is what is read, a folder around it, or something in it."""
    if not (out.exists() and read.exists()):
        return False
    around_read, around_out = ([path, *path.parents] for path in (read.absolute(), out.absolute()))
    return any(map(out.samefile, around_read)) or any(map(read.samefile, around_out))


def choose_render_size(
    recipe: Recipe, registry: Registry, silhouettes: tuple[int, int], picture: tuple[int, int]
) -> tuple[int, int]:
    """Height and width of a dance's frames: those asked for, or those of the `picture` that was filmed.

    Where silhouettes have quite another shape, the largest of theirs in the picture. Nobody asked for, they have at
    most the lines that suit the renderer, and no less than silhouettes have room in.
    """
    if recipe.render_size:
        return recipe.render_size
    room = max(1, *(inner / side for inner, side in zip(silhouettes, picture, strict=True)))
    height, width = (side * room for side in picture)
    scale = min(1, registry.find("renderer", recipe.renderer.name).spec.most_lines / height)
    ours, filmed = (wide / tall for tall, wide in (silhouettes, picture))
    if not 1 / SAME_SHAPE < ours / filmed < SAME_SHAPE:
        height, width = fit_size(*silhouettes, (round(height), round(width)))
    return _round_side(height * scale), _round_side(width * scale)


def _round_side(side: float) -> int:
    return max(SIDE_STEP, SIDE_STEP * round(side / SIDE_STEP))
