"""A run that another process makes: in a workspace of its own for the while, and what it has or needs goes to and fro.

The questions are answered, and the chunks put in their places, by `driver`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from deepdance import report
from deepdance.artifacts import MANIFEST, UNFINISHED, Artifact, ArtifactStore, name_artifact
from deepdance.blas import sum_by_threads
from deepdance.events import EpochFinished, Event, Listener
from deepdance.inputs import open_same_source, open_source, resolve
from deepdance.plugins import Registry
from deepdance.recipe import Recipe
from deepdance.session import Session
from deepdance.storage import hash_file
from deepdance.sweeps.plan import Measured, PlannedRun
from deepdance.tasks import Tools
from deepdance.workspace import RunRecord, Workspace

PIECE = 8 << 20
"""Bytes of a file that travel at once."""
SAVING_SECONDS = 10.0
"""Of a training, that are lost at most with its process, where what it leaves travels fast enough."""
SAVING_SHARE = 0.1
"""Of a training's time that goes into sending what it leaves, at most."""


@dataclass(frozen=True)
class Wanted:
    """Asks for the artifact of a name; answered by `Kept`, `Make`, or None while somebody else makes it."""

    name: str


@dataclass(frozen=True)
class Kept:
    """An artifact is there: in a folder, which may be seen here, of which the hash of its manifest tells."""

    name: str
    folder: str
    manifest: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Make:
    """An artifact shall be made, under this name; nobody else does so meanwhile. An attempt may have left files."""

    name: str
    unfinished: list[str]


@dataclass(frozen=True)
class Read:
    """Asks for a piece of a file of an artifact, finished or unfinished: bytes, at most `PIECE` of them."""

    name: str
    file: str
    offset: int


@dataclass(frozen=True)
class Claim:
    """Asks for a run's name: answered by its record, which may have another one."""

    name: str
    inputs: list[str]
    recipe: Recipe


@dataclass(frozen=True)
class Record:
    """What a run is made of so far: what an interrupted one goes on from is known as its own."""

    artifacts: dict[str, list[str]]


@dataclass(frozen=True)
class Save:
    """Tells that all files of an unfinished artifact are going to be sent, to go on from if this process is lost."""

    name: str


@dataclass(frozen=True)
class Piece:
    """A piece of a file of an artifact, or, without a name, of the run's folder; it follows the one before."""

    name: str
    file: str
    content: bytes


@dataclass(frozen=True)
class Sent:
    """Tells that all of an artifact, or of the run's folder, has been sent; answered once it has its place."""

    name: str


class WaitingError(BaseException):
    """Ends a run that needs what another one is making; nothing on the way takes it for a failure."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def fingerprint_inputs(registry: Registry, planned: PlannedRun) -> dict[str, str]:
    """The inputs of a run, by their places, as they are where the command runs. Raises InputError."""
    recipe = resolve(planned.recipe, registry, planned.inputs)
    return {location: open_source(recipe, registry, location)[1].fingerprint() for location in planned.inputs}


def _check_inputs(registry: Registry, planned: PlannedRun, expected: Mapping[str, str]) -> None:
    """Raise InputError where the inputs of a run are others here than where the command runs."""
    recipe = resolve(planned.recipe, registry, planned.inputs)
    for location, fingerprint in expected.items():
        open_same_source(recipe, registry, location, fingerprint)


def make_run(
    tools: Tools, planned: PlannedRun, measured: Measured, inputs: Mapping[str, str], root: str, threads: int
) -> str:
    """Make and measure a run. What is returned is the name of the artifact that it has to wait for; nothing if none.

    Its `inputs` are those that `fingerprint_inputs` has found where it was asked for, else InputError is raised.

    Events name what it makes by its place in the workspace `root` of the process that asks. NumPy has as many threads
    as there, whatever Ray allows it: with others, sums differ in their last bits.
    """
    import scipy.linalg  # noqa: F401 - it would come later, with as many threads as Ray allows it

    _check_inputs(tools.registry, planned, inputs)
    with (
        sum_by_threads(threads),
        TemporaryDirectory(prefix="deepdance-", ignore_cleanup_errors=True) as folder,
    ):
        workspace = _LentWorkspace(Path(folder), tools)
        tools = replace(tools, listen=partial(_tell_elsewhere, tools, Path(folder), root))
        session = Session(workspace, tools.registry, workspace.artifacts.save_each_epoch(tools.listen), jobs=1)
        try:
            finished = report.run(session, planned.recipe, planned.inputs, planned.name)
            report.evaluate(session, finished.run.name, measured.frames, measured.seeds)
        except WaitingError as error:
            return error.name
        _send(tools, "", finished.folder)
    return ""


def _tell_elsewhere(tools: Tools, here: Path, root: str, event: Event) -> None:
    """Tell an event with all that lies `here` where it will be."""
    texts = {name: value for name, value in vars(event).items() if isinstance(value, str | Path)}
    moved: dict[str, Any] = {name: type(value)(str(value).replace(str(here), root)) for name, value in texts.items()}
    tools.listen(replace(event, **moved))


def _send(tools: Tools, name: str, folder: Path) -> None:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for content in _read_pieces(path):
            tools.emit(Piece(name, path.relative_to(folder).as_posix(), content))
    tools.ask(Sent(name))


def _read_pieces(path: Path) -> Iterator[bytes]:
    """A file's content; of an empty one too there is a piece."""
    with path.open("rb") as file:
        yield file.read(PIECE)
        yield from iter(lambda: file.read(PIECE), b"")


