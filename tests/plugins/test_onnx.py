"""ONNX files give what the models give, and are enough to dance with."""

import json
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from conftest import SMALL_RUN, registry_of
from dancers import SIZE, draw_dancer

from deepdance.errors import OptionError, PluginError
from deepdance.frames import Silhouettes
from deepdance.interfaces import Training
from deepdance.metrics.shapes import iou
from deepdance.plugins import ComponentSpec, discover, hookimpl
from deepdance.recipe import Recipe
from deepdance_plugins.codecs.conv_ae.model import ConvAE
from deepdance_plugins.codecs.pca import PCA
from deepdance_plugins.codecs.sdf_ae.model import SdfAE
from deepdance_plugins.sequences.flow.model import Flow
from deepdance_plugins.sequences.flow.sampling import STEPS_PER_CALL as FLOW_STEPS
from deepdance_plugins.sequences.gru import GRU
from deepdance_plugins.sequences.lstm4.model import LSTM4
from deepdance_plugins.sequences.mdn.mixture import STEPS_PER_CALL as MDN_STEPS
from deepdance_plugins.sequences.mdn.model import MDN
from deepdance_plugins.sequences.ridge import Ridge

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from deepdance_plugins.exports.onnx import decoders, drawing, export, steps  # noqa: E402
from deepdance_plugins.exports.onnx.graph import Graph  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs/how-to/export-onnx.md"
DIM = 12
CLOSE = 1e-4
RECURRENT = {"layers": 2, "units": 16, "epochs": 2}
MODELS = {
    "ridge": (Ridge, {}),
    "lstm4": (LSTM4, RECURRENT),
    "gru": (GRU, RECURRENT),
    "mdn": (MDN, RECURRENT | {"span": 2}),
    "flow": (Flow, {"steps": 20, "units": 32, "width": 16}),
}
DRAWN_AHEAD = {"mdn": MDN_STEPS, "flow": FLOW_STEPS}


def open_graph(graph):
    """A function of named arrays that gives named arrays."""
    session = onnxruntime.InferenceSession(graph.build("test", "1", {}).SerializeToString())
    names = [each.name for each in session.get_outputs()]
    return lambda **given: dict(zip(names, session.run(None, given), strict=True))


def saved(component, folder, *learned):
    component.fit(*learned, Training())
    component.save(folder)
    return component


def stray(latents):
    """Latents, and some that no frame has."""
    noise = np.random.default_rng(0).standard_normal(latents[:20].shape).astype(np.float32)
    return np.concatenate([latents, latents[:20] + noise])


@pytest.mark.parametrize(
    ("codec", "write"),
    [(PCA(), decoders.write_pca), (ConvAE(epochs=1), decoders.write_conv_ae)],
    ids=["pca", "conv-ae"],
)
def test_a_decoder_draws_what_the_codec_draws(codec, write, silhouettes, tmp_path):
    frames = Silhouettes.of(silhouettes)
    saved(codec, tmp_path, frames.between(0, 100), frames.between(100, 120))
    latents = stray(codec.encode(silhouettes))
    shown = open_graph(write(tmp_path, codec.options, None))(latents=latents)["silhouettes"]
    assert shown.dtype == np.uint8
    assert np.abs(shown - codec.decode(latents).astype(float)).max() <= 1


@pytest.fixture(scope="module")
def placed(tmp_path_factory):
    """An `sdf-ae` of a dancer, the folder that it is saved in, and latents, some of them of torn bodies."""
    frames, folder = draw_dancer(40, seed=1), tmp_path_factory.mktemp("sdf-ae")
    codec = SdfAE.from_prior(Silhouettes.of(frames))
    codec.save(folder)
    return codec, folder, stray(codec.encode(frames))


@pytest.mark.parametrize("size", [None, (240, 400), (480, 600), (37, 80)])
def test_outlines_are_drawn_as_the_codec_draws_them_at_any_size(placed, size):
    codec, folder, latents = placed
    given = open_graph(decoders.write_sdf_ae(folder, codec.options, size))(latents=latents)
    wanted = codec.decode_at(latents, size or SIZE)
    assert given["silhouettes"].shape == wanted.shape
    assert np.abs(given["silhouettes"] - wanted.astype(float)).mean() < 1e-3
    assert iou(wanted, given["silhouettes"]).min() > 0.995
    assert given["field"] == pytest.approx(codec.fields.decode(latents[:, 5:]), abs=CLOSE)


