"""What a user asks for: a run from videos to a new dance, another dance from its models, a video danced on."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from deepdance import pipeline, preparation
from deepdance.array_files import load_array
from deepdance.arrays import Float32, Float64, UInt8
from deepdance.artifacts import Artifact
from deepdance.continuation import append, join, take_last_keyframes
from deepdance.errors import InputError, WorkspaceError
from deepdance.events import Progress, RunFinished, RunStarted, collect_warnings
from deepdance.folders import show_path
from deepdance.frames import Clip, Silhouettes, redraw
from deepdance.generation import take_opening
from deepdance.impression import SECONDS, Impression, Watch
from deepdance.inputs import expand_inputs, open_source, recipe_for, settle
from deepdance.interfaces import FrameCodec, History, SequenceModel
from deepdance.metrics.paper_table import PaperRow, build_row, measure_latent_reference, measure_pixel_reference
from deepdance.music.alignment import BeatAlignment
from deepdance.outputs import change_dance, check_place, choose_render_size, choose_renderer, name_dance
from deepdance.plugins import BUILT_IN, describe_code
from deepdance.recipe import Recipe
from deepdance.session import Session
from deepdance.soundtrack import Soundtrack, open_soundtrack
from deepdance.splits import Split, split_latents
from deepdance.storage import now, read_as, write_atomically, write_json
from deepdance.workspace import LONGEST_NAME, RESERVED, RunRecord, Workspace

DANCE_LATENTS = "dance.npy"
"""The latents that a run's dance begins with."""
VERSION = version("deepdance")
EXTENDED_SECONDS = 20.0
LEAST_TITLE = 10
"""Letters of a video's name that a run's name keeps, however long those of its models are."""

log = logging.getLogger("deepdance")


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
class Danced:
    """A dance that was written, how it looks, and how well it keeps to the beats, if there are any."""

    video: Path
    impression: Impression
    alignment: BeatAlignment | None
    beginning: Float32
    """The latents of its first minute `(n, d)`, at `render_fps`."""


@dataclass(frozen=True)
class Extended:
    """A video that was danced on, and how well the new dance keeps to the beats, if there are any."""

    video: Path
    alignment: BeatAlignment | None


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


def run(
    session: Session,
    recipe: Recipe,
    locations: Sequence[str] = (),
    name: str | None = None,
    *,
    force: bool = False,
    fresh: str | None = None,
    report: Callable[[Finished], None] = lambda finished: None,
) -> Finished:
    """The whole pipeline: videos → silhouettes → codec → latents → sequence model → new latents → video.

    Without locations the demo dancer is the source. What an earlier run has made already is used again. With `force`
    it learns from what cannot be a dancer too. `fresh` names a stage that is made anew, with all after it. `report` is
    called while nobody else can work on the run, before its end is told.
    """
    session = session.make_anew(fresh)
    inputs = expand_inputs(session.registry, locations)
    recipe = settle(recipe, session.registry, inputs)
    recipe.start.check_exists()
    recipe, soundtrack = open_soundtrack(recipe, session.registry)
    recipe = preparation.decide_removers(session, recipe, inputs)
    claimed = name or _make_name(inputs, recipe)
    with session.workspace.claim(claimed, exact=name is not None, inputs=inputs, recipe=recipe) as record:
        with collect_warnings() as told:
            finished = _make(session, record, recipe, soundtrack, told, force=force)
        report(finished)
        session.listen(RunFinished(record.name, finished.video))
        return finished


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
    record.artifacts = _train(session, recipe, record.inputs, force=force, note=note)
    session.workspace.record(record, recipe)
    opened = open_run(session, recipe, record)
    table = measure_paper_table(opened, record.name)
    size = _choose_size(opened, recipe, opened.artifacts["silhouettes"][0])
    danced = _write_dance(opened, recipe, soundtrack, size, video)
    _keep_latents(video.parent, danced.beginning)
    record.status, record.video, record.version = "finished", video.name, VERSION
    record.finished = now()
    record.looks, record.warnings = danced.impression.sentence, list(dict.fromkeys(told))
    session.workspace.record(record, recipe)
    return Finished(record, video.parent, video, table, danced.impression, danced.alignment, opened)


