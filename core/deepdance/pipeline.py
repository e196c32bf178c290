"""The stages in their order, each a plain function from inputs to an artifact.

prepare → fit_codec → encode → fit_sequence → dance → decoded → render
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from deepdance.errors import InputError, OptionError
from deepdance.events import (
    ArtifactReady,
    EpochFinished,
    Listener,
    Listeners,
    Progress,
    StageFinished,
    StageStarted,
    ignore,
)
from deepdance.frames import Clip, Silhouettes, SilhouetteWriter, shrink
from deepdance.generation import in_between, keyframes_needed, starting_latents
from deepdance.interfaces import Float32, FrameCodec, FrameSource, History, SequenceModel, Training, UInt8
from deepdance.plugins import KINDS, Registry, discover
from deepdance.recipe import AUTO, Recipe
from deepdance.workspace import Artifact, Workspace, written_whole

REMOVAL_SCALE = 4
"""Backgrounds are removed at this many times the silhouettes' size (the paper: 800×480, then a quarter)."""
DECODE_BATCH = 64
GAP_SECONDS = 2.0
"""So much before the held-out frames is not trained on: frames that near in time look nearly the same."""
DEMO = "demo"
"""The location of the demo dancer. Paths are absolute, so a file of that name is another thing."""

log = logging.getLogger("deepdance")


@dataclass(frozen=True)
class Studio:
    """Where a pipeline works: a workspace to keep things in, components to work with, and somebody to tell."""

    workspace: Workspace
    registry: Registry
    listen: Listener = ignore

    @classmethod
    def open(cls, workspace: str | Path = "workspace", listen: Sequence[Listener] = ()) -> Self:
        """A studio with all installed components. It is `listen` and the installed plugins that are told."""
        registry = discover()
        named = [(f"the listener {getattr(each, '__name__', type(each).__name__)}", each) for each in listen]
        return cls(Workspace(Path(workspace)), registry, Listeners([*named, *registry.listeners]))

    def make(
        self,
        stage: str,
        inputs: dict[str, Any],
        work: Callable[[Path], dict[str, Any]],
        *,
        detail: str = "",
        resumable: bool = False,
    ) -> Artifact:
        """An artifact of the workspace, with its start and end told."""

        def begin(folder: Path) -> dict[str, Any]:
            self.listen(StageStarted(stage, detail))
            return work(folder)

        def waiting() -> None:
            self.listen(StageStarted(stage, "another process is making this; waiting for it"))

        artifact = self.workspace.build(stage, inputs, begin, resumable=resumable, waiting=waiting)
        self.listen(ArtifactReady(stage, artifact.key, artifact.folder, artifact.reused))
        self.listen(StageFinished(stage, artifact.reused, detail))
        return artifact

    def training(self, stage: str, seed: int, folder: Path | None = None) -> Training:
        """What a component's `fit` is given, its progress told to the listener."""
        return Training(
            seed=seed,
            folder=folder,
            on_epoch=lambda epoch, epochs, metrics: self.listen(EpochFinished(stage, epoch, epochs, metrics)),
            on_progress=lambda done, total: self.listen(Progress(stage, done, total)),
        )


def resolve(recipe: Recipe, registry: Registry, locations: Sequence[str]) -> Recipe:
    """The recipe with every option written out, checked against its component. Raises OptionError, PluginError."""
    changes: dict[str, Any] = {}
    for kind in KINDS:
        choice = getattr(recipe, kind)
        name = _source_name(recipe, registry, locations) if kind == "source" else choice.name
        if name == AUTO:
            continue
        registry.component(kind, name)
        options = registry.options(kind, name, recipe.preset, choice.options)
        written = options.model_dump(mode="json", exclude_none=True)
        if "seed" in written and "seed" not in choice.options:
            written["seed"] = recipe.seed
        changes[kind] = {"name": name, "options": written}
    if "fps" not in recipe.model_fields_set:
        changes["fps"] = registry.component("sequence", recipe.sequence.name).frame_rate
    return recipe.changed(changes)


