"""An exception out of a plugin's code names the plugin, its version, the file and the line, in one line."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import demo_frames
from wheels import CODEC, codec_package, install, wheel, with_site

HELPERS = "import numpy as np\n\n\ndef measure(frames):\n    return np.zeros(3).reshape(2, len(frames))\n"
RAISES = CODEC.replace("self.size = train.size", "{module}.helpers.measure([1, 2])").replace(
    "import numpy as np", "import numpy as np\nimport {module}.helpers", 1
)
MISSING = CODEC.replace("self.size = train.size", "open('no-such-file')")
LOGGER = """
from deepdance.interfaces import Logger, Options

class Diary(Logger[Options]):
    def __call__(self, event):
        raise KeyError("no page")
"""
DIARY = """
from deepdance.plugins import ComponentSpec, hookimpl

@hookimpl
def deepdance_components():
    return [ComponentSpec("logger", "diary", "dance_diary.log:Diary", "deepdance.interfaces:Options", "a diary")]
"""
REMOVER = """
from deepdance.interfaces import BackgroundRemover, Options

class Torn(BackgroundRemover[Options]):
    def remove(self, frames):
        raise KeyError("no page")
"""
TORN = """
from deepdance.plugins import ComponentSpec, hookimpl

@hookimpl
def deepdance_components():
    return [ComponentSpec("remover", "torn", "dance_torn.part:Torn", "deepdance.interfaces:Options", "a torn one")]
"""
RUN = ("--seq", "ridge", "--renderer", "gif", "--size", "24x40", "--fps", "10", "--frames", "20")


@pytest.fixture(scope="module")
def call(silhouettes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("culprits")
    np.save(folder / "dance.npy", silhouettes)
    packages = {
        "dance-raises": {**codec_package("dance_raises", "raises", codec=RAISES), "dance_raises/helpers.py": HELPERS},
        "dance-missing": codec_package("dance_missing", "missing", codec=MISSING),
        "dance-diary": {"dance_diary/__init__.py": DIARY, "dance_diary/log.py": LOGGER},
        "dance-torn": {"dance_torn/__init__.py": TORN, "dance_torn/part.py": REMOVER},
    }
    install([wheel(folder, name, "1.5", files) for name, files in packages.items()], folder / "site")

    def call(*arguments):
        command = [sys.executable, "-m", "deepdance", "run", "dance.npy", *RUN, *arguments]
        env = with_site(folder / "site", COLUMNS="300")
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=200)

    call.site = folder / "site"
    return call


def test_a_plugin_that_raises_in_another_process_is_named_with_its_line(call, tmp_path):
    for seed in range(2):
        np.save(tmp_path / f"{seed}.npy", demo_frames(1, 10, (24, 40), seed))
    command = [sys.executable, "-m", "deepdance", "prepare", "0.npy", "1.npy", "--remover", "torn", "--jobs", "2"]
    env = with_site(call.site, COLUMNS="300")
    result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=200)
    told = result.stderr.splitlines()[-1]
    assert told.startswith("dd: the remover 'torn' of dance-torn 1.5 failed at ")
    assert told.endswith("dance_torn/part.py:6: KeyError: 'no page'; --debug shows more; its author can mend it")


@pytest.mark.parametrize(
    ("codec", "place", "reason"),
    [
        ("raises", "dance_raises/helpers.py:5", "ValueError: cannot reshape array of size 3"),
        ("missing", "dance_missing/codec.py:19", "FileNotFoundError: "),
    ],
)
def test_an_exception_of_a_plugin_names_it_and_its_line(call, codec, place, reason):
    result = call("--codec", codec)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"dd: the codec '{codec}' of dance-{codec} 1.5 failed at {call.site / place}: {reason}")
    assert "report it" not in line


def test_debug_shows_its_traceback(call):
    result = call("--codec", "raises", "--debug")
    assert result.returncode != 0
    assert "Traceback" in result.stderr
    assert "in measure" in result.stderr


def test_a_plugins_logger_is_named_with_its_line_and_the_run_goes_on(call):
    result = call("--codec", "pca", "--log", "diary")
    assert result.returncode == 0, result.stderr
    place = call.site / "dance_diary/log.py"
    expected = (
        f"the log diary of dance-diary 1.5 failed at RunStarted and is switched off: KeyError: 'no page' ({place}:6)"
    )
    assert expected in result.stderr