def _train(
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
    danced = _write_dance(opened, recipe, soundtrack, size, out)
    session.listen(RunFinished(name, out))
    return danced


def _write_dance(run: OpenedRun, recipe: Recipe, soundtrack: Soundtrack, size: tuple[int, int], out: Path) -> Danced:
    """A new dance as a file."""
    watch = Watch(recipe.fps, recipe.render_fps, run.frames.size)
    beginning: list[Float32] = []
    latents, alignment = _generate_latents(run, recipe, soundtrack)
    new = _keep_first(latents, ceil(SECONDS * recipe.render_fps), beginning)
    pipeline.render(run.session, recipe, watch.follow(_decode(run, recipe, new, size)), out)
    first = np.concatenate(beginning)
    impression = watch.compare(first, run.frames, run.latents, run.evaluated_from)
    return Danced(out, impression, alignment, first)


def _keep_latents(folder: Path, latents: Float32) -> None:
    with write_atomically(folder / DANCE_LATENTS) as temporary:
        np.save(temporary, latents)


def load_dance(run: OpenedRun, name: str) -> Float32:
    """Latents `(n, d)` of the first minute of a run's dance, at `render_fps`: those kept, else it is danced again."""
    path = run.session.workspace.run_folder(name) / DANCE_LATENTS
    if path.is_file():
        latents: Float32 = load_array(path)
        if latents.dtype == np.float32 and latents.ndim == 2 and latents.shape[1] == run.codec.latent_dim:
            return latents
    danced: list[Float32] = []
    most = ceil(SECONDS * run.recipe.render_fps)
    recipe, soundtrack = open_soundtrack(run.recipe, run.session.registry)
    with closing(_keep_first(_generate_latents(run, recipe, soundtrack)[0], most, danced)) as chunks:
        while sum(map(len, danced)) < most and next(chunks, None) is not None:
            pass
    return np.concatenate(danced)


def _keep_first(chunks: Iterable[Float32], most: int, kept: list[Float32]) -> Generator[Float32]:
    """The same chunks; `kept` gets the first rows of them."""
    for chunk in chunks:
        if most:
            kept.append(chunk[:most])
            most -= len(kept[-1])
        yield chunk


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
    new, alignment = _dance(opened, recipe, heard, opening)
    size = _choose_size(opened, recipe, prepared)
    continuation = join(_decode(opened, recipe, new, size), redraw(last[-1:], size)[0], recipe.render_fps)
    shown = (redraw(chunk, size) for chunk in video.chunks(pipeline.find_chunk_length(size)))
    pipeline.render(session, recipe, append(shown, continuation), out)
    session.listen(RunFinished(name, out))
    return Extended(out, alignment)


def _tell_start(session: Session, record: RunRecord, recipe: Recipe) -> None:
    session.listen(RunStarted(record.name, session.workspace.run_folder(record.name), recipe.table()))


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


def load_histories(session: Session, name: str) -> dict[str, History]:
    """What the trainings of a run noted of their epochs, by stage. Raises InputError, WorkspaceError."""
    made = _find_artifacts(session, session.workspace.open_run(name)[0])
    return {stage: pipeline.load_history(made[stage][0]) for stage in ("codec", "sequence")}


def _check_trained(record: RunRecord) -> None:
    if not record.is_trained:
        raise InputError(f"expected a run that has trained, got {record.name!r}, unfinished; run it again to go on")


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
    if _train(session, recipe, record.inputs, force=True) != record.artifacts:
        raise WorkspaceError(
            f"expected the videos and the code that {record.name!r} was made of, got others; `dd run` makes a new run "
            "of them"
        )


def generate_frames(run: OpenedRun, recipe: Recipe, size: tuple[int, int] | None = None) -> Iterator[UInt8]:
    """A new dance from a run's models, as chunks of silhouettes; `recipe` is the run's, or one with other openings.

    They are as the codec learned them, or drawn for `size` (height, width). Raises OptionError, InputError.
    """
    recipe, soundtrack = open_soundtrack(recipe, run.session.registry)
    return _decode(run, recipe, _generate_latents(run, recipe, soundtrack)[0], size)


def _generate_latents(
    run: OpenedRun, recipe: Recipe, soundtrack: Soundtrack
) -> tuple[Iterator[Float32], BeatAlignment | None]:
    """Chunks of latents, and how well they keep to the beats."""
    recipe.start.check_exists()
    video = None
    with run.translate_misfit():
        if recipe.start.kind == "video":
            video = run.codec.encode(_last_frames(run.session, recipe, run.model.context))
        return _dance(run, recipe, soundtrack.list_beats(0, recipe.frames / recipe.render_fps), video)


def _dance(
    run: OpenedRun, recipe: Recipe, beats: Float64, video: Float32 | None
) -> tuple[Iterator[Float32], BeatAlignment | None]:
    """To the beats where there are some."""
    given = recipe, run.model, run.latents, run.frames.clips
    if not len(beats):
        return pipeline.dance(*given, video=video), None
    latents, alignment = pipeline.dance_to(*given, beats, video=video)
    return iter([latents]), alignment


def _decode(
    run: OpenedRun, recipe: Recipe, latents: Iterable[Float32], size: tuple[int, int] | None
) -> Iterator[UInt8]:
    done, total = 0, pipeline.count_frames(recipe)
    with run.translate_misfit():
        for chunk in pipeline.decode_frames(run.codec, latents, size=size):
            yield chunk
            done += len(chunk)
            run.session.listen(Progress("render", done, total))


def _check_opening(session: Session, recipe: Recipe, context: int, clips: Sequence[Clip]) -> None:
    """Raise, before anything is trained, if the dance could not start where `--from` says."""
    if recipe.start.kind == "video":
        _last_frames(session, recipe, context)
    else:
        take_opening(recipe.start, context, np.zeros((clips[-1].stop, 1), np.float32), clips, recipe.seed)


def _last_frames(session: Session, recipe: Recipe, context: int) -> UInt8:
    """The last `context` silhouettes of the video that `--from` names. Raises InputError where a shot has too few."""
    location = recipe.start.video
    read_as = recipe_for(recipe, session.registry, location)
    artifact = preparation.prepare(session, read_as, location)
    preparation.check_dancer(session, read_as, location, artifact, force=True)
    frames = Silhouettes.load([artifact.folder])
    last = frames.clips[-1]
    if len(last) < context:
        raise InputError(
            f"expected at least {context} frames in {location} to start from, got {len(last)} "
            f"at {recipe.fps:g} frames a second; give a longer video"
        )
    return frames[last.stop - context : last.stop]


def _make_name(inputs: Sequence[str], recipe: Recipe) -> str:
    """A name that every file system takes: letters of any script, no longer than `LONGEST_NAME`."""
    first = Path(inputs[0]).stem if len(inputs) == 1 else Path(inputs[0]).parent.name
    models = _replace_signs(f"-{recipe.codec.name}-{recipe.sequence.name}")[: LONGEST_NAME - LEAST_TITLE]
    title = _replace_signs(first)[: LONGEST_NAME - len(models)].strip("-._") or "run"
    name = f"{title}{models}".rstrip("-.")
    return name.replace(".", "_") if RESERVED.match(name) else name


def _replace_signs(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", text))
