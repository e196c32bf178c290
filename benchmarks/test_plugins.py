"""Thirty installed plugins hardly slow the list of them down, and importing deepdance costs little beside numpy."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from wheels import install_many, with_site

DEEPDANCE = Path(sys.executable).with_name("deepdance")
LIST = [DEEPDANCE, "plugins", "list"]
PLUGINS, MOST_RATIO = 30, 1.3
MOST_SECONDS = 0.06
ROUNDS = 15


def seconds(command: Sequence[str | Path], env: dict[str, str]) -> tuple[float, float]:
    """CPU time of a process, which others on the machine disturb less, and its wall time."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def medians(*cases: tuple[Sequence[str | Path], dict[str, str]]) -> list[float]:
    """CPU then wall time of each case, the median of rounds in which every case has its turn."""
    rounds = [[figure for case in cases for figure in seconds(*case)] for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def test_thirty_plugins(tmp_path: Path) -> None:
    install_many(tmp_path, PLUGINS)
    alone, beside = dict(os.environ), with_site(tmp_path / "site")
    listed = subprocess.run(LIST, env=beside, check=True, capture_output=True, text=True).stdout
    assert listed.count("dance-rows") == PLUGINS
    many, many_wall, none, none_wall = medians((LIST, beside), (LIST, alone))
    print(f"\nplugins list with {PLUGINS} plugins ÷ with none")
    print(f"CPU  {many:.3f} s ÷ {none:.3f} s = {many / none:.2f}")
    print(f"wall {many_wall:.3f} s ÷ {none_wall:.3f} s = {many_wall / none_wall:.2f}")
    assert many / none <= MOST_RATIO


def test_importing() -> None:
    env = dict(os.environ)
    ours, _, bare, _ = medians(*(([sys.executable, "-c", f"import numpy{more}"], env) for more in (", deepdance", "")))
    print(f"\nimport deepdance: {1000 * (ours - bare):.0f} ms over {1000 * bare:.0f} ms with numpy")
    assert ours - bare <= MOST_SECONDS
