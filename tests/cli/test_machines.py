"""What people's machines are set to: encodings that lack signs, a `keras.json` of other projects."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
import pytest

QUICK = ("--codec", "pca", "--set", "codec.latent_dim=4", "--seq", "ridge", "--set", "sequence.context=2")
SMALL = ("--size", "24x40", "--frames", "20")
ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp1252": {"PYTHONIOENCODING": "cp1252:strict"},
    "the C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
CODE_PAGES = {"ascii": "ascii", "cp1252": "cp1252", "the C locale": "ascii"}
SHOWN = {
    "--help": 0,
    "run --help": 0,
    "plugins list": 0,
    "plugins show sdf-ae": 0,
    "recipe new": 0,
    "runs": 0,
    "run tänzer.mp4": 2,
    "no-such-command": 2,
}


def join_lines(text: str) -> str:
    """What is folded where the terminal ends, in one line."""
    return " ".join(text.split())


def deepdance(*arguments, folder, **settings):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONIOENCODING", "LC_ALL")}
    command = [sys.executable, "-m", "deepdance", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**environment, **settings}, stdin=subprocess.DEVNULL, capture_output=True, timeout=200
    )


def dancing(count=40):
    frames = np.full((count, 24, 40), 255, np.uint8)
    for k, frame in enumerate(frames):
        frame[4:20, 10 + k % 8 : 16 + k % 8] = 0
    return frames


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with two videos, one of a name that is no Unicode, and a run of the other."""
    folder = tmp_path_factory.mktemp("workplace")
    np.save(folder / "tänzer.npy", dancing())
    (folder / "tänzer.npy").rename(folder / os.fsdecode(b"t\xe4nzer.npy"))
    np.save(folder / "Tänzer – neu.npy", dancing())
    result = deepdance("run", "Tänzer – neu.npy", *QUICK, *SMALL, folder=folder)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", SHOWN)
def test_no_sign_ends_a_command(workplace, encoding, command):
    result = deepdance(*command.split(), folder=workplace, **ENCODINGS[encoding])
    assert result.returncode == SHOWN[command], result.stderr
    said = (result.stdout + result.stderr).decode(CODE_PAGES[encoding], errors="replace")
    assert said.strip()
    assert "Error" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_recipe_that_was_written_can_be_read(workplace, encoding):
    written = deepdance("recipe", "new", *QUICK[:2], *QUICK[4:6], folder=workplace, **ENCODINGS[encoding]).stdout
    (workplace / "my.toml").write_bytes(written)
    asked = ("run", "Tänzer – neu.npy", "--recipe", "my.toml", *QUICK, *SMALL)
    assert deepdance(*asked, folder=workplace, **ENCODINGS[encoding]).returncode == 0


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_run_ends_well_and_its_json_can_be_read(workplace, encoding):
    name = os.fsdecode(b"t\xe4nzer.npy")
    result = deepdance("run", name, *QUICK, *SMALL, "--log", "jsonl", folder=workplace, **ENCODINGS[encoding])
    assert result.returncode == 0, result.stderr
    prepared = deepdance("prepare", name, "--size", "24x40", "--json", folder=workplace, **ENCODINGS[encoding])
    (listed,) = json.loads(prepared.stdout.decode(CODE_PAGES[encoding]))
    assert os.fsencode(listed["input"]) == os.fsencode(workplace) + b"/t\xe4nzer.npy"
    compared = deepdance("compare", "t_nzer-pca-ridge", folder=workplace, **ENCODINGS[encoding])
    assert compared.returncode == 0, compared.stderr


@pytest.fixture
def keras_home(tmp_path):
    settings = {"floatx": "float16", "epsilon": 0.1, "backend": "torch", "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    return tmp_path


def test_a_keras_json_changes_no_frame_and_the_doctor_tells_of_it(workplace, keras_home):
    network = ("--codec", "conv-ae", "--set", "codec.epochs=1", "--seq", "ridge", "--set", "sequence.context=2")
    frames = {}
    for home, workspace in ((keras_home, "theirs"), (keras_home / "none", "ours")):
        asked = ("run", "Tänzer – neu.npy", *network, *SMALL, "--workspace", workspace, "--json")
        result = deepdance(*asked, folder=workplace, KERAS_HOME=str(home), KERAS_BACKEND="")
        assert result.returncode == 0, result.stderr
        latents = next((workplace / workspace / "artifacts").glob("latents-*")) / "latents.npy"
        frames[workspace] = np.load(latents)
    assert np.array_equal(frames["theirs"], frames["ours"])
    told = deepdance("doctor", folder=workplace, KERAS_HOME=str(keras_home), KERAS_BACKEND="").stdout.decode()
    unused = "backend torch, floatx float16, epsilon 0.1, image_data_format channels_first"
    assert f"; not used of keras.json: {unused} " in join_lines(told)


@pytest.mark.parametrize("backend", ["torch", "openvino", "nonsense"])
def test_a_backend_that_is_not_supported_is_told_in_one_line_and_the_advice_helps(workplace, backend):
    doctor = deepdance("doctor", folder=workplace, KERAS_BACKEND=backend)
    assert doctor.returncode == 2
    told = f"expected Keras on tensorflow or jax, got KERAS_BACKEND={backend}; set KERAS_BACKEND=tensorflow"
    assert told in join_lines(doctor.stdout.decode())
    asked = ("run", "Tänzer – neu.npy", "--codec", "conv-ae", *SMALL)
    result = deepdance(*asked, folder=workplace, KERAS_BACKEND=backend)
    assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)
    assert result.stderr.decode().endswith(f"{told}\n")
    assert deepdance("doctor", folder=workplace, KERAS_BACKEND="tensorflow").returncode == 0
    assert deepdance("run", "Tänzer – neu.npy", *QUICK, *SMALL, folder=workplace, KERAS_BACKEND=backend).returncode == 0


def test_a_backend_that_is_not_installed_is_told(workplace):
    (workplace / "jax.py").write_text("raise ImportError('jax is not here')")
    path = os.pathsep.join(filter(None, [str(workplace), os.environ.get("PYTHONPATH")]))
    told = deepdance("doctor", folder=workplace, KERAS_BACKEND="jax", PYTHONPATH=path).stdout.decode()
    assert (
        "expected Keras to start on jax, got ImportError: jax is not here; set KERAS_BACKEND=tensorflow, or install jax"
        in join_lines(told)
    )


def test_the_doctor_names_the_devices_that_train(tmp_path):
    (told,) = (each for each in ask_doctor(tmp_path, KERAS_BACKEND="tensorflow") if each["check"] == "keras")
    assert re.fullmatch(r"keras \S+ on tensorflow \S+, \d+ devices?: .+", told["found"])


@pytest.mark.skipif(find_spec("jax") is None, reason="needs jax")
def test_the_doctor_counts_the_devices_of_jax(tmp_path):
    four = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    (told,) = (each for each in ask_doctor(tmp_path, KERAS_BACKEND="jax", **four) if each["check"] == "keras")
    assert f"on jax {version('jax')}, 4 devices: cpu ×4" in told["found"]


def ask_doctor(folder, **settings):
    return json.loads(deepdance("doctor", "--json", folder=folder, **settings).stdout)
