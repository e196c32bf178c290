"""Several devices train what one does: virtual ones of the CPU, in processes that JAX starts in with so many."""

import json
import os
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import device_training
import numpy as np
import pytest

from deepdance_plugins.networks import devices
from deepdance_plugins.networks.backend import keras

needs_jax = pytest.mark.skipif(find_spec("jax") is None, reason="needs jax")
TOLERANCE = 1e-4
SEVERAL_PROCESSES = ("gru", "mdn", device_training.PLAIN)


def start(folder, names, count, process=0, port=0, processes=1, **settings):
    here = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count}"}
    command = [sys.executable, device_training.__file__, folder, port, process, processes, *names]
    return subprocess.Popen(
        list(map(str, command)), env={**os.environ, **here, **flags, **settings}, stderr=subprocess.PIPE
    )


def start_two(folder, names, **settings):
    """Two processes that train together, with two devices each; `settings` are the second one's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [start(folder, names, 2, n, port, 2, **(settings if n == 1 else {})) for n in (0, 1)]


def wait_for(processes, seconds=250):
    """The exit status of each, which all end in this time."""
    try:
        said = [process.communicate(timeout=seconds)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], b"\n".join(said).decode(errors="replace")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, silhouettes):
    """What trains in a folder with the silhouettes, once for all tests."""
    folders = {}

    def train(count):
        if count not in folders:
            folders[count] = folder = tmp_path_factory.mktemp("devices")
            np.save(folder / "silhouettes.npy", silhouettes)
            codes, said = wait_for([start(folder, device_training.NAMES, count)])
            assert codes == [0], said
        return folders[count] / "0"

    return train


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Where two processes have trained."""
    folder = tmp_path_factory.mktemp("together")
    codes, said = wait_for(start_two(folder, SEVERAL_PROCESSES))
    assert codes == [0, 0], said
    return folder


def read_history(folder):
    return json.loads((folder / "history.json").read_text())


def measure_difference(one: Path, other: Path) -> float:
    """The greatest of all losses, weights and moments of the optimizer, each relative to what it is of."""
    epochs = zip(read_history(one), read_history(other), strict=True)
    numbers = [(a[name], b[name]) for a, b in epochs for name in a]
    with np.load(one / "checkpoint.npz") as these, np.load(other / "checkpoint.npz") as those:
        numbers += [(these[name].astype(float), those[name]) for name in these if name != "history"]
    return max(float(np.linalg.norm(a - b) / max(np.linalg.norm(a), 1e-12)) for a, b in numbers)


@needs_jax
@pytest.mark.parametrize("name", device_training.NAMES)
def test_four_devices_train_what_one_does(name, workplace):
    assert measure_difference(workplace(1) / name, workplace(4) / name) < TOLERANCE


@needs_jax
@pytest.mark.parametrize("name", SEVERAL_PROCESSES)
def test_two_processes_train_what_one_does_and_the_first_writes(name, workplace, together):
    assert measure_difference(workplace(1) / name, together / "0" / name) < TOLERANCE
    assert read_history(together / "0" / name) == read_history(together / "1" / name)
    assert not (together / "1" / name / "checkpoint.npz").exists()


@needs_jax
def test_one_that_dies_ends_the_other_and_both_go_on_where_the_first_knows(tmp_path, together):
    codes, _ = wait_for(start_two(tmp_path, ["mdn"], CRASH_AFTER="1"), seconds=120)
    assert codes[1] == device_training.CRASHED
    assert codes[0] != 0
    assert not list(tmp_path.rglob("history.json"))
    codes, said = wait_for(start_two(tmp_path, ["mdn"]))
    assert codes == [0, 0], said
    for process in "01":
        assert json.loads((tmp_path / process / "mdn/trained.json").read_text()) == [2, 3]
        assert read_history(tmp_path / process / "mdn") == read_history(together / "0/mdn")


@needs_jax
def test_the_other_ends_too_where_the_first_dies(tmp_path):
    first, second = start_two(tmp_path, ["mdn"])
    while not (tmp_path / "0/mdn/checkpoint.npz").exists():
        assert first.poll() is None
        time.sleep(0.02)
    first.kill()
    codes, _ = wait_for([second, first], seconds=120)
    assert codes[0] != 0


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
