"""What the player needs of a run: the decoder's half of `sdf-ae`, and the movements of `motion-field`.

What is not of these two is danced for some minutes in Python, and played on by them.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from deepdance.arrays import Bools, Float32, sample_evenly
from deepdance.events import Progress
from deepdance.frames import MIDDLE, Silhouettes
from deepdance.generation import take_opening
from deepdance.interfaces import Training
from deepdance.opened_runs import OpenedRun
from deepdance.pipeline import decode_frames
from deepdance.recipe import Opening
from deepdance_plugins.codecs.sdf_ae.distance_field import LEAST_DEVIATION, OUTSIDE, OUTWARD
from deepdance_plugins.codecs.sdf_ae.field_model import FieldModel, Stored, quantize
from deepdance_plugins.codecs.sdf_ae.inference import EPSILON
from deepdance_plugins.codecs.sdf_ae.model import LARGEST_DEVIATION, LEAST_IOU, PLACE_IMPORTANCE, SdfAE
from deepdance_plugins.codecs.sdf_ae.options import SdfAEOptions
from deepdance_plugins.sequences.motion_field.coverage import FAR, LEANING, LEANS, PACES, REGIONS, REST
from deepdance_plugins.sequences.motion_field.model import LEAST_LIVELINESS, MOST_HURRIED, MOST_STARTS, MotionField
from deepdance_plugins.sequences.motion_field.options import MotionFieldOptions

ALIGNMENT = 4
"""Bytes: in the browser an array begins at a multiple of its numbers' size."""
MINUTES, OPENINGS = 4, 8
"""How long is danced in Python for the player to go on from, and from how many beginnings, that all is come by."""
PICTURES = 256
"""Of these, evenly spaced: what tells where the dancer stands, and how well the body prior shows it."""
SELDOM = 0.01
"""Of the pictures: where no more of them show something, a window need not show it."""
FPS = 10.0
"""Frames a second that the lengths in the options of `motion-field` are for."""


@dataclass(frozen=True)
class Material:
    """What the player plays."""

    meta: dict[str, Any]
    """Everything but arrays, as JSON has it."""
    arrays: Mapping[str, npt.NDArray[Any]]
    """One of int8 has a `….scale` beside it, which it is to be multiplied by, as NumPy broadcasts."""


def make_material(run: OpenedRun) -> Material:
    """What the player needs to dance as a run does.

    Where its models are not the player's own, `meta["note"]` says in a sentence or two what is played in their place.
    """
    codec, model, note = run.codec, run.model, ""
    if not (isinstance(codec, SdfAE) and isinstance(model, MotionField)):
        codec, model, note = _learn_dance(run)
    return describe(codec, model, fps=run.recipe.fps, temperature=run.recipe.temperature, note=note)


def describe(codec: SdfAE, model: MotionField, *, fps: float, temperature: float = 1.0, note: str = "") -> Material:
    """What the player needs of a codec and of a model of its latents at `fps` keyframes a second."""
    meta = {"fps": fps, "temperature": temperature, "note": note, **_describe_codec(codec)}
    meta["reach"] = _measure_reach(codec, np.concatenate(model.clips))
    arrays = {**_store_decoder(codec.fields), **_store_movements(model)}
    return Material({**meta, "motion_field": _describe_model(model)}, arrays)


def pack(material: Material) -> tuple[dict[str, Any], str]:
    """The meta, with `arrays` that says where each array lies, and the arrays themselves: gzip, as base64."""
    layout: dict[str, dict[str, Any]] = {}
    content = bytearray()
    for name, array in material.arrays.items():
        content.extend(bytes(-len(content) % ALIGNMENT))
        layout[name] = {"offset": len(content), "shape": array.shape, "dtype": array.dtype.name}
        content += np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
    packed = gzip.compress(bytes(content), mtime=0)
    return {**material.meta, "arrays": layout}, b64encode(packed).decode()


def _describe_codec(codec: SdfAE) -> dict[str, Any]:
    fields, places = codec.fields, codec.places
    largest = np.log(LARGEST_DEVIATION * np.array(codec.size[::-1]))
    return {
        "size": codec.size,
        "canvas": asdict(fields.canvas),
        "deviation": float(fields.deviations[0]),
        "epsilon": EPSILON,
        "outward": OUTWARD,
        "outside": OUTSIDE,
        "smallest": float(places["piece"]),
        "placement": {
            "mean": places["place_mean"].tolist(),
            "deviation": (places["place_deviation"] / PLACE_IMPORTANCE).tolist(),
            "least": float(np.log(LEAST_DEVIATION)),
            "largest": largest.tolist(),
        },
    }


def _measure_reach(codec: SdfAE, latents: Float32) -> dict[str, int]:
    """Between which rows and columns of the silhouettes the dancer is, but for what is seldom shown."""
    shown = codec.decode(latents[sample_evenly(len(latents), PICTURES)]) < MIDDLE
    (top, bottom), (left, right) = (_find_span(np.asarray(shown.any(axis=across))) for across in (2, 1))
    return {"top": top, "bottom": bottom, "left": left, "right": right}


def _find_span(seen: Bools) -> tuple[int, int]:
    """From where up to where more than `SELDOM` of the pictures `(n, side)` have something; all if none has."""
    places = np.flatnonzero(seen.mean(axis=0) > SELDOM)
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, seen.shape[1])


def _store_decoder(fields: FieldModel) -> Stored:
    """Its decoder's arrays, of int8 where the model has them so."""
    stored = fields.stored
    if "basis.scale" not in stored:
        stored = _quantize(stored)
    wanted = ("mean", "basis", "importance", "decoder.")
    kept = {name: values for name, values in stored.items() if name.startswith(wanted)}
    # Browsers know no float16.
    return {name: values if values.dtype == np.int8 else values.astype(np.float32) for name, values in kept.items()}


