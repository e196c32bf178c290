"""What a sweep's file says: components and options × videos × seeds, and the runs that these are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from deepdance.errors import OptionError
from deepdance.evaluation.report import LENGTH, SEEDS
from deepdance.inputs import DEMO, URL, expand_inputs, resolve
from deepdance.plugins import KINDS, Registry
from deepdance.recipe import DEMO_RECIPE, Choice, Recipe, check_entries, read_toml
from deepdance.runs import replace_signs
from deepdance.storage import digest
from deepdance.validation import validate
from deepdance.workspace import LONGEST_NAME, RESERVED, is_plain_name

PLACES = ("base", "music", "start")
"""Entries of a recipe that may be paths."""

MOST_RUNS = 10_000

Axis = Sequence[tuple[str, Any]]
"""What varies, as one of many: how a run's name says it, and what it is."""


@dataclass(frozen=True)
class PlannedRun:
    """A run of a sweep. `place` is where it stands on each of the axes: videos, components, entries, seeds."""

    name: str
    inputs: tuple[str, ...]
    recipe: Recipe
    place: tuple[int, ...] = ()


class Measured(BaseModel):
    """How each run is measured: `seeds` long dances of so many keyframes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: int = Field(default=LENGTH, ge=1)
    seeds: int = Field(default=SEEDS, ge=1)


class Sweep(BaseModel):
    """Runs that are each combination of videos, of what varies, and of seeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "sweep"
    videos: tuple[tuple[str, ...], ...] = ()
    """The inputs of a run, each a video, a folder or an array; without any, the demo dancer."""
    seeds: tuple[int, ...] = ()
    """Those of the recipe; without any, the one that it has."""
    recipe: dict[str, Any] = {}
    """What all have in common, as in a recipe's file; `base` is the recipe that it changes. `codec.refine` is an option
    of the component that is there."""
    vary: dict[str, list[Any]] = {}
    """By the entry of a recipe, or `codec.refine`: what it is in one run after the other."""
    evaluate: Measured = Measured()

    @field_validator("videos", mode="before")
    @classmethod
    def _list_videos(cls, value: Any) -> Any:
        listed = value if _is_list(value) else [None]
        groups: list[Any] = [[each] if isinstance(each, str | Path) else each for each in listed]
        if not all(_is_list(group) and group and all(map(_is_path, group)) for group in groups):
            raise ValueError('a list, such as ["one.mp4", ["both.mp4", "in-one-run.mp4"]]')
        return [[str(each) for each in group] for group in groups]

    @field_validator("recipe", mode="before")
    @classmethod
    def _check_recipe(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        if not _is_path(value.get("base", "paper")):
            raise OptionError(f"recipe.base: expected a recipe's name or file, got {value['base']!r}")
        return dict(_split_options(value))

    @field_validator("evaluate", mode="before")
    @classmethod
    def _check_evaluate(cls, value: Any) -> Any:
        return validate(Measured, value, prefix="evaluate", owner="evaluate") if isinstance(value, Mapping) else value

    @field_validator("vary", mode="before")
    @classmethod
    def _check_vary(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        entries = dict(_split_options(value))
        for name, values in entries.items():
            if not _is_list(values):
                raise OptionError(f"vary.{name}: expected a list, got {values!r}; put one value under [recipe]")
            if not values:
                raise OptionError(f"vary.{name}: expected something to combine, got nothing; leave it out")
        return entries

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        name = _shape_name(value)
        if not is_plain_name(value) or RESERVED.match(name):
            raise ValueError("a name without / and \\, and none that Windows keeps for devices; choose another")
        return name

    @classmethod
    def read(cls, path: Path) -> Self:
        """The sweep in a TOML file, named as it is; its paths are relative to its folder. Raises OptionError."""
        table = read_toml(path, "sweep")
        return cls.parse({"name": path.stem, **table}, path.parent, f"the sweep {path.name}")

    @classmethod
    def parse(cls, table: Mapping[str, Any], folder: Path = Path(), owner: str = "the sweep") -> Self:
        """The sweep of a table as such a file has it. Raises OptionError."""
        stray = [name for name in ("base", *Recipe.model_fields) if name in table]
        if stray:
            raise OptionError(f"{stray[0]}: expected an entry of a recipe under [recipe] or [vary], got it above them")
        return validate(cls, table, owner=owner)._find_places(folder)

    def _find_places(self, folder: Path) -> Self:
        """The same with what lies in `folder` found from anywhere."""
        videos = tuple(tuple(_place_video(folder, each) for each in group) for group in self.videos)
        recipe = {key: _find_place(folder, each) if key in PLACES else each for key, each in self.recipe.items()}
        vary = {
            key: [_find_place(folder, each) for each in values] if key in PLACES else values
            for key, values in self.vary.items()
        }
        return self.model_copy(update={"videos": videos, "recipe": recipe, "vary": vary})

    def plan(self, registry: Registry) -> list[PlannedRun]:
        """Its runs: videos one after the other, with each of them what varies. Raises InputError, OptionError,
        PluginError where one could not even begin."""
        videos = [(_label_video(group), expand_inputs(registry, group)) for group in self.videos or ((),)]
        axes = [videos, *self._list_axes()]
        _check_count(axes)
        base, named = self._make_base(registry), [_distinguish(axis) for axis in axes]
        runs, names = [], set[str]()
        for place in product(*(range(len(axis)) for axis in axes)):
            (_, inputs), *changes = (axis[at] for axis, at in zip(named, place, strict=True))
            labels = [axis[at][0] for axis, at in zip(named, place, strict=True) if len(axis) > 1]
            recipe = _change(base, {key: each for _, change in changes for key, each in change.items()})
            name = _shape_name("-".join([self.name, *labels]))
            name = (
                f"{name}-{digest(labels)[:8]}" if name.lower() in names else name
            )  # `a`, `b-c` and `a-b`, `c` are one
            names.add(name.lower())
            runs.append(PlannedRun(name, tuple(inputs), recipe, place))
        _check_differ(runs, registry)
        return runs

    def _list_axes(self) -> Iterator[Axis]:
        """Components come first, in the order that a run needs them in: so it is what comes late that varies fast."""
        twice = "seed" in self.recipe or "seed" in self.vary
        if self.seeds and twice:
            raise OptionError("seeds: expected them once, got a seed under [recipe] or [vary] too; leave one out")
        for key in sorted(self.vary, key=_rank):
            labels = _label_values(key, self.vary[key])
            yield [(label, {key: value}) for label, value in zip(labels, self.vary[key], strict=True)]
        if self.seeds:
            yield [(f"seed{seed}", {"seed": seed}) for seed in self.seeds]

    def _make_base(self, registry: Registry) -> Recipe:
        changes = {key: each for key, each in self.recipe.items() if key != "base"}
        base = Recipe.find(self.recipe["base"]) if "base" in self.recipe else None
        base = base or (Recipe() if self.videos else DEMO_RECIPE)
        check_entries(base, registry, [*changes, *self.vary])
        return _change(base, changes)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _is_path(value: Any) -> bool:
    return isinstance(value, str | Path) and value != ""


def _rank(key: str) -> int:
    kind = key.partition(".")[0]
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


def _split_options(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A table's entries, in which TOML's `codec.refine = 16` is one, and no table of a component without a name."""
    for key, value in table.items():
        if key in KINDS and isinstance(value, Mapping) and value and "name" not in value:
            yield from ((f"{key}.{option}", each) for option, each in value.items())
        else:
            yield key, value


def _change(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """`Recipe.changed`, in which `codec.refine` is an option of the component that is there then."""
    options = {key: each for key, each in changes.items() if "." in key and key.partition(".")[0] in KINDS}
    new = {key: each for key, each in changes.items() if key not in options}
    for key, each in options.items():
        kind, _, option = key.partition(".")
        new[kind] = {**_find_table(getattr(recipe, kind), new.get(kind)), option: each}
    return recipe.changed(new)


def _find_table(there: Choice, given: Any) -> Mapping[str, Any]:
    if given is None or given == there.name:
        return there.table()
    return given if isinstance(given, Mapping) else {"name": given}


def _shape_name(text: str) -> str:
    """A name that a workspace takes: what it lacks of one that is too long, a hash has."""
    name = replace_signs(text).strip("-._") or "sweep"
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9].rstrip('-.')}-{digest(name)[:8]}"


def _check_count(axes: Sequence[Axis]) -> None:
    count = prod(map(len, axes))
    if count > MOST_RUNS:
        raise OptionError(f"expected at most {MOST_RUNS:,} runs, got {count:,}; vary less, or in several files")


def _place_video(folder: Path, text: str) -> str:
    """A video's path seen from a folder as one from anywhere; the demo's name and an address as they are."""
    stays = URL.match(text) or (text == DEMO and not (folder / text).exists())
    return text if stays else str((folder / text).absolute())


def _find_place(folder: Path, text: Any) -> Any:
    """A path that is there, seen from a folder, as one from anywhere; anything else as it is."""
    return str((folder / text).absolute()) if isinstance(text, str) and text and (folder / text).exists() else text


def _label_video(group: Sequence[str]) -> str:
    if not group:
        return "demo"
    return Path(group[0]).stem + (f"-and-{len(group) - 1}" if len(group) > 1 else "")


def _label_values(key: str, values: Sequence[Any]) -> list[str]:
    """`temperature0.8`; a component's name, with options where that alone does not tell it: `sdf-ae-refine32`."""
    if key not in KINDS:
        return [_label_value(key.rpartition(".")[2], value) for value in values]
    tables = [value if isinstance(value, Mapping) else {"name": value} for value in values]
    counts = Counter(str(table.get("name")) for table in tables)
    return [_label_component(table, alone=counts[str(table.get("name"))] == 1) for table in tables]


def _label_component(table: Mapping[str, Any], *, alone: bool) -> str:
    options = [_label_value(name, value) for name, value in table.items() if name != "name" and not alone]
    return "-".join([str(table.get("name")), *options])


def _label_value(name: str, value: Any) -> str:
    """`temperature0.8`, `size24x40`, `start-random`; of a path its stem alone, `music-waltz`."""
    if isinstance(value, list | tuple):
        return name + "x".join(map(str, value))
    if isinstance(value, int | float):
        return f"{name}{value}"
    text = str(value)
    return f"{name}-{(Path(text).stem if Path(text).is_absolute() else text) or 'none'}"


def _distinguish(axis: Axis) -> Axis:
    """The same with labels that differ, whatever their case: two videos may have one name, in two folders."""
    labels = [replace_signs(label) for label, _ in axis]
    counts = Counter(label.lower() for label in labels)
    return [
        (f"{label}-{number}" if counts[label.lower()] > 1 else label, value)
        for number, (label, (_, value)) in enumerate(zip(labels, axis, strict=True), 1)
    ]


def _check_differ(runs: Sequence[PlannedRun], registry: Registry) -> None:
    """Raise OptionError where a run is there twice, or one has a component or an option that is not there."""
    seen: dict[tuple[tuple[str, ...], str], str] = {}
    for run in runs:
        key = run.inputs, resolve(run.recipe, registry, run.inputs).to_toml()
        if key in seen:
            raise OptionError(f"expected runs that differ, got {seen[key]} and {run.name}, which are one; remove one")
        seen[key] = run.name
