"""What a user asks for: a run from videos to a new dance, another dance from its models, a video danced on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepdance import pipeline, preparation
from deepdance.artifacts import Artifact
from deepdance.continuation import append, join, take_last_keyframes
from deepdance.dances import BeatMeter, Danced, dance_on, decode_latents, keep_latents, write_dance
from deepdance.errors import InputError
from deepdance.events import RunFinished, RunStarted, collect_warnings
from deepdance.frames import Silhouettes, redraw
from deepdance.impression import Impression
from deepdance.inputs import expand_inputs, open_source, recipe_for, settle
from deepdance.metrics.paper_table import PaperRow
from deepdance.music.alignment import BeatAlignment
from deepdance.opened_runs import VERSION, OpenedRun, measure_paper_table, open_run, train
from deepdance.outputs import change_dance, check_place, choose_render_size, choose_renderer, name_dance
from deepdance.recipe import Recipe
from deepdance.remover_selection import decide_removers
from deepdance.session import Session
from deepdance.soundtrack import Soundtrack, open_soundtrack
from deepdance.storage import now
from deepdance.workspace import LONGEST_NAME, RESERVED, RunRecord

EXTENDED_SECONDS = 20.0
LEAST_TITLE = 10
"""Letters of a video's name that a run's name keeps, however long those of its models are."""


@dataclass(frozen=True)
class Finished:
    """A run that is done."""

    run: RunRecord
    folder: Path
    video: Path
    table: list[PaperRow]
    impression: Impression
    alignment: BeatAlignment | None
    """How well it keeps to the beats; None without any."""
    opened: OpenedRun


@dataclass(frozen=True)
class Extended:
    """A video that was danced on, and how well the new dance keeps to the beats, if there are any."""

    video: Path
    alignment: BeatAlignment | None


def run(
    session: Session,
    recipe: Recipe,
    locations: Sequence[str] = (),
    name: str | None = None,
    *,
    numbered: bool = False,
    force: bool = False,
    fresh: str | None = None,
    report: Callable[[Finished], None] = lambda finished: None,
) -> Finished:
    """The whole pipeline: videos → silhouettes → codec → latents → sequence model → new latents → video.

    Without locations the demo dancer is the source. What an earlier run has made already is used again. A `name` that
    another run has is an error, unless it may be `numbered`. With `force` it learns from what cannot be a dancer too.
    `fresh` names a stage that is made anew, with all after it. `report` is called while nobody else can work on the
    run, before its end is told.
    """
    session = session.make_anew(fresh)
    inputs, recipe, soundtrack = settle_run(session, recipe, locations)
    claimed = name or _make_name(inputs, recipe)
    exact = name is not None and not numbered
    with session.workspace.claim(claimed, exact=exact, inputs=inputs, recipe=recipe) as record:
        with collect_warnings() as told:
            finished = _make(session, record, recipe, soundtrack, told, force=force)
        report(finished)
        session.listen(RunFinished(record.name, finished.video))
        return finished


def settle_run(session: Session, recipe: Recipe, locations: Sequence[str]) -> tuple[list[str], Recipe, Soundtrack]:
    """The inputs of a run, its recipe with all that these decide, and what it dances to.

    Raises InputError, OptionError, PluginError.
    """
    inputs = expand_inputs(session.registry, locations)
    recipe = settle(recipe, session.registry, inputs)
    recipe.start.check_exists()
    recipe, soundtrack = open_soundtrack(recipe, session.registry)
    return inputs, decide_removers(session, recipe, inputs), soundtrack


def _make(
    session: Session, record: RunRecord, recipe: Recipe, soundtrack: Soundtrack, told: list[str], *, force: bool
) -> Finished:
    """A run that has its name: its models, its tables and its video."""
    suffix = session.registry.find("renderer", recipe.renderer.name).spec.suffixes[0]
    video = session.workspace.run_folder(record.name) / f"dance{suffix}"
    check_place(video, [*record.inputs, recipe.start.video, recipe.music])
    _tell_start(session, record, recipe)
    pipeline.import_components(session, recipe)

    def note(artifacts: dict[str, list[str]]) -> None:
        if not was_trained:  # what it dances with stays until all of the new is there
            record.artifacts = artifacts
            session.workspace.record(record, recipe)

    was_trained = record.is_trained
    record.artifacts = train(session, recipe, record.inputs, force=force, note=note)
    session.workspace.record(record, recipe)
    opened = open_run(session, recipe, record)
    table = measure_paper_table(opened, record.name)
    size = _choose_size(opened, recipe, opened.artifacts["silhouettes"][0])
    danced = write_dance(opened, recipe, soundtrack, size, video)
    keep_latents(video.parent, danced.beginning)
    record.status, record.video, record.version = "finished", video.name, VERSION
    record.finished = now()
    record.looks, record.warnings = danced.impression.sentence, list(dict.fromkeys(told))
    record.music = danced.alignment.sentence if danced.alignment else ""
    session.workspace.record(record, recipe)
    return Finished(record, video.parent, video, table, danced.impression, danced.alignment, opened)


def generate(session: Session, name: str, out: Path | None, changes: Mapping[str, Any]) -> Danced:
    """Another dance from a run's models. `changes` are those that `change_dance` takes.

    Of the renderer, options alone are enough: its name is that of the ending. Without `out`, the renderer chooses it.
    """
    record, recipe = session.workspace.open_run(name)
    recipe = change_dance(recipe, session.registry, changes)
    recipe.start.check_exists()
    recipe, soundtrack = open_soundtrack(recipe, session.registry)
    asked = changes.get("renderer", "")
    out = out or name_dance(recipe, session.registry, asked)
    recipe = choose_renderer(recipe, session.registry, out, asked)
    check_place(out, [*record.inputs, recipe.start.video, recipe.music])
    opened = open_run(session, recipe, record)
    _tell_start(session, record, recipe)
    pipeline.import_components(session, recipe)
    size = _choose_size(opened, recipe, opened.artifacts["silhouettes"][0])
    danced = write_dance(opened, recipe, soundtrack, size, out)
    session.listen(RunFinished(name, out))
    return danced


def _choose_size(run: OpenedRun, recipe: Recipe, shown: Artifact) -> tuple[int, int]:
    """The size of a dance's frames; where the recipe says none, that of the pictures which were `shown` decides."""
    return choose_render_size(recipe, run.session.registry, run.frames.size, preparation.find_picture_size(shown))