def _quantize(arrays: Stored) -> Stored:
    """Matrices as int8, but for the linear path, within which numbers differ too much.

    Some hidden units of a trained network reach single outputs by a hundred times the weight that the others have: so
    layers have a scale for each output. Of the components each is as large as it is: they have their own.
    """
    stored = dict(arrays)
    for name, values in arrays.items():
        if values.ndim == 2 and not name.endswith("straight.kernel"):
            stored[name], stored[f"{name}.scale"] = quantize(values, axis=1 if name == "basis" else 0)
    return stored


def _store_movements(model: MotionField) -> Stored:
    latents, scale = quantize(np.concatenate(model.clips), axis=0)
    return {
        "latents": latents,
        "latents.scale": scale,
        "regions": model.regions.astype(np.int16),
        "clip_lengths": np.array([len(clip) for clip in model.clips], np.int32),
        "framings": model.framings.astype(np.int32),
    }


def _describe_model(model: MotionField) -> dict[str, Any]:
    """Its options, and the constants of its code."""
    return {
        **model.options.model_dump(mode="json"),
        "regions": REGIONS * PACES,
        "most_starts": MOST_STARTS,
        "least_liveliness": LEAST_LIVELINESS,
        "most_hurried": MOST_HURRIED,
        "far": float(FAR),
        "rest": REST,
        "leaning": LEANING,
        "leans": LEANS,
    }


def _learn_dance(run: OpenedRun) -> tuple[SdfAE, MotionField, str]:
    """The player's own models of what a run's models dance, made once and kept, and what to tell of it."""
    recipe = run.recipe
    decided = {"fps": recipe.fps, "temperature": recipe.temperature, "seed": recipe.seed}
    detail = f"{recipe.codec.name} and {recipe.sequence.name} dance for {MINUTES} minutes"
    inputs = {**run.describe(run.artifacts), "dance": decided}
    artifact = run.session.make("player", inputs, lambda folder: _fit(run, folder), detail=detail)
    codec = run.codec
    if not isinstance(codec, SdfAE):
        codec = SdfAE.load(artifact.folder, SdfAEOptions.model_validate({}))
    model = MotionField.load(artifact.folder, _scale_options(recipe.fps))
    return codec, model, artifact.read_notes(_Notes).note


class _Notes(BaseModel):
    note: str


def _fit(run: OpenedRun, folder: Path) -> dict[str, Any]:
    """Save the models that `_learn_dance` loads."""
    dances, cuts = _dance(run)
    note = f"{run.recipe.codec.name} and {run.recipe.sequence.name} danced for {MINUTES} minutes: the player goes on "
    note += "with their movements, by motion-field."
    if not isinstance(run.codec, SdfAE):
        pictures = _draw_some(run, dances)
        codec = SdfAE.from_prior(pictures)
        codec.save(folder)
        dances = np.stack(list(_encode_anew(run, codec, dances)))
        note += _tell_likeness(codec.measure_iou(pictures))
    model = MotionField(_scale_options(run.recipe.fps))
    model.fit(_split_shots(dances, cuts, model.context), [], Training(seed=run.recipe.seed))
    model.save(folder)
    return {"note": note}


def _dance(run: OpenedRun) -> tuple[Float32, Bools]:
    """Latents `(b, n, d)` that a run's model dances, and which of them begin a new shot, `(b, n)`."""
    recipe, context = run.recipe, run.model.context
    openings = [
        take_opening(Opening("random"), context, run.latents, run.frames.clips, recipe.seed + number)
        for number in range(OPENINGS)
    ]
    steps = ceil(60 * MINUTES * recipe.fps / OPENINGS)
    with run.translate_misfit():
        return run.model.generate_shots(np.stack(openings), steps, temperature=recipe.temperature, rng=recipe.seed)


def _draw_some(run: OpenedRun, dances: Float32) -> Silhouettes:
    """Pictures of a dance, evenly spaced."""
    latents = dances.reshape(-1, dances.shape[-1])
    some = latents[sample_evenly(len(latents), PICTURES)]
    with run.translate_misfit():
        return Silhouettes.of(np.concatenate(list(decode_frames(run.codec, [some]))))


def _encode_anew(run: OpenedRun, codec: SdfAE, dances: Float32) -> Iterator[Float32]:
    """The latents `(n, d)` that another codec has of the pictures of each dance."""
    for number, dance in enumerate(dances):
        run.session.listen(Progress("player", number, len(dances)))
        with run.translate_misfit():
            yield np.concatenate([codec.encode(pictures) for pictures in decode_frames(run.codec, [dance])])


def _tell_likeness(reached: float) -> str:
    if reached >= LEAST_IOU:
        return " It draws them by the body prior."
    return f" It draws them by the body prior, which shows these pictures only roughly (IoU {reached:.2f})."


def _scale_options(fps: float) -> MotionFieldOptions:
    """The options whose lengths take as long at `fps` as the defaults at the rate that they are for."""
    usual = MotionFieldOptions.model_validate({})
    lengths = {name: max(2, round(getattr(usual, name) * fps / FPS)) for name in ("context", "shortest", "longest")}
    return MotionFieldOptions.model_validate(lengths)


def _split_shots(dances: Float32, cuts: Bools, context: int) -> list[Float32]:
    """The shots of dances; the dances themselves where no shot is long enough to learn from."""
    shots = [
        shot for dance, begins in zip(dances, cuts, strict=True) for shot in np.split(dance, np.flatnonzero(begins))
    ]
    return shots if max(map(len, shots)) > context else list(dances)
