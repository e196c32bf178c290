"""What a user asks for: a run from videos to a new dance, another dance from its models, a video danced on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from deepdance import pipeline
from deepdance.arrays import Float32, UInt8
from deepdance.errors import InputError, OptionError
from deepdance.events import RunFinished, RunStarted
from deepdance.frames import Clip, Silhouettes
from deepdance.generation import take_opening
from deepdance.inputs import expand_inputs, open_source, recipe_for, settle
from deepdance.interfaces import FrameCodec, SequenceModel
from deepdance.metrics.paper_table import PaperRow, build_row, measure_latent_reference, measure_pixel_reference
from deepdance.pipeline import Session
from deepdance.plugins import Registry
from deepdance.recipe import Recipe
from deepdance.splits import Split, split_latents
from deepdance.workspace import Artifact, RunRecord, read_json, write_json

VERSION = version("deepdance")
FADE_SECONDS = 0.5
"""How long the last real frame lingers in a continuation."""


@dataclass(frozen=True)
class Finished:
    """A run that is done."""

    run: RunRecord
    folder: Path
    video: Path
    table: list[PaperRow]


@dataclass(frozen=True)
class Trained:
    """A run's models and the data they learned from, opened."""

    codec: FrameCodec[Any]
    model: SequenceModel[Any]
    latents: Float32
    clips: list[Clip]


def run(session: Session, recipe: Recipe, locations: Sequence[str] = (), name: str | None = None) -> Finished:
    """The whole pipeline: videos → silhouettes → codec → latents → sequence model → new latents → video.

    Without locations the demo dancer is the source. What an earlier run has made already is used again.
    """
    inputs = expand_inputs(session.registry, locations)
    recipe = settle(recipe, session.registry, inputs)
    recipe.start.check_exists()
    record = session.workspace.claim(
        name or _default_name(inputs, recipe), exact=name is not None, inputs=inputs, recipe=recipe
    )
    _tell_start(session, record, recipe)
    pipeline.import_components(session, recipe)
    prepared = [pipeline.prepare(session, recipe, location) for location in inputs]
    frames = Silhouettes.load([artifact.folder for artifact in prepared])
    _check_opening(session, recipe, pipeline.check_length(session, recipe, frames.clips), frames.clips)
    codec = pipeline.fit_codec(session, recipe, prepared)
    latents = pipeline.encode(session, recipe, codec, prepared)
    sequence = pipeline.fit_sequence(session, recipe, latents, frames.clips)
    stages = {"silhouettes": prepared, "codec": [codec], "latents": [latents], "sequence": [sequence]}
    record.artifacts = {stage: [artifact.folder.name for artifact in made] for stage, made in stages.items()}
    session.workspace.record(record, recipe)
    table = measure_paper_table(session, recipe, record)
    video = session.workspace.run_folder(record.name) / f"dance{_suffix(session.registry, recipe.renderer.name)}"
    _render_dance(session, recipe, record, video)
    record.status, record.video, record.version = "finished", video.name, VERSION
    session.workspace.record(record, recipe)
    session.listen(RunFinished(record.name, video))
    return Finished(record, session.workspace.run_folder(record.name), video, table)


def generate(session: Session, name: str, out: Path, changes: Mapping[str, Any]) -> Path:
    """Another dance from a run's models. `changes` are recipe entries: frames, render_fps, start, temperature, seed."""
    record, recipe = session.workspace.open_run(name)
    recipe = recipe.changed(changes)
    _refuse_overwriting(recipe.start.video, out)
    _tell_start(session, record, recipe)
    pipeline.import_components(session, recipe)
    _render_dance(session, recipe, record, out)
    session.listen(RunFinished(name, out))
    return out


