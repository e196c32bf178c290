"""The stages in their order, each a plain function from inputs to an artifact.

prepare → fit_codec → encode → fit_sequence → dance → decode_frames → render
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepdance.arrays import Float32, UInt8, sample_evenly
from deepdance.errors import InputError
from deepdance.events import Progress, StageFinished, StageStarted
from deepdance.frames import Clip, Silhouettes, SilhouetteWriter, shrink
from deepdance.generation import count_keyframes, interpolate, take_opening
from deepdance.inputs import open_source, show_location
from deepdance.interfaces import FrameCodec, History, SequenceModel
from deepdance.plausibility import Doubt, find_doubt
from deepdance.plugins import KINDS
from deepdance.recipe import AUTO, Recipe
from deepdance.session import Session
from deepdance.splits import Split, split_frames, split_latents
from deepdance.workspace import Artifact, write_atomically

REMOVAL_SCALE = 4
"""Backgrounds are removed at this many times the silhouettes' size (the paper: 800×480, then a quarter)."""
DECODE_BATCH = 64
SHEET_FRAMES = 120
"""Frames that a sheet chooses from: reading all of a long video's back would map it into memory."""
PERSON = "person"
"""The remover that finds people before any background."""

log = logging.getLogger("deepdance")


def import_components(session: Session, recipe: Recipe) -> None:
    """Import what the recipe names before any work is done: what cannot be had is told at once. Raises PluginError."""
    session.listen(StageStarted("models", f"{recipe.codec.name}, {recipe.sequence.name}"))
    for kind in KINDS:
        name = getattr(recipe, kind).name
        if name != AUTO:
            session.registry.component(kind, name)
    session.listen(StageFinished("models", reused=False))


def prepare(session: Session, recipe: Recipe, location: str, *, fps: float | None = None) -> Artifact:
    """Source → remover → silhouettes on disk, for one input."""
    fps = recipe.fps if fps is None else fps
    name, source = open_source(recipe, session.registry, location)
    info = source.info()
    inputs = {
        "source": describe_component(session, "source", name, source.options),
        "video": source.fingerprint(),
        "remover": None if info.silhouettes else _describe_choice(session, recipe, "remover"),
        "fps": fps,
        "size": recipe.size,
    }
    expected = None if info.seconds is None else round(info.seconds * fps)
    box = (recipe.size[0] * REMOVAL_SCALE, recipe.size[1] * REMOVAL_SCALE)

    def work(folder: Path) -> dict[str, Any]:
        remover = None if info.silhouettes else _make_component(session, recipe, "remover")
        with SilhouetteWriter(folder, recipe.size) as writer:
            for chunk in source.frames(fps, box):
                silhouettes = chunk[..., 0] if remover is None else remover.remove(chunk)
                writer.write(shrink(silhouettes, recipe.size))
                session.listen(Progress("silhouettes", writer.count, expected))
            if not writer.count:
                raise InputError(f"expected frames in {location}, got none; is the video damaged?")
            writer.finish(source=show_location(location), fps=fps, shot_starts=source.shot_starts())
        return {"frames": writer.count, "source_name": show_location(location)}

    return session.make("silhouettes", inputs, work, detail=show_location(location))


def check_dancer(session: Session, recipe: Recipe, location: str, prepared: Artifact, *, force: bool = False) -> None:
    """Raise InputError, or with `force` only warn, where an input's silhouettes cannot be a dancer's."""
    doubt = find_doubt(Silhouettes.load([prepared.folder]))
    if doubt is None:
        return
    sheet = write_sheet(session, recipe, prepared)
    advice = _advise(session, prepared.manifest()["inputs"]["remover"], doubt)
    told = f"{show_location(location)}: expected a dancer, got {doubt.reason}; look at {sheet}; {advice}"
    if not force:
        raise InputError(f"{told}, or go on with --force")
    log.warning(told)


