"""`import deepdance`: what it offers, what it imports, what a type checker sees."""

import os
import re
import subprocess
import sys
import tomllib
from base64 import b64decode
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
from conftest import SMALL

import deepdance
from deepdance.api import RecipeFields
from deepdance.blas import sum_by_threads
from deepdance.events import ArtifactReady, EpochFinished, Failed, RunFinished, RunStarted
from deepdance.frames import Silhouettes
from deepdance.html import TrainingHistories

ROOT = Path(__file__).parents[2]
MODELS = {"codec": {"name": "pca", "latent_dim": 8}, "sequence": "ridge", "size": SMALL}
SCRIPT = """\
import deepdance
from deepdance import Run

run: Run = deepdance.run("dance.mp4", codec={"name": "pca"}, frames=40)
reveal_type(run.frames)
reveal_type(run.dance(seed=3))
codec = deepdance.codec("pca", latent_dim=8)
reveal_type(deepdance.fit(codec, run.frames))
reveal_type(codec.encode(run.frames))
deepdance.run(frmes=40)
deepdance.fit(codec, "dance.mp4")
"""


@pytest.fixture(scope="module")
def heard():
    """All that the run told."""
    return []


@pytest.fixture(scope="module")
def run(silhouettes, heard, tmp_path_factory):
    """A run on an array."""
    workspace, told = tmp_path_factory.mktemp("library"), []
    run = deepdance.run(silhouettes, **MODELS, frames=40, workspace=workspace, listen=[told.append])
    heard.extend(told)
    return run


def test_a_run_from_an_array_to_an_array(run, heard, silhouettes):
    assert (run.frames.dtype, run.frames.shape) == (np.uint8, (40, *SMALL))
    assert 0.005 < (run.frames < 128).mean() < 0.5
    assert np.array_equal(run.silhouettes[:], silhouettes)
    assert run.latents.shape == (len(silhouettes), 8)
    with sum_by_threads(1):  # as every block of a run is
        assert np.array_equal(run.codec.encode(silhouettes), run.latents)
    assert run.video.stat().st_size > 500
    assert [row.component for row in run.table] == ["pca", "ridge"]
    assert run.recipe.codec.options["latent_dim"] == 8
    assert isinstance(heard[0], RunStarted)
    assert heard[-1] == RunFinished(run.name, run.video)


def test_another_dance_as_an_array_and_as_a_file(run, tmp_path):
    first = run.dance(start="random", seed=1, frames=20)
    assert first.shape == (20, *SMALL)
    assert np.array_equal(first, run.dance(start="random", seed=1, frames=20))
    assert not np.array_equal(first, run.dance(start="random", seed=2, frames=20))
    assert run.generate(tmp_path / "new.gif", frames=5).read_bytes()[:3] == b"GIF"


def test_a_run_is_opened_again_and_shown_in_a_notebook(run):
    again = deepdance.open_run(run.folder)
    assert np.array_equal(again.frames, run.frames)
    assert deepdance.open_run(run.name, workspace=run.folder.parents[1]).video == run.video
    shown = r'<video controls loop style="max-width: 100%" title="[\w-]+" src="data:video/mp4;base64,[\w+/=]+"></video>'
    assert re.fullmatch(shown, again._repr_html_())


def test_what_the_trainings_noted(run):
    (codec,), (sequence,) = run.history["codec"], run.history["sequence"]
    assert codec.keys() == {"loss", "acc", "val_loss", "val_acc"}
    assert run.table[0].val_loss == codec["val_loss"]
    assert f"<td>{sequence['loss']:.4g}</td>" in run.history._repr_html_()


def test_a_long_training_is_shown_from_its_first_to_its_last_epoch():
    history = TrainingHistories({"codec": [{"loss": 1.0} | ({"acc": 0.5} if n else {}) for n in range(853)]})
    shown = re.findall(r'<th scope="row">(\d+)</th>', history._repr_html_())
    assert (shown[0], shown[-1], len(shown)) == ("1", "853", 20)
    assert "20 of 853 epochs" in history._repr_html_()
    assert "<td>–</td>" in history._repr_html_()