def settle(studio: Studio, recipe: Recipe, locations: Sequence[str]) -> Recipe:
    """`resolve`, with a look at the inputs: a rate that is not given is at most theirs, so that no frame comes twice.

    Raises InputError too.
    """
    settled = resolve(recipe, studio.registry, locations)
    if "fps" in recipe.model_fields_set:
        return settled
    rates = (open_source(studio, settled, location)[1].info().fps for location in locations)
    return settled.changed({"fps": min([settled.fps, *filter(None, rates)])})


def _source_name(recipe: Recipe, registry: Registry, locations: Sequence[str]) -> str:
    if recipe.source.name == DEMO and any(location != DEMO for location in locations):
        raise OptionError("source: expected no video with the source demo, got some; choose --source auto")
    if recipe.source.name != AUTO:
        return recipe.source.name
    names = {source_for(registry, location) for location in locations} or {DEMO}
    if len(names) == 1:
        return names.pop()
    if recipe.source.options:
        raise OptionError(f"source options need one source, got inputs for {', '.join(sorted(names))}; choose --source")
    return AUTO


def source_for(registry: Registry, location: str) -> str:
    """The source that reads `location`, by its suffix; ffmpeg reads what nobody else claims."""
    if location == DEMO:
        return DEMO
    suffix = "/" if Path(location).is_dir() else Path(location).suffix
    entry = registry.for_suffix("source", suffix)
    return registry.reference(entry) if entry else "ffmpeg"


def open_source(studio: Studio, recipe: Recipe, location: str) -> tuple[str, FrameSource[Any]]:
    """The source component for one input."""
    name = recipe.source.name
    given = recipe.source.options
    if name == AUTO:
        name, given = source_for(studio.registry, location), {}
    options = studio.registry.options("source", name, recipe.preset, given)
    source: FrameSource[Any] = studio.registry.component("source", name)(location, options)
    return name, source


def prepare(studio: Studio, recipe: Recipe, location: str, *, fps: float | None = None) -> Artifact:
    """Source → remover → silhouettes on disk, for one input."""
    fps = recipe.fps if fps is None else fps
    name, source = open_source(studio, recipe, location)
    info = source.info()
    inputs = {
        "source": component_key(studio, "source", name, source.options),
        "video": source.fingerprint(),
        "remover": None if info.silhouettes else _choice_key(studio, recipe, "remover"),
        "fps": fps,
        "size": recipe.size,
    }
    expected = None if info.seconds is None else round(info.seconds * fps)
    box = (recipe.size[0] * REMOVAL_SCALE, recipe.size[1] * REMOVAL_SCALE)

    def work(folder: Path) -> dict[str, Any]:
        remover = None if info.silhouettes else _component(studio, recipe, "remover")
        dancer = 0.0
        with SilhouetteWriter(folder, recipe.size) as writer:
            for chunk in source.frames(fps, box):
                silhouettes = chunk[..., 0] if remover is None else remover.remove(chunk)
                small = shrink(silhouettes, recipe.size)
                writer.write(small)
                dancer += float(np.sum(small < 128))
                studio.listen(Progress("silhouettes", writer.count, expected))
            if not writer.count:
                raise InputError(f"expected frames in {location}, got none; is the video damaged?")
            writer.finish(source=_title(location), fps=fps, shot_starts=source.shot_starts())
        share = dancer / (writer.count * recipe.size[0] * recipe.size[1])
        return {"frames": writer.count, "dancer_share": share, "source_name": _title(location)}

    artifact = studio.make("silhouettes", inputs, work, detail=_title(location))
    if not info.silhouettes:
        _warn_without_dancer(location, artifact.manifest()["dancer_share"])
    return artifact


def _warn_without_dancer(location: str, share: float) -> None:
    if not 0.003 <= share <= 0.7:
        log.warning(
            "%s: %.1f%% of the picture is taken for the dancer; "
            "try --set remover.level=auto, or --set remover.invert=true for a bright dancer on a dark ground",
            _title(location),
            100 * share,
        )


def _title(location: str) -> str:
    return Path(location).name or location