def _advise(session: Session, remover: Mapping[str, Any] | None, doubt: Doubt) -> str:
    """What may give a dancer instead; `remover` is the one that was used, None where the input is silhouettes."""
    if remover is None:
        return "save it with 0 for the dancer and 255 for the ground" if doubt.inverted else "choose another input"
    if doubt.inverted and remover["options"].get("invert") is False:
        return "try --set remover.invert=true"
    known = {entry.spec.name for entry in session.registry.entries if entry.spec.kind == "remover"}
    if PERSON in known - {remover["name"]}:
        return f"try --remover {PERSON}"
    return "try --set remover.level=auto" if remover["options"].get("level", "auto") != "auto" else "try a --remover"


def write_sheet(session: Session, recipe: Recipe, prepared: Artifact) -> Path:
    """A contact sheet of an input's silhouettes, beside them."""
    sheet = prepared.folder / "sheet.png"
    if not sheet.exists():
        frames = Silhouettes.load([prepared.folder])
        render(session, recipe, [frames[sample_evenly(len(frames), SHEET_FRAMES)]], sheet, "sheet")
    return sheet


def fit_codec(session: Session, recipe: Recipe, prepared: Sequence[Artifact]) -> Artifact:
    """Silhouettes → a trained codec. The last `validation` share of the frames is held out, with a gap before it."""
    inputs = {**_describe_training(session, recipe, "codec"), "silhouettes": [a.key for a in prepared]}
    frames = Silhouettes.load([a.folder for a in prepared])

    def work(folder: Path) -> dict[str, Any]:
        codec: FrameCodec[Any] = _make_component(session, recipe, "codec")
        training = session.training("codec", recipe.seed, folder)
        learned, held_out = split_frames(frames, recipe.validation)
        history = codec.fit(learned, held_out, training)
        codec.save(folder)
        return {"history": history, "latent_dim": codec.latent_dim}

    return session.make("codec", inputs, work, detail=recipe.codec.name, resumable=True)


def load_codec(session: Session, recipe: Recipe, artifact: Artifact) -> FrameCodec[Any]:
    """The codec that `fit_codec` left."""
    codec: FrameCodec[Any] = _load_component(session, recipe, "codec", artifact)
    return codec


def encode(session: Session, recipe: Recipe, codec: Artifact, prepared: Sequence[Artifact]) -> Artifact:
    """Silhouettes → latents: `latents.npy`, float32 `(n, d)`."""
    inputs = {"codec": codec.key, "silhouettes": [a.key for a in prepared]}
    frames = Silhouettes.load([a.folder for a in prepared])

    def work(folder: Path) -> dict[str, Any]:
        encoder = load_codec(session, recipe, codec)
        latents = np.empty((len(frames), encoder.latent_dim), np.float32)
        done = 0
        for chunk in frames.chunks():
            latents[done : done + len(chunk)] = encoder.encode(chunk)
            done += len(chunk)
            session.listen(Progress("latents", done, len(frames)))
        np.save(folder / "latents.npy", latents, allow_pickle=False)
        return {"frames": len(latents)}

    return session.make("latents", inputs, work)


def load_latents(artifact: Artifact) -> Float32:
    """The latents that `encode` left, `(n, d)`."""
    latents: Float32 = np.load(artifact.folder / "latents.npy", allow_pickle=False)
    return latents


def fit_sequence(session: Session, recipe: Recipe, latents: Artifact, clips: Sequence[Clip]) -> Artifact:
    """Latents → a trained sequence model. The same frames are held out as for the codec."""
    inputs = {**_describe_training(session, recipe, "sequence"), "latents": latents.key}

    def work(folder: Path) -> dict[str, Any]:
        model: SequenceModel[Any] = _make_component(session, recipe, "sequence")
        train, held_out = split_latents(load_latents(latents), clips, recipe.validation, model.context)
        history = model.fit(train, held_out, session.training("sequence", recipe.seed, folder))
        model.save(folder)
        return {"history": history}

    return session.make("sequence", inputs, work, detail=recipe.sequence.name, resumable=True)


def load_sequence(session: Session, recipe: Recipe, artifact: Artifact) -> SequenceModel[Any]:
    """The sequence model that `fit_sequence` left."""
    model: SequenceModel[Any] = _load_component(session, recipe, "sequence", artifact)
    return model