def test_silhouettes_are_shown_as_a_picture(silhouettes):
    import cv2

    for shown, told in ((silhouettes, 120), (silhouettes[:2], 2)):
        text = Silhouettes.of(shown)._repr_html_()
        png = re.search(r'src="data:image/png;base64,([\w+/=]+)"', text)[1]
        sheet = cv2.imdecode(np.frombuffer(b64decode(png), np.uint8), cv2.IMREAD_GRAYSCALE)
        assert sheet.shape[1] <= 720
        assert 0 < (sheet < 50).mean() < 0.5
        assert f"silhouettes: {told} of 24×40 in 1 clip<" in text
        assert repr(Silhouettes.of(shown)) == f"<Silhouettes: {told} of 24×40 in 1 clip>"


def test_runs_beside_one_another(run, silhouettes):
    workspace = run.folder.parents[1]
    other = deepdance.run(silhouettes, **MODELS, frames=10, seed=1, workspace=workspace, name="other")
    tables = deepdance.compare([run, other.name], frames=20, seeds=1, workspace=workspace)
    assert [row.name for row in tables["frames"].rows][:2] == [run.name, "other"]
    assert tables.keys() == {"frames", "long", "paper"}
    assert "<table>" in tables._repr_html_()
    assert run.evaluate(20, 1)._repr_html_().count("<table>") == 4
    assert str(run.evaluate(20, 1)).startswith(f"{run.table}\n\n{run.evaluate(20, 1).tables['codec'].title}\n")
    for wrong in (run, "other", []):
        with pytest.raises(deepdance.DeepDanceError, match="expected a list of runs"):
            deepdance.compare(wrong, workspace=workspace)


def test_arrays_files_and_what_is_kept(run, silhouettes, tmp_path):
    workspace = run.folder.parents[1]
    np.save(tmp_path / "dance.npy", silhouettes)
    two = deepdance.run([tmp_path / "dance.npy", silhouettes < 128], **MODELS, frames=10, workspace=workspace)
    assert [clip.stop - clip.start for clip in two.silhouettes.clips] == [len(silhouettes)] * 2
    assert set(np.unique(two.silhouettes[len(silhouettes) :])) == {0, 255}
    same = deepdance.run(silhouettes, recipe=run.folder / "recipe.toml", workspace=workspace)
    assert same.folder == run.folder


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((5, 4, 4)), r"expected RGB frames .*, got float64 \(5, 4, 4\)"),
        (np.zeros((0, 4, 4), np.uint8), r"got uint8 \(0, 4, 4\)"),
        ("no-such.mp4", "no-such.mp4, which does not exist"),
    ],
)
def test_a_run_refuses_in_one_line_and_the_listener_hears_it(given, message, tmp_path):
    heard = []
    with pytest.raises(deepdance.DeepDanceError, match=message) as told:
        deepdance.run(given, workspace=tmp_path / "w", listen=[heard.append])
    assert heard == [Failed("InputError", str(told.value))]
    assert not (tmp_path / "w/runs").exists()


def test_a_codec_and_a_sequence_model_on_arrays(silhouettes):
    heard = []
    codec = deepdance.codec("pca", latent_dim=8)
    (metrics,) = deepdance.fit(codec, [silhouettes[:70], silhouettes[70:]], listen=[heard.append])
    assert metrics.keys() == {"loss", "acc", "val_loss", "val_acc"}
    latents = codec.encode(silhouettes)
    assert (latents.shape, latents.dtype) == ((120, 8), np.float32)
    assert ((codec.decode(latents) < 128) == (silhouettes < 128)).mean() > 0.97
    model = deepdance.sequence("ridge", context=3)
    history = deepdance.fit(model, [latents[:60], latents[60:]], validation=0.2, seed=1, listen=[heard.append])
    assert len(history) == 1
    assert model.generate(latents[None, : model.context], 5).shape == (1, 5, 8)
    epochs = [(event.stage, event.epoch, event.epochs) for event in heard if isinstance(event, EpochFinished)]
    assert epochs == [("codec", 1, 1), ("sequence", 1, 1)]


