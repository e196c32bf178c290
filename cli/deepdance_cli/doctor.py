"""`dd doctor`: is everything there that a run needs?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer

from deepdance.errors import DeepDanceError
from deepdance_cli.arguments import Json, Workspace
from deepdance_cli.output import print_json

FREE_DISK = 2 * 10**9


def doctor(workspace: Workspace = Path("workspace"), json: Json = False) -> None:
    """Check the machine: Python, Keras and its backend, FFmpeg, OpenCV, plugins, the person model, disk.

    Example: dd doctor
    """
    from deepdance_cli.grid import Grid, print_grid

    results = [_run_check(name, check) for name, check in _list_checks(workspace).items()]
    if json:
        print_json([{"check": name, "ok": ok, "found": found} for name, ok, found in results])
    else:
        rows = [[f"{'✓' if ok else '✗'} {name}", found] for name, ok, found in results]
        print_grid(Grid(("", ""), rows, ["green" if ok else "red" for _, ok, _ in results]))
    if not all(ok for _, ok, _ in results):
        raise typer.Exit(2)


def _run_check(name: str, check: Callable[[], str]) -> tuple[str, bool, str]:
    try:
        return name, True, check()
    except DeepDanceError as error:
        return name, False, str(error)
    except Exception as error:
        return name, False, f"{type(error).__name__}: {error}"


def _list_checks(workspace: Path) -> dict[str, Callable[[], str]]:
    return {
        "python": lambda: f"{sys.version.split()[0]}, {os.cpu_count()} cores",
        "keras": _check_keras,
        "ffmpeg": _check_ffmpeg,
        "opencv": _check_opencv,
        "plugins": _check_plugins,
        "person model": _check_person_model,
        "workspace": lambda: _check_workspace(workspace),
    }


def _check_keras() -> str:
    from deepdance.plugins.redirection import capture_output

    with capture_output():
        from deepdance_plugins.networks.backend import FRAMEWORK, find_unused_settings
    unused = ", ".join(f"{name} {value}" for name, value in find_unused_settings().items())
    note = f"; not used of keras.json: {unused}" if unused else ""
    return f"keras {version('keras')} on {FRAMEWORK} {version(FRAMEWORK)}{note}"


def _check_ffmpeg() -> str:
    import subprocess

    import imageio_ffmpeg

    binary = imageio_ffmpeg.get_ffmpeg_exe()
    shown = subprocess.run([binary, "-version"], capture_output=True, check=True, timeout=30)
    return f"{' '.join(shown.stdout.decode(errors='replace').split()[:3])}, PyAV {version('av')}"


def _check_opencv() -> str:
    import cv2

    try:
        clash = version("opencv-python")
    except PackageNotFoundError:
        return f"opencv {cv2.__version__}"
    raise RuntimeError(
        f"opencv-python {clash} and opencv-python-headless overwrite each other: "
        "pip uninstall opencv-python opencv-python-headless, then pip install opencv-python-headless"
    )


def _check_plugins() -> str:
    from deepdance.plugins import discover

    registry = discover()
    if registry.problems:
        raise RuntimeError("; ".join(f"{p.distribution} {p.version}: {p.reason}" for p in registry.problems))
    return f"{len(registry.entries)} components"


def _check_person_model() -> str:
    from deepdance_plugins.removers.person import weights

    folder, size = weights.find_folder(), f"{weights.WHEEL_BYTES / 1e6:.0f} MB"
    if weights.have_weights():
        return str(folder)
    if any((folder / name).exists() for name in weights.MEMBERS):
        raise RuntimeError(
            f"expected {' and '.join(weights.MEMBERS)} in {folder}, got files that are damaged or not all there; "
            f"`dd prepare VIDEO --remover person` fetches them again, {size}"
        )
    if (folder / weights.WHEEL).exists():
        return f"{folder}, in {weights.WHEEL}"
    return f"not there yet: fetched at first use, {size}"


def _check_workspace(folder: Path) -> str:
    nearest = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    if not os.access(nearest, os.W_OK):
        raise RuntimeError(f"{nearest} cannot be written; choose another folder with --workspace")
    free = shutil.disk_usage(nearest).free
    if free < FREE_DISK:
        raise RuntimeError(f"{free / 1e9:.1f} GB free on the disk of {folder}, expected at least {FREE_DISK / 1e9:.0f}")
    return f"{folder}, {free / 1e9:.0f} GB free"
