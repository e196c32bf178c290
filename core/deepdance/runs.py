"""What a user asks for: a run from videos to a new dance, another dance from its models, a video danced on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import deepdance
from deepdance import pipeline
from deepdance.errors import InputError, OptionError
from deepdance.evaluation.paper_table import Row, latent_reference, pixel_reference, table_row
from deepdance.events import RunFinished, RunStarted
from deepdance.frames import Clip, Silhouettes, natural_order
from deepdance.generation import starting_latents
from deepdance.interfaces import Float32, FrameCodec, SequenceModel, UInt8
from deepdance.pipeline import DEMO, Studio
from deepdance.plugins import Registry
from deepdance.recipe import Recipe, apply_settings
from deepdance.validation import validated
from deepdance.workspace import Artifact, Run, read_json, write_json

STARTS = ("last", "random", "noise")
FADE_SECONDS = 0.5
"""How long the last real frame lingers in a continuation."""


@dataclass(frozen=True)
class Finished:
    """A run that is done."""

    run: Run
    folder: Path
    video: Path
    table: list[Row]


@dataclass(frozen=True)
class Trained:
    """A run's models and the data they learned from, opened."""

    codec: FrameCodec[Any]
    model: SequenceModel[Any]
    latents: Float32
    clips: list[Clip]


def run(studio: Studio, recipe: Recipe, locations: Sequence[str] = (), name: str | None = None) -> Finished:
    """The whole pipeline: videos → silhouettes → codec → latents → sequence model → new latents → video.

    Without locations the demo dancer is the source. What an earlier run has made already is used again.
    """
    inputs = expand(studio.registry, locations)
    recipe = pipeline.settle(studio, recipe, inputs)
    _check_start_exists(recipe)
    record = studio.workspace.claim(
        name or _default_name(inputs, recipe), exact=name is not None, inputs=inputs, recipe=recipe
    )
    _started(studio, record, recipe)
    prepared = [pipeline.prepare(studio, recipe, location) for location in inputs]
    frames = Silhouettes.load([artifact.folder for artifact in prepared])
    _check_start(studio, recipe, pipeline.check_length(studio, recipe, frames.clips), frames.clips)
    codec = pipeline.fit_codec(studio, recipe, prepared)
    latents = pipeline.encode(studio, recipe, codec, prepared)
    sequence = pipeline.fit_sequence(studio, recipe, latents, frames.clips)
    stages = {"silhouettes": prepared, "codec": [codec], "latents": [latents], "sequence": [sequence]}
    record.artifacts = {stage: [artifact.folder.name for artifact in made] for stage, made in stages.items()}
    studio.workspace.record(record, recipe)
    table = paper_table(studio, recipe, record)
    video = studio.workspace.run_folder(record.name) / f"dance{_suffix(studio.registry, recipe.renderer.name)}"
    _render_dance(studio, recipe, record, video)
    record.status, record.video, record.version = "finished", video.name, deepdance.__version__
    studio.workspace.record(record, recipe)
    studio.listen(RunFinished(record.name, video))
    return Finished(record, studio.workspace.run_folder(record.name), video, table)


def generate(studio: Studio, name: str, out: Path, changes: dict[str, Any]) -> Path:
    """Another dance from a run's models. `changes` are recipe entries: frames, render_fps, start, temperature, seed."""
    record, recipe = studio.workspace.open_run(name)
    recipe = recipe.changed(changes)
    _refuse_overwriting(recipe.start, out)
    _started(studio, record, recipe)
    _render_dance(studio, recipe, record, out)
    studio.listen(RunFinished(name, out))
    return out