def extend(session: Session, name: str, location: str, seconds: float, out: Path) -> Path:
    """The silhouettes of a video followed by their continuation, at the run's `render_fps`.

    The first new frame follows the video's very last one. What the codec loses of that last frame is given back to the
    new frames, fading within `FADE_SECONDS`, so that nothing jumps at the joint.
    """
    record, recipe = session.workspace.open_run(name)
    recipe = recipe.changed({"start": location, "frames": 1 + round(seconds * recipe.render_fps)})
    _refuse_overwriting(location, out)
    renderer = renderer_for(session.registry, recipe, out)
    _tell_start(session, record, recipe)
    read_as = recipe_for(recipe, session.registry, location)
    if open_source(read_as, session.registry, location)[1].info().fps is None:
        raise InputError(f"expected a video with a frame rate to extend, got {location}; make a video of it first")
    pipeline.import_components(session, recipe)
    trained = open_trained(session, recipe, record)
    video = Silhouettes.load([pipeline.prepare(session, read_as, location, fps=recipe.render_fps).folder])
    last = _last_keyframes(video, trained.model.context, recipe)
    new = pipeline.dance(recipe, trained.model, trained.latents, trained.clips, video=trained.codec.encode(last))
    fade = round(FADE_SECONDS * recipe.render_fps)
    continuation = _join(pipeline.decode_frames(session, trained.codec, new), last[-1], fade)
    pipeline.render(session, recipe, _append(video, continuation), out, renderer)
    session.listen(RunFinished(name, out))
    return out


def _last_keyframes(video: Silhouettes, context: int, recipe: Recipe) -> UInt8:
    """Of a video at `render_fps` the last `context` frames that lie as far apart as the model's. Raises InputError."""
    stride = recipe.render_fps / recipe.fps
    picks = len(video) - 1 - np.rint(np.arange(context)[::-1] * stride).astype(int)
    start = video.clips[-1].start
    if picks[0] < start:
        raise InputError(
            f"expected at least {context / recipe.fps:.1f} s after the last camera cut of {recipe.start} to "
            f"continue from, got {(len(video) - start) / recipe.render_fps:.1f} s; give a longer video"
        )
    return video[picks]


def _tell_start(session: Session, record: RunRecord, recipe: Recipe) -> None:
    session.listen(RunStarted(record.name, session.workspace.run_folder(record.name), recipe.table()))


def _join(chunks: Iterator[UInt8], last: UInt8, fade: int) -> Iterator[UInt8]:
    """Decoded frames that begin at `last`: the first one's error is taken off, less and less over `fade` frames."""
    error = None
    shown = 0
    for chunk in chunks:
        frames = chunk.astype(np.float32)
        if error is None:
            error = last.astype(np.float32) - frames[0]
        weight = np.maximum(1 - np.arange(shown, shown + len(frames)) / max(fade, 1), 0).astype(np.float32)
        yield np.clip(np.rint(frames + weight[:, None, None] * error), 0, 255).astype(np.uint8)
        shown += len(frames)


def _append(video: Silhouettes, continuation: Iterator[UInt8]) -> Iterator[UInt8]:
    """The video, then its continuation without the frame that both share."""
    yield from video.chunks()
    first = next(continuation)
    if len(first) > 1:
        yield first[1:]
    yield from continuation


def measure_paper_table(session: Session, recipe: Recipe, record: RunRecord) -> list[PaperRow]:
    """The paper's table of a run, measured on its held-out frames once and kept."""
    made = open_artifacts(session, record)
    keys = {stage: [artifact.key for artifact in artifacts] for stage, artifacts in made.items()}

    def work(folder: Path) -> dict[str, Any]:
        rows = [asdict(row) for row in _measure_rows(session, recipe, made)]
        write_json(folder / "table.json", {"rows": rows})
        return {}

    artifact = session.make("evaluation", {"artifacts": keys, "version": VERSION}, work)
    rows = read_json(artifact.folder / "table.json")["rows"]
    write_json(session.workspace.run_folder(record.name) / "metrics.json", {"paper_table": rows})
    return [PaperRow(**row) for row in rows]


def open_artifacts(session: Session, record: RunRecord) -> dict[str, list[Artifact]]:
    """What a run has made, by stage. Raises InputError if it came to nothing, WorkspaceError if it is gone."""
    if not record.artifacts:
        raise InputError(f"expected a run that has trained, got {record.name!r}, unfinished; run it again to go on")
    return {stage: [session.workspace.artifact(name) for name in names] for stage, names in record.artifacts.items()}


