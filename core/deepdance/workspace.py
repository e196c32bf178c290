"""Artifacts and runs on disk: content-addressed, committed by a rename, locked while they are made."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from deepdance.errors import WorkspaceError
from deepdance.recipe import Recipe
from deepdance.strict_json import dump_json
from deepdance.validation import nearest

log = logging.getLogger("deepdance")

LONGEST_NAME = 60
"""Characters of a run's name: they may have four bytes each, a folder's name has 255, and a number may follow."""
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)
"""The names that Windows keeps for devices."""


def digest(value: Any) -> str:
    """A short hash of anything that JSON can hold."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, of the same suffix, that becomes `path` when the block ends well.

    What is made there may be a file or a folder, and takes the place of the one that was.
    """
    temporary = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _move_over(temporary, path)
    finally:
        with suppress(OSError):
            shutil.rmtree(temporary) if temporary.is_dir() else temporary.unlink(missing_ok=True)


def _move_over(temporary: Path, path: Path) -> None:
    """Rename to `path`. A folder that is there already goes first aside, for no rename replaces one."""
    if temporary.is_dir() and path.is_dir():
        aside = path.with_name(f".{path.name}-{os.getpid()}-old")
        path.replace(aside)
        temporary.replace(path)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write JSON under a temporary name and rename it; a number that is not finite is `null`."""
    _write_text(path, dump_json(value, indent=2) + "\n")


def _write_text(path: Path, text: str) -> None:
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Artifact:
    """A finished stage: a folder whose name is the stage and the key of all that went into it."""

    folder: Path
    key: str
    reused: bool

    def manifest(self) -> dict[str, Any]:
        """What went into it, and what its maker noted."""
        return read_json(self.folder / "manifest.json")


@dataclass
class RunRecord:
    """A run's record. Artifacts are names of folders under `artifacts/` of the same workspace."""

    name: str
    inputs: list[str]
    artifacts: dict[str, list[str]] = field(default_factory=dict)
    status: str = "unfinished"
    created: str = ""
    finished: str = ""
    """When its video was last written, or found to be there."""
    video: str = ""
    version: str = ""


