"""The stages after `preparation`, in their order, each a plain function from inputs to an artifact.

fit_codec → encode → fit_sequence → dance → decode_frames → render
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil, prod
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field

from deepdance.array_files import load_array
from deepdance.arrays import Float32, UInt8
from deepdance.artifacts import Artifact
from deepdance.errors import DeepDanceError, InputError, WorkspaceError
from deepdance.events import Progress, StageFinished, StageStarted
from deepdance.folders import show_path
from deepdance.frames import Clip, Silhouettes
from deepdance.generation import count_frames as count_frames  # noqa: PLC0414  (offered from here too)
from deepdance.generation import dance as dance  # noqa: PLC0414
from deepdance.generation import dance_to as dance_to  # noqa: PLC0414
from deepdance.interfaces import FrameCodec, History, SequenceModel
from deepdance.packing import PackedModel
from deepdance.plugins import BUILT_IN, KINDS, Entry
from deepdance.plugins.culprits import find_culprit
from deepdance.plugins.isolation import one_line
from deepdance.pool import open_pool
from deepdance.recipe import AUTO, Recipe
from deepdance.session import Session
from deepdance.splits import Split, split_frames, split_latents
from deepdance.storage import write_atomically
from deepdance.strict_json import Number
from deepdance.tasks import Tools

ENCODE_BATCH = 256
DECODE_BATCH = 64
CHUNK_PIXELS = 1 << 24
"""Of the frames that are decoded at once: eight of 1920×1080."""

log = logging.getLogger("deepdance")


class Made(BaseModel):
    """A component as a manifest names it."""

    name: str
    options: dict[str, Any]


class TrainingNotes(BaseModel):
    """What the manifest of a codec or a sequence model tells."""

    inputs: dict[str, Any]
    history: Annotated[list[dict[str, Number]], Field(min_length=1)]


def import_components(session: Session, recipe: Recipe) -> None:
    """Import what the recipe names before any work is done: what cannot be had is told at once. Raises PluginError."""
    session.listen(StageStarted("models", f"{recipe.codec.name}, {recipe.sequence.name}"))
    for kind in KINDS:
        name = getattr(recipe, kind).name
        if name != AUTO:
            session.registry.component(kind, name)
    session.listen(StageFinished("models", reused=False))


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
        model = PackedModel(recipe, "codec", codec, encoder)
        chunks = ((model, chunk) for chunk in frames.chunks(ENCODE_BATCH))
        header = {"descr": "<f4", "fortran_order": False, "shape": (len(frames), encoder.latent_dim)}
        with (folder / "latents.npy").open("wb") as file, open_pool(session) as pool:
            np.lib.format.write_array_header_1_0(file, header)
            done = 0
            for latents in pool.map(_encode_chunk, chunks, ceil(len(frames) / ENCODE_BATCH)):
                file.write(np.ascontiguousarray(latents, "<f4").data)
                done += len(latents)
                session.listen(Progress("latents", done, len(frames)))
        return {"frames": len(frames)}

    return session.make("latents", inputs, work)


def _encode_chunk(tools: Tools, model: PackedModel, chunk: UInt8) -> Float32:
    """The chunks are the same for whoever encodes: how many frames are summed at once can change a bit."""
    latents: Float32 = model.load(tools.registry).encode(chunk)
    return latents


def load_latents(artifact: Artifact) -> Float32:
    """The latents that `encode` left, `(n, d)`."""
    latents: Float32 = load_array(artifact.folder / "latents.npy")
    if latents.dtype != np.float32 or latents.ndim != 2 or not latents.size:
        raise WorkspaceError(
            f"{show_path(artifact.folder)}: expected latents (n, d), float32, got {latents.dtype} {latents.shape}; "
            "delete the folder and run again"
        )
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


def decode_frames(
    codec: FrameCodec[Any], latents: Iterable[Float32], *, size: tuple[int, int] | None = None
) -> Iterator[UInt8]:
    """Chunks of latents `(n, d)` → chunks of silhouettes, as they are asked for.

    They are as the codec learned them, or drawn for `size` (height, width).
    """
    for chunk in _regroup(latents, find_chunk_length(size) if size else DECODE_BATCH):
        yield codec.decode_at(chunk, size) if size else codec.decode(chunk)


def _regroup(chunks: Iterable[Float32], length: int) -> Iterator[Float32]:
    """The same rows in chunks of one length; the last may be shorter."""
    rest: list[Float32] = []
    for chunk in chunks:
        rows = np.concatenate([*rest, chunk])
        whole = len(rows) - len(rows) % length
        yield from (rows[start : start + length] for start in range(0, whole, length))
        rest = [rows[whole:].copy()]
    yield from (rows for rows in rest if len(rows))


def find_chunk_length(size: tuple[int, int]) -> int:
    """How many frames of `size` are held at once, whatever their size."""
    return max(1, min(DECODE_BATCH, CHUNK_PIXELS // prod(size)))


def render(session: Session, recipe: Recipe, frames: Iterable[UInt8], path: Path) -> None:
    """Chunks of silhouettes → a file or a folder of them, which appears under its name when it is whole."""
    session.listen(StageStarted("render", path.name))
    recipe = _add_music(session, recipe)
    with write_atomically(path) as temporary:
        _make_component(session, recipe, "renderer").render(frames, recipe.render_fps, temporary)
    session.listen(StageFinished("render", False, str(path)))


def _add_music(session: Session, recipe: Recipe) -> Recipe:
    """The recipe whose renderer has the music as its option; a warning where its files are silent."""
    renderer = recipe.renderer
    if not recipe.music:
        return recipe
    if "music" not in session.registry.options_model("renderer", renderer.name).model_fields:
        log.warning("%s writes no sound: the dance keeps to the beats, and its file is silent", renderer.name)
        return recipe
    return recipe.model_copy(
        update={"renderer": renderer.model_copy(update={"options": {**renderer.options, "music": recipe.music}})}
    )


def load_history(artifact: Artifact) -> History:
    """What a training noted of its epochs."""
    return artifact.read_notes(TrainingNotes).history


def describe_component(session: Session, kind: str, name: str, options: Any) -> dict[str, Any]:
    """What decides what a component does: its name, its code, its options."""
    entry = session.registry.find(kind, name)
    return {"name": entry.spec.name, **entry.describe_code(), "options": options.model_dump(mode="json")}


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
    _tell_change(session.registry.find(kind, getattr(recipe, kind).name), artifact)
    options = _make_options(session, recipe, kind)
    with translate_misfit(session, artifact):
        return component.load(artifact.folder, options)


@contextmanager
def translate_misfit(session: Session, *artifacts: Artifact) -> Iterator[None]:
    """Turn what built-in components raise of files that do not fit them into a WorkspaceError that names those.

    What comes out of a plugin's own code stays as it is, and is told with its file and line.
    """
    try:
        yield
    except (DeepDanceError, OSError, MemoryError):
        raise
    except Exception as error:
        if find_culprit(error, session.registry):
            raise
        folders = " and ".join(show_path(artifact.folder) for artifact in artifacts)
        raise WorkspaceError(
            f"{folders}: expected a model as its recipe says, got one that fails: {show_path(one_line(error))}; "
            "delete that folder and run again"
        ) from error


def _tell_change(entry: Entry, artifact: Artifact) -> None:
    """Warn where a plugin's component is not what it was when it was trained."""
    if entry.distribution == BUILT_IN:
        return
    trained, code = artifact.read_notes(TrainingNotes).inputs.get(entry.spec.kind), entry.describe_code()
    if not isinstance(trained, dict) or code != {name: trained.get(name) for name in code}:
        log.warning("%s has changed since this run was made; dd run makes it anew", entry.spec.name)
