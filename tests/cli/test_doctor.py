"""What the doctor says of the person model."""

import hashlib
import json

import pytest

from deepdance_plugins.removers.person import weights


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the model is looked for; a few bytes count as its files."""
    members = {
        name: (member, hashlib.sha256(name.encode()).hexdigest()) for name, (member, _) in weights.MEMBERS.items()
    }
    monkeypatch.setattr(weights, "MEMBERS", members)
    path = tmp_path / "models"
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(path))
    return path


def fill(folder):
    folder.mkdir()
    for name in weights.MEMBERS:
        (folder / name).write_bytes(name.encode())


@pytest.fixture
def ask(dd):
    def ask():
        result = dd("doctor", "--json")
        (entry,) = [entry for entry in json.loads(result.out) if entry["check"] == "person model"]
        return result.code, entry["ok"], entry["found"]

    return ask


def test_a_model_that_is_not_there_yet_is_no_failure(folder, ask):
    assert ask() == (0, True, "not there yet: fetched at first use, 36 MB")
    folder.mkdir()
    assert ask() == (0, True, "not there yet: fetched at first use, 36 MB")


def test_where_the_model_is_is_told(folder, ask):
    fill(folder)
    assert ask() == (0, True, str(folder))


@pytest.mark.parametrize("name", weights.MEMBERS)
@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_a_damaged_model_is_a_failure_with_a_way_out(folder, ask, name, damage):
    fill(folder)
    (folder / name).unlink()
    if damage == "cut short":
        (folder / name).write_bytes(b"half")
    code, ok, found = ask()
    assert (code, ok) == (2, False)
    assert f"in {folder}, got files that are damaged or not all there; `dd prepare VIDEO --remover person`" in found
    assert found.isprintable()


def test_the_advice_mends_a_damaged_model(folder, dd, ask, video, monkeypatch):
    fill(folder)
    (folder / weights.DETECTOR).write_bytes(b"half")
    monkeypatch.setattr(
        weights, "_provide", lambda place, tell: (place / weights.DETECTOR).write_text(weights.DETECTOR)
    )
    dd("prepare", video, "--remover", "person")  # these few bytes are no network, but they are there
    assert ask()[1]


def test_the_lines_are_beneath_each_other(dd):
    lines = dd("doctor").out.splitlines()
    assert len({len(line) - len(line[2:].lstrip()) for line in lines}) == 1
    assert any(line.startswith("✓ person model ") for line in lines)
