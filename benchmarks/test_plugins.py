"""Thirty installed plugins hardly slow the list of them down."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from wheels import install_many, with_site

DEEPDANCE = Path(sys.executable).with_name("deepdance")
LIST = [DEEPDANCE, "plugins", "list"]
PLUGINS = 30


def test_thirty_plugins(compare, tmp_path: Path) -> None:
    install_many(tmp_path, PLUGINS)
    alone, beside = dict(os.environ), with_site(tmp_path / "site")
    listed = subprocess.run(LIST, env=beside, check=True, capture_output=True, text=True).stdout
    assert listed.count("dance-rows") == PLUGINS
    many, none = (
        partial(subprocess.run, LIST, env=env, check=True, stdout=subprocess.DEVNULL) for env in (beside, alone)
    )
    compare(f"list of plugins, {PLUGINS} installed ÷ none", many, none, rounds=15)