class Workspace:
    """A folder with `artifacts/` and `runs/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def build(
        self,
        stage: str,
        inputs: Mapping[str, Any],
        make: Callable[[Path], Mapping[str, Any]],
        *,
        resumable: bool = False,
        waiting: Callable[[], None] = lambda: None,
        since: datetime | None = None,
    ) -> Artifact:
        """The artifact of `stage` for these inputs: found, or made by `make(folder)`, whose notes join its manifest.

        A resumable stage finds in `folder` what an interrupted attempt left there. `waiting` is called when another
        process is making the same artifact. What was made before `since` is made anew, from its beginning.
        """
        name = f"{stage}-{digest({'stage': stage, **inputs})}"
        found = self._find(name, since)
        if found:
            return found
        with self._lock(name, waiting):
            found = self._find(name, since)
            if found:
                return found
            if since is None:
                return self._make(name, inputs, make, resumable)
            anew = self._make(self._name_anew(name), inputs, make, resumable=False)
            _write_text(self._newest(name), anew.folder.name)
            return anew

    def _find(self, name: str, since: datetime | None) -> Artifact | None:
        """The newest artifact that was made under this name, or anew; None if it is older than `since`."""
        newest = self._newest(name)
        folder = self.root / "artifacts" / (newest.read_text() if newest.exists() else name)
        if not folder.exists():
            folder = self.root / "artifacts" / name
        if not folder.exists() or (since and _read_time(folder) < since):
            return None
        return Artifact(folder, _read_key(folder), reused=True)

    def _newest(self, name: str) -> Path:
        """The file that says which artifact took the place of `name`."""
        return self.root / "artifacts" / ".newest" / name

    def _name_anew(self, name: str) -> str:
        """What an artifact is called that takes another's place.

        That one stays: other runs have models that learned from it, and they fit no other. The new one's key is another
        too, so whatever is made of it is made anew.
        """
        if not (self.root / "artifacts" / name).exists():
            return name
        return f"{name.rpartition('-')[0]}-{digest({'anew': name, 'time': now()})}"

    def _make(
        self,
        name: str,
        inputs: Mapping[str, Any],
        make: Callable[[Path], Mapping[str, Any]],
        resumable: bool,
    ) -> Artifact:
        final = self.root / "artifacts" / name
        unfinished = final.with_name(f".unfinished-{name}")
        if not resumable:
            shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, exist_ok=True)
        stage, key = name.rpartition("-")[0], _read_key(final)
        try:
            notes = make(unfinished)
            manifest = {"stage": stage, "key": key, "inputs": dict(inputs), "created": now(), **notes}
            write_json(unfinished / "manifest.json", manifest)
            unfinished.rename(final)
        except BaseException:
            if not resumable or not any(unfinished.iterdir()):
                shutil.rmtree(unfinished, ignore_errors=True)
            raise
        return Artifact(final, key, reused=False)

    @contextmanager
    def _lock(self, name: str, waiting: Callable[[], None]) -> Iterator[None]:
        from filelock import FileLock, Timeout

        folder = self.root / "artifacts" / ".locks"
        self._make_folder(folder)
        lock = FileLock(folder / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(
                f"expected a workspace that can be written, got {self.root}: {error.strerror}; "
                "choose another folder with --workspace"
            ) from None

    def artifact(self, name: str) -> Artifact:
        """A finished artifact by its folder's name. Raises WorkspaceError."""
        folder = self.root / "artifacts" / name
        if not (folder / "manifest.json").is_file():
            raise WorkspaceError(f"expected the artifact {name} in {self.root}, got nothing; run `dd run` again")
        return Artifact(folder, _read_key(folder), reused=True)

    def run_folder(self, name: str) -> Path:
        """Where a run keeps its recipe, its record and its video."""
        return self.root / "runs" / name

    def claim(self, name: str, *, exact: bool, inputs: list[str], recipe: Recipe) -> RunRecord:
        """The run for these inputs and this recipe: continued if it exists, else new.

        A run that came to nothing gives its name away. A name taken by another recipe is an error when it was asked
        for (`exact`), else a number is appended.
        """
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise WorkspaceError(f"--name: expected letters, digits, '.', '_' and '-', got {_describe_name(name)}")
        if len(name.encode()) > 4 * LONGEST_NAME or RESERVED.match(name):
            raise WorkspaceError(
                f"--name: expected at most {LONGEST_NAME} characters, and no name that Windows keeps for devices, "
                f"got {name!r}; choose another"
            )
        number = 1
        while True:
            candidate = name if number == 1 else f"{name}-{number}"
            folder = self.run_folder(candidate)
            if not (folder / "run.json").exists():
                run = RunRecord(candidate, inputs, created=now())
                self._make_folder(folder)
                self.record(run, recipe)
                return run
            run, taken = self.open_run(candidate)
            if run.inputs == inputs and taken == recipe:
                return run
            if not run.artifacts and run.status != "finished":
                run = RunRecord(candidate, inputs, created=run.created)
                self.record(run, recipe)
                return run
            if exact:
                raise WorkspaceError(
                    f"expected a new run name, got {name!r}, which holds another recipe; choose --name"
                )
            number += 1

    def record(self, run: RunRecord, recipe: Recipe) -> None:
        """Write the run's record and recipe."""
        folder = self.run_folder(run.name)
        with write_atomically(folder / "recipe.toml") as temporary:
            temporary.write_text(recipe.to_toml(), encoding="utf-8", errors="surrogateescape")
        write_json(folder / "run.json", asdict(run))

    def open_run(self, name: str) -> tuple[RunRecord, Recipe]:
        """A run's record and recipe. Raises WorkspaceError."""
        folder = self.run_folder(name)
        if not (folder / "run.json").is_file():
            known = [run.name for run in reversed(self.runs())]
            told = ", ".join(known) or "none yet"
            raise WorkspaceError(
                f"expected a run in {self.root / 'runs'}, got {name!r}{nearest(name, known)}; there are: {told}"
            )
        try:
            run = RunRecord(**read_json(folder / "run.json"))
        except TypeError as error:
            raise WorkspaceError(f"expected a run's record, got {folder / 'run.json'}: {error}") from None
        return run, Recipe.read(folder / "recipe.toml")

    def runs(self) -> list[RunRecord]:
        """All runs, oldest first."""
        found = []
        for path in (self.root / "runs").glob("*/run.json"):
            try:
                found.append(RunRecord(**read_json(path)))
            except (TypeError, WorkspaceError) as error:
                log.warning("%s is passed over, it is no run's record: %s", path, error)
        return sorted(found, key=lambda run: run.created)

    def find_latest(self) -> str:
        """The name of the run that was finished last. Raises WorkspaceError."""
        done = [run for run in self.runs() if run.status == "finished"]
        if not done:
            raise WorkspaceError(f"expected a finished run in {self.root}, got none; make one: dd run my-video.mp4")
        return max(done, key=lambda run: run.finished or run.created).name


def _describe_name(name: str) -> str:
    """A name that no run can have, with the first sign that is wrong, and one that it could have."""
    wrong = re.search(r"^[.-]|[^\w.-]", name)
    sign = "nothing" if wrong is None else "a space" if wrong[0] == " " else repr(wrong[0])
    fitting = re.sub(r"[^\w.-]+", "-", name).strip(".-")
    return f"{name!r}, with {sign}; " + (f"try --name {fitting}" if fitting else "choose another")


def locate_run(text: str, root: Path) -> tuple[Workspace, str]:
    """A run given by its name in the workspace `root`, or by its folder anywhere."""
    folder = Path(text)
    if (folder / "run.json").is_file():
        folder = folder.resolve()
        return Workspace(folder.parent.parent), folder.name
    return Workspace(root), text


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of the workspace. Raises WorkspaceError."""
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"expected JSON in {path}, got {error}; remove the folder and run again") from None
    return value


def _read_key(folder: Path) -> str:
    return folder.name.rpartition("-")[2]


def _read_time(folder: Path) -> datetime:
    """When an artifact was made."""
    return datetime.fromisoformat(read_json(folder / "manifest.json")["created"])


def now() -> str:
    """The time, with its zone, as records have it."""
    return datetime.now().astimezone().isoformat()