def test_who_draws_the_field_as_the_page_says_gets_the_same_dancer(placed):
    codec, folder, latents = placed
    graph = decoders.write_sdf_ae(folder, codec.options, None)
    canvas = json.loads(graph.notes["canvas"])
    given = open_graph(graph)(latents=latents[:1])
    column, row, lean, log_width, log_height = given["placement"][0]
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    down = (y - row) * canvas["down"] / np.exp(log_height) + canvas["row"]
    across = (x - column - lean * (y - row)) * canvas["across"] / np.exp(log_width) + (canvas["width"] - 1) / 2
    distance = cv2.remap(given["field"][0], across, down, cv2.INTER_LINEAR, borderValue=-8)
    distance *= np.exp(log_height) / canvas["reference"]
    grey = np.clip(127.5 - 255 * distance, 0, 255).astype(np.uint8)
    assert iou(given["silhouettes"], grey[None]).min() > 0.98


def test_pieces_are_measured_as_opencv_measures_them():
    frames = (np.random.default_rng(0).random((3, 31, 47)) < [[[0.2]], [[0.4]], [[0.6]]]).astype(np.float32)
    frames[0] = np.kron(np.arange(31) % 4 < 2, np.ones(47)).reshape(31, 47)  # bands
    frames[0, :, ::46] = np.where(np.arange(31) % 4 == 2, [[1.0], [0.0]], frames[0, :, ::46].T).T  # joined to a snake
    graph = Graph()
    dancer = graph.input("dancer", ["n", 31, 47]).unsqueeze(1)
    graph.output("areas", drawing._measure_areas(dancer, (31, 47)), ["n", 1, 31, 47])
    for frame, areas in zip(frames, open_graph(graph)(dancer=frames)["areas"][:, 0], strict=True):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(frame.astype(np.uint8), connectivity=8)
        stats[0] = 0
        assert (areas == stats[:, cv2.CC_STAT_AREA][labels]).all()


def make_latents(count):
    rng = np.random.default_rng(0)
    waves = np.arange(count)[:, None] * rng.uniform(0.05, 0.3, DIM) + rng.uniform(0, 6, DIM)
    return (np.sin(waves) + 0.05 * rng.standard_normal((count, DIM))).astype(np.float32)


