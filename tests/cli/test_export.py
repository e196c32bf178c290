"""`dd export web`: from a run to one page."""

import json
from pathlib import Path

import pytest
from conftest import SMALL_RUN

from deepdance import runs
from deepdance.errors import InputError
from deepdance_plugins.player import material
from deepdance_plugins.player.material import Material

QUICK = (*SMALL_RUN, "--codec", "pca", "--seq", "ridge", "--name", "small")


@pytest.fixture
def small_run(dd, video, monkeypatch):
    """A run whose models are not the player's own, which then dances in Python for some seconds only."""
    monkeypatch.setattr(material, "MINUTES", 0.1)
    monkeypatch.setattr(material, "PICTURES", 32)
    assert dd("run", video, *QUICK).code == 0


@pytest.mark.usefixtures("small_run")
def test_any_run_becomes_a_page_that_says_what_it_shows(dd):
    told = dd("export", "web", "small")
    assert told.code == 0, told.err
    assert Path("dance.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert told.out.splitlines()[-1] == "page dance.html"
    assert told.out.startswith("note pca and ridge danced")
    assert "pca and ridge danced" in Path("dance.html").read_text(encoding="utf-8")
    assert not list(Path().glob(".*part*"))


@pytest.mark.usefixtures("small_run")
def test_a_script_is_told_the_page_and_its_note(dd, monkeypatch):
    monkeypatch.setattr("deepdance_plugins.player.web.make_material", lambda run: Material({"note": "as is"}, {}))
    Path("dance.html").touch()
    told = json.loads(dd("export", "web", "workspace/runs/small", "--json").out)
    assert told == {"run": "small", "page": "dance-2.html", "note": "as is"}


@pytest.mark.usefixtures("small_run")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("small", "--out", "dance.mp4"), "dd: --out: expected a name ending in .html, got dance.mp4; such as --out "),
        (("small", "--out", "."), "dd: --out: expected a name ending in .html, got .; such as --out dance.html"),
        (("none",), "dd: expected a run in workspace/runs, got 'none'"),
    ],
)
def test_what_cannot_be_exported_is_told_in_a_line(dd, arguments, message):
    told = dd("export", "web", *arguments)
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith(message)
    assert told.err.count("\n") == 1
    assert not list(Path().glob("*.html"))


def test_an_unfinished_run_is_told(dd, video, monkeypatch):
    def stop(*args, **kwargs):
        raise InputError("stopped")

    monkeypatch.setattr(runs, "train", stop)
    assert dd("run", video, *QUICK).code == 2
    told = dd("export", "web", "small")
    assert told.code == 2
    assert told.err == "dd: expected a run that has trained, got 'small', unfinished; run it again to go on\n"
