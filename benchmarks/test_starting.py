"""The commands that only show something answer within half a second."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

DEEPDANCE = Path(sys.executable).with_name("deepdance")
MOST_SECONDS = 0.5


@pytest.mark.parametrize("arguments", [["--help"], ["plugins", "list"]], ids=" ".join)
def test_starting(arguments: list[str]) -> None:
    times = []
    for _ in range(9):
        start = time.perf_counter()
        subprocess.run([DEEPDANCE, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    print(f"\n{' '.join(arguments)}: median {statistics.median(times):.2f} s, best {min(times):.2f} s")
    assert statistics.median(times) <= MOST_SECONDS