def extend(studio: Studio, name: str, location: str, seconds: float, out: Path) -> Path:
    """The silhouettes of a video followed by their continuation, at the run's `render_fps`.

    The first new frame follows the video's very last one. What the codec loses of that last frame is given back to the
    new frames, fading within `FADE_SECONDS`, so that nothing jumps at the joint.
    """
    record, recipe = studio.workspace.open_run(name)
    recipe = recipe.changed({"start": location, "frames": 1 + round(seconds * recipe.render_fps)})
    _refuse_overwriting(location, out)
    renderer = renderer_for(studio.registry, recipe, out)
    _started(studio, record, recipe)
    read_as = reading(studio, recipe, location)
    if pipeline.open_source(studio, read_as, location)[1].info().fps is None:
        raise InputError(f"expected a video with a frame rate to extend, got {location}; make a video of it first")
    trained = open_trained(studio, recipe, record)
    artifact = pipeline.prepare(studio, read_as, location, fps=recipe.render_fps)
    video = Silhouettes.load([artifact.folder])
    stride = recipe.render_fps / recipe.fps
    picks = len(video) - 1 - np.rint(np.arange(trained.model.context)[::-1] * stride).astype(int)
    if picks[0] < video.clips[-1].start:
        raise InputError(
            f"expected at least {trained.model.context / recipe.fps:.1f} s after the last camera cut of {location} to "
            f"continue from, got {(len(video) - video.clips[-1].start) / recipe.render_fps:.1f} s; give a longer video"
        )
    opening = trained.codec.encode(video[picks])
    new = pipeline.dance(studio, recipe, trained.model, trained.latents, trained.clips, seed_clip=opening)
    fade = round(FADE_SECONDS * recipe.render_fps)
    continuation = _joined(pipeline.decoded(studio, trained.codec, new), video[picks[-1:]][0], fade)
    pipeline.render(studio, recipe, _after(video, continuation), out, renderer)
    studio.listen(RunFinished(name, out))
    return out


def _started(studio: Studio, record: Run, recipe: Recipe) -> None:
    studio.listen(RunStarted(record.name, studio.workspace.run_folder(record.name), recipe.table()))


def _joined(chunks: Iterator[UInt8], last: UInt8, fade: int) -> Iterator[UInt8]:
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


def _after(video: Silhouettes, continuation: Iterator[UInt8]) -> Iterator[UInt8]:
    """The video, then its continuation without the frame that both share."""
    yield from video.chunks()
    first = next(continuation)
    if len(first) > 1:
        yield first[1:]
    yield from continuation


def paper_table(studio: Studio, recipe: Recipe, record: Run) -> list[Row]:
    """The paper's table of a run, measured on its held-out frames once and kept."""
    made = artifacts_of(studio, record)
    keys = {stage: [artifact.key for artifact in artifacts] for stage, artifacts in made.items()}

    def work(folder: Path) -> dict[str, Any]:
        rows = [asdict(row) for row in _table_rows(studio, recipe, made)]
        write_json(folder / "table.json", {"rows": rows})
        return {}

    artifact = studio.make("evaluation", {"artifacts": keys, "version": deepdance.__version__}, work)
    rows = read_json(artifact.folder / "table.json")["rows"]
    write_json(studio.workspace.run_folder(record.name) / "metrics.json", {"paper_table": rows})
    return [Row(**row) for row in rows]


def artifacts_of(studio: Studio, record: Run) -> dict[str, list[Artifact]]:
    """What a run has made, by stage. Raises InputError if it came to nothing, WorkspaceError if it is gone."""
    if not record.artifacts:
        raise InputError(f"expected a run that has trained, got {record.name!r}, unfinished; run it again to go on")
    return {stage: [studio.workspace.artifact(name) for name in names] for stage, names in record.artifacts.items()}


def _table_rows(studio: Studio, recipe: Recipe, made: dict[str, list[Artifact]]) -> list[Row]:
    frames = Silhouettes.load([artifact.folder for artifact in made["silhouettes"]])
    latents = pipeline.load_latents(made["latents"][0])
    context = pipeline.context_of(studio, recipe)
    cut = pipeline.split_point(len(frames), recipe.validation)
    held_out = frames.between(cut if cut < len(frames) else 0, len(frames))
    train, validation = pipeline.split_clips(latents, frames.clips, recipe.validation, context)
    codec, sequence = (pipeline.history_of(made[stage][0]) for stage in ("codec", "sequence"))
    return [
        table_row("codec", recipe.codec.name, codec, pixel_reference(held_out)),
        table_row("sequence", recipe.sequence.name, sequence, latent_reference(validation or train, context)),
    ]


def open_trained(studio: Studio, recipe: Recipe, record: Run) -> Trained:
    """Load what a run has trained. Raises WorkspaceError."""
    made = artifacts_of(studio, record)
    return Trained(
        pipeline.load_codec(studio, recipe, made["codec"][0]),
        pipeline.load_sequence(studio, recipe, made["sequence"][0]),
        pipeline.load_latents(made["latents"][0]),
        Silhouettes.load([artifact.folder for artifact in made["silhouettes"]]).clips,
    )


