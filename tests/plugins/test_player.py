import json
import os
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dancers import draw_dancer

import deepdance
from deepdance.events import ArtifactReady
from deepdance.frames import Silhouettes
from deepdance.generation import interpolate
from deepdance.interfaces import Training
from deepdance.opened_runs import OpenedRun
from deepdance_plugins.codecs.sdf_ae.field_model import FieldModel, quantize, restore_arrays
from deepdance_plugins.codecs.sdf_ae.model import SdfAE
from deepdance_plugins.player import material
from deepdance_plugins.player.material import describe, pack
from deepdance_plugins.sequences.motion_field.model import MotionField
from deepdance_plugins.sequences.motion_field.options import MotionFieldOptions

NODE = shutil.which("node")
SCRIPTS = sorted((Path(__file__).parents[1] / "player").glob("*.test.mjs"))
RNG = np.random.default_rng(0)
SIZES = ((60, 100), (540, 960), (90, 400))
LONG = 20_000
DANCES = {
    "usual": {},
    "calm": {"temperature": 0.5},
    "lively": {"temperature": 2.0},
    "uncut": {"cuts": "none"},
    "restless": {"shortest": 1, "longest": 4},
}


def walk(count: int, seed: int, apart: float = 0.0) -> np.ndarray:
    """A clip `(count, 6)` that circles ever faster and slower, `apart` from where others do."""
    rng = np.random.default_rng(seed)
    speed = 0.1 + 0.1 * (1 + np.sin(np.arange(count) / 40 + rng.uniform(0, 6)))
    angle = rng.uniform(0, 6) + np.cumsum(speed)
    radius = 1 + 0.3 * np.sin(np.arange(count) / 25)
    clip = [radius * np.cos(angle), radius * np.sin(angle), np.sin(2 * angle), speed, 0 * angle + apart, 0.1 * speed]
    return np.stack(clip, axis=1).astype(np.float32)


def round_off(clips: list[np.ndarray]) -> list[np.ndarray]:
    """Clips as the page has them: in integers of 8 bits."""
    integers, scale = quantize(np.concatenate(clips), axis=0)
    return np.split((integers * scale).astype(np.float32), np.cumsum([len(clip) for clip in clips])[:-1])


def fitted(clips: list[np.ndarray], **options) -> MotionField:
    model = MotionField(MotionFieldOptions(**options))
    model.fit(clips, [], Training())
    return model


def measure_dance(latents: np.ndarray, cuts: np.ndarray, model: MotionField) -> dict[str, float]:
    """The figures that a dance in JavaScript and one in Python have to share."""
    real = np.concatenate(model.clips)
    steps = np.linalg.norm(np.diff(latents, axis=0), axis=1)[~cuts[1:]]
    nearest = np.concatenate(
        [((part[:, None] - real) ** 2).sum(axis=2).argmin(axis=1) for part in np.array_split(latents, 100)]
    )
    shown = Counter(model.regions[nearest].tolist())
    shares = np.array([shown[region] for region in range(300)]) / len(latents)
    true = np.bincount(model.regions, minlength=300) / len(real)
    return {
        "step": float(steps.mean()),
        "calm steps": float(np.quantile(steps, 0.1)),
        "lively steps": float(np.quantile(steps, 0.9)),
        "regions": float(np.minimum(shares, true).sum()),
        "distinct": len(set(nearest.tolist())) / len(real),
        "cuts": int(cuts.sum()),
    }


@pytest.fixture(scope="module")
def codec() -> SdfAE:
    return SdfAE.from_prior(Silhouettes.of(draw_dancer(60, seed=1)))


