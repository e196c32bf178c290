"""The rules that the code keeps: layers, types, style."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize("command", ["lint-imports", "ruff check .", "ruff format --check .", "mypy"])
def test_the_rules_hold(command):
    program, *arguments = command.split()
    result = subprocess.run([BIN / program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_constraints_are_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", line) for line in lines)


def test_the_readme_shows_the_commands():
    text = (ROOT / "README.md").read_text() + (ROOT / "docs/index.md").read_text()
    commands = set(re.findall(r"^\$ dd (\w+)", text, re.MULTILINE))
    assert commands >= {"run", "prepare", "generate", "extend", "evaluate", "compare", "runs", "plugins", "doctor"}