def draw_noise(name, model, rng):
    """What a step is given beside its state, `(t, 2, …)`, as the model itself draws it for two dances."""
    if name not in DRAWN_AHEAD:
        return {}
    draws, ahead = [np.random.default_rng([rng, number]) for number in range(2)], DRAWN_AHEAD[name]
    noise = {}
    if name == "mdn":
        noise["gumbel"] = np.stack([draw.gumbel(size=(ahead, model.options.mixtures)) for draw in draws], axis=1)
    noise["normal"] = np.stack([draw.standard_normal((ahead, DIM), np.float32) for draw in draws], axis=1)
    begun = model.context - 1 if name == "mdn" else 0
    return {key: values[begun:].astype(np.float32) for key, values in noise.items()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small model by its name, and its step."""

    @cache
    def train(name):
        kind, options = MODELS[name]
        folder, latents = tmp_path_factory.mktemp(name), make_latents(120)
        model = saved(kind(**options), folder, [latents[:90]], [latents[90:]])
        return model, open_graph(steps.STEPS[name](folder, model.options))

    return train


@pytest.mark.parametrize("name", MODELS)
def test_steps_lead_where_the_model_leads(name, trained):
    model, step = trained(name)
    latents = make_latents(120)
    seed = np.stack([latents[: model.context], latents[20 : 20 + model.context]])
    wanted = model.generate(seed, 20, temperature=0.7, rng=3)
    noise = draw_noise(name, model, 3)
    fixed = {"temperature": np.array(0.7, np.float32)} if noise else {}
    state = {"latents": seed}
    if name == "mdn":
        state |= dict.fromkeys(("hidden", "memory"), np.zeros((2, 2, 16), np.float32))
    for number in range(20):
        given = step(**state, **fixed, **{key: values[number] for key, values in noise.items()})
        state = {key[5:]: value for key, value in given.items() if key.startswith("next_")}
        assert state["latents"][:, -1] == pytest.approx(wanted[:, number], abs=CLOSE)


def test_a_mixture_is_told_in_latents(trained):
    latents, zeros = make_latents(120), np.zeros((2, 1, 16), np.float32)
    draws = {"gumbel": np.zeros((1, 5), np.float32), "normal": np.ones((1, DIM), np.float32)}
    draws["temperature"] = np.array(1, np.float32)
    given = trained("mdn")[1](latents=latents[None, :16], hidden=zeros, memory=zeros, **draws)
    assert np.exp(given["log_weights"]).sum() == pytest.approx(1, abs=CLOSE)
    heaviest = given["log_weights"][0].argmax()
    drawn = given["means"][0, heaviest] + given["deviations"][0, heaviest]
    kept = np.clip(drawn, latents[:90].min(axis=0), latents[:90].max(axis=0))
    assert given["next_latents"][0, 0] == pytest.approx(kept, abs=CLOSE)


@pytest.fixture
def run_of(dd, video):
    """Makes a run of two models."""

    def make(codec, sequence, *more):
        result = dd("run", video, "--codec", codec, "--seq", sequence, *SMALL_RUN, *more)
        assert result.code == 0, result.err

    return make


@pytest.mark.parametrize("sequence", ["ridge", "mdn"])
def test_a_run_dances_on_without_deepdance_as_the_page_says(run_of, dd, sequence, monkeypatch):
    run_of("pca", sequence, *(("--set", "sequence.epochs=1") if sequence == "mdn" else ()))
    files = json.loads(dd("export", "onnx", "--json").out)
    assert [file["file"] for file in files] == ["dance.onnx", "dance-step.onnx"]
    assert files[0]["outputs"] == {"silhouettes": ["n", 24, 40]}
    notes = onnxruntime.InferenceSession("dance-step.onnx").get_modelmeta().custom_metadata_map
    assert (notes["fps"], notes["latent_dim"]) == ("10", str(files[0]["inputs"]["latents"][1]))
    assert len(json.loads(notes["opening"])) == int(notes["context"])
    (script,) = re.findall(r'^```python title="dance.py"\n(.*?)^```', PAGE.read_text(), re.MULTILINE | re.DOTALL)
    exec(compile(script, "dance.py", "exec"), {})
    dance = np.load("dance.npy")
    assert (dance.shape, dance.dtype) == ((100, 24, 40), np.uint8)
    assert (dance != dance[:1]).any()


def test_a_model_that_searches_has_no_step_which_is_told(run_of, dd):
    run_of("sdf-ae", "texture")
    result = dd("export", "onnx", "--render-size", "64x48", "--out", "small.onnx")
    assert "texture searches among the frames of the video, and has no step" in result.err
    assert "small.onnx: latents (n, 128) → silhouettes (n, 48, 64), field" in result.out
    assert not Path("small-step.onnx").exists()
    Path("small-step.onnx").touch()
    result = dd("export", "onnx", "--render-size", "64x48", "--out", "small.onnx")
    assert "small-step.onnx is of another export: it is no step of this run" in result.err


def test_what_cannot_be_written_is_told_in_one_line(run_of, dd, monkeypatch):
    run_of("pca", "ridge")
    assert "--render-size: expected none for pca" in dd("export", "onnx", "--render-size", "64x48").err
    assert "--out: expected a name ending in .onnx" in dd("export", "onnx", "--out", "dance.mp4").err
    Path("folder.onnx").mkdir()
    assert "--out: expected a name ending in .onnx" in dd("export", "onnx", "--out", "folder.onnx").err
    for name in [name for name in sys.modules if name.startswith("deepdance_plugins.exports.onnx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = dd("export", "onnx")
    assert (result.code, "pip install 'deepdance[onnx]'" in result.err) == (2, True)
    assert not Path("dance.onnx").exists()


def test_of_somebody_elses_models_it_is_said_what_can_be_written(monkeypatch):
    specs = [
        ComponentSpec(kind, f"my-{kind}", "builtins:object", "builtins:object", "") for kind in ("codec", "sequence")
    ]
    plugin = ModuleType("mine")
    plugin.deepdance_components = hookimpl(lambda: specs)
    registry = registry_of(monkeypatch, mine=plugin)
    recipe = Recipe().changed({"codec": "my-codec"})
    with pytest.raises(PluginError, match=r"\(sdf-ae, conv-ae, pca\), got my-codec"):
        export._find_decoder(registry, recipe)
    assert export._find_writer(registry, "sequence", "my-sequence", steps.STEPS) is None
    assert "lstm4, gru, ridge, mdn, flow" in export._explain_no_step(registry, "my-sequence")


def test_a_size_is_read_as_the_dances_is():
    assert export._read_size(discover(), Recipe().changed({"codec": "sdf-ae"}), "1920x1080") == (1080, 1920)
    with pytest.raises(OptionError, match="1920x1080"):
        export._read_size(discover(), Recipe().changed({"codec": "sdf-ae"}), "large")
