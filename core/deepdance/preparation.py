"""From an input to silhouettes: which remover suits it, its silhouettes, and whether they can be a dancer's."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import replace
from logging import LogRecord
from pathlib import Path
from socket import gethostname
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field

from deepdance.arrays import UInt8, sample_evenly
from deepdance.artifacts import Artifact
from deepdance.errors import InputError, MissingModelError
from deepdance.events import Listener, Progress, StageFinished, StageStarted, collect_warnings, hold_log
from deepdance.frames import Silhouettes, SilhouetteWriter, shrink
from deepdance.inputs import open_source, recipe_for, resolve, show_location
from deepdance.interfaces import BackgroundRemover, FrameSource
from deepdance.pipeline import Made, describe_component, render
from deepdance.plausibility import Doubt, find_doubt
from deepdance.recipe import AUTO, PERSON, THRESHOLD, Choice, Recipe
from deepdance.removal import BEST_GUESS, PAPER_LEVEL, Decision, choose_remover
from deepdance.session import Session
from deepdance.tasks import Tools, repeat_lost, run_task
from deepdance.threads import begin_together, do_together
from deepdance.workers import Workers

READING = 2
"""Raised when a file that is read as before gives other silhouettes; 1 was 0.1.0's."""
REMOVAL_SCALE = 4
"""Backgrounds are removed at this many times the silhouettes' size (the paper: 800×480, then a quarter)."""
SHEET_FRAMES = 120
"""Frames that the sheet chooses from: reading all of a long video's back would map it into memory."""

Side = Annotated[int, Field(ge=1, le=1 << 16)]

log = logging.getLogger("deepdance")


class DecisionNotes(Made):
    """What the manifest of a chosen remover tells."""

    reason: str


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


def decide_removers(session: Session, recipe: Recipe, locations: Sequence[str]) -> Recipe:
    """The recipe with the remover that suits all of the inputs; `auto` stays where each needs another.

    As many are looked at at once as there are processors; the first of them that fails is told. Raises InputError,
    PluginError.
    """
    if recipe.remover.name != AUTO:
        return recipe
    first, *others = _decide_all(session, recipe, locations)
    if first is None or any(choice != first for choice in others):
        return recipe
    return resolve(recipe.changed({"remover": first.model_dump()}), session.registry, locations)


def _decide_all(session: Session, recipe: Recipe, locations: Sequence[str]) -> list[Choice | None]:
    """`decide_remover` of each input; what is logged, and what fails, comes in their order."""
    if len(locations) == 1 and not session.engine:
        return [decide_remover(session, recipe, locations[0])]
    with _find_hands(session, len(locations)) as (workers, count):

        def work(listen: Listener, location: str, held: list[LogRecord]) -> Choice | None:
            with hold_log(held):
                return decide_remover(replace(session, listen=listen), recipe, location, workers=workers)

        logs: list[list[LogRecord]] = [[] for _ in locations]
        with begin_together(session.listen, count, work, zip(locations, logs, strict=True)) as pending:
            return [_end_held(future, held) for future, held in zip(pending, logs, strict=True)]


def _end_held(future: Future[Choice | None], held: Sequence[LogRecord]) -> Choice | None:
    wait([future])
    for record in held:
        log.handle(record)
    return future.result()


def decide_remover(session: Session, recipe: Recipe, location: str, *, workers: Workers | None = None) -> Choice | None:
    """The remover for one input: the recipe's or, where that is `auto`, the one that a look at the input chooses.

    None where the input is silhouettes already. The choice is kept with the workspace, and told. One of the `workers`
    looks, if there are any. Raises InputError, PluginError, WorkerError.
    """
    name, source = open_source(recipe, session.registry, location)
    return _decide_for(session, recipe, location, name, source, workers)


def _decide_for(
    session: Session, recipe: Recipe, location: str, name: str, source: FrameSource[Any], workers: Workers | None
) -> Choice | None:
    if source.info().silhouettes:
        return None
    if recipe.remover.name != AUTO:
        return recipe.remover
    box = find_box(recipe)
    inputs = {
        "source": describe_component(session, "source", name, source.options),
        "video": source.fingerprint(),
        "box": box,
        "judged_by": session.registry.find("remover", PERSON).describe_code(),
    }
    tools = Tools(session.registry, session.listen)

    def decide() -> Decision:
        return run_task(workers, tools, _open_and_decide, location, recipe) if workers else _decide(tools, source, box)

    def work(folder: Path) -> dict[str, Any]:
        decision = repeat_lost(workers, decide)
        return {"name": decision.name, "options": decision.options, "reason": decision.reason}

    try:
        made = session.make("remover", inputs, work, detail=show_location(location))
    except MissingModelError as error:
        log.warning("%s: the threshold is used, since the person model is missing: %s", show_location(location), error)
        return Choice(name=THRESHOLD, options=dict(BEST_GUESS))
    notes = made.read_notes(DecisionNotes)
    choice = Choice(name=notes.name, options=notes.options)
    log.info("%s: %s: %s", show_location(location), type_remover(choice), notes.reason)
    return choice


def _open_and_decide(tools: Tools, location: str, recipe: Recipe) -> Decision:
    """`_decide` where nobody has opened the input yet."""
    return _decide(tools, open_source(recipe, tools.registry, location)[1], find_box(recipe))


def _decide(tools: Tools, source: FrameSource[Any], box: tuple[int, int]) -> Decision:
    def find_people(frames: UInt8) -> UInt8:
        """Each frame by a remover of its own: they lie too far apart to follow anybody."""
        alone = [make_remover(tools, Choice(name=PERSON), "standard").remove(frame[None]) for frame in frames]
        return np.concatenate(alone)

    return choose_remover(source, box, find_people)


