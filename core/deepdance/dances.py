"""From a run's models to a dance: its latents, its frames, its file."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np

from deepdance import pipeline, preparation
from deepdance.array_files import load_array
from deepdance.arrays import Float32, Float64, UInt8
from deepdance.errors import WorkspaceError
from deepdance.events import Progress
from deepdance.frames import shrink
from deepdance.impression import SECONDS, Impression, Watch
from deepdance.music.alignment import BeatAlignment, BentDance
from deepdance.opened_runs import OpenedRun
from deepdance.recipe import Recipe
from deepdance.soundtrack import Soundtrack, open_soundtrack
from deepdance.storage import write_atomically

BEGINNING = "dance.npy"
"""The latents that a run's dance begins with."""


@dataclass(frozen=True)
class Danced:
    """A dance that was written, how it looks, and how well it keeps to the beats, if there are any."""

    video: Path
    impression: Impression
    alignment: BeatAlignment | None
    beginning: Float32
    """The latents of its first minute `(n, d)`, at `render_fps`."""


def write_dance(run: OpenedRun, recipe: Recipe, soundtrack: Soundtrack, size: tuple[int, int], out: Path) -> Danced:
    """A new dance as a file."""
    watch = Watch(recipe.fps, recipe.render_fps, run.frames.size)
    beginning: list[Float32] = []
    latents, bent = _generate_latents(run, recipe, soundtrack)
    new = _keep_first(latents, ceil(SECONDS * recipe.render_fps), beginning)
    meter = BeatMeter(bent, run.frames.size)
    pipeline.render(run.session, recipe, watch.follow(meter.follow(decode_latents(run, recipe, new, size))), out)
    first = np.concatenate(beginning)
    impression = watch.compare(first, run.frames, run.latents, run.evaluated_from)
    return Danced(out, impression, meter.measure(), first)


def keep_latents(folder: Path, latents: Float32) -> None:
    with write_atomically(folder / BEGINNING) as temporary:
        np.save(temporary, latents)


def load_dance(run: OpenedRun, name: str) -> Float32:
    """Latents `(n, d)` of the first minute of a run's dance, at `render_fps`: those kept, else it is danced again."""
    kept = _load_kept(run.session.workspace.run_folder(name) / BEGINNING, run.codec.latent_dim)
    if kept is not None:
        return kept
    danced: list[Float32] = []
    most = ceil(SECONDS * run.recipe.render_fps)
    recipe, soundtrack = open_soundtrack(run.recipe, run.session.registry)
    with closing(_keep_first(_generate_latents(run, recipe, soundtrack)[0], most, danced)) as chunks:
        while sum(map(len, danced)) < most and next(chunks, None) is not None:
            pass
    return np.concatenate(danced)


def _load_kept(path: Path, latent_dim: int) -> Float32 | None:
    """Latents that can be shown, or None: the file is gone, damaged or something else."""
    try:
        latents: Float32 = load_array(path)
    except WorkspaceError:
        return None
    fits = latents.dtype == np.float32 and latents.ndim == 2 and latents.shape[1] == latent_dim
    return latents if fits and len(latents) and np.isfinite(latents).all() else None


def generate_frames(run: OpenedRun, recipe: Recipe, size: tuple[int, int] | None = None) -> Iterator[UInt8]:
    """A new dance from a run's models, as chunks of silhouettes; `recipe` is the run's, or one with other openings.

    They are as the codec learned them, or drawn for `size` (height, width). Raises OptionError, InputError.
    """
    recipe, soundtrack = open_soundtrack(recipe, run.session.registry)
    return decode_latents(run, recipe, _generate_latents(run, recipe, soundtrack)[0], size)


def _generate_latents(
    run: OpenedRun, recipe: Recipe, soundtrack: Soundtrack
) -> tuple[Iterator[Float32], BentDance | None]:
    """Chunks of latents, and the dance that they are of, if it was bent to beats."""
    recipe.start.check_exists()
    video = None
    with run.translate_misfit():
        if recipe.start.kind == "video":
            video = run.codec.encode(preparation.take_last_frames(run.session, recipe, run.model.context))
        return dance_on(run, recipe, soundtrack.list_beats(0, recipe.frames / recipe.render_fps), video)


def dance_on(
    run: OpenedRun, recipe: Recipe, beats: Float64, video: Float32 | None
) -> tuple[Iterator[Float32], BentDance | None]:
    """To the beats where there are some."""
    given = recipe, run.model, run.latents, run.frames.clips
    if not len(beats):
        return pipeline.dance(*given, video=video), None

    def measure(latents: Float32) -> Float64:
        steps: list[Float64] = []
        deque(_keep_steps(pipeline.decode_frames(run.codec, [latents]), run.frames.size, steps), maxlen=0)
        return np.concatenate(steps)

    bent = pipeline.dance_to(*given, beats, measure, video=video)
    return iter([bent.latents]), bent


def _keep_steps(chunks: Iterable[UInt8], size: tuple[int, int], kept: list[Float64]) -> Iterator[UInt8]:
    """The same chunks `(n, h, w)`; `kept` gets how much each picture, made small, differs from the one before."""
    last = np.empty((0, *size), np.int16)
    for chunk in chunks:
        small = np.concatenate([last, shrink(chunk, size).astype(np.int16)])
        kept.append(np.abs(np.diff(small, axis=0)).mean(axis=(1, 2)))
        last = small[-1:]
        yield chunk


class BeatMeter:
    """Follows the pictures of a dance while they are written, small, and tells how well they keep to its beats.

    By how much the pictures change, as that is what is seen.
    """

    def __init__(self, bent: BentDance | None, size: tuple[int, int]) -> None:
        self._bent, self._size = bent, size
        self._steps: list[Float64] = []

    def follow(self, chunks: Iterator[UInt8]) -> Iterator[UInt8]:
        """The same chunks `(n, h, w)`, of any size."""
        return _keep_steps(chunks, self._size, self._steps) if self._bent else chunks

    def measure(self) -> BeatAlignment | None:
        """Of all that was written; None where there are no beats."""
        return self._bent.measure(np.concatenate(self._steps)) if self._bent else None


def _keep_first(chunks: Iterable[Float32], most: int, kept: list[Float32]) -> Generator[Float32]:
    """The same chunks; `kept` gets the first rows of them."""
    for chunk in chunks:
        if most:
            kept.append(chunk[:most])
            most -= len(kept[-1])
        yield chunk


def decode_latents(
    run: OpenedRun, recipe: Recipe, latents: Iterable[Float32], size: tuple[int, int] | None
) -> Iterator[UInt8]:
    done, total = 0, pipeline.count_frames(recipe)
    with run.translate_misfit():
        for chunk in pipeline.decode_frames(run.codec, latents, size=size):
            yield chunk
            done += len(chunk)
            run.session.listen(Progress("render", done, total))