def test_training_in_python_is_the_same_as_in_a_run(run, silhouettes):
    codec = deepdance.codec("pca", latent_dim=8)
    deepdance.fit(codec, silhouettes)
    with sum_by_threads(1):
        assert np.array_equal(codec.encode(silhouettes), run.latents)
    model = deepdance.sequence("ridge")
    deepdance.fit(model, run.latents)
    seed = run.latents[None, : model.context]
    assert np.array_equal(model.generate(seed, 5), run.sequence.generate(seed, 5))


def test_a_stage_is_made_anew_with_all_after_it(silhouettes, tmp_path):
    def kept(**more):
        heard = []
        run = deepdance.run(silhouettes, **MODELS, frames=10, workspace=tmp_path, listen=[heard.append], **more)
        return run, {event.stage: event.reused for event in heard if isinstance(event, ArtifactReady)}

    first, _ = kept(name="first")
    learned = first.latents
    again, stages = kept(name="second", fresh="latents")
    assert stages == {"silhouettes": True, "codec": True, "latents": False, "sequence": False, "evaluation": False}
    assert all(kept(name="second")[1].values())
    assert np.array_equal(deepdance.open_run(first.folder).latents, learned)
    with pytest.raises(deepdance.DeepDanceError, match="--fresh: .* got 'codex'; did you mean 'codec'"):
        kept(fresh="codex")
    heard = []
    again = deepdance.open_run(again.folder, listen=[heard.append])
    again.evaluate(20, 1)
    heard.clear()
    again.evaluate(20, 1, fresh="next_frame_table")
    tables = {event.stage: event.reused for event in heard if isinstance(event, ArtifactReady)}
    assert tables == {"evaluation": True, "codec_table": True, "next_frame_table": False, "long_table": False}


PCA, RIDGE = deepdance.codec("pca"), deepdance.sequence("ridge", context=5)
FRAMES = np.zeros((9, 4, 4), np.uint8)


