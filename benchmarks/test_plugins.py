"""Thirty installed plugins hardly slow the list of them down, and importing deepdance costs little beside numpy."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from wheels import install_many, with_site  # noqa: E402

DEEPDANCE = Path(sys.executable).with_name("deepdance")
LIST = [DEEPDANCE, "plugins", "list"]
PLUGINS, MOST_RATIO = 30, 1.3
MOST_SECONDS = 0.06
ROUNDS = 15


def cpu_seconds(command: Sequence[str | Path], env: dict[str, str]) -> float:
    """CPU time of a process, which other processes on the machine disturb less than its wall time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_thirty_plugins(tmp_path: Path) -> None:
    install_many(tmp_path, PLUGINS)
    alone, beside = dict(os.environ), with_site(tmp_path / "site")
    listed = subprocess.run(LIST, env=beside, check=True, capture_output=True, text=True).stdout
    assert listed.count("dance-rows") == PLUGINS
    rounds = [(cpu_seconds(LIST, beside), cpu_seconds(LIST, alone)) for _ in range(ROUNDS)]
    many, none = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = many / none
    print(f"\nplugins list: {1000 * many:.0f} ms with {PLUGINS} plugins, {1000 * none:.0f} ms with none: {ratio:.2f} ×")
    assert ratio <= MOST_RATIO


@pytest.mark.parametrize("module", ["deepdance", "deepdance.plugins"])
def test_importing(module: str) -> None:
    commands = [[sys.executable, "-c", f"import numpy{more}"] for more in (f", {module}", "")]
    rounds = [[cpu_seconds(command, dict(os.environ)) for command in commands] for _ in range(ROUNDS)]
    ours, bare = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"\nimport {module}: {1000 * (ours - bare):.0f} ms over {1000 * bare:.0f} ms with numpy")
    assert ours - bare <= MOST_SECONDS
