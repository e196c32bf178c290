"""`dd plugins check`: a table or lines, JSON, and the exit code."""

import json
import re
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from contract.broken import find_broken
from wheels import CODEC, codec_package

from deepdance import plugins
from deepdance.plugins import Entry, Registry, discover
from deepdance.plugins.isolation import Problem
from deepdance.testing import make_checks


@pytest.fixture
def broken(monkeypatch):
    """A remover that writes into its frames, as the only plugin beside the built-in ones."""
    spec = find_broken("remover", "leaves_what_it_is_given")
    registry = Registry([*discover().entries, Entry(spec, "dance-more", "2.0")])
    monkeypatch.setattr(plugins, "discover", lambda: registry)


def test_what_holds_its_contract_passes(dd):
    result = dd("plugins", "check", "threshold", "--json")
    told = json.loads(result.out)
    assert (result.code, told["kind"], told["name"], told["distribution"]) == (0, "remover", "threshold", "deepdance")
    spec = discover().find("remover", "threshold").spec
    assert [row["name"] for row in told["checks"]] == [check.name for check in make_checks(spec)]
    assert {row["outcome"] for row in told["checks"]} == {"passed"}


def test_a_logger_can_be_checked(dd):
    told = json.loads(dd("plugins", "check", "jsonl", "--json").out)
    assert told["kind"] == "logger"
    assert {row["outcome"] for row in told["checks"]} == {"passed"}


def test_what_does_not_is_told_with_the_reason(dd, broken):
    result = dd("plugins", "check", "my-remover")
    (line,) = [line for line in result.out.splitlines() if line.startswith("leaves_what_it_is_given")]
    reason = "expected the given frames to stay as they were, got other numbers in them"
    assert line.rstrip().split(maxsplit=2)[1:] == ["failed", reason]
    assert result.out.splitlines()[-1] == "remover my-remover of dance-more 2.0: 15 passed, 1 failed"
    assert (result.code, result.err) == (1, "")


@pytest.fixture
def package(monkeypatch):
    """A package with a remover that works, one that is broken, one without its module, and a spec that is none."""
    good = discover().find("remover", "threshold").spec
    bad = find_broken("remover", "leaves_what_it_is_given")
    missing = replace(good, name="gone", target="no_such_module:Gone")
    entries = [Entry(spec, "Dance_More", "2.0") for spec in (replace(good, name="fine"), bad, missing)]
    problems = [Problem("more", "Dance_More", "2.0", "'worse' is of kind 'remowr'", component="worse")]
    registry = Registry([*discover().entries, *entries], problems)
    monkeypatch.setattr(plugins, "discover", lambda: registry)


def test_all_components_of_a_package_are_checked(dd, package):
    result = dd("plugins", "check", "dance-more")
    lines = result.out.splitlines()
    assert (result.code, result.err) == (1, "")
    assert lines[:3] == [
        "remover fine: 16 passed",
        "remover my-remover: 15 passed, 1 failed",
        "  leaves_what_it_is_given: expected the given frames to stay as they were, got other numbers in them",
    ]
    assert lines[3] == "remover gone: 1 failed"
    assert lines[4].startswith(
        "  is_imported: the remover 'gone' of Dance_More 2.0 could not be imported from no_such_mod"
    )
    assert lines[5:] == ["Dance_More 2.0 could not be used: 'worse' is of kind 'remowr'"]


def test_a_package_is_told_as_json(dd, package):
    result = dd("plugins", "check", "dance-more", "--json")
    told = json.loads(result.out)
    assert (result.code, told["distribution"], told["version"]) == (1, "Dance_More", "2.0")
    assert [(row["kind"], row["name"]) for row in told["components"]] == [
        ("remover", name) for name in ("fine", "my-remover", "gone")
    ]
    failed = [[row["name"] for row in of["checks"] if row["outcome"] == "failed"] for of in told["components"]]
    assert failed == [[], ["leaves_what_it_is_given"], ["is_imported"]]
    assert told["problems"] == ["'worse' is of kind 'remowr'"]