def _render_dance(studio: Studio, recipe: Recipe, record: Run, out: Path) -> None:
    renderer = renderer_for(studio.registry, recipe, out)
    trained = open_trained(studio, recipe, record)
    pipeline.render(studio, recipe, danced(studio, recipe, trained), out, renderer)


def danced(studio: Studio, recipe: Recipe, trained: Trained) -> Iterator[UInt8]:
    """A new dance from trained models, as chunks of silhouettes. Raises OptionError, InputError."""
    seed_clip = _seed_clip(studio, recipe, trained)
    new = pipeline.dance(studio, recipe, trained.model, trained.latents, trained.clips, seed_clip=seed_clip)
    return pipeline.decoded(studio, trained.codec, new)


def _check_start_exists(recipe: Recipe) -> None:
    if not _starts_inside(recipe) and not Path(recipe.start).exists():
        raise OptionError(f"--from: expected last, random, noise, a frame number or a video, got {recipe.start!r}")


def _check_start(studio: Studio, recipe: Recipe, context: int, clips: Sequence[Clip]) -> None:
    """Raise, before anything is trained, if the dance could not start where `--from` says."""
    seed = None if _starts_inside(recipe) else np.zeros((len(_seed_frames(studio, recipe, context)), 1), np.float32)
    starting_latents(recipe, context, np.zeros((clips[-1].stop, 1), np.float32), clips, seed)


def _starts_inside(recipe: Recipe) -> bool:
    return recipe.start in STARTS or recipe.start.isdecimal()


def _seed_frames(studio: Studio, recipe: Recipe, context: int) -> UInt8:
    """The last silhouettes, at most `context`, of the video that `--from` names."""
    artifact = pipeline.prepare(studio, reading(studio, recipe, recipe.start), recipe.start)
    frames = Silhouettes.load([artifact.folder])
    last = frames.clips[-1]
    return frames[max(last.start, last.stop - context) : last.stop]


def _seed_clip(studio: Studio, recipe: Recipe, trained: Trained) -> Float32 | None:
    """The latents of the video that `--from` names, or nothing."""
    _check_start_exists(recipe)
    if _starts_inside(recipe):
        return None
    return trained.codec.encode(_seed_frames(studio, recipe, trained.model.context))


def reading(
    studio: Studio, recipe: Recipe, location: str, remover: str | None = None, settings: Sequence[str] = ()
) -> Recipe:
    """The recipe with the source that reads `location`: the recipe's own, with its options, if it can.

    It may be given another `remover`, and `settings` such as `remover.level=auto`. Raises OptionError.
    """
    chosen = {"source": pipeline.source_for(studio.registry, location), "remover": remover or recipe.remover.name}
    changed = recipe.changed({kind: name for kind, name in chosen.items() if name != getattr(recipe, kind).name})
    return validated(Recipe, apply_settings(changed.table(only_set=True), settings)) if settings else changed


def _refuse_overwriting(location: str, out: Path) -> None:
    if out.exists() and Path(location).exists() and out.samefile(location):
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


def expand(registry: Registry, locations: Sequence[str]) -> list[str]:
    """Inputs as absolute paths; a folder that holds videos stands for them, in natural order. None: the demo."""
    inputs: list[str] = []
    for location in locations:
        path = Path(location)
        if location == DEMO and not path.exists():
            inputs.append(DEMO)
        elif not path.exists():
            raise InputError(
                f"expected a video, a folder of images or an array, got {location}, which does not exist; "
                "check the path"
            )
        else:
            inputs += [str(p) for p in _videos_in(registry, path)] or [str(path.absolute())]
    return inputs or [DEMO]


def _videos_in(registry: Registry, folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    videos = [p.absolute() for p in files if registry.for_suffix("source", p.suffix)]
    return sorted(videos, key=natural_order)


def _default_name(inputs: Sequence[str], recipe: Recipe) -> str:
    first = Path(inputs[0]).stem if len(inputs) == 1 else Path(inputs[0]).parent.name
    return re.sub(r"[^\w.-]+", "_", f"{first}-{recipe.codec.name}-{recipe.sequence.name}").lstrip("-.") or "run"
