"""How long a run will take: measured while it works, and before that by earlier runs or by a table."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import prod
from time import monotonic
from typing import Any

from pydantic import BaseModel

from deepdance import preparation
from deepdance.artifacts import Artifact
from deepdance.errors import DeepDanceError
from deepdance.events import ArtifactReady, EpochFinished, Event, Progress, RunStarted, StageFinished, StageStarted
from deepdance.outputs import choose_render_size
from deepdance.plugins import Registry
from deepdance.progress import TRAININGS, title_stage
from deepdance.recipe import Recipe
from deepdance.workspace import Workspace

AFTER_READING = ("codec", "latents", "sequence", "render")
"""Stages of a run that take time once all silhouettes are there, in their order."""
UNMEASURED = (*TRAININGS, "sweep")
"""Stages whose steps tell nothing of their speed: a training's are within an epoch, and a sweep's runs may have been
there already."""
LONG = 60.0
"""Seconds from which a stage or a run is worth a forecast."""
SETTLED = 10.0
"""Seconds after which what is measured can be trusted, and less than which nobody is told of."""
WRONG = 2.0
"""How many times too long or too short a forecast is that is corrected."""
RUN = "run"
"""Under which it is kept what was told of the whole run."""

log = logging.getLogger("deepdance")


class _FrameNotes(BaseModel):
    """What the manifest of silhouettes or latents tells of how many they are."""

    stage: str
    key: str
    frames: int = 0


class _TrainingNotes(BaseModel):
    """What the manifest of a training that was not interrupted tells of how long it took."""

    inputs: dict[str, Any]
    created: str
    seconds: float
    history: list[Any] = []


@dataclass
class _Stage:
    """A stage that is to come or at work. `done` of `total` are epochs of a training, frames of another stage."""

    name: str
    options: Mapping[str, Any]
    preset: str = "standard"
    begun: float | None = None
    first: int = 0
    """What was done when it was measured first; more than one epoch of a training that is gone on with."""
    measured_from: float | None = None
    """When the first of them were done: before that networks are loaded and built, or a prior is looked at."""
    measured_at: float = 0.0
    done: int = 0
    total: int = 0
    foretold: float | None = None
    """Seconds that it will take, before anything is measured."""

    def advance(self, done: int, total: int, now: float) -> None:
        if self.measured_from is None:
            self.measured_from, self.first = now, done
        self.done, self.total, self.measured_at = done, total, now

    @property
    def settled(self) -> bool:
        return self.measured_from is not None and self.measured_at - self.measured_from > SETTLED

    def rest(self, now: float) -> float | None:
        """Seconds that it still takes: what is left at the speed so far, else at that of the past."""
        if self.measured_from is not None and self.done > self.first:
            speed = (self.measured_at - self.measured_from) / (self.done - self.first)
            return max(speed * (self.total - self.done) - (now - self.measured_at), 0.0)
        if self.measured_from is not None and self.done >= self.total > 0:
            return 0.0
        if self.foretold is None:
            return None
        if self.measured_from is not None and self.total:
            return self.foretold * (1 - self.done / self.total)
        return max(self.foretold - (0.0 if self.begun is None else now - self.begun), 0.0)


class Forecast:
    """A listener that tells what a run and each of its stages of more than a minute are going to take.

    Each is told of once, and once more where that was wrong.
    """

    def __init__(self, workspace: Workspace, registry: Registry, clock: Callable[[], float] = monotonic) -> None:
        self._workspace, self._registry, self._clock = workspace, registry, clock
        self._stages: dict[str, _Stage] = {}
        self._told: dict[str, list[float]] = {}
        self._recipe: Recipe | None = None
        self._begun = 0.0
        self._frames = 0
        self._pixels: float | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._plan(event.recipe)
        elif isinstance(event, ArtifactReady) and event.stage == "silhouettes":
            self._count(Artifact(event.folder, event.key, event.reused))
        elif isinstance(event, StageStarted):
            self._begin(event)
        elif isinstance(event, EpochFinished):
            self._advance(event.stage, event.epoch, event.epochs)
        elif isinstance(event, Progress) and event.stage not in UNMEASURED:
            self._advance(event.stage, event.done, event.total or 0)
        elif isinstance(event, StageFinished):
            self._stages.pop(event.stage, None)
            self._told.pop(event.stage, None)

    def rest(self) -> float | None:
        """Seconds until the run is done, where all that is still to come is known."""
        stages = [self._stages[kind] for kind in AFTER_READING if kind in self._stages]
        if self._recipe is None or all(stage.begun is None for stage in stages):
            return None
        rests = [stage.rest(self._clock()) for stage in stages]
        return None if None in rests else sum(filter(None, rests))

    def _plan(self, recipe: Mapping[str, Any]) -> None:
        self._recipe, self._begun = Recipe.model_validate(recipe), self._clock()
        self._frames, self._pixels = 0, None
        self._stages, self._told = {}, {}
        for kind in AFTER_READING:
            self._stages[kind] = self._plan_training(kind, self._recipe) if kind in TRAININGS else _Stage(kind, {})

    def _plan_training(self, kind: str, recipe: Recipe) -> _Stage:
        choice = getattr(recipe, kind)
        try:
            made = self._registry.options(kind, choice.name, recipe.preset, choice.options)
        except DeepDanceError:  # the run itself tells of it
            return _Stage(choice.name, {})
        options = made.model_dump(mode="json")
        return _Stage(choice.name, options, recipe.preset, total=options.get("epochs", 0))

    def _count(self, silhouettes: Artifact) -> None:
        """The frames to learn from and, where these are the first of a run, the pixels of its dance."""
        self._frames += silhouettes.read_notes(_FrameNotes).frames
        if self._recipe is not None and self._pixels is None:
            picture = preparation.find_picture_size(silhouettes)
            size = choose_render_size(self._recipe, self._registry, self._recipe.size, picture)
            self._pixels = float(prod(size)) * count_frames(self._recipe)

    def _begin(self, event: StageStarted) -> None:
        stage = self._stages.setdefault(event.stage, _Stage(event.stage, {}))
        if stage.begun is None:
            stage.begun = self._clock()
        if event.stage in AFTER_READING:
            for kind in AFTER_READING[: AFTER_READING.index(event.stage)]:
                self._stages.pop(kind, None)  # done, or no part of this command
            for kind in AFTER_READING:
                if kind in self._stages:
                    self._stages[kind].foretold = self._foretell(kind, self._stages[kind])
            self._tell()

    def _foretell(self, kind: str, stage: _Stage) -> float | None:
        if kind in TRAININGS:
            recalled = self._recall(kind, stage)
            return foretell(stage.name, stage.preset, stage.options, self._frames) if recalled is None else recalled
        if self._recipe is None:
            return None
        table, codec = read_times(), self._recipe.codec.name
        if kind == "latents":
            return table["latents"][codec] * self._frames / 1000 if codec in table["latents"] else None
        return (
            None if self._pixels is None else table["pixels"].get(codec, table["pixels"]["other"]) * self._pixels / 1e6
        )

    def _advance(self, kind: str, done: int, total: int) -> None:
        stage = self._stages.get(kind)
        if stage is None or stage.begun is None:
            return
        stage.advance(done, total, self._clock())
        if stage.settled:
            self._tell()

    def _tell(self) -> None:
        """Say what is known and was not told of, or told wrongly."""
        lines = [self._describe(kind, whole) for kind in [*self._stages, RUN] if (whole := self._whole(kind))]
        if any(lines):
            log.info("%s", ", ".join(filter(None, lines)))

    def _describe(self, kind: str, whole: float) -> str:
        """What is said of a stage, or of the run; nothing where it is short, or known already."""
        told = self._told.setdefault(kind, [])
        if len(told) == 2 or not (self._is_wrong(kind, told[0] / whole) if told else whole > LONG):
            return ""
        told.append(whole)
        corrected = f", not {format_time(told[0])}" if len(told) == 2 else ""
        if kind == RUN:
            return f"about {format_time(whole)} in all{corrected}"
        return f"{_title(self._stages[kind])} about {format_time(whole)}{corrected}"

    def _is_wrong(self, kind: str, ratio: float) -> bool:
        measured = [self._stages[kind]] if kind != RUN else self._stages.values()
        return any(stage.settled for stage in measured) and not 1 / WRONG <= ratio <= WRONG

    def _whole(self, kind: str) -> float | None:
        """Seconds that a stage takes from its beginning to its end, or the run."""
        now = self._clock()
        if kind == RUN:
            rest = self.rest()
            return None if rest is None or rest < SETTLED else now - self._begun + rest
        stage = self._stages[kind]
        rest = stage.rest(now)
        return None if rest is None else rest + (0.0 if stage.begun is None else now - stage.begun)

    def _recall(self, kind: str, stage: _Stage) -> float | None:
        """What the newest training with the same options but for its epochs took, in proportion.

        None of one that may end long before its `steps` are done, as the table does not say otherwise: how many an
        earlier one did says nothing of what these frames need.
        """
        if "steps" in stage.options and stage.name not in read_times()["step"]:
            return None
        fitting = [
            notes
            for notes in self._workspace.artifacts.list_notes(kind, _TrainingNotes)
            if notes.inputs.get(kind, {}).get("name") == stage.name
            and _without_epochs(notes.inputs[kind].get("options", {})) == _without_epochs(stage.options)
        ]
        if not fitting:
            return None
        last = max(fitting, key=lambda notes: notes.created)
        if "steps" in stage.options:
            return last.seconds
        frames = self._count_frames(last.inputs)
        epochs = stage.total / max(len(last.history), 1) if stage.total else 1.0
        return last.seconds * epochs * self._frames / frames if frames else None

    def _count_frames(self, inputs: Mapping[str, Any]) -> int:
        names = [f"silhouettes-{key}" for key in inputs.get("silhouettes", ())]
        names += [f"latents-{inputs['latents']}"] if "latents" in inputs else []
        store = self._workspace.artifacts
        notes = [notes for stage in ("silhouettes", "latents") for notes in store.list_notes(stage, _FrameNotes)]
        frames = {f"{each.stage}-{each.key}": each.frames for each in notes}
        return sum(frames[name] for name in names) if frames.keys() >= set(names) else 0


def foretell(name: str, preset: str, options: Mapping[str, Any], frames: int) -> float | None:
    """Seconds that a training takes on two cores, by the table; None of a component that is not in it."""
    table = read_times()
    if name in table["epoch"] and "epochs" in options:
        return float(table["epoch"][name][preset] * options["epochs"] * frames / 1000)
    if name in table["step"] and "steps" in options:
        return float(table["step"][name][preset] * options["steps"])
    if name in table["frames"]:
        return float(table["frames"][name] * frames / 1000)
    return None


def count_frames(recipe: Recipe) -> int:
    """Frames of the dance that a recipe asks for."""
    return round(recipe.loop * recipe.render_fps) or recipe.frames


@cache
def read_times() -> dict[str, dict[str, Any]]:
    """The table of times: by what is counted, component and, of trainings in epochs or steps, preset."""
    return tomllib.loads(files("deepdance_cli").joinpath("times.toml").read_text(encoding="utf-8"))


def format_time(seconds: float) -> str:
    """Seconds as people say them: 40 s, 6 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _title(stage: _Stage) -> str:
    epochs = f" {stage.total} epochs" if "epochs" in stage.options and stage.total else ""
    return f"{title_stage(stage.name)}{epochs}"


def _without_epochs(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != "epochs"}
