"""What tests of pages share."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

PATIENCE = 60.0
"""Seconds that a busy machine is given."""


def wait_until(is_so: Callable[[], Any], what: str) -> Any:
    """What `is_so` gives once it is true; a page's policy forbids Playwright's own way to wait for an expression."""
    until = time.monotonic() + PATIENCE
    while not (got := is_so()):
        assert time.monotonic() < until, f"waited in vain until {what}"
        time.sleep(0.05)
    return got


def find_violations(page: Any) -> list[str]:
    """What axe finds wrong with a page for those who read it by ear, by keyboard or with weak eyes."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    return [f"{found['id']}: {found['help']}" for found in axe.Axe().run(page).response["violations"]]


def build_small_page(silhouettes: np.ndarray, note: str = "", title: str = "small") -> str:
    """The page of the player's own models, fitted to some silhouettes at 10 a second."""
    from deepdance.frames import Silhouettes
    from deepdance.interfaces import Training
    from deepdance_plugins.codecs.sdf_ae.model import SdfAE
    from deepdance_plugins.player.material import describe, pack
    from deepdance_plugins.player.page import build_page
    from deepdance_plugins.sequences.motion_field.model import MotionField
    from deepdance_plugins.sequences.motion_field.options import MotionFieldOptions

    codec = SdfAE.from_prior(Silhouettes.of(silhouettes))
    model = MotionField(MotionFieldOptions())
    model.fit([codec.encode(silhouettes)], [], Training(seed=0))
    return build_page(*pack(describe(codec, model, fps=10.0, note=note)), title=title)
