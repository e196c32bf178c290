"""From an input to its silhouettes, and whether they can be a dancer's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from deepdance.arrays import UInt8, sample_evenly
from deepdance.artifacts import Artifact
from deepdance.delegation import repeat_lost, run_task
from deepdance.errors import InputError
from deepdance.events import Listener, Progress, collect_warnings
from deepdance.frames import Silhouettes, SilhouetteWriter, shrink
from deepdance.inputs import open_same_source, open_source, recipe_for, show_location
from deepdance.interfaces import FrameSource
from deepdance.pipeline import Made, describe_component, render
from deepdance.plausibility import Doubt, find_doubt
from deepdance.recipe import AUTO, PERSON, THRESHOLD, Choice, Recipe
from deepdance.removal import PAPER_LEVEL
from deepdance.remover_selection import REMOVAL_SCALE, decide_remover, find_box, make_remover, type_settings
from deepdance.session import Session
from deepdance.tasks import Tools
from deepdance.threads import do_together
from deepdance.workers import Workers

READING = 2
"""Raised when a file that is read as before gives other silhouettes; 1 was 0.1.0's."""
SHEET_FRAMES = 120
"""Frames that the sheet chooses from: reading all of a long video's back would map it into memory."""

Side = Annotated[int, Field(ge=1, le=1 << 16)]

log = logging.getLogger("deepdance")


class SilhouetteInputs(BaseModel):
    """What silhouettes were made of, as far as it is asked for again."""

    size: tuple[Side, Side]
    remover: Made | None


class SilhouetteNotes(BaseModel):
    """What the manifest of silhouettes tells; before `picture`, `location` and `warnings` were noted it lacked them."""

    inputs: SilhouetteInputs
    frames: int
    source_name: str
    location: str = ""
    picture: tuple[Side, Side] | None = None
    warnings: list[str] = []


def prepare_all(session: Session, recipes: Sequence[Recipe], locations: Sequence[str]) -> list[Artifact]:
    """`prepare` of several inputs, each with its recipe, as many at once as there are processors.

    The first that fails stops the others. Raises InputError, PluginError.
    """
    if len(locations) == 1 and not session.engine:
        return [prepare(session, recipes[0], locations[0])]
    with session.open_readers(len(locations)) as (workers, count):

        def work(listen: Listener, recipe: Recipe, location: str) -> Artifact:
            return prepare(replace(session, listen=listen), recipe, location, workers=workers)

        return do_together(session.listen, count, work, zip(recipes, locations, strict=True))


def prepare(
    session: Session, recipe: Recipe, location: str, *, fps: float | None = None, workers: Workers | None = None
) -> Artifact:
    """Source → remover → silhouettes on disk, for one input, which one of the `workers` reads, if there are any.

    Raises InputError, PluginError, WorkerError.
    """
    fps = recipe.fps if fps is None else fps
    with collect_warnings() as told:
        name, source = open_source(recipe, session.registry, location)
        info = source.info()
    choice = decide_remover(session, recipe, location, opened=(name, source), workers=workers)
    inputs = _describe_inputs(session, recipe, name, source, choice, fps)

    def read(tools: Tools) -> list[int]:
        if workers is None:
            return _read_silhouettes(tools, source, recipe, choice, fps)
        return run_task(workers, tools, _open_and_read, location, inputs["video"], recipe, choice, fps)

    def work(folder: Path) -> dict[str, Any]:
        expected = None if info.seconds is None else round(info.seconds * fps)
        with collect_warnings() as meanwhile:
            count = repeat_lost(workers, lambda: _write(session, folder, read, location, recipe.size, fps, expected))
        return {
            "frames": count,
            "picture": [info.height, info.width],
            "source_name": show_location(location),
            "location": location,
            "warnings": list(dict.fromkeys([*told, *meanwhile])),
        }

    artifact = session.make("silhouettes", inputs, work, detail=show_location(location))
    if artifact.reused:
        tell_kept_warnings(artifact, location)
    if choice is None:
        _warn_of_unused_remover(session, recipe, location)
    return artifact


def _describe_inputs(
    session: Session, recipe: Recipe, name: str, source: FrameSource[Any], choice: Choice | None, fps: float
) -> dict[str, Any]:
    """All that decides what the silhouettes are."""
    return {
        "source": describe_component(session, "source", name, source.options),
        "video": source.fingerprint(),
        "remover": choice and _describe_remover(session, choice, recipe.preset),
        "reading": READING,
        "fps": fps,
        "size": recipe.size,
    }


def _write(
    session: Session,
    folder: Path,
    read: Callable[[Tools], list[int]],
    location: str,
    size: tuple[int, int],
    fps: float,
    expected: int | None,
) -> int:
    """Write what `read` emits, and the cuts that it returns; how many frames they were. Raises InputError."""
    with SilhouetteWriter(folder, size) as writer:

        def write(chunk: UInt8) -> None:
            writer.write(chunk)
            session.listen(Progress("silhouettes", writer.count, expected))

        cuts = read(Tools(session.registry, session.listen, write))
        if not writer.count:
            raise InputError(f"expected frames in {location}, got none; is the video damaged?")
        writer.finish(source=show_location(location), fps=fps, shot_starts=cuts)
    return writer.count


