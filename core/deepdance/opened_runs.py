"""What a run has made: opened, made again where it is gone, and measured."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from deepdance import pipeline, preparation
from deepdance.arrays import Float32
from deepdance.artifacts import Artifact
from deepdance.errors import InputError, WorkspaceError
from deepdance.folders import show_path
from deepdance.frames import Clip, Silhouettes
from deepdance.generation import take_opening
from deepdance.interfaces import FrameCodec, History, SequenceModel
from deepdance.metrics.paper_table import PaperRow, build_row, measure_latent_reference, measure_pixel_reference
from deepdance.packing import PackedModel
from deepdance.plugins import BUILT_IN, describe_code
from deepdance.recipe import Recipe
from deepdance.session import Session
from deepdance.splits import Split, split_latents
from deepdance.storage import read_as, write_json
from deepdance.workspace import RunRecord, Workspace

VERSION = version("deepdance")

log = logging.getLogger("deepdance")


@dataclass(frozen=True)
class OpenedRun:
    """What a run has made, each opened once and only when it is asked for."""

    session: Session
    recipe: Recipe
    artifacts: Mapping[str, Sequence[Artifact]]

    @cached_property
    def frames(self) -> Silhouettes:
        """All silhouettes of the run's videos."""
        frames = Silhouettes.load([artifact.folder for artifact in self.artifacts["silhouettes"]])
        if frames.size != self.recipe.size:
            raise WorkspaceError(
                f"expected silhouettes of {self.recipe.size}, as the recipe says, got {frames.size}; make the run again"
            )
        return frames

    @cached_property
    def codec(self) -> FrameCodec[Any]:
        """The trained codec."""
        return pipeline.load_codec(self.session, self.recipe, self.artifacts["codec"][0])

    @cached_property
    def packed_codec(self) -> PackedModel:
        """The trained codec, as it goes to other processes."""
        return PackedModel(self.recipe, "codec", self.artifacts["codec"][0], self.codec)

    @cached_property
    def latents(self) -> Float32:
        """The latents `(n, d)` of all frames."""
        latents = pipeline.load_latents(self.artifacts["latents"][0])
        if latents.shape != (len(self.frames), self.codec.latent_dim):
            raise WorkspaceError(
                f"expected latents {(len(self.frames), self.codec.latent_dim)}, one a frame, got {latents.shape}; "
                f"delete the folder {show_path(self.artifacts['latents'][0].folder)} and run again"
            )
        return latents

    @cached_property
    def model(self) -> SequenceModel[Any]:
        """The trained sequence model."""
        model = pipeline.load_sequence(self.session, self.recipe, self.artifacts["sequence"][0])
        longest = max(map(len, self.frames.clips))
        if model.context > longest:
            raise WorkspaceError(
                f"expected a sequence model that looks back on at most {longest} frames, as long as the longest clip, "
                f"got {model.context} in the recipe; make the run again"
            )
        return model

    def translate_misfit(self) -> AbstractContextManager[None]:
        """Meanwhile what its models raise is told as `pipeline.translate_misfit` says."""
        return pipeline.translate_misfit(self.session, self.artifacts["codec"][0], self.artifacts["sequence"][0])

    @property
    def evaluated_from(self) -> int:
        """The first frame that figures are taken from."""
        return Split.of(self.frames.clips, self.recipe.validation).evaluated_from

    @property
    def held_out(self) -> Silhouettes:
        """The frames that figures are taken from."""
        return self.frames.between(self.evaluated_from, len(self.frames))

    def describe(self, stages: Iterable[str]) -> dict[str, Any]:
        """What decides the figures that are taken of what these stages made: that, and the code which takes them.

        Models are run by the code of today, whatever code trained them.
        """
        made = {stage: [artifact.key for artifact in self.artifacts[stage]] for stage in stages}
        names = {kind: getattr(self.recipe, kind).name for kind in ("codec", "sequence") if kind in made}
        models = [self.session.registry.find(kind, name).describe_code() for kind, name in names.items()]
        return {"artifacts": made, "code": [describe_code(BUILT_IN, VERSION), *models]}


def open_run(session: Session, recipe: Recipe, record: RunRecord, read_anew: str = "") -> OpenedRun:
    """What a run has made; what was warned of its videos is told again, but of one that is `read_anew` anyway.

    Raises InputError if it came to nothing, WorkspaceError if it is gone and cannot be made again.
    """
    made = _find_artifacts(session, record)
    for artifact, location in zip(made["silhouettes"], record.inputs, strict=False):
        if location != read_anew:
            preparation.tell_kept_warnings(artifact, location)
    return OpenedRun(session, recipe, made)


def check_trained(workspace: Workspace, name: str) -> None:
    """Raise InputError, WorkspaceError if there is nothing to measure of a run."""
    _check_trained(workspace.open_run(name)[0])


