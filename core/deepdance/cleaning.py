"""What a workspace could do without: what nothing needs any more, and what is left of processes that have died."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepdance.artifacts import LOCKS, MANIFEST, NEWEST, UNFINISHED
from deepdance.errors import WorkspaceError
from deepdance.folders import show_path
from deepdance.progress import TRAININGS
from deepdance.storage import DAMAGED, find_free_place, find_leftovers, flush_names, measure_bytes, read_json, read_text
from deepdance.workspace import RUN_STAGES, RunRecord, Workspace

FOLDERS = ("artifacts", "runs", "arrays", "sheets")
"""All that a workspace has."""
SHEET = re.compile(r"[^.].*-[0-9a-f]{6}\.png")


@dataclass(frozen=True)
class Waste:
    """A file or folder that nothing needs, why, and its bytes; where there is a `lock`, nobody may hold it."""

    path: Path
    reason: str
    size: int
    lock: Path | None = None


@dataclass(frozen=True)
class Finding:
    """What of a workspace can go, and why more of it is left than has to be."""

    waste: list[Waste]
    left: list[str]

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return sum(each.size for each in self.waste)


def find_waste(workspace: Workspace) -> Finding:
    """What nothing in a workspace needs; nothing is changed.

    Where a record cannot be read, or a run is being made, nobody knows what it needs: all artifacts stay. Raises
    WorkspaceError.
    """
    _check_folders(workspace.root)
    runs, unreadable = workspace.read_records()
    held = [lock.stem for lock in sorted((workspace.root / "runs" / LOCKS).glob("*.lock")) if _is_held(lock)]
    left = [f"{show_path(path)} cannot be read; what could be its is left" for path in unreadable]
    left += [f"{name} is being made; what could be its is left" for name in held]
    waste = [*_find_leftovers(workspace.root), *_find_idle_runs(workspace, runs, held), *_find_sheets(workspace.root)]
    waste += _find_damaged(workspace.root)
    if not left:
        waste += [*_find_artifacts(workspace, runs), *_find_arrays(workspace.root, runs)]
        left = _describe_interrupted(workspace, runs)
    return Finding(waste, left)


def _check_folders(root: Path) -> None:
    """Raise WorkspaceError where another workspace may need what is there."""
    for folder in (root / name for name in FOLDERS):
        if folder.is_symlink():
            raise WorkspaceError(
                f"expected a workspace's own folder, got {show_path(folder)}, a link; "
                "clean the workspace that it leads to"
            )
    if not (root / "artifacts").is_dir() and not (root / "runs").is_dir():
        raise WorkspaceError(f"expected a workspace, got {show_path(root)}; name yours: dd clean --workspace FOLDER")


def remove_waste(workspace: Workspace, waste: Iterable[Waste]) -> Iterator[Waste]:
    """Remove what still is of no use to anybody, and give what is gone; what somebody uses meanwhile stays."""
    still = set(find_waste(workspace).waste)
    for each in waste:
        if each in still and _remove(each):
            yield each


def _remove(waste: Waste) -> bool:
    """Remove a file or folder; where it goes in the end, it is whole or gone for everybody else at any moment."""
    from filelock import FileLock, Timeout

    with ExitStack() as stack, suppress(OSError, Timeout):
        if waste.lock:
            stack.enter_context(FileLock(waste.lock).acquire(timeout=0))
        gone = waste.path.with_name(f".{waste.path.name}-{os.getpid()}-part")
        waste.path.replace(gone)
        flush_names(gone.parent)
        shutil.rmtree(gone) if gone.is_dir() and not gone.is_symlink() else gone.unlink()
        if waste.lock:
            waste.lock.unlink(missing_ok=True)
        return True
    return False


def _is_held(lock: Path) -> bool:
    from filelock import FileLock, Timeout

    try:
        with FileLock(lock).acquire(timeout=0) if lock.exists() else nullcontext():
            return False
    except (OSError, Timeout):
        return True


def _make_waste(path: Path, reason: str, lock: Path | None = None) -> Waste:
    return Waste(path, reason, measure_bytes(path), lock)


def _find_leftovers(root: Path) -> Iterator[Waste]:
    """What dead processes left under temporary names, below the folders that a workspace has."""
    for name in FOLDERS:
        for folder, names, _ in os.walk(root / name):
            left = find_leftovers(Path(folder))
            names[:] = {*names} - {path.name for path in left}
            yield from (
                _make_waste(path, "left by a process that has died") for path in left if not find_free_place(path)
            )


def _find_damaged(root: Path) -> Iterator[Waste]:
    paths = (path for name in FOLDERS for path in sorted((root / name).glob(f"{DAMAGED}*")))
    return (_make_waste(path, "damaged, and set aside") for path in paths)


def _find_idle_runs(workspace: Workspace, runs: Iterable[RunRecord], held: list[str]) -> Iterator[Waste]:
    """Runs that came to nothing: they have not even begun to train."""
    locks = workspace.root / "runs" / LOCKS
    for run in runs:
        if not run.artifacts and run.status != "finished" and run.name not in held:
            yield _make_waste(workspace.run_folder(run.name), "a run that came to nothing", locks / f"{run.name}.lock")


def _find_sheets(root: Path) -> Iterator[Waste]:
    found = (path for path in sorted((root / "sheets").glob("*.png")) if SHEET.fullmatch(path.name))
    return (_make_waste(path, "a sheet to look at") for path in found)


def _find_arrays(root: Path, runs: Iterable[RunRecord]) -> Iterator[Waste]:
    """Arrays that no run learned from. They are told by their names: a workspace may have been moved."""
    used = {Path(location).name for run in runs for location in run.inputs}
    for path in sorted((root / "arrays").glob("array-*.npy")):
        if path.name not in used:
            yield _make_waste(path, "an array that no run learned from")


def _find_artifacts(workspace: Workspace, runs: list[RunRecord]) -> Iterator[Waste]:
    """Artifacts that no run needs, finished or unfinished, and what is noted of such."""
    folder = workspace.root / "artifacts"
    needed = _find_needed(workspace, runs)
    interrupted = _find_interrupted(runs)
    for path in sorted(folder.glob("*-*")):
        name = path.name.removeprefix(UNFINISHED)
        lock = folder / LOCKS / f"{name}.lock"
        if path.name.startswith(UNFINISHED) and name.rpartition("-")[0] not in interrupted and not _is_held(lock):
            yield _make_waste(path, "unfinished, and nothing goes on from it", lock)
        elif path.name in workspace.artifacts.names() and path.name not in needed and not _is_held(lock):
            yield _make_waste(path, "no run needs it", lock)
    yield from _find_notes(folder, needed)


def _find_notes(folder: Path, needed: set[str]) -> Iterator[Waste]:
    """Pointers to, and locks of, what is not there, or goes."""
    for pointer in sorted((folder / NEWEST).glob("*-*")):
        with suppress(OSError, ValueError):
            if read_text(pointer, 1000) not in needed:
                yield _make_waste(pointer, "leads to nothing")
    for lock in sorted((folder / LOCKS).glob("*.lock")):
        if not any((folder / f"{prefix}{lock.stem}").exists() for prefix in ("", UNFINISHED)) and not _is_held(lock):
            yield _make_waste(lock, "a lock of nothing", lock)


def _find_needed(workspace: Workspace, runs: Iterable[RunRecord]) -> set[str]:
    """The names of artifacts that runs are made of, of what took their place, and of what was measured of them."""
    store = workspace.artifacts
    named = {name for run in runs for names in run.artifacts.values() for name in names}
    needed = named | {store.find_newest(name) for name in named}
    inputs = {name: _read_inputs(store.root / name) for name in store.names()}
    keys = {name.rpartition("-")[2]: name for name in inputs}
    videos = {str(inputs[name].get("video")) for name in needed & inputs.keys()}
    for name, of in inputs.items():
        stage = name.rpartition("-")[0]
        sources = {keys[text] for text in _list_texts(of) if text in keys}
        measured = stage not in RUN_STAGES and bool(sources) and sources <= needed
        if measured or (stage == "remover" and str(of.get("video")) in videos):
            needed.add(name)
    return needed


def _read_inputs(folder: Path) -> dict[str, Any]:
    try:
        inputs = read_json(folder / MANIFEST).get("inputs")
    except WorkspaceError:
        return {}
    return inputs if isinstance(inputs, dict) else {}


def _list_texts(value: Any) -> Iterator[str]:
    """All texts in a value of JSON, but for the names of its entries."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _list_texts(each)


def _find_interrupted(runs: Iterable[RunRecord]) -> set[str]:
    """The trainings that some run has not finished: it goes on from what is there of them."""
    return {stage for run in runs if run.artifacts for stage in TRAININGS if stage not in run.artifacts}


def _describe_interrupted(workspace: Workspace, runs: Iterable[RunRecord]) -> list[str]:
    return [
        f"{run.name} was interrupted and may go on; to give it up, remove {show_path(workspace.run_folder(run.name))}"
        for run in runs
        if _find_interrupted([run])
    ]