@pytest.mark.parametrize(
    ("component", "data", "share", "message"),
    [
        (PCA, np.zeros((9, 4, 4), np.float32), 0.1, r"expected silhouettes .* uint8, got float32 \(9, 4, 4\)"),
        (PCA, np.zeros((9, 4, 4, 3), np.uint8), 0.1, r"got uint8 \(9, 4, 4, 3\)"),
        (PCA, [FRAMES, np.zeros((9, 4, 5), np.uint8)], 0.1, "of one size"),
        (PCA, [], 0.1, "got an empty list"),
        (PCA, FRAMES, 1.5, "validation: expected less than or equal to 0.5, got 1.5"),
        (
            RIDGE,
            np.full((9, 4), np.nan, np.float32),
            0.1,
            "expected finite latents to learn from",
        ),
        (RIDGE, np.zeros(9, np.float32), 0.1, r"expected latents \(n, d\)"),
        (RIDGE, [np.zeros((9, 4)), np.zeros((9, 3))], 0.1, "of one length"),
        (RIDGE, np.zeros((5, 4)), 0.1, "expected a clip of more than 5 latents .* got at most 5"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(component, data, share, message):
    with pytest.raises(deepdance.DeepDanceError, match=message):
        deepdance.fit(component, data, validation=share)


def test_components_take_options_as_on_the_command_line():
    message = "codec.latent_dims: pca has no such option; did you mean 'latent_dim'"
    with pytest.raises(deepdance.DeepDanceError, match=message):
        deepdance.codec("pca", latent_dims=3)
    with pytest.raises(deepdance.DeepDanceError, match="no renderer is called 'mp5'; did you mean 'mp4'"):
        deepdance.renderer("mp5")
    chunks = list(deepdance.source("demo", seconds=1).frames(10, (48, 80)))
    assert np.concatenate(chunks).shape == (10, 48, 80, 3)
    assert deepdance.remover("threshold", level=400).remove(chunks[0]).ndim == 3
    assert type(deepdance.source("dance.npy")).__name__ == "ArraySource"


def test_a_listener_that_raises_does_not_stop_a_run(run, silhouettes, caplog, log):
    def bad(event):
        raise ValueError("no")

    frames = deepdance.run(silhouettes, recipe=run.recipe, workspace=run.folder.parents[1], listen=[bad]).frames
    assert len(frames) == 40
    told = "the listener bad failed at RunStarted and is switched off: ValueError: no"
    assert [record.getMessage() for record in caplog.records] == [told]


def python(code, **how):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, **how, capture_output=True, text=True, check=True, timeout=120)


def test_the_import_is_lazy():
    code = "import numpy, sys; before = set(sys.modules); import deepdance; print(*set(sys.modules) - before)"
    modules = set(python(code).stdout.split())
    assert {name for name in modules if name.startswith("deepdance")} == {"deepdance"}
    assert not modules & {"pydantic", "pluggy", "keras", "tensorflow", "cv2", "av", "scipy", "rich", "typer"}
    assert len(modules) < 5


@pytest.mark.parametrize(("codec", "sequence"), [("pca", "ridge"), ("pca", "motion-field"), ("sdf-ae", "motion-field")])
def test_a_run_of_what_is_not_trained_needs_no_framework(tmp_path, codec, sequence):
    given = f'source={{"name": "demo", "seconds": 30}}, codec="{codec}", sequence="{sequence}", frames=9'
    heavy = {"keras", "tensorflow"} | ({"scipy"} if sequence == "ridge" else set())
    code = f"import deepdance, sys; deepdance.run({given}); print(*{heavy} & set(sys.modules))"
    ran = python(code, cwd=tmp_path)
    assert (ran.stdout, ran.stderr) == ("\n", "")


def test_every_name_is_there_and_no_other():
    for name in deepdance.__all__:
        assert getattr(deepdance, name).__doc__
        assert name in dir(deepdance)
    with pytest.raises(AttributeError, match="no attribute 'dance'"):
        deepdance.dance  # noqa: B018


def test_the_fields_of_a_run_are_those_of_a_recipe():
    noted_by_a_run = {"music_hash"}
    assert set(get_type_hints(RecipeFields)) == {*deepdance.Recipe.model_fields, "seconds"} - noted_by_a_run


def test_every_package_of_the_wheel_is_typed():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert len(build["packages"]) == 3
    assert "exclude" not in build
    for package in build["packages"]:
        assert (ROOT / package / "py.typed").is_file()


def test_a_type_checker_sees_the_types_of_a_users_script(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [Path(sys.executable).with_name("mypy"), "--strict", "--follow-imports=silent", "script.py"]
    roots = os.pathsep.join(str(ROOT / root) for root in ("core", "plugins", "cli"))
    env = {**os.environ, "MYPYPATH": roots}
    result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=200)
    lines = [line.removeprefix("script.py:") for line in result.stdout.splitlines()]
    array = r"ndarray\[.*\[{}\[.*\]\]\]"
    shown = {int(line.split(":")[0]): line for line in lines if "Revealed type" in line}
    for number, kind in ((5, "unsignedinteger"), (6, "unsignedinteger"), (9, "floating")):
        assert re.search(array.format(rf"numpy\.{kind}"), shown[number]), shown[number]
    assert "list[dict[str, float]]" in shown[8].replace("builtins.", "")
    errors = {int(line.split(":")[0]): line for line in lines if " error: " in line}
    assert errors.keys() == {10, 11}
    assert 'Unexpected keyword argument "frmes"' in errors[10]
    assert 'Argument 2 to "fit" has incompatible type "str"' in errors[11]