def extend(
    session: Session,
    name: str,
    typed: str,
    seconds: float | None,
    out: Path,
    render_size: str | tuple[int, int] | None = None,
    *,
    music: str | Path = "",
    beats: Sequence[float] | str = (),
) -> Extended:
    """The silhouettes of the video that was `typed` followed by their continuation, at the run's `render_fps`.

    It is of the `render_size`, else of the recipe's, else as large as the video, at most 1080 lines.

    The first new frame follows the video's very last one. What the codec loses of that last frame is given back to the
    new frames, fading, so that nothing jumps at the joint.

    `music` begins with the video, and the new dance falls on those of its `beats` that come after the joint. Without
    `seconds` the dance ends with the music, or goes on for `EXTENDED_SECONDS` where there is none or it is over.
    """
    location, *more = expand_inputs(session.registry, [typed])
    if more:
        raise InputError(f"expected one video, got the {1 + len(more)} in {typed}; name one of them")
    record, recipe = session.workspace.open_run(name)
    recipe = recipe.changed({"start": location, "loop": 0, "seconds": seconds or EXTENDED_SECONDS, "music": ""})
    recipe = recipe.changed({"beats": beats} | ({"render_size": render_size} if render_size else {}))
    recipe = recipe.changed({"music": music, "beats": beats, "frames": recipe.frames} if music else {})
    recipe, soundtrack = open_soundtrack(recipe, session.registry)
    recipe = choose_renderer(recipe, session.registry, out)
    check_place(out, [*record.inputs, location, recipe.music])
    _tell_start(session, record, recipe)
    read_as = recipe_for(recipe, session.registry, location)
    if open_source(read_as, session.registry, location)[1].info().fps is None:
        raise InputError(f"expected a video with a frame rate to extend, got {location}; make a video of it first")
    pipeline.import_components(session, recipe)
    opened = open_run(session, recipe, record, read_anew=location)
    prepared = preparation.prepare(session, read_as, location, fps=recipe.render_fps)
    preparation.check_dancer(session, read_as, location, prepared, force=True)
    video = Silhouettes.load([prepared.folder])
    last = take_last_keyframes(video, opened.model.context, recipe)
    opening = opened.codec.encode(last)
    joint = (len(video) - 1) / recipe.render_fps
    if seconds is None and soundtrack.seconds and soundtrack.seconds > joint + 1:
        recipe = recipe.changed({"seconds": soundtrack.seconds - joint})
    else:
        recipe = recipe.changed({"frames": recipe.frames + 1})  # one is the video's last
    heard = soundtrack.list_beats(joint, joint + recipe.frames / recipe.render_fps)
    new, bent = dance_on(opened, recipe, heard, opening)
    size = _choose_size(opened, recipe, prepared)
    continuation = join(decode_latents(opened, recipe, new, size), redraw(last[-1:], size)[0], recipe.render_fps)
    shown = (redraw(chunk, size) for chunk in video.chunks(pipeline.find_chunk_length(size)))
    meter = BeatMeter(bent, opened.frames.size)
    pipeline.render(session, recipe, append(shown, meter.follow(continuation)), out)
    session.listen(RunFinished(name, out))
    return Extended(out, meter.measure())


def _tell_start(session: Session, record: RunRecord, recipe: Recipe) -> None:
    session.listen(RunStarted(record.name, session.workspace.run_folder(record.name), recipe.table()))


def _make_name(inputs: Sequence[str], recipe: Recipe) -> str:
    """A name that every file system takes: letters of any script, no longer than `LONGEST_NAME`."""
    first = Path(inputs[0]).stem if len(inputs) == 1 else Path(inputs[0]).parent.name
    models = replace_signs(f"-{recipe.codec.name}-{recipe.sequence.name}")[: LONGEST_NAME - LEAST_TITLE]
    title = replace_signs(first)[: LONGEST_NAME - len(models)].strip("-._") or "run"
    name = f"{title}{models}".rstrip("-.")
    return name.replace(".", "_") if RESERVED.match(name) else name


def replace_signs(text: str) -> str:
    """Text as a part of a run's name."""
    return re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", text))
