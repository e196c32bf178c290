"""`dd doctor`: is everything there that a run needs?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepdance.errors import DeepDanceError, WorkspaceError
from deepdance_cli.arguments import Json, Workspace
from deepdance_cli.output import print_json

if TYPE_CHECKING:
    from deepdance.workspace import Workspace as Folder

FREE_DISK = 2 * 10**9


def doctor(
    workspace: Workspace = Path("workspace"),
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every file of the workspace too, and tell what is damaged.")
    ] = False,
    json: Json = False,
) -> None:
    """Check the machine: Python, Keras, its backend and devices, FFmpeg, OpenCV, plugins, the person model, disk.

    Nothing is changed.

    Example: dd doctor --deep
    """
    from deepdance_cli.grid import Grid, print_grid

    checks = {**_list_checks(workspace), **(_list_deep_checks(workspace) if deep else {})}
    results = [_run_check(name, check) for name, check in checks.items()]
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
        "python": _describe_python,
        "keras": _check_keras,
        "ffmpeg": _check_ffmpeg,
        "opencv": _check_opencv,
        "plugins": _check_plugins,
        "person model": _check_person_model,
        "workspace": lambda: _check_workspace(workspace),
    }


def _describe_python() -> str:
    from deepdance.workers import count_cores

    return f"{sys.version.split()[0]}, {count_cores()} cores"


def _check_keras() -> str:
    from deepdance.plugins.redirection import capture_output

    with capture_output():
        from deepdance_plugins.networks.backend import FRAMEWORK, find_unused_settings
        from deepdance_plugins.networks.devices import describe_devices

        devices = describe_devices()
    unused = ", ".join(f"{name} {value}" for name, value in find_unused_settings().items())
    note = f"; not used of keras.json: {unused}" if unused else ""
    return f"keras {version('keras')} on {FRAMEWORK} {version(FRAMEWORK)}, {devices}{note}"


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


def _list_deep_checks(workspace: Path) -> dict[str, Callable[[], str]]:
    return {
        "artifacts": lambda: _check_artifacts(workspace),
        "runs": lambda: _check_runs(workspace),
        "leftovers": lambda: _check_leftovers(workspace),
    }


def _check_artifacts(workspace: Path) -> str:
    """Every file by its hash."""
    from rich.progress import track

    from deepdance.artifacts import ArtifactStore
    from deepdance_cli.console import err

    store = ArtifactStore(workspace / "artifacts")
    reading = track(store.names(), "reading", console=err, transient=True, disable=not err.is_terminal)
    damage = {name: store.find_damage(name) for name in reading}
    damaged = [f"{name} {found}" for name, found in damage.items() if found]
    if damaged:
        raise WorkspaceError(f"{'; '.join(damaged)}; the command that needs one sets it aside and makes it anew")
    old = sum(not store.has_hashes(name) for name in damage)
    return f"{len(damage)} whole" + (f", {old} of them from before there were hashes: only readable" if old else "")


def _check_runs(workspace: Path) -> str:
    from deepdance.workspace import Workspace as Folder

    place = Folder(workspace)
    found, unreadable = place.read_records()
    problems = [*unreadable.values(), *filter(None, (_find_problem(place, run.name) for run in found))]
    if problems:
        raise WorkspaceError("; ".join(problems))
    return f"{len(found)} whole"


def _find_problem(place: Folder, name: str) -> str:
    """What a run lacks, and what to do, if anything."""
    try:
        run, _ = place.open_run(name)
    except DeepDanceError as error:
        return f"{name}: {error}"
    there = set(place.artifacts.names())
    missing = [each for names in run.artifacts.values() for each in names if each not in there]
    if missing:
        return f"{name} lacks {', '.join(missing)}; dd generate {name} makes it anew of the run's videos"
    if run.video and not (place.run_folder(name) / run.video).is_file():
        return f"{name} lacks {run.video}; dd run, as it was called, makes it anew"
    return ""


def _check_leftovers(workspace: Path) -> str:
    from deepdance.cleaning import find_waste
    from deepdance.workspace import Workspace as Folder
    from deepdance_cli.clean import format_bytes

    size = find_waste(Folder(workspace)).size if (workspace / "artifacts").is_dir() else 0
    return f"{format_bytes(size)} that nothing needs; dd clean tells of what, and removes it" if size else "none"
