"""The rules that the code keeps: layers, types, style."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [["lint-imports"], ["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]],
    ids=lambda command: command[0] + command[1].replace(".", "") if len(command) > 1 else command[0],
)
def test_the_rules_hold(command):
    result = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_constraints_are_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", line) for line in lines)


def test_every_command_of_the_readme_exists(dd):
    text = (ROOT / "README.md").read_text() + (ROOT / "docs/index.md").read_text()
    commands = {match[1] for match in re.finditer(r"^\$ dd (\w+)", text, re.MULTILINE)}
    assert commands >= {"run", "prepare", "generate", "extend", "evaluate", "compare", "runs", "plugins", "doctor"}
    for command in commands:
        assert dd(command, "--help").code == 0
