"""Every way to remove a background, tried on a few frames of an input: one sheet with a row for each."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_origin

import numpy as np

from deepdance.arrays import UInt8
from deepdance.errors import DeepDanceError, InputError
from deepdance.events import Progress, StageFinished, StageStarted
from deepdance.frames import shrink
from deepdance.inputs import open_source, show_location
from deepdance.interfaces import FrameSource
from deepdance.plugins import Registry
from deepdance.recipe import Choice, Recipe
from deepdance.remover_selection import find_box, make_remover, type_remover
from deepdance.session import Session
from deepdance.storage import digest, write_atomically
from deepdance.tasks import Tools

SHOWN = 5
"""Frames of a row, spread over the input."""
LINE, LETTER = 20, 9
"""Height of a line of text and the width that a letter takes at most, in pixels."""
BORDER = 160


@dataclass(frozen=True)
class Attempt:
    """A way to remove the background: how it is typed, and its silhouettes `(n, h, w)`, or why there are none."""

    flags: str
    silhouettes: UInt8 | None = None
    failed: str = ""


def try_removers(session: Session, recipe: Recipe, location: str) -> tuple[Path, list[Attempt]]:
    """The sheet of an input, in the workspace, and what is in its rows. One that fails does not stop the others.

    Raises InputError where the input is silhouettes already, or cannot be read.
    """
    _, source = open_source(recipe, session.registry, location)
    if source.info().silhouettes:
        raise InputError(f"expected a video with a background, got silhouettes in {location}; dd prepare shows them")
    box = find_box(recipe)
    frames = source.sample(SHOWN, box)[:SHOWN]
    ways = list_ways(session.registry)
    attempts = []
    session.listen(StageStarted("removers", show_location(location)))
    for number, way in enumerate(ways):
        attempts.append(_attempt(session, recipe, source, frames, way))
        session.listen(Progress("removers", number + 1, len(ways)))
    sheet = session.workspace.root / "sheets" / f"{Path(location).stem}-{digest([location, recipe.size])[:6]}.png"
    _write_sheet(sheet, _shrink_colours(frames, recipe.size), attempts)
    session.listen(StageFinished("removers", False, str(sheet)))
    return sheet, attempts


def list_ways(registry: Registry) -> list[Choice]:
    """Each remover with its defaults, then with every other value of each option that has only a few."""
    names = [registry.reference(entry) for entry in registry.entries if entry.spec.kind == "remover"]
    return [Choice(name=name, options=options) for name in names for options in ({}, *_list_options(registry, name))]


def _list_options(registry: Registry, name: str) -> Iterator[dict[str, Any]]:
    try:
        fields = registry.options_model("remover", name).model_fields
    except DeepDanceError:
        return  # with its defaults it fails too, and has its row
    for option, field in fields.items():
        yield from ({option: value} for value in _list_values(field.annotation) if value != field.default)


def _list_values(annotation: Any) -> tuple[Any, ...]:
    """What an option may be, of a switch or a choice of words; also where a number would do."""
    if annotation is bool:
        return (False, True)
    if get_origin(annotation) is Literal:
        return tuple(annotation.__args__)
    return tuple(value for part in getattr(annotation, "__args__", ()) for value in _list_values(part))


def _attempt(session: Session, recipe: Recipe, source: FrameSource[Any], frames: UInt8, way: Choice) -> Attempt:
    sample = cache(lambda count: source.sample(count, find_box(recipe)))
    try:
        remover = make_remover(Tools(session.registry, session.listen), way, recipe.preset)
        remover.survey(sample)
        silhouettes = [remover.remove(frame[None]) for frame in frames]
        return Attempt(type_remover(way), shrink(np.concatenate(silhouettes), recipe.size))
    except Exception as error:  # whatever a plugin raises
        return Attempt(type_remover(way), failed=f"{error}" or type(error).__name__)


def _shrink_colours(frames: UInt8, size: tuple[int, int]) -> UInt8:
    """`shrink` of RGB frames `(n, h, w, 3)`."""
    return np.stack([shrink(frames[..., channel], size) for channel in range(3)], axis=3)


def _write_sheet(path: Path, video: UInt8, attempts: list[Attempt]) -> None:
    """A row of the video's frames, RGB `(n, h, w, 3)`, and one for each attempt."""
    import cv2

    width = len(video) * (video.shape[2] + 1)
    rows = [*_write_lines("the video", width), _draw_frames(video, width)]
    sheet = np.concatenate([*rows, *(part for attempt in attempts for part in _draw_attempt(attempt, width))])
    with write_atomically(path) as temporary:
        _, png = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
        temporary.write_bytes(png.tobytes())


def _draw_attempt(attempt: Attempt, width: int) -> Iterator[UInt8]:
    """What is typed, then the silhouettes side by side, or why there are none."""
    yield from _write_lines(attempt.flags, width)
    if attempt.silhouettes is None:
        yield from _write_lines(f"failed: {attempt.failed}", width)
    else:
        yield _draw_frames(np.repeat(attempt.silhouettes[..., None], 3, axis=3), width)


def _draw_frames(frames: UInt8, width: int) -> UInt8:
    """RGB frames `(n, h, w, 3)` side by side, each with a border."""
    bordered = np.pad(frames, ((0, 0), (1, 1), (0, 1), (0, 0)), constant_values=BORDER)
    picture = np.concatenate(list(bordered), axis=1)
    return np.pad(picture, ((0, 0), (0, width - picture.shape[1]), (0, 0)), constant_values=255)


def _write_lines(text: str, width: int) -> Iterator[UInt8]:
    """Lines of text as pictures `(LINE, width, 3)`."""
    import cv2

    for part in (part for line in text.splitlines() for part in textwrap.wrap(line, width // LETTER)):
        line = np.full((LINE, width, 3), 255, np.uint8)
        cv2.putText(line, part, (4, LINE - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        yield line
