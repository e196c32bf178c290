"""A run folder that somebody else made, whatever is in it: a dance or one line, and nothing outside is touched.

Each way to spoil it is sealed again, with correct hashes: whoever means harm can do that too.
"""

import json
import os
import resource
import shutil
import tomllib
import zipfile
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

import deepdance
from deepdance.artifacts import _list_files, _write_manifest
from deepdance.errors import DeepDanceError, OptionError, WorkspaceError
from deepdance.generation import MOST_KEYS, count_keyframes
from deepdance.recipe import MOST_FRAMES, Recipe
from deepdance.storage import hash_file, read_as

SECRET = "nobody but I may read or write this"
COMMANDS = {
    "generate": ("generate", "w/runs/x", "--out", "new.mp4"),
    "evaluate": ("evaluate", "w/runs/x", "--frames", "40", "--seeds", "1", "--fresh", "evaluation"),
    "curves": ("curves", "w/runs/x"),
    "runs": ("runs", "--workspace", "w"),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the workspace `w` of a finished run, `x`, of an array of two dancers."""
    folder = tmp_path_factory.mktemp("good")
    size, frames = (24, 40), []
    for number in range(80):
        frame = np.full(size, 255, np.uint8)
        frame[6:20, 5 + number % 25 : 9 + number % 25] = 0
        frame[10:12, 2 + number % 25 : 12 + number % 25] = 0
        frames.append(frame)
    recipe = Recipe(codec="pca", sequence="ridge", fps=10, size=size, frames=30, render_size=(48, 80))
    with chdir(folder):
        deepdance.run(np.stack(frames), recipe=recipe, name="x", workspace="w", force=True)
    return folder


@pytest.fixture
def theirs(good: Path, tmp_path: Path, dd: Callable[..., Any]) -> Path:
    """A copy of it, without what it learned from, beside a secret, in the folder that commands run in."""
    shutil.copytree(good / "w", tmp_path / "w", dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "w" / "arrays")
    (tmp_path / "secret").write_text(SECRET)
    edit_record(inputs=["/nowhere/theirs.mp4"])(tmp_path)
    return tmp_path


def find_artifact(theirs: Path, stage: str) -> Path:
    [name] = json.loads((theirs / "w/runs/x/run.json").read_text())["artifacts"][stage]
    return theirs / "w/artifacts" / name


def seal(folder: Path, **changes: Any) -> None:
    """Make a manifest fit what is in an artifact's folder; None takes an entry away."""
    manifest = {**json.loads((folder / "manifest.json").read_text()), "files": _list_files(folder), **changes}
    manifest.pop("digest", None)
    _write_manifest(folder, {key: value for key, value in manifest.items() if value is not None})


Spoil = Callable[[Path], object]


def note(stage: str, **changes: Any) -> Spoil:
    """Another note in the manifest of a stage; None takes it away."""
    return lambda theirs: seal(find_artifact(theirs, stage), **changes)


def write(stage: str, name: str, content: bytes | np.ndarray | dict[str, Any] | list[Any]) -> Spoil:
    """Another file in the artifact of a stage: bytes, JSON, an array, or several."""

    def spoil(theirs: Path) -> None:
        folder = find_artifact(theirs, stage)
        path = folder / name
        if isinstance(content, np.ndarray):
            np.save(path, content, allow_pickle=True)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        elif path.suffix == ".npz":
            with np.load(path) as before:
                np.savez(path, **{**before, **content})
        else:
            path.write_text(json.dumps(content))
        seal(folder)

    return spoil


def edit_recipe(**changes: Any) -> Spoil:
    """Other entries of the recipe; of a component, other options."""

    def spoil(theirs: Path) -> None:
        path = theirs / "w/runs/x/recipe.toml"
        table = tomllib.loads(path.read_text())
        for key, value in changes.items():
            table[key] = {**table[key], **value} if isinstance(value, dict) else value
        path.write_text(tomli_w.dumps(table))
        edit_record(recipe=hash_file(path))(theirs)

    return spoil


def edit_record(**changes: Any) -> Spoil:
    """Other values in the run's record."""

    def spoil(theirs: Path) -> None:
        path = theirs / "w/runs/x/run.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return spoil


def link(place: str, target: str = "secret") -> Spoil:
    """A link in place of what is there; `codec/…` stands for the artifact of a stage."""

    def spoil(theirs: Path) -> None:
        stage, _, name = place.partition("/")
        path = theirs / "w" / place if stage in ("runs", "artifacts") else find_artifact(theirs, stage) / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(theirs / target)
        if stage in ("codec", "latents", "silhouettes"):
            seal(path.parent, files={})

    return spoil


def make_pipe(place: str) -> Spoil:
    return lambda theirs: ((theirs / place).unlink(missing_ok=True), os.mkfifo(theirs / place))


def promise(shape: str) -> bytes:
    """An array's header and nothing after it."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def clip(start: Any = 0, stop: Any = 80, fps: Any = 10.0, source: Any = "a") -> dict[str, Any]:
    return {"start": start, "stop": stop, "fps": fps, "source": source}


GRID = np.full((80, 24, 40), 255, np.uint8)
SPOILT: dict[str, Spoil] = {
    "a history of text": note("codec", history="loss"),
    "a history of nothing": note("sequence", history=[]),
    "a history of other things": note("codec", history=[{"loss": {"a": 1}}]),
    "no history": note("sequence", history=None),
    "inputs of another kind": note("codec", inputs={"codec": 5}),
    "a picture of text": note("silhouettes", picture="wide"),
    "a picture of giants": note("silhouettes", picture=[10**9, 10**9]),
    "a picture of nothing": note("silhouettes", picture=[0, 0]),
    "warnings that are a number": note("silhouettes", warnings=5),
    "a warning that is a number": note("silhouettes", warnings=[5]),
    "no source name": note("silhouettes", source_name=None),
    "frames that are text": note("silhouettes", frames="many"),
    "silhouettes of no size": note("silhouettes", inputs={"remover": 5}),
    "clips of text": write("silhouettes", "clips.json", b"clips"),
    "no clips": write("silhouettes", "clips.json", []),
    "clips that are a number": write("silhouettes", "clips.json", [5]),
    "a clip of unknown things": write("silhouettes", "clips.json", [{"a": 1}]),
    "a clip past the end": write("silhouettes", "clips.json", [clip(stop=10**9)]),
    "a clip before the beginning": write("silhouettes", "clips.json", [clip(start=-5)]),
    "clips that overlap": write("silhouettes", "clips.json", [clip(), clip()]),
    "a clip that is empty": write("silhouettes", "clips.json", [clip(stop=0)]),
    "a clip of half a frame": write("silhouettes", "clips.json", [clip(start=0.5)]),
    "a clip of no rate": write("silhouettes", "clips.json", [clip(fps=0)]),
    "a clip of a negative rate": write("silhouettes", "clips.json", [clip(fps=-10)]),
    "a clip of rate NaN": write("silhouettes", "clips.json", [clip(fps=float("nan"))]),
    "a clip of an infinite rate": write("silhouettes", "clips.json", [clip(fps=float("inf"))]),
    "a clip from a number": write("silhouettes", "clips.json", [clip(source=5)]),
    "a million clips": write("silhouettes", "clips.json", [clip(n, n + 1) for n in range(300_000)]),
    "clips too short": write("silhouettes", "clips.json", [clip(n, n + 1) for n in range(80)]),
    "deep clips": write("silhouettes", "clips.json", b"[" * 100_000),
    "silhouettes of floats": write("silhouettes", "silhouettes.npy", GRID.astype(np.float32)),
    "silhouettes of objects": write("silhouettes", "silhouettes.npy", np.array([{}])),
    "silhouettes in colour": write("silhouettes", "silhouettes.npy", GRID[..., None]),
    "silhouettes of another size": write("silhouettes", "silhouettes.npy", GRID[:, :20]),
    "no silhouettes": write("silhouettes", "silhouettes.npy", GRID[:0]),
    "silhouettes that are a promise": write("silhouettes", "silhouettes.npy", promise("(99999999, 999, 999)")),
    "latents of one dimension": write("latents", "latents.npy", np.zeros(80, np.float32)),
    "latents of integers": write("latents", "latents.npy", np.zeros((80, 5), int)),
    "latents of another length": write("latents", "latents.npy", np.zeros((80, 3), np.float32)),
    "too few latents": write("latents", "latents.npy", np.zeros((8, 50), np.float32)),
    "latents that are a promise": write("latents", "latents.npy", promise("(99999999, 999)")),
    "latents that are nothing": write("latents", "latents.npy", b""),
    "a codec of text": write("codec", "pca.npz", b"PK\3\4 and no more"),
    "a codec of other shapes": write("codec", "pca.npz", {"mean": np.zeros((3, 3), np.float32)}),
    "a codec of other components": write("codec", "pca.npz", {"components": np.zeros(7, np.float32)}),
    "a codec of giant frames": write("codec", "pca.npz", {"size": np.array([10**9, 10**9])}),
    "a codec of three sides": write("codec", "pca.npz", {"size": np.array([24, 40, 3])}),
    "a codec of NaN": write("codec", "pca.npz", {"scale": np.array(np.nan)}),
    "a sequence model of other shapes": write("sequence", "ridge.npz", {"transition": np.zeros((3, 3), np.float32)}),
    "a sequence model of objects": write("sequence", "ridge.npz", {"mean": np.array([{}])}),
    "a sequence model of text": write("sequence", "ridge.npz", {"mean": np.array("text")}),
    "another codec": edit_recipe(codec={"name": "sdf-ae"}),
    "another sequence model": edit_recipe(sequence={"name": "mdn"}),
    "a codec of another kind": edit_recipe(codec={"name": "ridge"}),
    "unknown options": edit_recipe(codec={"folder": "/etc"}),
    "a context of giants": edit_recipe(sequence={"context": 10**9}),
    "a context beyond the clips": edit_recipe(sequence={"context": 90}),
    "frames of giants": edit_recipe(frames=10**12),
    "a rate of giants": edit_recipe(render_fps=1e9),
    "a rate of nothing": edit_recipe(render_fps=1e-300),
    "a learned rate of giants": edit_recipe(fps=1e9),
    "a learned rate of nothing": edit_recipe(fps=1e-300),
    "a learned rate of NaN": edit_recipe(fps=float("nan")),
    "a picture to draw of giants": edit_recipe(render_size="1000000x1000000"),
    "silhouettes to learn of giants": edit_recipe(size=[10**6, 10**6]),
    "another size": edit_recipe(size=[48, 80]),
    "a start at a file": edit_recipe(start="secret"),
    "a start at a device": edit_recipe(start="/dev/zero"),
    "a start far away": edit_recipe(start=str(10**12)),
    "a loop of days": edit_recipe(loop=1e9),
    "a recipe of text": lambda theirs: (theirs / "w/runs/x/recipe.toml").write_text("no recipe"),
    "artifacts of other stages": lambda theirs: edit_record(
        artifacts={stage: [find_artifact(theirs, "codec").name] for stage in ("silhouettes", "codec", "latents")}
    )(theirs),
    "no artifacts": edit_record(artifacts={}),
    "artifacts that are empty": edit_record(artifacts={stage: [] for stage in ("silhouettes", "codec", "sequence")}),
    "a lost artifact": lambda theirs: shutil.rmtree(find_artifact(theirs, "codec")),
    "a linked log": link("runs/x/log.jsonl"),
    "a linked folder of logs": link("runs/x/tensorboard", "."),
    "linked metrics": link("runs/x/metrics.json"),
    "a linked video": link("runs/x/dance.mp4"),
    "linked locks": link("artifacts/.locks", "."),
    "linked pointers": link("artifacts/.newest", "."),
    "linked artifacts": link("artifacts", "."),
    "a linked codec": link("codec/pca.npz"),
    "linked latents": link("latents/latents.npy"),
    "a linked clip table": link("silhouettes/clips.json"),
    "a pipe for a log": make_pipe("w/runs/x/log.jsonl"),
    "a pipe for a record": make_pipe("w/runs/x/run.json"),
    "a folder for metrics": lambda theirs: (
        (theirs / "w/runs/x/metrics.json").unlink(),
        (theirs / "w/runs/x/metrics.json").mkdir(),
    ),
}


def read_outside(theirs: Path) -> dict[str, str]:
    ours = ("w", "new.mp4", "curves.svg")
    return {path.name: path.read_text() for path in theirs.iterdir() if path.name not in ours}


@pytest.fixture
def small_memory():
    """No more than three gigabytes of addresses beyond what is there."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    before = resource.getrlimit(resource.RLIMIT_AS)
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (3 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_run_is_a_dance_or_one_line(theirs, dd, spoil):
    spoil(theirs)
    before = read_outside(theirs)
    for name, command in COMMANDS.items():
        log = ("--log", "jsonl") if name == "generate" else ()
        result = dd(*command, *log)
        assert result.code in (0, 2), name
        lines = [line for line in result.err.splitlines() if line.startswith("dd: ")]
        assert len(lines) == (result.code == 2), result.err
        told = result.out + result.err
        for sign in ("Traceback", "unexpected ", "please report", "switched off", "enough memory", SECRET, "\x1b"):
            assert sign not in told, (name, told)
        assert read_outside(theirs) == before, name


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_run_in_python_is_a_dance_or_an_error_of_ours(theirs, spoil):
    spoil(theirs)
    before = read_outside(theirs)
    with suppress(DeepDanceError), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        run = deepdance.open_run(theirs / "w/runs/x")
        assert SECRET not in run._repr_html_()
        for look in (run.dance, lambda: run.history, lambda: run.table, lambda: run.silhouettes[:9]):
            with suppress(DeepDanceError, OSError):
                assert look() is not None
    assert read_outside(theirs) == before


def test_the_good_run_dances(theirs, dd):
    for name, command in COMMANDS.items():
        result = dd(*command)
        assert result.code == (2 if name == "curves" else 0), result.err


def test_what_is_spoilt_is_named_with_a_way_out(theirs, dd):
    SPOILT["a clip past the end"](theirs)
    folder = find_artifact(theirs, "silhouettes")
    told = dd(*COMMANDS["generate"]).err
    assert f"{folder}/clips.json: expected clips of 80 frames, one after the other" in told
    assert f"delete the folder {folder} and run again" in told


def test_the_advice_mends_a_run_of_one_s_own(good, tmp_path, dd):
    shutil.copytree(good / "w", tmp_path / "w", dirs_exist_ok=True)
    record = json.loads((tmp_path / "w/runs/x/run.json").read_text())
    SPOILT["a codec of other shapes"](tmp_path)
    told = dd(*COMMANDS["generate"])
    assert told.code == 2
    assert "delete that folder and run again" in told.err
    assert all(Path(location).exists() for location in record["inputs"])
    shutil.rmtree(find_artifact(tmp_path, "codec"))
    assert dd(*COMMANDS["generate"]).code == 0


@pytest.mark.parametrize("place", ["", "pca.npz"])
def test_what_a_stranger_left_unfinished_is_not_written_through(theirs, dd, good, place):
    """What it learned from is there too, and the codec is made again: not into what a link leads to."""
    shutil.copy(good / "w/runs/x/run.json", theirs / "w/runs/x/run.json")
    folder = find_artifact(theirs, "codec")
    unfinished = folder.with_name(f".unfinished-{folder.name}")
    shutil.rmtree(folder)
    outside = theirs / "outside"
    outside.mkdir()
    (outside / "pca.npz").write_text(SECRET)
    if place:
        unfinished.mkdir()
    (unfinished / place).symlink_to(outside / place)
    assert dd(*COMMANDS["generate"]).code == 0
    assert (outside / "pca.npz").read_text() == SECRET
    assert [path.name for path in outside.iterdir()] == ["pca.npz"]


def test_a_video_too_large_for_a_notebook_is_not_taken_in(theirs):
    run = deepdance.open_run(theirs / "w/runs/x")
    assert run._repr_html_().startswith("<video")
    os.truncate(run.video, 1 << 40)
    assert run._repr_html_().startswith("<code>")


@pytest.mark.parametrize("fps", [1e-300, 1e-3])
def test_no_dance_has_more_keyframes_than_a_day(fps):
    assert count_keyframes(MOST_FRAMES, 30, 30) == MOST_KEYS
    with pytest.raises(OptionError, match="expected a dance of at most"):
        count_keyframes(MOST_FRAMES, 240, fps)


@pytest.mark.parametrize("content", ["[]", '{"rows": {"a": 1}}', '{"rows": [{"stage": "render"}]}', "null"])
def test_a_table_of_something_else_is_told(tmp_path, content):
    from deepdance.metrics.paper_table import PaperRow

    (tmp_path / "table.json").write_text(content)
    with pytest.raises(WorkspaceError, match="table.json: .*delete the folder"):
        read_as(tmp_path / "table.json", dict[str, list[PaperRow]])


@pytest.mark.parametrize("trick", ["lambda", "custom"])
def test_a_network_that_would_run_code_is_refused(tmp_path, trick):
    """As a stage's files are loaded: in one line."""
    from deepdance.artifacts import Artifact
    from deepdance.pipeline import translate_misfit
    from deepdance.session import Session
    from deepdance_plugins.networks.backend import keras, layers, load_network

    class Own(layers.Layer):
        def call(self, inputs):
            return inputs

    layer = Own() if trick == "custom" else layers.Lambda(lambda x: x + 1, output_shape=(3,))
    keras.Sequential([layers.Input((3,)), layer]).save(tmp_path / "net.keras")
    with pytest.raises(WorkspaceError) as told, translate_misfit(Session.open(tmp_path), Artifact(tmp_path, "", True)):
        load_network(tmp_path / "net.keras")
    assert "\n" not in str(told.value)
    assert "delete that folder and run again" in str(told.value)


def test_a_network_that_inflates_without_end_is_refused(tmp_path):
    from deepdance_plugins.networks.backend import load_network

    with zipfile.ZipFile(tmp_path / "net.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(10_000_000))
    with pytest.raises(WorkspaceError, match="inflates to 10,000,000 bytes; delete the folder"):
        load_network(tmp_path / "net.keras")
