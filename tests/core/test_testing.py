"""The conformance kit: it passes what holds a contract, and every check of it fails on something broken."""

import os
import subprocess
import sys
from pathlib import Path

import contract_examples as examples
import pytest

from deepdance import testing
from deepdance.errors import PluginError
from deepdance.testing import CheckFailed, checks, parametrize_with_checks, results
from deepdance.testing.kit import KINDS

FUNCTIONS = {
    "source": testing.check_source,
    "remover": testing.check_remover,
    "codec": testing.check_codec,
    "sequence": testing.check_sequence_model,
    "renderer": testing.check_renderer,
}
SPECS = {kind: examples.spec_of(kind, cls.__name__) for kind, cls in examples.GOOD.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_what_holds_the_contract_passes_every_check(kind):
    ended = list(results(SPECS[kind]))
    assert [(result.name, result.reason) for result in ended if result.outcome != "passed"] == []
    assert len(ended) == len({result.name for result in ended}) > 10


@pytest.mark.parametrize(("kind", "check", "cls", "options"), examples.BROKEN)
def test_a_broken_component_fails_the_check(kind, check, cls, options):
    (made,) = [one for one in checks(examples.spec_of(kind, cls, options)) if one.name == check]
    with pytest.raises(Exception, match=".+") as failed:
        made()
    assert isinstance(failed.value, CheckFailed) or check.startswith(
        "takes_"
    )  # its own error tells what it did not take


def test_every_check_is_seen_to_fail():
    seen = {(kind, check) for kind, check, *_ in examples.BROKEN}
    alike = {check for _, check in seen}
    for kind, (_, functions) in KINDS.items():
        for function in functions:
            shared = function.__module__.endswith(("common", "trained"))
            assert (kind, function.__name__) in seen or (shared and function.__name__ in alike), function


@pytest.mark.parametrize("kind", KINDS)
def test_all_failures_are_told_by_one_call(kind):
    options = {"location": "no-such-file.npy"} if kind == "source" else {}
    with pytest.raises(CheckFailed, match=r"options_are_described: expected .*\n?"):
        FUNCTIONS[kind](examples.spec_of(kind, examples.GOOD[kind].__name__, "NotDescribed"), **options)


def test_a_failure_tells_what_was_expected_and_what_was_got():
    (broken,) = [cls for _, check, cls, _ in examples.BROKEN if check == "makes_silhouettes"]
    with pytest.raises(CheckFailed, match="expected silhouettes of dtype uint8, got bool"):
        testing.check_remover(examples.spec_of("remover", broken))


def test_a_check_is_of_its_kind():
    with pytest.raises(PluginError, match="'example': expected a codec, got a remover"):
        testing.check_codec(SPECS["remover"])


def test_options_are_checked_before_the_component():
    with pytest.raises(CheckFailed, match="codec.epoch: example has no such option; did you mean 'epochs'"):
        testing.check_codec(SPECS["codec"], options={"epoch": 1})


def test_an_expected_failure_must_be_of_a_check():
    with pytest.raises(ValueError, match="got 'stream'; did you mean 'streams'"):
        parametrize_with_checks(SPECS["remover"], expected_failed_checks={"stream": "it keeps all"})


PLUGIN_TESTS = """
import contract_examples as examples
from deepdance.testing import parametrize_with_checks

BROKEN = {check: examples.spec_of(kind, cls) for kind, check, cls, _ in examples.BROKEN if kind == "remover"}

@parametrize_with_checks(examples.spec_of("remover", "Remover"))
def test_good(check):
    check()

@parametrize_with_checks(BROKEN["streams"], expected_failed_checks={"streams": "it keeps all"})
def test_known(check):
    check()

@parametrize_with_checks(examples.spec_of("remover", "Remover"), expected_failed_checks={"streams": "was mended"})
def test_mended(check):
    check()

@parametrize_with_checks(examples.spec_of("source", "Array"), location="missing.npy")
def test_missing(check):
    check()
"""


def test_in_pytest_every_check_is_a_test_and_an_expected_failure_is_strict(tmp_path):
    (tmp_path / "test_it.py").write_text(PLUGIN_TESTS)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(examples.__file__).parent), *sys.path])}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "--tb=no", str(tmp_path)]
    told = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=250).stdout
    assert "PASSED test_it.py::test_good[the_frames_decide]" in told
    assert "XFAIL test_it.py::test_known[streams] - it keeps all" in told
    assert "PASSED test_it.py::test_known[the_frames_decide]" in told
    assert "FAILED test_it.py::test_mended[streams]" in told
    assert "FAILED test_it.py::test_missing[tells_what_it_is]" in told
