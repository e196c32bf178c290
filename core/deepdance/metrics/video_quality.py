"""scikit-video's measures (1.1.11, 2018) on today's NumPy.

Its modules are loaded from where it is installed, under a private name and without its `__init__`: that file looks for
`ffmpeg` in the working folder and runs it, and the other `__init__` needs parts of SciPy that are gone. They see a
NumPy with the names of old that they use. Neither NumPy nor anybody's own `import skvideo` is touched.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from deepdance.arrays import Float64, UInt8

PRIVATE = "_deepdance_skvideo"
STRRED_SMALLEST = 48
"""Below so many pixels the third octave of ST-RRED's pyramid is too small for its blocks."""


def psnr(truth: UInt8, decoded: UInt8) -> Float64:
    """Peak signal-to-noise ratio of `(n, h, w)` frames in dB: 10 log₁₀(255² ÷ MSE), `(n,)`; infinite where equal."""
    with np.errstate(divide="ignore"):
        return np.asarray(_load_measure("psnr").psnr(truth[..., None], decoded[..., None]), np.float64)


def ssim(truth: UInt8, decoded: UInt8) -> Float64:
    """Structural similarity of `(n, h, w)` frames, `(n,)`: Wang et al., IEEE TIP 13 (2004), eq. 13.

    The Gaussian window is 11 pixels wide, so a frame needs more than 10 each way; less gives nan.
    """
    if min(truth.shape[1:]) <= 10:
        return np.full(len(truth), np.nan)
    return np.asarray(_load_measure("ssim").ssim(truth[..., None], decoded[..., None]), np.float64)


def strred(truth: UInt8, decoded: UInt8) -> tuple[Float64, Float64]:
    """Spatial and temporal differences of entropy, `(n // 2,)` each, of frames `(n, h, w)` taken two by two.

    ST-RRED is the mean of the first times the mean of the second, 0 at best: Soundararajan & Bovik, IEEE TCSVT 23
    (2013). Frames below 48 pixels give nan.
    """
    if min(truth.shape[1:]) < STRRED_SMALLEST:
        return np.full(len(truth) // 2, np.nan), np.full(len(truth) // 2, np.nan)
    with _quiet():
        rows = _load_measure("strred").strred(truth[..., None], decoded[..., None])[0]
    return rows[:, 0].astype(np.float64), rows[:, 1].astype(np.float64)


@cache
def _load_measure(name: str) -> Any:
    """The module `skvideo.measure.<name>`, loaded privately."""
    spec = find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("expected scikit-video to be installed, got nothing; pip install scikit-video")
    root = Path(next(iter(spec.submodule_search_locations)))
    for package, folder in ((PRIVATE, root), (f"{PRIVATE}.measure", root / "measure")):
        sys.modules.setdefault(package, _empty_package(package, folder))
    with _quiet():
        module = importlib.import_module(f"{PRIVATE}.measure.{name}")
    for loaded, part in list(sys.modules.items()):
        if loaded.startswith(f"{PRIVATE}.") and hasattr(part, "np"):
            part.np = _old_numpy()  # type: ignore[attr-defined]
    return module


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of old syntax, matrices and ill-conditioned blocks, which nobody here can mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _empty_package(name: str, folder: Path) -> ModuleType:
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    return package


@cache
def _old_numpy() -> SimpleNamespace:
    return SimpleNamespace(**{**vars(np), "int": int, "float": float, "bool": bool, "product": np.prod})
