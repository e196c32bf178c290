"""A second run with another sequence model costs only the new model's time: all before it is there."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

import deepdance

SHARED = {
    "source": {"name": "demo", "seconds": 20},
    "remover": "threshold",
    "codec": {"name": "pca", "latent_dim": 32},
    "frames": 30,
}


@pytest.mark.short
def test_second_run(compare, tmp_path: Path) -> None:
    workspaces = (tmp_path / str(number) for number in count())

    def run_first() -> None:
        run_first.workspace = next(workspaces)
        deepdance.run(workspace=run_first.workspace, sequence="ridge", **SHARED)

    def run_second() -> None:
        deepdance.run(workspace=run_first.workspace, sequence="texture", **SHARED)

    run_first()
    run_second()
    compare("second run, another sequence model ÷ the first", run_second, run_first, rounds=2)