class _LentWorkspace(Workspace):
    """A workspace whose names and artifacts are another's."""

    artifacts: _LentStore

    def __init__(self, root: Path, tools: Tools) -> None:
        super().__init__(root)
        self._tools = tools
        self.artifacts = _LentStore(root / "artifacts", tools)

    @contextmanager
    def claim(
        self,
        name: str,
        *,
        exact: bool,
        inputs: list[str],
        recipe: Recipe,
        waiting: Callable[[], None] = lambda: None,
    ) -> Iterator[RunRecord]:
        """The other's run, under the name that it has there; it is the other that waits for it."""
        record: RunRecord = self._tools.ask(Claim(name, inputs, recipe))
        self.record(record, recipe)
        yield record

    def record(self, run: RunRecord, recipe: Recipe) -> None:
        """Write it here, and tell the other what it needs to keep."""
        super().record(run, recipe)
        if run.artifacts:
            self._tools.ask(Record(run.artifacts))


class _LentStore(ArtifactStore):
    """A folder of what a run needs: lent by another store, or made for it."""

    def __init__(self, root: Path, tools: Tools) -> None:
        super().__init__(root)
        self._tools = tools
        self._lent: dict[str, Artifact] = {}
        self._unfinished = ""
        """The folder of what is trained, if another attempt could go on from it."""
        self._saved: dict[Path, tuple[float, int]] = {}
        self._save_at = 0.0

    def save_each_epoch(self, listen: Listener) -> Listener:
        """A listener that sends what a training has left so far, and then tells that its epoch is finished."""

        def follow(event: Event) -> None:
            if isinstance(event, EpochFinished):
                self._save()
            listen(event)

        return follow

    def _save(self) -> None:
        """Send what would be lost with this process, if it has changed and it is time to."""
        began, folder = monotonic(), self.root / self._unfinished
        if not self._unfinished or began < self._save_at:
            return
        changed = {path: (path.stat().st_mtime, path.stat().st_size) for path in folder.rglob("*") if path.is_file()}
        if changed != self._saved:
            self._tools.ask(Save(self._unfinished))
            _send(self._tools, self._unfinished, folder)
            self._saved = changed
            self._save_at = monotonic() + max(SAVING_SECONDS, (monotonic() - began) / SAVING_SHARE)

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
        """The other store's, or made for it here. Raises WaitingError while somebody else makes it."""
        name = name_artifact(stage, inputs)
        match self._tools.ask(Wanted(name)):
            case Kept() as kept:
                artifact = self._borrow(kept)
            case Make(taken, unfinished):
                artifact = (
                    self._make_resumable(taken, inputs, make, unfinished)
                    if resumable
                    else self._make(taken, inputs, make, resumable=False)
                )
                _send(self._tools, taken, artifact.folder)
            case _:
                raise WaitingError(name)
        self._lent[artifact.folder.name] = artifact
        return artifact

    def _make_resumable(
        self, name: str, inputs: Mapping[str, Any], make: Callable[[Path], Mapping[str, Any]], left: list[str]
    ) -> Artifact:
        """Make an artifact from what an attempt has left, by whichever process."""
        self._unfinished = f"{UNFINISHED}{name}"
        self._save_at = monotonic() + SAVING_SECONDS
        try:
            for file in left:
                self._fetch(self._unfinished, file)
            return self._make(name, inputs, make, resumable=True)
        finally:
            self._unfinished = ""

    def open(self, name: str) -> Artifact | None:
        """One that was built for this run."""
        return self._lent.get(name)

    def _borrow(self, kept: Kept) -> Artifact:
        """In its own folder, where that is seen from here; else a copy."""
        folder = Path(kept.folder)
        if not _is_same(folder / MANIFEST, kept.manifest):
            folder = self.root / kept.name
            for file in kept.files:
                self._fetch(kept.name, file)
        return Artifact(folder, kept.name.rpartition("-")[2], reused=True)

    def _fetch(self, name: str, file: str) -> None:
        path = self.root / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as copy:
            while piece := self._tools.ask(Read(name, file, copy.tell())):
                copy.write(piece)


def _is_same(manifest: Path, expected: str) -> bool:
    try:
        return hash_file(manifest) == expected
    except OSError:
        return False