def _check_trained(record: RunRecord) -> None:
    if not record.is_trained:
        raise InputError(f"expected a run that has trained, got {record.name!r}, unfinished; run it again to go on")


def load_histories(session: Session, name: str) -> dict[str, History]:
    """What the trainings of a run noted of their epochs, by stage. Raises InputError, WorkspaceError."""
    made = _find_artifacts(session, session.workspace.open_run(name)[0])
    return {stage: pipeline.load_history(made[stage][0]) for stage in ("codec", "sequence")}


def _find_artifacts(session: Session, record: RunRecord) -> dict[str, list[Artifact]]:
    """What a run has made, by stage; what of it is damaged or gone is made again.

    Raises InputError if it came to nothing, WorkspaceError if it cannot be made again as it was.
    """
    _check_trained(record)
    store = session.workspace.artifacts
    found = {stage: [store.open(name) for name in names] for stage, names in record.artifacts.items()}
    if not all(artifact for made in found.values() for artifact in made):
        _restore(session, record)
        found = {stage: [store.open(name) for name in names] for stage, names in record.artifacts.items()}
    return {stage: [artifact for artifact in made if artifact] for stage, made in found.items()}


def _restore(session: Session, record: RunRecord) -> None:
    """Make again what a run has lost, from its videos, by its own recipe. Raises InputError, WorkspaceError."""
    log.warning("%s: not all that it was made of is there; what is missing is made again", record.name)
    recipe = session.workspace.open_run(record.name)[1]
    pipeline.import_components(session, recipe)
    if train(session, recipe, record.inputs, force=True) != record.artifacts:
        raise WorkspaceError(
            f"expected the videos and the code that {record.name!r} was made of, got others; `dd run` makes a new run "
            "of them"
        )


def train(
    session: Session,
    recipe: Recipe,
    inputs: Sequence[str],
    *,
    force: bool,
    note: Callable[[dict[str, list[str]]], None] = lambda artifacts: None,
) -> dict[str, list[str]]:
    """The names of what a run is made of, by stage: silhouettes, codec, latents, sequence model.

    `note` is told them before each training: what an interrupted run goes on from is known as its own.
    """
    made: dict[str, list[str]] = {}

    def add(stage: str, artifacts: Sequence[Artifact]) -> None:
        made[stage] = [artifact.folder.name for artifact in artifacts]

    prepared = preparation.prepare_all(session, [recipe] * len(inputs), inputs)
    clips = Silhouettes.load([artifact.folder for artifact in prepared]).clips
    _check_opening(session, recipe, pipeline.check_length(session, recipe, clips), clips)
    for location, artifact in zip(inputs, prepared, strict=True):
        preparation.check_dancer(session, recipe, location, artifact, force=force)
    add("silhouettes", prepared)
    note(made)
    codec = pipeline.fit_codec(session, recipe, prepared)
    latents = pipeline.encode(session, recipe, codec, prepared)
    add("codec", [codec])
    add("latents", [latents])
    note(made)
    add("sequence", [pipeline.fit_sequence(session, recipe, latents, clips)])
    return made


def _check_opening(session: Session, recipe: Recipe, context: int, clips: Sequence[Clip]) -> None:
    """Raise, before anything is trained, if the dance could not start where `--from` says."""
    if recipe.start.kind == "video":
        preparation.take_last_frames(session, recipe, context)
    else:
        take_opening(recipe.start, context, np.zeros((clips[-1].stop, 1), np.float32), clips, recipe.seed)


def measure_paper_table(run: OpenedRun, name: str) -> list[PaperRow]:
    """The paper's table of a run, measured on its held-out frames once and kept."""

    def work(folder: Path) -> dict[str, Any]:
        with run.translate_misfit():
            write_json(folder / "table.json", {"rows": [asdict(row) for row in _measure_rows(run)]})
        return {}

    session = run.session
    artifact = session.make("evaluation", run.describe(run.artifacts), work)
    rows = read_as(artifact.folder / "table.json", dict[str, list[PaperRow]]).get("rows", [])
    plain = [asdict(row) for row in rows]
    write_json(session.workspace.run_folder(name) / "metrics.json", {"paper_table": plain})
    return rows


def _measure_rows(run: OpenedRun) -> list[PaperRow]:
    recipe, context = run.recipe, pipeline.find_context(run.session, run.recipe)
    train, validation = split_latents(run.latents, run.frames.clips, recipe.validation, context)
    codec, sequence = (pipeline.load_history(run.artifacts[stage][0]) for stage in ("codec", "sequence"))
    pixels = measure_pixel_reference(run.held_out.neighbours())
    latents = measure_latent_reference(validation or train, context)
    windows = sum(max(len(clip) - context, 0) for clip in validation)
    return [
        build_row("codec", recipe.codec.name, codec, pixels, len(run.held_out) if run.evaluated_from else 0),
        build_row("sequence", recipe.sequence.name, sequence, latents, windows),
    ]
