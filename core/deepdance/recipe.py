"""What to run: five components, their options, and how to sample, generate and show."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from deepdance.errors import OptionError
from deepdance.folders import show_path
from deepdance.plugins import BUILT_IN, KINDS, Registry
from deepdance.storage import read_text
from deepdance.validation import nearest, validate

AUTO = "auto"
THRESHOLD, PERSON = "threshold", "person"
"""The removers that `auto` chooses from."""

MOST_BYTES = 1 << 20
"""Of a recipe's file."""
MOST_FRAMES = 24 * 3600 * 60
"""Of a dance: a day at 60 a second."""
MOST_BEATS = 10_000
LENGTHS = ("loop", "seconds", "frames")
"""What says how long a dance is."""


class Choice(BaseModel):
    """A component by name, with the options that differ from its defaults. In TOML they share one table."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    name: str
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if not isinstance(value, Choice) and not (isinstance(value, Mapping) and "name" in value):
            raise ValueError("a component's name, alone or in a table with its options")
        if isinstance(value, Mapping) and "options" not in value:
            return {"name": value["name"], "options": {k: v for k, v in value.items() if k != "name"}}
        return value

    def table(self) -> dict[str, Any]:
        """The TOML form: name and options side by side."""
        return {"name": self.name, **self.options}


@dataclass(frozen=True, repr=False)
class Opening:
    """Where a dance starts.

    `last` continues the last clip, `random` a span that the recipe's seed picks, each as likely as any other. `noise`
    is the paper's: uniform in [0, 1). `frame` goes on from a frame by its number, `video` from the end of a video.
    """

    kind: Literal["last", "random", "noise", "frame", "video"]
    frame: int = 0
    video: str = ""

    @classmethod
    def parse(cls, typed: str | int | Path | Opening) -> Opening:
        """What `--from` says: a word, a frame number, or the path of a video, which is made absolute if it is there."""
        text = str(typed)
        match text:
            case "last" | "random" | "noise":
                return cls(text)
            case _ if text.isdecimal():
                return cls("frame", frame=int(text))
            case _:
                return cls("video", video=str(Path(text).absolute()) if Path(text).exists() else text)

    def check_exists(self) -> None:
        """Raise OptionError where it is a video that is not there."""
        if self.kind == "video" and not Path(self.video).exists():
            raise OptionError(
                f"--from: expected last, random, noise, a frame number or a video, got {show_path(self.video)!r}"
            )

    def __str__(self) -> str:
        return {"frame": str(self.frame), "video": self.video}.get(self.kind, self.kind)

    def __repr__(self) -> str:
        """As it is typed."""
        return repr(str(self))


def _parse_render_size(value: Any) -> Any:
    """`"1920x1080"`, width first as everybody types it, → `(1080, 1920)`."""
    sides = re.fullmatch(r"(\d+)[x×](\d+)", value.strip().lower()) if isinstance(value, str) else None
    size = (int(sides[2]), int(sides[1])) if sides else value
    fits = isinstance(size, list | tuple) and len(size) == 2 and all(isinstance(side, int) for side in size)
    if size is not None and not (fits and 16 <= min(size) <= max(size) <= 8192):
        raise ValueError("WIDTHxHEIGHT such as 1920x1080, each from 16 to 8192")
    return size


def _locate(value: Any) -> Any:
    """The path of a track as text, absolute where it is there."""
    return str(Path(value).absolute()) if value and isinstance(value, str | Path) and Path(value).exists() else value


def _parse_beats(value: Any) -> Any:
    """`"0.5,1.0"` → `(0.5, 1.0)`."""
    try:
        seconds = [float(part) for part in value.split(",")] if value and isinstance(value, str) else list(value)
        rising = all(0 <= before < after for before, after in pairwise([*seconds, math.inf]))
    except (TypeError, ValueError):
        rising = False
    if not rising or len(seconds) > MOST_BEATS:
        raise ValueError(f"rising seconds such as 0.5,1.0,1.5, at most {MOST_BEATS:,}")
    return seconds


class Recipe(BaseModel):
    """Everything that decides what a run does, apart from the videos it is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    source: Choice = Choice(name=AUTO)
    remover: Choice = Choice(name=AUTO)
    codec: Choice = Choice(name="sdf-ae")
    sequence: Choice = Choice(name="motion-field")
    renderer: Choice = Choice(name="mp4")
    preset: Literal["quick", "standard", "paper"] = Field(
        default="standard", description="values for the options that are not given: how long models learn, above all"
    )
    fps: float = Field(
        default=10.0,
        gt=0,
        le=240,
        description="samples a second that are learned from; unset: the sequence model's, or those of the fastest "
        "video if it has fewer",
    )
    size: tuple[int, int] = Field(
        default=(120, 200),
        description="height and width of a silhouette, in pixels; unset: the first video's shape with as many pixels "
        "as 120×200, or the one size that the codec is made for",
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="all randomness comes from it")
    validation: float = Field(default=0.1, ge=0, le=0.5, description="share of the frames, the last ones, held out")
    start: Annotated[
        Opening,
        BeforeValidator(Opening.parse),
        PlainSerializer(str, return_type=str),
        WithJsonSchema({"type": "string"}),
    ] = Field(default=Opening("last"), description="last, random, noise, a frame number, or a video")
    temperature: float = Field(default=1.0, ge=0, le=10, description="0 is calm, 1 as learned, more is wilder")
    frames: int = Field(default=300, ge=1, le=MOST_FRAMES, description="frames of the finished dance")
    loop: float = Field(
        default=0.0,
        ge=0,
        le=600,
        description="seconds of a loop that joins without a jump, in place of `frames`; 0: none",
    )
    music: Annotated[str, BeforeValidator(_locate)] = Field(
        default="",
        description="a track, or a video with sound, whose beats the dance falls on and whose sound the video carries; "
        "where `frames` is unset, as long as the dance",
    )
    music_hash: str = Field(default="", description="of the track, as a run noted it: a changed one is told of")
    beats: Annotated[tuple[float, ...], BeforeValidator(_parse_beats)] = Field(
        default=(), description="seconds of the beats; unset: those that are found in `music`"
    )
    curve: Literal["smooth", "linear"] = Field(default="smooth", description="how frames lie between keyframes")
    render_fps: float = Field(default=30.0, gt=0, le=240, description="frames a second of the finished dance")
    render_size: Annotated[
        tuple[int, int] | None,
        BeforeValidator(_parse_render_size),
        PlainSerializer(lambda size: f"{size[1]}x{size[0]}", return_type=str, when_used="unless-none"),
        WithJsonSchema({"type": "WIDTHxHEIGHT"}),
    ] = Field(
        default=None,
        description="width and height of the finished dance, such as 1920x1080; in Python also a tuple, height first; "
        "unset: the first video's, at most 1080 lines",
    )

    @model_validator(mode="after")
    def _check_loop(self) -> Recipe:
        if self.loop and (self.music or self.beats):
            raise OptionError(
                "--loop: expected a dance with an end for --music and --beats, got a loop, whose ends they would part; "
                "leave one of them out"
            )
        return self

    @field_validator("size")
    @classmethod
    def _check_size(cls, size: tuple[int, int]) -> tuple[int, int]:
        if min(size) < 8 or max(size) > 4096:
            raise ValueError("a height and width from 8 to 4096")
        return size

    def changed(self, changes: Mapping[str, Any]) -> Recipe:
        """A copy with `changes`, where `seconds` is the dance's length in place of `frames`. Raises OptionError.

        A length takes the place of a loop's, and new music that of the old with its length and beats. A component given
        by name alone keeps its options if it is the one that was there.
        """
        new = {key: value for key, value in changes.items() if key not in KINDS or value != getattr(self, key).name}
        _check_lengths(new)
        if self.loop and new.keys() & {"frames", "seconds"}:
            new["loop"] = 0.0
        seconds = new.pop("seconds", None)
        kept = self.model_dump(exclude_unset=True)
        for name in ("frames", "music_hash", "beats") if new.get("music") else ():
            kept.pop(name, None)
        made = validate(Recipe, {**kept, **new})
        if seconds is None:
            return made
        if not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
            raise OptionError(f"--seconds: expected a length above 0, got {seconds!r}")
        return made.changed({"frames": max(1, round(seconds * made.render_fps))})

    def table(self, *, only_set: bool = False) -> dict[str, Any]:
        """The TOML form as nested dicts; `only_set` leaves out values that nobody chose, components aside."""
        plain = self.model_dump(mode="json", exclude=set(KINDS), exclude_unset=only_set, exclude_none=True)
        return {**plain, **{kind: getattr(self, kind).table() for kind in KINDS}}

    def to_toml(self) -> str:
        """The recipe as TOML text; `Recipe.read` of it gives the same recipe.

        A file name that is no Unicode is in it as Python has it, and is written with `errors="surrogateescape"`.
        """
        import tomli_w

        return tomli_w.dumps(self.table())

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """A recipe from a TOML file. Raises OptionError."""
        return validate(Recipe, read_toml(path, "recipe"), owner=f"the recipe {path.name}")

    @classmethod
    def find(cls, name: str | Path) -> Recipe:
        """One of ours by its name, such as `"paper"`, or that of a TOML file. Raises OptionError."""
        ours = find_recipes()
        path = ours.get(str(name), Path(name))
        if path.suffix or path.exists():
            return cls.read(path)
        raise OptionError(
            f"expected a recipe file or one of {', '.join(ours)}, got {str(name)!r}{nearest(str(name), ours)}; "
            "check the path"
        )


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The table in a TOML file that a user wrote. Raises OptionError that says `what` it should be."""
    try:
        return tomllib.loads(read_text(path.resolve(), MOST_BYTES))
    except FileNotFoundError:
        raise OptionError(f"expected a {what} file, got {path}, which does not exist; check the path") from None
    except (ValueError, OSError, RecursionError) as error:
        raise OptionError(f"expected a {what} in TOML, got {path}: {error}") from None


def _check_lengths(changes: Mapping[str, Any]) -> None:
    """Raise OptionError where the length of one dance is given twice."""
    given = [name for name in LENGTHS if changes.get(name)]
    if len(given) > 1:
        raise OptionError(f"--{given[0]}: expected one length of a dance, got --{given[1]} too; leave one of them out")


def check_entries(recipe: Recipe, registry: Registry, names: Iterable[str]) -> None:
    """Raise OptionError where one of `names` is no entry of a recipe, but an option of one of its components alone."""
    for name in set(names) - Recipe.model_fields.keys() - set(LENGTHS):
        owners = [kind for kind in KINDS if name in _list_options(recipe, registry, kind)]
        if len(owners) == 1:
            raise OptionError(f"{name}: recipe has no such option; did you mean {owners[0]}.{name}?")


def _list_options(recipe: Recipe, registry: Registry, kind: str) -> set[str]:
    """The options of a recipe's component; of any of ours where it is still to be chosen."""
    chosen = getattr(recipe, kind).name
    ours = [entry.spec.name for entry in registry.entries if (entry.spec.kind, entry.distribution) == (kind, BUILT_IN)]
    models = [registry.options_model(kind, name) for name in (ours if chosen == AUTO else [chosen])]
    return {option for model in models for option in model.model_fields}


def find_recipes() -> dict[str, Path]:
    """The files of the recipes that come with deepdance, by their names."""
    folder = Path(str(files("deepdance"))) / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


DEMO_RECIPE = Recipe(preset="quick", start=Opening("frame"))
"""Without a video of the user's there is none to go on from: the demo dances from the first frames that it learned."""


def apply_settings(table: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Apply `codec.refine=32`-like settings to a recipe's table. Values are read as TOML, else as text."""
    result = {key: dict(value) if isinstance(value, dict) else value for key, value in table.items()}
    for setting in settings:
        path, equals, text = setting.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys) or len(keys) > 2:
            raise OptionError(f"--set: expected NAME=VALUE such as remover.people=all, got {setting!r}")
        if len(keys) == 2 and keys[0] not in KINDS:
            raise OptionError(f"--set: expected one of {', '.join(KINDS)} before the dot, got {keys[0]!r}")
        if len(keys) == 1:
            result[keys[0]] = _toml_value(text)
        else:
            chosen = result.get(keys[0], {})
            table_of = {"name": chosen} if isinstance(chosen, str) else chosen
            result[keys[0]] = {**table_of, keys[1]: _toml_value(text)}
    return result


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()