def _open_and_read(
    tools: Tools, location: str, fingerprint: str, recipe: Recipe, choice: Choice | None, fps: float
) -> list[int]:
    """`_read_silhouettes` where nobody has opened the input yet, perhaps on another machine."""
    source = open_same_source(recipe, tools.registry, location, fingerprint)
    return _read_silhouettes(tools, source, recipe, choice, fps)


def _read_silhouettes(
    tools: Tools, source: FrameSource[Any], recipe: Recipe, choice: Choice | None, fps: float
) -> list[int]:
    """Emit an input's silhouettes `(n, height, width)`, uint8; the first frames of its shots."""
    box = find_box(recipe)
    remover = choice and make_remover(tools, choice, recipe.preset)
    if remover:
        remover.survey(lambda count: source.sample(count, box))
    for chunk in source.frames(fps, box):
        silhouettes = remover.remove(chunk) if remover else chunk[..., 0]
        tools.emit(shrink(silhouettes, recipe.size))
    return list(source.shot_starts())


def tell_kept_warnings(artifact: Artifact, location: str) -> None:
    """Log again what was warned of while silhouettes were made, perhaps of the same file under another name."""
    for message in list_warnings(artifact, location):
        log.warning("%s", message)


def find_picture_size(artifact: Artifact) -> tuple[int, int]:
    """Height and width of the pictures that silhouettes were made of, as far as they are known."""
    notes = artifact.read_notes(SilhouetteNotes)
    # a workspace of before has none: backgrounds were removed at about this size
    height, width = notes.picture or (REMOVAL_SCALE * side for side in notes.inputs.size)
    return height, width


def list_warnings(artifact: Artifact, location: str) -> list[str]:
    """What was warned of while silhouettes were made, of the file under the name that it has now."""
    notes = artifact.read_notes(SilhouetteNotes)
    names = {notes.location: location, notes.source_name: show_location(location)}
    return [_rename(message, names) for message in notes.warnings]


def _rename(message: str, names: Mapping[str, str]) -> str:
    """A message that begins with a name and a colon, with the other name."""
    for name, other in names.items():
        if message.startswith(f"{name}:"):
            return f"{other}{message[len(name) :]}"
    return message


def _describe_remover(session: Session, choice: Choice, preset: str) -> dict[str, Any]:
    options = session.registry.options("remover", choice.name, preset, choice.options)
    return describe_component(session, "remover", choice.name, options)


def _warn_of_unused_remover(session: Session, recipe: Recipe, location: str) -> None:
    if recipe.remover.name == AUTO:
        return
    usual = _describe_remover(session, Choice(name=THRESHOLD), recipe.preset)
    if _describe_remover(session, recipe.remover, recipe.preset) != usual:
        log.warning("%s: silhouettes already, so the remover and its settings are not used", show_location(location))


def take_last_frames(session: Session, recipe: Recipe, context: int) -> UInt8:
    """The last `context` silhouettes of the video that `--from` names. Raises InputError where a shot has too few."""
    location = recipe.start.video
    read_as = recipe_for(recipe, session.registry, location)
    artifact = prepare(session, read_as, location)
    check_dancer(session, read_as, location, artifact, force=True)
    frames = Silhouettes.load([artifact.folder])
    last = frames.clips[-1]
    if len(last) < context:
        raise InputError(
            f"expected at least {context} frames in {location} to start from, got {len(last)} "
            f"at {recipe.fps:g} frames a second; give a longer video"
        )
    return frames[last.stop - context : last.stop]


def check_dancer(session: Session, recipe: Recipe, location: str, prepared: Artifact, *, force: bool = False) -> None:
    """Raise InputError, or with `force` only warn, where an input's silhouettes cannot be a dancer's."""
    doubt = find_doubt(Silhouettes.load([prepared.folder]))
    if doubt is None:
        return
    sheet = write_sheet(session, recipe, prepared)
    advice = _advise(prepared.read_notes(SilhouetteNotes).inputs.remover, doubt)
    told = f"{show_location(location)}: expected a dancer, got {doubt.reason}; look at {sheet}; {advice}"
    if not force:
        raise InputError(f"{told}, or go on with --force")
    log.warning("%s", told)


def _advise(remover: Made | None, doubt: Doubt) -> str:
    """What may give a dancer instead; `remover` is the one that was used, None where the input is silhouettes."""
    if remover is None:
        return "save it with 0 for the dancer and 255 for the ground" if doubt.inverted else "choose another input"
    options = remover.options
    if doubt.inverted and options.get("invert") is False:
        level = {} if options.get("level") == PAPER_LEVEL else {"level": options.get("level")}
        return f"try{type_settings({'invert': True, **level})}"
    return f"try --remover {THRESHOLD if remover.name == PERSON else PERSON}"


def write_sheet(session: Session, recipe: Recipe, prepared: Artifact) -> Path:
    """A contact sheet of an input's silhouettes, beside them."""
    sheet = prepared.folder / "sheet.png"
    if not sheet.exists():
        frames = Silhouettes.load([prepared.folder])
        shown = [frames[sample_evenly(len(frames), SHEET_FRAMES)]]
        render(session, recipe.changed({"renderer": "sheet"}), shown, sheet)
    return sheet
