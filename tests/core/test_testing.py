"""The conformance kit: it passes what holds a contract, and every check of it fails on something broken."""

import os
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import contract
import pytest
from contract.broken import BROKEN, GOOD, find_broken
from contract.codec import IN_EPOCHS
from my_codec.codec import MyCodec

from deepdance import testing
from deepdance.testing import CheckFailed, make_checks, parametrize_with_checks, run_checks, subject
from deepdance.testing.kit import CONTRACTS

for kind_or_options in (*CONTRACTS, "options"):
    import_module(f"contract.{kind_or_options}")  # which registers what it breaks
KEEPS = "a_stream_needs_no_more_memory_the_longer_it_is"
CANNOT_BE_CHECKED = {"codec": ["a_stopped_training_goes_on"], "sequence": ["a_stopped_training_goes_on", KEEPS]}
"""One epoch is never stopped; the model of the template keeps no state."""


@pytest.mark.parametrize("kind", CONTRACTS)
def test_what_holds_the_contract_passes_every_check(kind):
    ended = list(run_checks(GOOD[kind]))
    assert [(result.name, result.reason) for result in ended if result.outcome == "failed"] == []
    assert [result.name for result in ended if result.outcome == "skipped"] == CANNOT_BE_CHECKED.get(kind, [])
    assert len(ended) == len({result.name for result in ended}) > 10


def test_what_learns_in_epochs_passes_every_check():
    ended = run_checks(IN_EPOCHS)
    assert [(result.name, result.reason) for result in ended if result.outcome != "passed"] == []


def find_check(broken):
    (check,) = [check for check in make_checks(broken.spec) if check.name == broken.check]
    return check


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_a_broken_component_fails_the_check(broken, monkeypatch):
    if not broken.guarded:
        monkeypatch.setattr(subject, "guard", lambda cls: cls)
    with pytest.raises(Exception, match=".+") as failed:
        find_check(broken)()
    assert isinstance(failed.value, CheckFailed) or broken.check.startswith("takes_")  # its own error tells what it is


@pytest.mark.parametrize("broken", [broken for broken in BROKEN if not broken.guarded], ids=str)
def test_what_the_guards_see_to_passes_the_check(broken):
    find_check(broken)()


def test_every_check_is_seen_to_fail():
    seen = {(broken.spec.kind, broken.check) for broken in BROKEN}
    alike = {broken.check for broken in BROKEN}
    for kind, (_, functions) in CONTRACTS.items():
        for function in functions:
            shared = function.__module__.endswith(("common", "learners"))
            assert (kind, function.__name__) in seen or (shared and function.__name__ in alike), function


@pytest.mark.parametrize("kind", CONTRACTS)
def test_all_failures_are_told_by_one_call(kind):
    spec = replace(GOOD[kind], options="contract.options:NotDescribed")
    given = {"location": "no-such-file.cbz"} if kind == "source" else {}
    with pytest.raises(CheckFailed, match=r"options_are_described: expected .*\n?"):
        testing.check_component(spec, **given)


def test_a_failure_tells_what_was_expected_and_what_was_got():
    with pytest.raises(CheckFailed, match=r"makes_silhouettes: \w+ of \w+: expected silhouettes as uint8 .*, got bool"):
        testing.check_component(find_broken("remover", "makes_silhouettes"))


class Unsaved(MyCodec):
    def save(self, folder):
        raise OSError("no room to dance")


def test_a_check_fails_by_its_own_cause_after_another_has_failed():
    spec = replace(GOOD["codec"], target=f"{__name__}:Unsaved")
    failed = {result.name: result.reason for result in run_checks(spec) if result.outcome == "failed"}
    assert failed.keys() == {"is_the_same_in_a_fresh_process", "saves_no_pickles"}
    assert all(reason.startswith("OSError: no room to dance") for reason in failed.values())


def test_options_are_checked_before_the_component():
    with pytest.raises(CheckFailed, match="codec.row: my-codec has no such option; did you mean 'rows'"):
        testing.check_component(GOOD["codec"], options={"row": 1})


def test_an_expected_failure_must_be_of_a_check():
    with pytest.raises(ValueError, match="got 'stream'; did you mean 'streams'"):
        parametrize_with_checks(GOOD["remover"], expected_failed_checks={"stream": "it keeps all"})


PLUGIN_TESTS = """
from contract.broken import GOOD, find_broken
from deepdance.testing import parametrize_with_checks

@parametrize_with_checks(GOOD["remover"])
def test_good(check):
    check()

@parametrize_with_checks(find_broken("remover", "streams"), expected_failed_checks={"streams": "it keeps all"})
def test_known(check):
    check()

@parametrize_with_checks(GOOD["remover"], expected_failed_checks={"streams": "was mended"})
def test_mended(check):
    check()

@parametrize_with_checks(GOOD["source"], location="missing.cbz")
def test_missing(check):
    check()
"""


def test_in_pytest_every_check_is_a_test_and_an_expected_failure_is_strict(tmp_path):
    (tmp_path / "test_it.py").write_text(PLUGIN_TESTS)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(contract.__file__).parents[1]), *sys.path])}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "--tb=no", str(tmp_path)]
    told = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=250).stdout
    assert "PASSED test_it.py::test_good[the_frames_decide]" in told
    assert "XFAIL test_it.py::test_known[streams] - it keeps all" in told
    assert "PASSED test_it.py::test_known[the_frames_decide]" in told
    assert "FAILED test_it.py::test_mended[streams]" in told
    assert "FAILED test_it.py::test_missing[tells_what_it_is]" in told
