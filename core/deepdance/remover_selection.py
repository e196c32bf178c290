"""Which remover suits each input: looked at once, told, and kept with the workspace; and a remover by its name."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from logging import LogRecord
from pathlib import Path
from typing import Any

import numpy as np

from deepdance.arrays import UInt8
from deepdance.delegation import repeat_lost, run_task
from deepdance.errors import MissingModelError
from deepdance.events import Listener, Progress, StageFinished, StageStarted, hold_log
from deepdance.inputs import open_same_source, open_source, resolve, show_location
from deepdance.interfaces import BackgroundRemover, FrameSource
from deepdance.pipeline import Made, describe_component
from deepdance.recipe import AUTO, PERSON, THRESHOLD, Choice, Recipe
from deepdance.removal import BEST_GUESS, Decision, choose_remover
from deepdance.session import Session
from deepdance.tasks import Tools
from deepdance.threads import begin_together
from deepdance.workers import Workers

REMOVAL_SCALE = 4
"""Backgrounds are removed at this many times the silhouettes' size (the paper: 800×480, then a quarter)."""

log = logging.getLogger("deepdance")


class DecisionNotes(Made):
    """What the manifest of a chosen remover tells."""

    reason: str


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
    with session.open_readers(len(locations)) as (workers, count):

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


def decide_remover(
    session: Session,
    recipe: Recipe,
    location: str,
    *,
    opened: tuple[str, FrameSource[Any]] | None = None,
    workers: Workers | None = None,
) -> Choice | None:
    """The remover for one input: the recipe's or, where that is `auto`, the one that a look at the input chooses.

    None where the input is silhouettes already. The choice is kept with the workspace, and told. `opened` is what
    `open_source` gives, where that was asked already. One of the `workers` looks, if there are any. Raises InputError,
    PluginError, WorkerError.
    """
    name, source = opened or open_source(recipe, session.registry, location)
    if source.info().silhouettes:
        return None
    if recipe.remover.name != AUTO:
        return recipe.remover
    try:
        notes = _make_decision(session, recipe, location, name, source, workers)
    except MissingModelError as error:
        log.warning("%s: the threshold is used, since the person model is missing: %s", show_location(location), error)
        return Choice(name=THRESHOLD, options=dict(BEST_GUESS))
    choice = Choice(name=notes.name, options=notes.options)
    log.info("%s: %s: %s", show_location(location), type_remover(choice), notes.reason)
    return choice


def _make_decision(
    session: Session, recipe: Recipe, location: str, name: str, source: FrameSource[Any], workers: Workers | None
) -> DecisionNotes:
    """What was decided of the same frames before, or is now."""
    box = find_box(recipe)
    inputs = {
        "source": describe_component(session, "source", name, source.options),
        "video": source.fingerprint(),
        "box": box,
        "judged_by": session.registry.find("remover", PERSON).describe_code(),
    }
    tools = Tools(session.registry, session.listen)

    def decide() -> Decision:
        if workers is None:
            return _decide(tools, source, box)
        return run_task(workers, tools, _open_and_decide, location, inputs["video"], recipe)

    def work(folder: Path) -> dict[str, Any]:
        decision = repeat_lost(workers, decide)
        return {"name": decision.name, "options": decision.options, "reason": decision.reason}

    made = session.make("remover", inputs, work, detail=show_location(location))
    return made.read_notes(DecisionNotes)


def _open_and_decide(tools: Tools, location: str, fingerprint: str, recipe: Recipe) -> Decision:
    """`_decide` where nobody has opened the input yet, perhaps on another machine."""
    return _decide(tools, open_same_source(recipe, tools.registry, location, fingerprint), find_box(recipe))


def _decide(tools: Tools, source: FrameSource[Any], box: tuple[int, int]) -> Decision:
    def find_people(frames: UInt8) -> UInt8:
        """Each frame by a remover of its own: they lie too far apart to follow anybody."""
        alone = [make_remover(tools, Choice(name=PERSON), "standard").remove(frame[None]) for frame in frames]
        return np.concatenate(alone)

    return choose_remover(source, box, find_people)


def type_remover(choice: Choice) -> str:
    """A remover with its options as it is typed."""
    return f"--remover {choice.name}{type_settings(choice.options)}"


def type_settings(options: Mapping[str, Any]) -> str:
    """A remover's options as flags, each after a blank."""
    return "".join(f" --set remover.{key}={str(value).lower()}" for key, value in options.items())


def find_box(recipe: Recipe) -> tuple[int, int]:
    """The height and width that frames fit into whose background is removed."""
    return recipe.size[0] * REMOVAL_SCALE, recipe.size[1] * REMOVAL_SCALE


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