def type_remover(choice: Choice) -> str:
    """A remover with its options as it is typed."""
    return f"--remover {choice.name}{_type_settings(choice.options)}"


def _type_settings(options: Mapping[str, Any]) -> str:
    """A remover's options as flags, each after a blank."""
    return "".join(f" --set remover.{key}={str(value).lower()}" for key, value in options.items())


def find_box(recipe: Recipe) -> tuple[int, int]:
    """The height and width that frames fit into whose background is removed."""
    return recipe.size[0] * REMOVAL_SCALE, recipe.size[1] * REMOVAL_SCALE


def prepare_all(session: Session, recipes: Sequence[Recipe], locations: Sequence[str]) -> list[Artifact]:
    """`prepare` of several inputs, each with its recipe, as many at once as there are processors.

    The first that fails stops the others. Raises InputError, PluginError.
    """
    if len(locations) == 1 and not session.engine:
        return [prepare(session, recipes[0], locations[0])]
    with _find_hands(session, len(locations)) as (workers, count):

        def work(listen: Listener, recipe: Recipe, location: str) -> Artifact:
            return prepare(replace(session, listen=listen), recipe, location, workers=workers)

        return do_together(session.listen, count, work, zip(recipes, locations, strict=True))


@contextmanager
def _find_hands(session: Session, inputs: int) -> Iterator[tuple[Workers | None, int]]:
    """Processes that read so many inputs, if any do, and how many threads.

    Each writes what one process makes; there are more, which open the next inputs while workers are busy.
    """
    with session.open_workers(inputs) as workers:
        count = 2 * workers.count if workers else session.jobs or os.cpu_count() or 1
        yield workers, min(count, inputs)


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
    choice = _decide_for(session, recipe, location, name, source, workers)
    inputs = {
        "source": describe_component(session, "source", name, source.options),
        "video": source.fingerprint(),
        "remover": choice and _describe_remover(session, choice, recipe.preset),
        "reading": READING,
        "fps": fps,
        "size": recipe.size,
    }
    expected = None if info.seconds is None else round(info.seconds * fps)

    def read_into(folder: Path) -> int:
        with SilhouetteWriter(folder, recipe.size) as writer:

            def write(chunk: UInt8) -> None:
                writer.write(chunk)
                session.listen(Progress("silhouettes", writer.count, expected))

            tools = Tools(session.registry, session.listen, write)
            if workers is None:
                cuts = _read_silhouettes(tools, source, recipe, choice, fps)
            else:
                cuts = run_task(workers, tools, _open_and_read, location, inputs["video"], recipe, choice, fps)
            if not writer.count:
                raise InputError(f"expected frames in {location}, got none; is the video damaged?")
            writer.finish(source=show_location(location), fps=fps, shot_starts=cuts)
        return writer.count

    def work(folder: Path) -> dict[str, Any]:
        with collect_warnings() as meanwhile:
            count = repeat_lost(workers, lambda: read_into(folder))
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


def _open_and_read(
    tools: Tools, location: str, fingerprint: str, recipe: Recipe, choice: Choice | None, fps: float
) -> list[int]:
    """`_read_silhouettes` of the same input where nobody has opened it yet, perhaps on another machine.

    Raises InputError too, where it is not seen there or is another one.
    """
    _, source = open_source(recipe, tools.registry, location)
    _check_same(source, location, fingerprint)
    return _read_silhouettes(tools, source, recipe, choice, fps)


def _check_same(source: FrameSource[Any], location: str, fingerprint: str) -> None:
    try:
        got = "" if source.fingerprint() == fingerprint else "another one of that name"
    except (InputError, OSError) as error:
        got = str(error)
    if got:
        raise InputError(
            f"expected {location} on {gethostname()} as where the command runs, got: {got}; share its folder with that "
            "machine, or copy it there"
        )


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


def _describe_remover(session: Session, choice: Choice, preset: str) -> dict[str, Any]:
    options = session.registry.options("remover", choice.name, preset, choice.options)
    return describe_component(session, "remover", choice.name, options)


def make_remover(tools: Tools, choice: Choice, preset: str) -> BackgroundRemover[Any]:
    """A remover for one clip, and what it needs fetched, which is told. Raises OptionError, PluginError."""
    component = tools.registry.component("remover", choice.name)
    fetched: list[str] = []

    def tell(what: str, done: int, total: int | None) -> None:
        if not fetched:
            fetched.append(what)
            tools.listen(StageStarted("download", f"fetching {what}"))
        tools.listen(Progress("download", done, total))

    component.fetch(tell)
    if fetched:
        tools.listen(StageFinished("download", False, fetched[0]))
    remover: BackgroundRemover[Any] = component(tools.registry.options("remover", choice.name, preset, choice.options))
    return remover


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
        return f"try{_type_settings({'invert': True, **level})}"
    return f"try --remover {THRESHOLD if remover.name == PERSON else PERSON}"


def write_sheet(session: Session, recipe: Recipe, prepared: Artifact) -> Path:
    """A contact sheet of an input's silhouettes, beside them."""
    sheet = prepared.folder / "sheet.png"
    if not sheet.exists():
        frames = Silhouettes.load([prepared.folder])
        shown = [frames[sample_evenly(len(frames), SHEET_FRAMES)]]
        render(session, recipe.changed({"renderer": "sheet"}), shown, sheet)
    return sheet