@pytest.fixture(scope="module")
def latents(codec: SdfAE) -> np.ndarray:
    return codec.encode(draw_dancer(60, seed=1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, codec: SdfAE, latents: np.ndarray) -> Path:
    """What the tests in JavaScript read, one file each."""
    folder = tmp_path_factory.mktemp("player")
    write(folder, "pictures", describe_pictures(codec, latents))
    write(folder, "dances", {name: describe_dance(codec, **options) for name, options in DANCES.items()})
    write(folder, "nearest", describe_nearest(codec))
    write(folder, "curve", describe_curve())
    return folder


def write(folder: Path, name: str, content: object) -> None:
    (folder / f"{name}.json").write_text(json.dumps(content))


def packed(codec: SdfAE, model: MotionField, *, pictures: bool = True, **more: float) -> dict:
    made = describe(codec, model, fps=10.0, **more)
    movements = ("latents", "regions", "clip_lengths", "framings")
    arrays = {name: values for name, values in made.arrays.items() if pictures or name.startswith(movements)}
    meta, data = pack(material.Material(made.meta, arrays))
    return {"meta": meta, "data": data}


def describe_pictures(codec: SdfAE, latents: np.ndarray) -> dict:
    """Poses of the video, and two that were guessed wildly."""
    poses = np.concatenate([latents[::6], latents[:1] * 1.5, latents[:1] + 30 * np.eye(1, latents.shape[1], 4)])
    poses = poses.astype(np.float32)
    silhouettes = [np.packbits(codec.decode_at(poses, size) < 128, axis=None).tolist() for size in SIZES]
    return {
        **packed(codec, fitted([latents])),
        "poses": poses.tolist(),
        "fields": codec.fields.decode(poses[:, 5:]).reshape(len(poses), -1).tolist(),
        "sizes": SIZES,
        "silhouettes": silhouettes,
    }


def describe_dance(codec: SdfAE, temperature: float = 1.0, **options) -> dict:
    """A long dance of two framings in Python, and its figures."""
    model = fitted(round_off([walk(400, 1), walk(250, 2, 20.0), walk(300, 3), walk(150, 4, 20.0)]), **options)
    seed = model.clips[0][None, 100 : 100 + model.context]
    dance, cuts = model.generate_shots(seed, LONG, temperature=temperature)
    return {
        **packed(codec, model, pictures=False, temperature=temperature),
        "figures": measure_dance(dance[0], cuts[0], model),
        "steps": LONG,
    }


def describe_nearest(codec: SdfAE) -> dict:
    """A dance in which nothing is left to chance."""
    model = fitted(round_off([walk(500, 5)]), shortest=8, longest=8)
    first = 123
    seed = model.clips[0][None, first + 1 - model.context : first + 1]
    dance = model.generate(seed, 400, temperature=0.0)[0]
    return {**packed(codec, model, pictures=False, temperature=0.0), "first": first, "dance": dance.tolist()}


def describe_curve() -> dict:
    """Keys with cuts, some one after another, and what `interpolate` makes of them."""
    keys = RNG.normal(size=(40, 3)).astype(np.float32)
    cuts = np.isin(np.arange(40), [7, 8, 20, 30, 32])
    frames = np.concatenate(list(interpolate([(keys, cuts)], 10, 30, 110)))
    return {"keys": keys.tolist(), "cuts": cuts.tolist(), "frames": frames.tolist(), "ratio": 1 / 3}


@pytest.mark.skipif(NODE is None, reason="needs node")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_player_in_javascript(folder: Path, script: Path):
    ended = subprocess.run(
        [str(NODE), "--test", str(script)],
        env={**os.environ, "PLAYER_FIXTURES": str(folder), "PLAYER": str(Path(material.__file__).parent)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]


def test_what_is_packed_is_what_is_drawn_with(codec: SdfAE, latents: np.ndarray):
    made = describe(codec, fitted([latents]), fps=10.0)
    arrays = restore_arrays(made.arrays)
    assert not any(name.startswith("encoder") for name in arrays)
    for name in ("basis", "decoder.inner0.kernel", "decoder.straight.kernel"):
        assert np.array_equal(arrays[name], codec.fields._arrays[name])
    assert np.abs(arrays["latents"] - latents).max() <= np.abs(latents).max() / 127


def test_a_trained_codec_is_quantized_and_draws_alike(codec: SdfAE, latents: np.ndarray):
    trained = SdfAE(codec.options)
    trained._size, trained._places = codec.size, dict(codec.places)
    trained._fields = FieldModel(restore_arrays(codec.fields.stored))
    made = describe(trained, fitted([latents]), fps=10.0)
    assert made.arrays["decoder.outer1.kernel"].dtype == np.int8
    drawn = FieldModel({**trained.fields.stored, **made.arrays}).decode(latents[:, 5:])
    assert np.abs(drawn - codec.fields.decode(latents[:, 5:])).mean() < 0.02


def test_what_a_dance_reaches_is_where_its_pictures_show_something(codec: SdfAE, latents: np.ndarray):
    reach = describe(codec, fitted([latents]), fps=10.0).meta["reach"]
    rows, columns = np.nonzero((codec.decode(latents) < 128).any(axis=0))
    assert reach == {
        "top": rows.min(),
        "bottom": rows.max() + 1,
        "left": columns.min(),
        "right": columns.max() + 1,
    }
    assert reach["right"] - reach["left"] < codec.size[1]


def test_what_is_seldom_shown_is_not_reached_and_nothing_is_all():
    seen = np.zeros((200, 50), bool)
    seen[:, 10:20] = True
    seen[:2] = True
    assert material._find_span(seen) == (10, 20)
    seen[2] = True
    assert material._find_span(seen) == (0, 50)
    assert material._find_span(np.zeros((200, 50), bool)) == (0, 50)


def test_meta_is_json_and_packing_is_repeatable(codec: SdfAE, latents: np.ndarray):
    made = describe(codec, fitted([latents]), fps=10.0, note="as it is")
    meta, data = pack(made)
    assert json.loads(json.dumps(meta))["note"] == "as it is"
    assert (meta, data) == pack(made)
    assert all(layout["offset"] % material.ALIGNMENT == 0 for layout in meta["arrays"].values())


@pytest.fixture(scope="module")
def open_made(tmp_path_factory: pytest.TempPathFactory):
    """Train a run of the drawn dancer, and open it."""
    workspace, frames = tmp_path_factory.mktemp("made"), draw_dancer(80, seed=2)

    def make(**models) -> OpenedRun:
        return deepdance.run(frames, workspace=workspace, size=SIZES[0], frames=10, fps=10.0, **models)._opened

    return make


@pytest.mark.parametrize("codec_name", ["pca", "sdf-ae"])
def test_what_other_models_dance_is_learned_by_the_players_own(monkeypatch, open_made, codec_name):
    monkeypatch.setattr(material, "MINUTES", 0.1)
    run = open_made(codec={"name": codec_name}, sequence="ridge")
    made = material.make_material(run)
    assert f"{codec_name} and ridge danced" in made.meta["note"]
    assert ("body prior" in made.meta["note"]) == (codec_name == "pca")
    assert made.meta["size"] == SIZES[0]
    assert len(made.arrays["latents"]) == material.OPENINGS * 8
    told = []
    again = material.make_material(replace(run, session=replace(run.session, listen=told.append)))
    assert [event.reused for event in told if isinstance(event, ArtifactReady)] == [True]
    assert pack(again) == pack(made)


def test_the_players_own_models_are_played_as_they_are(open_made):
    run = open_made(codec="sdf-ae", sequence="motion-field")
    made = material.make_material(run)
    assert made.meta["note"] == ""
    assert np.abs(restore_arrays(made.arrays)["latents"] - np.concatenate(run.model.clips)).max() < 0.1


def test_lengths_are_those_of_the_runs_frame_rate():
    for fps, lengths in ((10, (6, 6, 15)), (30, (18, 18, 45)), (1, (2, 2, 2))):
        options = material._scale_options(fps)
        assert (options.context, options.shortest, options.longest) == lengths


def test_shots_that_are_too_short_to_learn_from_are_joined_again():
    dances, cuts = np.zeros((2, 20, 3), np.float32), np.zeros((2, 20), bool)
    cuts[:, 12] = True
    assert [len(shot) for shot in material._split_shots(dances, cuts, 6)] == [12, 8, 12, 8]
    assert [len(shot) for shot in material._split_shots(dances, cuts, 12)] == [20, 20]