def fit_codec(studio: Studio, recipe: Recipe, prepared: Sequence[Artifact]) -> Artifact:
    """Silhouettes → a trained codec. The last `validation` share of the frames is held out, with a gap before it."""
    inputs = {**_training_key(studio, recipe, "codec"), "silhouettes": [a.key for a in prepared]}
    frames = Silhouettes.load([a.folder for a in prepared])

    def work(folder: Path) -> dict[str, Any]:
        codec: FrameCodec[Any] = _component(studio, recipe, "codec")
        training = studio.training("codec", recipe.seed, folder)
        learned, held_out = split_frames(frames, recipe.validation)
        history = codec.fit(learned, held_out, training)
        codec.save(folder)
        return {"history": history, "latent_dim": codec.latent_dim}

    return studio.make("codec", inputs, work, detail=recipe.codec.name, resumable=True)


def load_codec(studio: Studio, recipe: Recipe, artifact: Artifact) -> FrameCodec[Any]:
    """The codec that `fit_codec` left."""
    codec: FrameCodec[Any] = studio.registry.component("codec", recipe.codec.name).load(
        artifact.folder, _options(studio, recipe, "codec")
    )
    return codec


def encode(studio: Studio, recipe: Recipe, codec: Artifact, prepared: Sequence[Artifact]) -> Artifact:
    """Silhouettes → latents: `latents.npy`, float32 `(n, d)`."""
    inputs = {"codec": codec.key, "silhouettes": [a.key for a in prepared]}
    frames = Silhouettes.load([a.folder for a in prepared])

    def work(folder: Path) -> dict[str, Any]:
        encoder = load_codec(studio, recipe, codec)
        latents = np.empty((len(frames), encoder.latent_dim), np.float32)
        done = 0
        for chunk in frames.chunks():
            latents[done : done + len(chunk)] = encoder.encode(chunk)
            done += len(chunk)
            studio.listen(Progress("latents", done, len(frames)))
        np.save(folder / "latents.npy", latents, allow_pickle=False)
        return {"frames": len(latents)}

    return studio.make("latents", inputs, work)


def load_latents(artifact: Artifact) -> Float32:
    """The latents that `encode` left, `(n, d)`."""
    latents: Float32 = np.load(artifact.folder / "latents.npy", allow_pickle=False)
    return latents


def fit_sequence(studio: Studio, recipe: Recipe, latents: Artifact, clips: Sequence[Clip]) -> Artifact:
    """Latents → a trained sequence model. The same frames are held out as for the codec."""
    inputs = {**_training_key(studio, recipe, "sequence"), "latents": latents.key}

    def work(folder: Path) -> dict[str, Any]:
        model: SequenceModel[Any] = _component(studio, recipe, "sequence")
        train, held_out = split_clips(load_latents(latents), clips, recipe.validation, model.context)
        history = model.fit(train, held_out, studio.training("sequence", recipe.seed, folder))
        model.save(folder)
        return {"history": history}

    return studio.make("sequence", inputs, work, detail=recipe.sequence.name, resumable=True)


def load_sequence(studio: Studio, recipe: Recipe, artifact: Artifact) -> SequenceModel[Any]:
    """The sequence model that `fit_sequence` left."""
    model: SequenceModel[Any] = studio.registry.component("sequence", recipe.sequence.name).load(
        artifact.folder, _options(studio, recipe, "sequence")
    )
    return model


def split_point(frames: int, validation: float) -> int:
    """The first held-out frame: the split is one cut in time, never random frames."""
    return frames - int(frames * validation)


