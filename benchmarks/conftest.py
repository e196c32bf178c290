"""Ratios: ours beside a reference in the same run, for seconds say more about the machine than about the program."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BASELINE: dict[str, dict[str, float]] = json.loads((Path(__file__).parent / "baseline.json").read_text())
"""How many times as fast as its reference each thing is, and what share of it may be lost before that is a fault."""
TABLE = pytest.StashKey[list[tuple[str, float, float]]]()

Compare = Callable[..., None]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "short: among what `.ci/run` measures")
    config.stash[TABLE] = []


@pytest.fixture
def compare(benchmark: Any, request: pytest.FixtureRequest) -> Compare:
    """`compare(name, ours, reference)`: the best of pairs that take turns.

    `work` says how many times as much as the reference ours does in a call. Held to the baseline is the time of the
    processors, children included, which a busy machine disturbs less; the table shows time by the clock beside it.
    """

    def measure(
        name: str, ours: Callable[[], object], reference: Callable[[], object], *, work: float = 1, rounds: int = 3
    ) -> None:
        mine: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        benchmark.pedantic(
            lambda: mine.append(measure_seconds(ours)),
            setup=lambda: theirs.append(measure_seconds(reference)),
            rounds=rounds,
        )
        best = [tuple(map(min, zip(*times, strict=True))) for times in (theirs, mine)]
        wall, cpu = (work * reference / ours for reference, ours in zip(*best, strict=True))
        benchmark.extra_info.update(ratio=name, wall=wall, cpu=cpu)
        request.config.stash[TABLE].append((name, wall, cpu))
        least = find_least(name)
        assert cpu >= least, f"{name}: expected at least {least:.3g} times the reference's speed, got {cpu:.3g}"

    return measure


def find_least(name: str) -> float:
    """The ratio below which something has become slower."""
    return BASELINE[name]["ratio"] * (1 - BASELINE[name]["tolerance"])


def measure_seconds(work: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of the processors for this process and the children that it has waited for."""
    start, before = time.perf_counter(), sum(os.times()[2:4]) + time.process_time()
    work()
    return time.perf_counter() - start, sum(os.times()[2:4]) + time.process_time() - before


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash[TABLE]
    if not rows:
        return
    terminalreporter.write_sep("-", "times as fast as the reference")
    terminalreporter.write_line(f"{'':58}{'clock':>9}{'CPU':>9}{'CPU, least':>12}")
    for name, wall, cpu in rows:
        terminalreporter.write_line(f"{name:58}{wall:9.3g}{cpu:9.3g}{find_least(name):12.3g}")
