"""Several devices train what one does: virtual ones of the CPU, in processes that JAX starts in with so many."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from device_training import CRASHED, NAMES, PLAIN, make_latents

from deepdance_plugins.networks import devices
from deepdance_plugins.networks.backend import keras

pytestmark = pytest.mark.timeout(1200)  # on a busy machine
needs_jax = pytest.mark.skipif(find_spec("jax") is None, reason="needs jax")
SCRIPT = Path(__file__).parents[1] / "device_training.py"
TOLERANCE = 1e-4
QUICKLY_COMPILED = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
SEVERAL_PROCESSES = (PLAIN, "mdn")
"""The first is what crashes."""


def run(command, count, cwd=None, **settings):
    """Python in a process where JAX has so many devices."""
    here = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count} {QUICKLY_COMPILED}"}
    command = [sys.executable, *map(str, command)]
    return subprocess.Popen(command, cwd=cwd, env={**os.environ, **here, **flags, **settings}, stderr=subprocess.PIPE)


def start_two(folder, names, **settings):
    """Two processes that train together, with two devices each; `settings` are the second one's."""
    port = find_port()
    return [
        run([SCRIPT, "--join", port, process, 2, folder, *names], 2, **(settings if process == 1 else {}))
        for process in (0, 1)
    ]


def find_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(processes, seconds=500):
    """The exit status of each, which all end in this time."""
    try:
        said = [process.communicate(timeout=seconds)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], b"\n".join(said).decode(errors="replace")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, silhouettes):
    """Where one device has trained all, and four have."""
    folder = tmp_path_factory.mktemp("devices")
    np.save(folder / "silhouettes.npy", silhouettes)
    codes, said = wait_for([run([SCRIPT, folder, *NAMES], 4)])
    assert codes == [0], said
    return folder


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Where two processes have trained: the second crashed after its first epoch, and both were started again."""
    folder = tmp_path_factory.mktemp("together")
    codes, _ = wait_for(start_two(folder, SEVERAL_PROCESSES, CRASH_AFTER="1"), seconds=120)
    assert codes[1] == CRASHED
    assert codes[0] != 0
    assert not list(folder.rglob("history.json"))
    codes, said = wait_for(start_two(folder, SEVERAL_PROCESSES))
    assert codes == [0, 0], said
    return folder


def read_history(folder):
    return json.loads((folder / "history.json").read_text())


def measure_differences(one: Path, other: Path) -> tuple[float, float]:
    """The greatest of all losses, and of all weights and moments of the optimizer, each relative to what it is of."""
    epochs = zip(read_history(one), read_history(other), strict=True)
    losses = [(a[name], b[name]) for a, b in epochs for name in a]
    with np.load(one / "checkpoint.npz") as these, np.load(other / "checkpoint.npz") as those:
        weights = [(these[name].astype(float), those[name]) for name in these if name != "history"]
    return find_greatest(losses), find_greatest(weights)


def find_greatest(pairs) -> float:
    return max(float(np.linalg.norm(a - b) / max(np.linalg.norm(a), 1e-12)) for a, b in pairs)


def assert_same(one: Path, other: Path):
    """What is summed in another order drifts apart, the loss the least: the moments of the optimizer are tiny."""
    losses, weights = measure_differences(one, other)
    assert losses < TOLERANCE
    assert weights < 100 * TOLERANCE


@needs_jax
@pytest.mark.parametrize("name", NAMES)
def test_four_devices_train_what_one_does(name, trained):
    assert_same(trained / "one" / name, trained / "all" / name)


@needs_jax
def test_each_of_the_four_devices_had_its_part(trained):
    """They sum in another order than one."""
    assert any(measure_differences(trained / "one" / name, trained / "all" / name) != (0, 0) for name in NAMES)


@needs_jax
@pytest.mark.parametrize("name", SEVERAL_PROCESSES)
def test_two_processes_train_what_one_device_does_and_the_first_writes(name, trained, together):
    assert_same(trained / "one" / name, together / "0" / name)
    assert read_history(together / "0" / name) == read_history(together / "1" / name)
    assert not (together / "1" / name / "checkpoint.npz").exists()


@needs_jax
@pytest.mark.parametrize("process", [0, 1])
def test_one_that_dies_ends_the_other_and_both_go_on_where_the_first_knows(process, together):
    assert json.loads((together / f"{process}/{PLAIN}/trained.json").read_text()) == [2, 3]


@needs_jax
def test_the_other_ends_too_where_the_first_dies(tmp_path):
    first, second = start_two(tmp_path, [PLAIN])
    while not (tmp_path / "0" / PLAIN / "checkpoint.npz").exists():
        assert first.poll() is None
        time.sleep(0.02)
    first.kill()
    codes, _ = wait_for([second, first], seconds=120)
    assert codes[0] != 0


@needs_jax
def test_the_script_of_the_page_trains_in_two_processes(tmp_path):
    page = Path(__file__).parents[2] / "docs/how-to/devices.md"
    script = re.search(r"```py\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[1]
    small = {"192.168.1.10:7777": f"127.0.0.1:{find_port()}", '"lstm4"': '"lstm4", layers=1, units=8, epochs=1'}
    for whole, part in small.items():
        assert whole in script
        script = script.replace(whole, part)
    (tmp_path / "train.py").write_text(script)
    np.save(tmp_path / "latents.npy", make_latents(60, 0))
    codes, said = wait_for([run([tmp_path / "train.py", number], 1, cwd=tmp_path) for number in (0, 1)])
    assert codes == [0, 0], said
    assert (tmp_path / "trained/model.keras").exists()


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (["cpu:0"], "1 device: cpu"),
        (["gpu:0", "gpu:1"], "2 devices: gpu ×2; one of them trains, all of them with KERAS_BACKEND=jax"),
    ],
)
def test_what_trains_of_several_devices_is_told(found, told, monkeypatch):
    monkeypatch.setattr(devices, "FRAMEWORK", "tensorflow")
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: found)
    assert devices.describe_devices() == told
    monkeypatch.setattr(devices, "FRAMEWORK", "jax")
    assert devices.describe_devices() == told.partition(";")[0]
