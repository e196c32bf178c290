"""The music that a recipe names: what it decides of a dance before anything is trained."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepdance.arrays import Float32, Float64
from deepdance.errors import InputError, OptionError
from deepdance.folders import show_path
from deepdance.music.beats import RATE, find_beats
from deepdance.plugins import Registry
from deepdance.recipe import Recipe
from deepdance.storage import hash_file

MOST_SECONDS = 20 * 60
"""Of a track that is heard, and of a dance that falls on beats: its keyframes are all held at once."""

LEAST_SECONDS = 1.0
"""Of a track: it begins anew until the dance is over, with all its beats."""

log = logging.getLogger("deepdance")


@dataclass(frozen=True)
class Soundtrack:
    """The beats of a track in seconds, rising; after `seconds` it begins anew. None is a track that does not."""

    beats: Float64
    seconds: float | None = None

    def list_beats(self, start: float, stop: float) -> Float64:
        """Those from `start` to `stop`, in seconds after `start`."""
        rounds = np.arange(int(stop // self.seconds) + 1) * self.seconds if self.seconds else np.zeros(1)
        beats = (rounds[:, None] + self.beats).reshape(-1)
        return beats[(beats >= start) & (beats < stop)] - start


def open_soundtrack(recipe: Recipe, registry: Registry) -> tuple[Recipe, Soundtrack]:
    """The recipe with what its track decides, and the beats; none where there is no music.

    Where nobody chose the `frames`, the dance is as long as the track. A file without sound is told of and left out, as
    a track without beats keeps its sound alone. Raises OptionError for a file that is not there, and a dance that is
    too long to be bent.
    """
    if not recipe.music:
        return _check_length(recipe, Soundtrack(np.array(recipe.beats)))
    digest = _hash_track(recipe)
    try:
        samples = _read_track(recipe, registry)
    except InputError as error:
        log.warning("%s; the dance is made without it", error)
        return _check_length(recipe.changed({"music": ""}), Soundtrack(np.array(recipe.beats)))
    seconds = len(samples) / RATE
    beats = np.array(recipe.beats) if recipe.beats else find_beats(samples)
    if not len(beats):
        log.warning(
            "%s: no beat is found in it, so the dance keeps its own time; for beats that you know, --beats 0.5,1.0,1.5",
            show_path(recipe.music),
        )
    length = {} if "frames" in recipe.model_fields_set else {"frames": max(1, round(seconds * recipe.render_fps))}
    noted = recipe.model_copy(update={"music_hash": digest})
    return _check_length(noted.changed(length), Soundtrack(beats[beats < seconds], seconds))


def has_same_track(recipe: Recipe) -> bool:
    """Whether there is music, and it is the file that the dance was made to."""
    path = Path(recipe.music)
    return bool(recipe.music) and path.is_file() and hash_file(path) == recipe.music_hash


def _hash_track(recipe: Recipe) -> str:
    path = Path(recipe.music)
    if not path.is_file():
        kind = "no file" if path.exists() else "which does not exist"
        raise OptionError(
            f"--music: expected a file with sound, got {show_path(recipe.music)!r}, {kind}; check the path"
        )
    digest = hash_file(path)
    if recipe.music_hash not in ("", digest):
        log.warning("%s has changed since the recipe was written; so does the dance", show_path(path))
    return digest


def _read_track(recipe: Recipe, registry: Registry) -> Float32:
    """The samples of a track, of `LEAST_SECONDS` to `MOST_SECONDS`. Raises InputError."""
    samples = registry.read_audio(Path(recipe.music), RATE, MOST_SECONDS + 1)
    if len(samples) < LEAST_SECONDS * RATE:
        length = f"{len(samples) / RATE:.2g} s"
        raise InputError(f"{show_path(recipe.music)}: expected a track of at least {LEAST_SECONDS:g} s, got {length}")
    if len(samples) > MOST_SECONDS * RATE:
        log.warning("%s: only its first %d minutes are heard", show_path(recipe.music), MOST_SECONDS // 60)
    return samples[: MOST_SECONDS * RATE]


def _check_length(recipe: Recipe, soundtrack: Soundtrack) -> tuple[Recipe, Soundtrack]:
    if len(soundtrack.beats) and recipe.frames > MOST_SECONDS * recipe.render_fps:
        raise OptionError(
            f"frames: expected a dance of at most {MOST_SECONDS // 60} minutes to fall on beats, "
            f"got {recipe.frames / recipe.render_fps / 60:.0f}; ask for less"
        )
    return recipe, soundtrack
