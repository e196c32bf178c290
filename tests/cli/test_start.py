"""Starting fast, measured in imported modules, and living beside coreutils' dd."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from wheels import install_many, with_site

from deepdance.plugins import discover
from deepdance.recipe import apply_settings
from deepdance_cli.main import app
from deepdance_plugins.catalog import COMPONENTS

HEAVY = {"PIL", "av", "cv2", "imageio_ffmpeg", "jax", "jinja2", "keras", "matplotlib", "onnx", "scipy", "tensorflow"}
DD = Path(sys.executable).with_name("dd")
LIST_MODULES = """
import json, sys
sys.argv = ["deepdance", *json.loads(sys.argv[1])]
from deepdance_cli.main import main
try:
    main()
finally:
    print("MODULES", json.dumps(sorted(sys.modules)))
"""


def modules_of(*arguments: str, env: dict[str, str] | None = None) -> set[str]:
    command = [sys.executable, "-c", LIST_MODULES, json.dumps(arguments)]
    result = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("MODULES ")]
    return set(json.loads(line.removeprefix("MODULES ")))


@pytest.mark.parametrize(
    ("arguments", "most"),
    [(["--help"], 500), (["run", "--help"], 500), (["plugins", "list"], 700), (["plugins", "show", "conv-ae"], 900)],
)
def test_no_framework_is_imported_to_show(arguments, most):
    modules = modules_of(*arguments)
    assert not modules & HEAVY
    assert len(modules) < most


def test_thirty_plugins_add_a_module_each_to_the_list_and_none_to_help(tmp_path):
    install_many(tmp_path, 30)
    beside = with_site(tmp_path / "site")
    assert modules_of("--help", env=beside) == modules_of("--help")
    added = modules_of("plugins", "list", "--json", env=beside) - modules_of("plugins", "list", "--json")
    assert added == {f"dance_rows{number}" for number in range(30)}


def test_no_framework_is_imported_to_complete_a_name():
    typed = {"COMP_WORDS": "deepdance run --codec ", "COMP_CWORD": "3"}
    assert not modules_of(env={**os.environ, "_DEEPDANCE_COMPLETE": "complete_bash", **typed}) & HEAVY


OPTIONS = """
import json, sys
from deepdance.plugins import discover
registry = discover()
for entry in registry.entries:
    registry.options_model(entry.spec.kind, registry.reference(entry))
print(json.dumps(sorted(sys.modules)))
"""


def test_no_framework_is_imported_to_read_options():
    result = subprocess.run([sys.executable, "-c", OPTIONS], capture_output=True, text=True, check=True, timeout=60)
    modules = set(json.loads(result.stdout))
    assert not modules & HEAVY
    assert {component.options.partition(":")[0] for component in COMPONENTS} <= modules


def _list_commands(command: Any, *names: str) -> Iterator[str]:
    """Of a group those in it, else its own name."""
    below = getattr(command, "commands", {})
    for name, each in below.items():
        yield from _list_commands(each, *names, name)
    if not below:
        yield " ".join(names)


@pytest.mark.parametrize("command", [*_list_commands(typer.main.get_command(app))])
def test_every_command_has_help_with_an_example(dd, command):
    result = dd(*command.split(), "--help")
    assert result.code == 0
    assert f"Example: dd {command}" in " ".join(result.out.split())


def test_the_help_shows_what_dances_before_what_keeps_order(dd):
    words = dd("--help").out.split()
    shown = ("run", "prepare", "generate", "extend", "play", "export", "report", "evaluate", "runs", "clean", "recipe")
    assert sorted(shown, key=words.index) == list(shown)


def test_coreutils_dd_is_still_there(tmp_path):
    (tmp_path / "in").write_bytes(b"12345678")
    command = [DD, "if=in", "of=out", "bs=1", "count=5"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0
    assert (tmp_path / "out").read_bytes() == b"12345"
    assert "5+0 records out" in result.stderr


def test_dd_in_a_pipe_copies(tmp_path):
    result = subprocess.run([DD], input=b"moves", capture_output=True, timeout=60)
    assert (result.returncode, result.stdout) == (0, b"moves")


@pytest.mark.parametrize("program", [[DD], [DD.with_name("deepdance")], [sys.executable, "-m", "deepdance"]])
def test_all_programs_are_the_same(program):
    result = subprocess.run([*program, "plugins", "list", "--json"], capture_output=True, text=True, timeout=60)
    assert "conv-ae" in [component["name"] for component in json.loads(result.stdout)["components"]]


def test_the_doctor_finds_this_machine_well(dd):
    result = dd("doctor", "--json")
    checks = {entry["check"]: entry for entry in json.loads(result.out)}
    assert all(entry["ok"] for entry in checks.values()), checks
    assert result.code == 0
    assert "ffmpeg version" in checks["ffmpeg"]["found"]


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.name)
def test_show_gives_a_command_that_works_and_the_source_file(dd, component):
    shown = json.loads(dd("plugins", "show", component.name, "--json").out)
    assert Path(shown["file"]).read_text().count(f"class {component.target.partition(':')[2]}(")
    assert shown["needs"] == []
    words = shown["example"].split()
    assert {"sequence": "--seq", "logger": "--log"}.get(component.kind, f"--{component.kind}") in words
    if "--set" in words:
        table = apply_settings({}, words[words.index("--set") + 1 :])
        assert discover().options(component.kind, component.name, "standard", table[component.kind])


def test_show_says_types_ranges_and_defaults_as_people_do(dd):
    (level, _) = json.loads(dd("plugins", "show", "threshold", "--json").out)["options_table"]
    assert (level["type"], level["bounds"]) == ("int (≥ 0, ≤ 764) | 'auto'", "")
    table = json.loads(dd("plugins", "show", "conv-ae", "--json").out)["options_table"]
    (epochs,) = [option for option in table if option["name"] == "epochs"]
    assert (epochs["type"], epochs["default"]) == ("int", "27")
    shown = dd("plugins", "show", "conv-ae").out
    assert all(text in shown for text in ("codec.epochs", "27", "≥ 1"))
