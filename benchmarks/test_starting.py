"""The commands that only show something answer within half a second, and `import deepdance` costs next to nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

DEEPDANCE = Path(sys.executable).with_name("deepdance")
MOST_SECONDS = 0.5
MOST_IMPORT_SECONDS = 0.06
IMPORT = "import time, numpy; t = time.perf_counter(); import deepdance; print(time.perf_counter() - t)"


@pytest.mark.parametrize("arguments", [["--help"], ["plugins", "list"]], ids=" ".join)
def test_starting(arguments: list[str]) -> None:
    times = []
    for _ in range(9):
        start = time.perf_counter()
        subprocess.run([DEEPDANCE, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    print(f"\n{' '.join(arguments)}: median {statistics.median(times):.2f} s, best {min(times):.2f} s")
    assert statistics.median(times) <= MOST_SECONDS


def test_importing() -> None:
    """Over an interpreter that has numpy."""
    command = [sys.executable, "-c", IMPORT]
    times = [float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(9)]
    print(f"\nimport deepdance: median {1000 * statistics.median(times):.1f} ms")
    assert statistics.median(times) <= MOST_IMPORT_SECONDS