def test_a_package_that_holds_everything_passes(dd, monkeypatch):
    good = replace(discover().find("remover", "threshold").spec, name="fine")
    registry = Registry([*discover().entries, Entry(good, "dance-more", "2.0")])
    monkeypatch.setattr(plugins, "discover", lambda: registry)
    result = dd("plugins", "check", "Dance.More")
    assert (result.code, result.out) == (0, "remover fine: 16 passed\n")


def test_a_package_is_meant_where_its_component_is_called_so(dd, monkeypatch):
    good = discover().find("remover", "threshold").spec
    entries = [Entry(replace(good, name=name), "dance-more", "2.0") for name in ("dance-more", "other")]
    stranger = Entry(replace(good, name="stranger"), "dance-other", "2.0")
    twin = Entry(replace(good, name="dance-other"), "dance-more", "2.0")
    registry = Registry([*discover().entries, *entries, stranger, twin])
    monkeypatch.setattr(plugins, "discover", lambda: registry)
    lines = [f"remover {name}: 16 passed\n" for name in ("dance-more", "other", "dance-other")]
    assert dd("plugins", "check", "dance-more").out == "".join(lines)
    for asked in (["dance-more", "--kind", "remover"], ["dance-more", "--set", "level=90"], ["dance-other"]):
        last = dd("plugins", "check", *asked).out.splitlines()[-1]
        assert last == f"remover {asked[0]} of dance-more 2.0: 16 passed"


def test_a_cause_that_fails_several_checks_is_told_once_with_its_place(dd, monkeypatch, tmp_path):
    raising = CODEC.replace("self.size = train.size", "raise RuntimeError('no dancing today')")
    for place, text in codec_package("dance_more", "more", codec=raising).items():
        (tmp_path / "more" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "more" / place).write_text(text)
    monkeypatch.syspath_prepend(tmp_path / "more")
    (spec,) = import_module("dance_more").deepdance_components()
    registry = Registry([Entry(spec, "dance-more", "2.0")])
    monkeypatch.setattr(plugins, "discover", lambda: registry)
    monkeypatch.setenv("COLUMNS", "1000")
    result = dd("plugins", "check", "dance-more")
    told = [line for line in result.out.splitlines() if "no dancing today" in line]
    assert len(told) == 1
    names, _, reason = told[0].strip().partition(": ")
    assert {"notes_every_epoch", "the_seed_decides"} <= set(names.split(", "))
    assert re.fullmatch(r"RuntimeError: no dancing today \(at .*dance_more/codec.py:\d+\)", reason)


def test_options_are_those_given(dd):
    settings = ("--set", "context=2", "--set", "sequence.penalty=0.1")
    told = json.loads(dd("plugins", "check", "ridge", *settings, "--json").out)
    assert {row["outcome"] for row in told["checks"] if row["name"] != "a_stopped_training_goes_on"} == {"passed"}


def test_a_source_reads_the_location_given(dd, tmp_path):
    np.save(tmp_path / "mine.npy", np.full((30, 40, 60, 3), 200, np.uint8))
    told = json.loads(dd("plugins", "check", "array", "mine.npy", "--set", "fps=20", "--json").out)
    reasons = {row["name"]: row["reason"] for row in told["checks"] if row["outcome"] == "skipped"}
    assert list(reasons) == ["streams"]
    assert "it has 216,000 bytes of frames" in reasons["streams"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["treshold"], "no component is called 'treshold'; did you mean 'threshold'?"),
        (["threshold", "--set", "levl=3"], "remover.levl: threshold has no such option; did you mean 'level'?"),
        (["threshold", "here.mp4"], "expected a location for a source only, got 'here.mp4' for a remover"),
        (["deepdance", "--set", "epochs=2"], "got the package 'deepdance'; name one of them"),
        (["deepdance", "here.mp4"], "expected the location 'here.mp4' for a component (demo, ffmpeg,"),
        (["threshold", "--kind", "cutter"], "--kind: expected one of source, remover"),
    ],
)
def test_mistakes_are_one_line(dd, arguments, message):
    result = dd("plugins", "check", *arguments)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert message in result.err
