"""Runs that workers make, and the one workspace that all of it comes to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial, singledispatchmethod
from pathlib import Path
from typing import Any

from deepdance.artifacts import MANIFEST, UNFINISHED, Artifact, ArtifactStore, name_artifact
from deepdance.blas import count_threads
from deepdance.delegation import run_task
from deepdance.events import Progress
from deepdance.session import WAITING, Session
from deepdance.storage import hash_file, remove_leftovers, take_over
from deepdance.sweeps.plan import Measured, PlannedRun
from deepdance.sweeps.worker import (
    PIECE,
    Claim,
    Kept,
    Make,
    Piece,
    Read,
    Record,
    Save,
    Sent,
    Wanted,
    fingerprint_inputs,
    make_run,
)
from deepdance.tasks import Tools
from deepdance.workers import Workers
from deepdance.workspace import RECORD, RunRecord, Workspace


class MissingError(Exception):
    """A stage of a run is not there yet."""

    def __init__(self, stage: str) -> None:
        super().__init__(stage)
        self.stage = stage


class KeptWorkspace(Workspace):
    """What a workspace has: what would have to be made raises MissingError."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace.root)
        self.artifacts = _KeptStore(workspace.artifacts)


class _KeptStore(ArtifactStore):
    def __init__(self, store: ArtifactStore) -> None:
        super().__init__(store.root)
        self._store = store
        """Knows which files it has read already."""

    def open(self, name: str) -> Artifact | None:
        return self._store.open(name)

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
        found = self._store.find(name_artifact(stage, inputs))
        if found is None:
            raise MissingError(stage)
        return found


def make_elsewhere(session: Session, workers: Workers, planned: PlannedRun, measured: Measured) -> str:
    """`make_run` by one of the workers: what it makes comes to the session's workspace, stage by stage.

    The listener ends it by what it raises, while another process has the run too.
    Raises what the run raises, and WorkerError.
    """
    with ExitStack() as held:
        attempt = _Attempt(session.workspace, held, partial(session.listen, Progress("run", 0, None, WAITING)))
        tools = Tools(session.registry, session.listen, attempt.write, attempt.answer)
        inputs = fingerprint_inputs(session.registry, planned)
        root = str(session.workspace.root)
        return run_task(workers, tools, make_run, planned, measured, inputs, root, count_threads())


class _DroppedError(Exception):
    """What was coming in will not be whole."""


class _Attempt:
    """What this process has for one run that a worker makes: the run's name, locks, files that are coming in.

    All of it is let go with `held`, however the attempt ends; what is whole stays.
    """

    def __init__(self, workspace: Workspace, held: ExitStack, waiting: Callable[[], None] = lambda: None) -> None:
        self._workspace, self._held, self._waiting = workspace, held, waiting
        self._store = workspace.artifacts
        self._incoming: dict[str, tuple[ExitStack, Path]] = {}
        """By artifact, or nothing for the run itself: what ends its reception, and the folder of what has come."""

    def write(self, piece: Piece) -> None:
        """Put a piece where it belongs."""
        path = self._incoming[piece.name][1] / piece.file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(piece.content)

    @singledispatchmethod
    def answer(self, question: Any) -> Any:
        """What a worker asks."""
        raise NotImplementedError(question)  # each kind of question has its answer below

    @answer.register
    def _(self, question: Wanted) -> Kept | Make | None:
        found = self._store.find(question.name)
        if found:
            return _describe_kept(found)
        with ExitStack() as reception:
            taken = reception.enter_context(self._store.reserve(question.name))
            found = self._store.find(question.name)  # somebody may have finished it just now
            if taken is None or found:
                return _describe_kept(found) if found else None
            self._expect(taken, reception.enter_context(self._store.receive(taken)), reception.pop_all())
            return Make(taken, self._store.list_unfinished(taken))

    @answer.register
    def _(self, question: Read) -> bytes:
        with (self._store.root / question.name / question.file).open("rb") as file:
            file.seek(question.offset)
            return file.read(PIECE)

    @answer.register
    def _(self, question: Claim) -> RunRecord:
        record = self._held.enter_context(
            self._workspace.claim(
                question.name,
                exact=False,
                inputs=question.inputs,
                recipe=question.recipe,
                waiting=self._waiting,
            )
        )
        self._run = record, question.recipe
        with ExitStack() as reception:
            folder = reception.enter_context(_receive_run(self._workspace.run_folder(record.name)))
            self._expect("", folder, reception.pop_all())
        return record

    @answer.register
    def _(self, question: Record) -> None:
        record, recipe = self._run
        if not record.is_trained:  # what it dances with stays until all of the new is there
            self._workspace.record(replace(record, artifacts=question.artifacts), recipe)

    @answer.register
    def _(self, question: Save) -> None:
        with ExitStack() as reception:
            unfinished = self._store.receive_unfinished(question.name.removeprefix(UNFINISHED))
            self._expect(question.name, reception.enter_context(unfinished), reception.pop_all())

    @answer.register
    def _(self, question: Sent) -> None:
        self._incoming.pop(question.name)[0].close()

    def _expect(self, name: str, folder: Path, reception: ExitStack) -> None:
        self._incoming[name] = reception, folder
        self._held.callback(self._drop, name)

    def _drop(self, name: str) -> None:
        """End a reception that nothing came of, if it has not ended."""
        if name in self._incoming:
            with suppress(_DroppedError), self._incoming.pop(name)[0]:
                raise _DroppedError


def _describe_kept(artifact: Artifact) -> Kept:
    manifest = artifact.folder / MANIFEST
    files = (*artifact.manifest().get("files", {}), MANIFEST)
    return Kept(artifact.folder.name, str(artifact.folder.absolute()), hash_file(manifest), files)


@contextmanager
def _receive_run(folder: Path) -> Iterator[Path]:
    """A folder for all that a run's has; when the block ends well that takes its place there, its record last."""
    remove_leftovers(folder)
    incoming = folder / f".incoming-{os.getpid()}-part"  # one that is left is found as such
    try:
        incoming.mkdir()
        yield incoming
        for path in sorted(incoming.iterdir(), key=lambda path: path.name == RECORD):
            take_over(path, folder / path.name)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
