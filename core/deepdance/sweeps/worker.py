"""A run that another process makes: in a workspace of its own for the while, and what it has or needs goes to and fro.

The questions are answered, and the chunks put in their places, by `driver`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deepdance import report
from deepdance.artifacts import MANIFEST, Artifact, ArtifactStore, name_artifact
from deepdance.recipe import Recipe
from deepdance.session import Session
from deepdance.storage import hash_file
from deepdance.sweeps.plan import Measured, PlannedRun
from deepdance.tasks import Tools
from deepdance.workspace import RunRecord, Workspace

PIECE = 8 << 20
"""Bytes of a file that travel at once."""


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
    """An artifact shall be made, under this name; nobody else does so meanwhile."""

    name: str


@dataclass(frozen=True)
class Read:
    """Asks for a piece of a file of an artifact: bytes, at most `PIECE` of them."""

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


def make_run(tools: Tools, planned: PlannedRun, measured: Measured) -> str:
    """Make and measure a run. What is returned is the name of the artifact that it has to wait for; nothing if none."""
    with TemporaryDirectory(prefix="deepdance-", ignore_cleanup_errors=True) as folder:
        workspace = _LentWorkspace(Path(folder), tools)
        session = Session(workspace, tools.registry, tools.listen, jobs=1)
        try:
            finished = report.run(session, planned.recipe, planned.inputs, planned.name)
            report.evaluate(session, finished.run.name, measured.frames, measured.seeds)
        except WaitingError as error:
            return error.name
        _send(tools, "", finished.folder)
    return ""


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

    def __init__(self, root: Path, tools: Tools) -> None:
        super().__init__(root)
        self._tools = tools
        self.artifacts = _LentStore(root / "artifacts", tools)

    @contextmanager
    def claim(self, name: str, *, exact: bool, inputs: list[str], recipe: Recipe) -> Iterator[RunRecord]:
        """The other's run, under the name that it has there."""
        record: RunRecord = self._tools.ask(Claim(name, inputs, recipe))
        self.record(record, recipe)
        yield record


class _LentStore(ArtifactStore):
    """A folder of what a run needs: lent by another store, or made for it."""

    def __init__(self, root: Path, tools: Tools) -> None:
        super().__init__(root)
        self._tools = tools
        self._lent: dict[str, Artifact] = {}

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
            case Make(taken):
                artifact = self._make(taken, inputs, make, resumable=False)
                _send(self._tools, taken, artifact.folder)
            case _:
                raise WaitingError(name)
        self._lent[artifact.folder.name] = artifact
        return artifact

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