def find_context(session: Session, recipe: Recipe) -> int:
    """How many latents the recipe's sequence model looks back; no training is needed to know."""
    context: int = _make_component(session, recipe, "sequence").context
    return context


def check_length(session: Session, recipe: Recipe, clips: Sequence[Clip]) -> int:
    """The sequence model's context. Raise InputError, before anything is trained, if no clip is longer than it."""
    context = find_context(session, recipe)
    stop = Split.of(clips, recipe.validation).train_stop
    longest = max(min(clip.stop, stop) - clip.start for clip in clips)
    if longest <= context:
        raise InputError(
            f"expected a clip of more than {context} frames to learn from (the context of {recipe.sequence.name}), "
            f"got {max(longest, 0)} at {recipe.fps:g} frames a second; give a longer video or raise --fps"
        )
    return context


def dance(
    recipe: Recipe,
    model: SequenceModel[Any],
    latents: Float32,
    clips: Sequence[Clip],
    *,
    video: Float32 | None = None,
) -> Float32:
    """New latents at `render_fps`, `(frames, d)`. `video` holds those of the video that the recipe starts from."""
    opening = take_opening(recipe.start, model.context, latents, clips, recipe.seed, video)
    steps = count_keyframes(recipe.frames, recipe.fps, recipe.render_fps)
    new = model.generate(opening[None], steps, temperature=recipe.temperature, rng=recipe.seed)[0]
    keys = new if recipe.start.kind == "noise" else np.concatenate([opening[-1:], new])
    return interpolate(keys, recipe.fps, recipe.render_fps, recipe.frames, curve=recipe.curve)


def decode_frames(
    codec: FrameCodec[Any], latents: Float32, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[UInt8]:
    """Latents `(n, d)` → chunks of silhouettes, as they are asked for."""
    for start in range(0, len(latents), DECODE_BATCH):
        yield codec.decode(latents[start : start + DECODE_BATCH])
        on_progress(min(start + DECODE_BATCH, len(latents)), len(latents))


def render(session: Session, recipe: Recipe, frames: Iterable[UInt8], path: Path, renderer: str | None = None) -> None:
    """Chunks of silhouettes → a file, which appears under its name when it is whole."""
    chosen = recipe.changed({"renderer": renderer}) if renderer else recipe
    session.listen(StageStarted("render", path.name))
    with write_atomically(path) as temporary:
        _make_component(session, chosen, "renderer").render(frames, recipe.render_fps, temporary)
    session.listen(StageFinished("render", False, str(path)))


def load_history(artifact: Artifact) -> History:
    """What a training noted of its epochs."""
    history: History = artifact.manifest()["history"]
    return history


def describe_component(session: Session, kind: str, name: str, options: Any) -> dict[str, Any]:
    """What decides what a component does: its name, its distribution's version, its options."""
    entry = session.registry.find(kind, name)
    return {
        "name": entry.spec.name,
        "distribution": f"{entry.distribution} {entry.version}",
        "options": options.model_dump(mode="json"),
    }


def _describe_choice(session: Session, recipe: Recipe, kind: str) -> dict[str, Any]:
    return describe_component(session, kind, getattr(recipe, kind).name, _make_options(session, recipe, kind))


def _describe_training(session: Session, recipe: Recipe, kind: str) -> dict[str, Any]:
    return {kind: _describe_choice(session, recipe, kind), "seed": recipe.seed, "validation": recipe.validation}


def _make_options(session: Session, recipe: Recipe, kind: str) -> Any:
    choice = getattr(recipe, kind)
    return session.registry.options(kind, choice.name, recipe.preset, choice.options)


def _make_component(session: Session, recipe: Recipe, kind: str) -> Any:
    return session.registry.component(kind, getattr(recipe, kind).name)(_make_options(session, recipe, kind))


def _load_component(session: Session, recipe: Recipe, kind: str, artifact: Artifact) -> Any:
    component = session.registry.component(kind, getattr(recipe, kind).name)
    return component.load(artifact.folder, _make_options(session, recipe, kind))
