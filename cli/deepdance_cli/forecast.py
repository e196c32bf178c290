"""How long a run will take: measured while it works, and before that by earlier runs or by a table."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from time import monotonic
from typing import Any

from deepdance.errors import DeepDanceError, WorkspaceError
from deepdance.events import ArtifactReady, EpochFinished, Event, Progress, RunStarted, StageFinished, StageStarted
from deepdance.plugins import Registry
from deepdance.workspace import Workspace, read_json

TRAININGS = ("codec", "sequence")
LONG = 60.0
"""Seconds from which a stage is worth a forecast."""
SETTLED = 10.0
"""Seconds after which what is measured can be trusted: the first batch builds the network."""

log = logging.getLogger("deepdance")


@dataclass
class _Stage:
    """A stage that is to come or at work. `done` of `total` are epochs of a training, frames of another stage."""

    name: str
    options: Mapping[str, Any]
    preset: str = "standard"
    begun: float | None = None
    first: int = 0
    """What was done already when it began: a training that is gone on with."""
    done: int = 0
    total: int = 0
    foretold: float | None = None
    """Seconds that it will take, before anything is measured."""
    told: bool = False


class Forecast:
    """A listener that tells, once for each stage, what one of more than a minute is going to take."""

    def __init__(self, workspace: Workspace, registry: Registry, clock: Callable[[], float] = monotonic) -> None:
        self._workspace, self._registry, self._clock = workspace, registry, clock
        self._stages: dict[str, _Stage] = {}
        self._frames = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._plan(event.recipe)
        elif isinstance(event, ArtifactReady) and event.stage == "silhouettes":
            self._frames += read_json(event.folder / "manifest.json").get("frames", 0)
        elif isinstance(event, StageStarted):
            self._begin(event)
        elif isinstance(event, EpochFinished | Progress):
            self._advance(event)
        elif isinstance(event, StageFinished):
            self._stages.pop(event.stage, None)

    def rest(self) -> float | None:
        """Seconds until all trainings of the run are done, where one is at work and all are known."""
        if not any(stage.begun is not None for name, stage in self._stages.items() if name in TRAININGS):
            return None
        rests = [self._rest(kind) for kind in TRAININGS if kind in self._stages]
        return None if None in rests else sum(filter(None, rests))

    def _plan(self, recipe: Mapping[str, Any]) -> None:
        self._frames = 0
        for kind in TRAININGS:
            if kind in recipe:
                name, preset = recipe[kind]["name"], recipe["preset"]
                given = {key: value for key, value in recipe[kind].items() if key != "name"}
                try:
                    options = self._registry.options(kind, name, preset, given).model_dump(mode="json")
                except DeepDanceError:
                    continue  # the run itself tells of it
                self._stages[kind] = _Stage(name, options, preset, total=options.get("epochs", 0))

    def _begin(self, event: StageStarted) -> None:
        stage = self._stages.setdefault(event.stage, _Stage(event.stage, {}))
        if stage.begun is None:
            stage.begun = self._clock()
        if event.stage in TRAININGS:
            for kind in TRAININGS:
                if kind in self._stages:
                    self._foretell(kind, self._stages[kind])
            self._tell()

    def _foretell(self, kind: str, stage: _Stage) -> None:
        stage.foretold = self._recall(kind, stage)
        if stage.foretold is None:
            stage.foretold = foretell(stage.name, stage.preset, stage.options, self._frames)

    def _advance(self, event: EpochFinished | Progress) -> None:
        stage = self._stages.get(event.stage)
        if stage is None or stage.begun is None:
            return
        if isinstance(event, EpochFinished):
            stage.first = stage.first if stage.done else event.epoch - 1
            stage.done, stage.total = event.epoch, event.epochs
        elif event.stage not in TRAININGS:
            stage.done, stage.total = event.done, event.total or 0
        else:
            return
        if self._clock() - stage.begun > SETTLED:
            self._tell()

    def _tell(self) -> None:
        """Say what is known of the stages that nobody has been told of."""
        long = {kind: whole for kind in self._stages if (whole := self._whole(kind)) and whole > LONG}
        new = {kind: whole for kind, whole in long.items() if not self._stages[kind].told}
        if new:
            log.info("%s", ", ".join(_describe(self._stages[kind], whole) for kind, whole in new.items()))
        for kind in new:
            self._stages[kind].told = True

    def _whole(self, kind: str) -> float | None:
        stage, rest = self._stages[kind], self._rest(kind)
        return None if rest is None else rest + (0.0 if stage.begun is None else self._clock() - stage.begun)

    def _rest(self, kind: str) -> float | None:
        """Seconds that a stage still takes: what is left at the speed so far, else at that of the past."""
        stage = self._stages[kind]
        passed = 0.0 if stage.begun is None else self._clock() - stage.begun
        if stage.done > stage.first:
            return passed / (stage.done - stage.first) * (stage.total - stage.done)
        return None if stage.foretold is None else max(stage.foretold - passed, 0.0)

    def _recall(self, kind: str, stage: _Stage) -> float | None:
        """What the newest training with the same options but for its epochs took, in proportion."""
        fitting = [
            notes
            for notes in self._read_manifests(kind)
            if notes["inputs"][kind]["name"] == stage.name
            and _without_epochs(notes["inputs"][kind]["options"]) == _without_epochs(stage.options)
        ]
        if not fitting:
            return None
        last = max(fitting, key=lambda notes: notes["created"])
        if "steps" in stage.options:
            return float(last["seconds"])
        frames = self._count_frames(last["inputs"])
        epochs = stage.total / max(len(last["history"]), 1) if stage.total else 1.0
        return float(last["seconds"] * epochs * self._frames / frames) if frames else None

    def _read_manifests(self, kind: str) -> Iterator[dict[str, Any]]:
        for path in (self._workspace.root / "artifacts").glob(f"{kind}-*/manifest.json"):
            notes = read_json(path)
            if "seconds" in notes:
                yield notes

    def _count_frames(self, inputs: Mapping[str, Any]) -> int:
        names = [f"silhouettes-{key}" for key in inputs.get("silhouettes", ())]
        names += [f"latents-{inputs['latents']}"] if "latents" in inputs else []
        try:
            return sum(int(self._workspace.artifact(name).manifest()["frames"]) for name in names)
        except WorkspaceError:  # somebody has removed them
            return 0


def foretell(name: str, preset: str, options: Mapping[str, Any], frames: int) -> float | None:
    """Seconds that a training takes on two cores, by the table; None of a component that is not in it."""
    table = read_times()
    if name in table["epoch"] and "epochs" in options:
        return float(table["epoch"][name][preset] * options["epochs"] * frames / 1000)
    if name in table["step"] and "steps" in options:
        return float(table["step"][name][preset] * options["steps"])
    return None


@cache
def read_times() -> dict[str, dict[str, dict[str, float]]]:
    """The table of times: by what is counted, component and preset."""
    return tomllib.loads(files("deepdance_cli").joinpath("times.toml").read_text(encoding="utf-8"))


def format_time(seconds: float) -> str:
    """Seconds as people say them: 40 s, 6 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _describe(stage: _Stage, seconds: float) -> str:
    epochs = f" {stage.total} epochs" if "epochs" in stage.options and stage.total else ""
    return f"{stage.name}{epochs} about {format_time(seconds)}"


def _without_epochs(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != "epochs"}