def training_stop(clips: Sequence[Clip], validation: float) -> int:
    """The first frame that is not trained on: `GAP_SECONDS` before the held-out ones, but never a tenth of the rest."""
    cut = split_point(clips[-1].stop, validation)
    gap = min(round(GAP_SECONDS * clips[-1].fps), cut // 10)
    return cut - gap if cut < clips[-1].stop else cut


def split_frames(frames: Silhouettes, validation: float) -> tuple[Silhouettes, Silhouettes]:
    """The frames to train on, and those held out after a gap."""
    cut, stop = split_point(len(frames), validation), training_stop(frames.clips, validation)
    return frames.between(0, stop), frames.between(cut, len(frames))


def split_clips(
    latents: Float32, clips: Sequence[Clip], validation: float, context: int
) -> tuple[list[Float32], list[Float32]]:
    """Clips before and after the split; a clip cut in two lends its held-out half `context` latents as lead-in."""
    cut, stop = split_point(len(latents), validation), training_stop(clips, validation)
    train = [latents[c.start : min(c.stop, stop)] for c in clips if c.start < stop]
    held_out = [
        latents[max(c.start, cut - context) if c.start < cut else c.start : c.stop] for c in clips if c.stop > cut
    ]
    return train, held_out


def context_of(studio: Studio, recipe: Recipe) -> int:
    """How many latents the recipe's sequence model looks back; no training is needed to know."""
    context: int = _component(studio, recipe, "sequence").context
    return context


def check_length(studio: Studio, recipe: Recipe, clips: Sequence[Clip]) -> int:
    """The sequence model's context. Raise InputError, before anything is trained, if no clip is longer than it."""
    context = context_of(studio, recipe)
    stop = training_stop(clips, recipe.validation)
    longest = max(min(clip.stop, stop) - clip.start for clip in clips)
    if longest <= context:
        raise InputError(
            f"expected a clip of more than {context} frames to learn from (the context of {recipe.sequence.name}), "
            f"got {max(longest, 0)} at {recipe.fps:g} frames a second; give a longer video or raise --fps"
        )
    return context


def dance(
    studio: Studio,
    recipe: Recipe,
    model: SequenceModel[Any],
    latents: Float32,
    clips: Sequence[Clip],
    *,
    seed_clip: Float32 | None = None,
) -> Float32:
    """New latents at `render_fps`, `(frames, d)`. `seed_clip` holds another video's latents to start from."""
    opening = starting_latents(recipe, model.context, latents, clips, seed_clip)
    steps = keyframes_needed(recipe.frames, recipe.fps, recipe.render_fps)
    new = model.generate(opening[None], steps, temperature=recipe.temperature, rng=recipe.seed)[0]
    keys = new if recipe.start == "noise" else np.concatenate([opening[-1:], new])
    return in_between(keys, recipe.fps, recipe.render_fps, recipe.frames, curve=recipe.curve)


def decoded(studio: Studio, codec: FrameCodec[Any], latents: Float32) -> Iterator[UInt8]:
    """Latents → chunks of silhouettes, as they are needed."""
    for start in range(0, len(latents), DECODE_BATCH):
        yield codec.decode(latents[start : start + DECODE_BATCH])
        studio.listen(Progress("render", min(start + DECODE_BATCH, len(latents)), len(latents)))


def render(studio: Studio, recipe: Recipe, frames: Iterable[UInt8], path: Path, renderer: str | None = None) -> None:
    """Chunks of silhouettes → a file, which appears under its name when it is whole."""
    name = renderer or recipe.renderer.name
    given = recipe.renderer.options if name == recipe.renderer.name else {}
    options = studio.registry.options("renderer", name, recipe.preset, given)
    studio.listen(StageStarted("render", path.name))
    with written_whole(path) as temporary:
        studio.registry.component("renderer", name)(options).render(frames, recipe.render_fps, temporary)
    studio.listen(StageFinished("render", False, str(path)))


def history_of(artifact: Artifact) -> History:
    """What a training noted of its epochs."""
    history: History = artifact.manifest()["history"]
    return history


def component_key(studio: Studio, kind: str, name: str, options: Any) -> dict[str, Any]:
    """What decides what a component does: its name, its distribution's version, its options."""
    entry = studio.registry.find(kind, name)
    return {
        "name": entry.spec.name,
        "distribution": f"{entry.distribution} {entry.version}",
        "options": options.model_dump(mode="json"),
    }


def _choice_key(studio: Studio, recipe: Recipe, kind: str) -> dict[str, Any]:
    return component_key(studio, kind, getattr(recipe, kind).name, _options(studio, recipe, kind))


def _training_key(studio: Studio, recipe: Recipe, kind: str) -> dict[str, Any]:
    return {kind: _choice_key(studio, recipe, kind), "seed": recipe.seed, "validation": recipe.validation}


def _options(studio: Studio, recipe: Recipe, kind: str) -> Any:
    choice = getattr(recipe, kind)
    return studio.registry.options(kind, choice.name, recipe.preset, choice.options)


def _component(studio: Studio, recipe: Recipe, kind: str) -> Any:
    return studio.registry.component(kind, getattr(recipe, kind).name)(_options(studio, recipe, kind))