def _measure_rows(session: Session, recipe: Recipe, made: dict[str, list[Artifact]]) -> list[PaperRow]:
    frames = Silhouettes.load([artifact.folder for artifact in made["silhouettes"]])
    latents = pipeline.load_latents(made["latents"][0])
    context = pipeline.find_context(session, recipe)
    held_out = frames.between(Split.of(frames.clips, recipe.validation).evaluated_from, len(frames))
    train, validation = split_latents(latents, frames.clips, recipe.validation, context)
    codec, sequence = (pipeline.load_history(made[stage][0]) for stage in ("codec", "sequence"))
    return [
        build_row("codec", recipe.codec.name, codec, measure_pixel_reference(held_out.neighbours())),
        build_row("sequence", recipe.sequence.name, sequence, measure_latent_reference(validation or train, context)),
    ]


def open_trained(session: Session, recipe: Recipe, record: RunRecord) -> Trained:
    """Load what a run has trained. Raises WorkspaceError."""
    made = open_artifacts(session, record)
    return Trained(
        pipeline.load_codec(session, recipe, made["codec"][0]),
        pipeline.load_sequence(session, recipe, made["sequence"][0]),
        pipeline.load_latents(made["latents"][0]),
        Silhouettes.load([artifact.folder for artifact in made["silhouettes"]]).clips,
    )


def _render_dance(session: Session, recipe: Recipe, record: RunRecord, out: Path) -> None:
    renderer = renderer_for(session.registry, recipe, out)
    trained = open_trained(session, recipe, record)
    pipeline.render(session, recipe, generate_frames(session, recipe, trained), out, renderer)


def generate_frames(session: Session, recipe: Recipe, trained: Trained) -> Iterator[UInt8]:
    """A new dance from trained models, as chunks of silhouettes. Raises OptionError, InputError."""
    recipe.start.check_exists()
    video = None
    if recipe.start.kind == "video":
        video = trained.codec.encode(_last_frames(session, recipe, trained.model.context))
    new = pipeline.dance(recipe, trained.model, trained.latents, trained.clips, video=video)
    return pipeline.decode_frames(session, trained.codec, new)


def _check_opening(session: Session, recipe: Recipe, context: int, clips: Sequence[Clip]) -> None:
    """Raise, before anything is trained, if the dance could not start where `--from` says."""
    if recipe.start.kind == "video":
        _last_frames(session, recipe, context)
    else:
        take_opening(recipe.start, context, np.zeros((clips[-1].stop, 1), np.float32), clips, recipe.seed)


def _last_frames(session: Session, recipe: Recipe, context: int) -> UInt8:
    """The last `context` silhouettes of the video that `--from` names. Raises InputError where a shot has too few."""
    location = recipe.start.video
    artifact = pipeline.prepare(session, recipe_for(recipe, session.registry, location), location)
    frames = Silhouettes.load([artifact.folder])
    last = frames.clips[-1]
    if len(last) < context:
        raise InputError(
            f"expected at least {context} frames in {location} to start from, got {len(last)} "
            f"at {recipe.fps:g} frames a second; give a longer video"
        )
    return frames[last.stop - context : last.stop]


def _refuse_overwriting(location: str, out: Path) -> None:
    if location and out.exists() and Path(location).exists() and out.samefile(location):
        raise OptionError(f"--out: expected another file than the video that is read, got {out}; choose another name")


def renderer_for(registry: Registry, recipe: Recipe, out: Path) -> str:
    """The renderer that writes files ending as `out` does. Raises OptionError."""
    entry = registry.for_suffix("renderer", out.suffix)
    chosen = registry.find("renderer", recipe.renderer.name).spec
    if out.suffix in chosen.suffixes:
        return recipe.renderer.name
    if entry is None:
        known = sorted(s for e in registry.entries if e.spec.kind == "renderer" for s in e.spec.suffixes)
        raise OptionError(f"--out: expected a name ending in {', '.join(known)}, got {out.name!r}")
    return registry.reference(entry)


def _suffix(registry: Registry, renderer: str) -> str:
    return registry.find("renderer", renderer).spec.suffixes[0]


def _default_name(inputs: Sequence[str], recipe: Recipe) -> str:
    first = Path(inputs[0]).stem if len(inputs) == 1 else Path(inputs[0]).parent.name
    return re.sub(r"[^\w.-]+", "_", f"{first}-{recipe.codec.name}-{recipe.sequence.name}").lstrip("-.") or "run"
