"""Where a pipeline works, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, repeat
from pathlib import Path
from time import monotonic
from typing import Any, Self

from deepdance.artifacts import Artifact
from deepdance.errors import DeepDanceError, OptionError
from deepdance.events import (
    ArtifactReady,
    EpochFinished,
    Event,
    Listener,
    Listeners,
    Progress,
    StageFinished,
    StageStarted,
    follow,
    ignore,
)
from deepdance.interfaces import Training
from deepdance.plugins import BUILT_IN, LOGGER, Registry, discover
from deepdance.plugins.culprits import find_culprit
from deepdance.validation import nearest
from deepdance.workers import Workers, count_cores, open_processes
from deepdance.workspace import Workspace

PREPARATION = ("remover", "silhouettes")
STAGES = (*PREPARATION, "codec", "latents", "sequence", "evaluation")
"""What a run keeps, in its order: each is made of those before it."""
TABLES = ("evaluation", "codec_table", "next_frame_table", "long_table")
"""What `evaluate` keeps, each a table of its own."""
WAITING = "another process is making this; waiting for it"
"""What a stage tells in place of its detail until it can begin."""


@dataclass(frozen=True)
class Session:
    """Where a pipeline works: a workspace to keep things in, components to work with, and somebody to tell."""

    workspace: Workspace
    registry: Registry
    listen: Listener = ignore
    fresh: frozenset[str] = frozenset()
    """Stages that are made anew where what is there is older than `opened`."""
    opened: datetime = field(default_factory=lambda: datetime.now().astimezone())
    jobs: int | None = None
    """How many inputs, or blocks of frames, are worked on at once: above 1, each in a process of its own.

    None are as many inputs as there are processors, in threads of this process, and for blocks of frames this
    process or, if it `spawns`, others where these are worth it; with an engine, as many as it has room for.
    """
    spawns: bool = False
    """Whether processes may begin that nobody asked for: a command's may, a program's own are its author's affair."""
    engine: str = ""
    """What does the work in place of processes of this machine: the address that a plugin's executor is known by."""

    def __post_init__(self) -> None:
        """Raises OptionError."""
        if not isinstance(self.engine, str):
            raise OptionError(
                f"executor: expected an address, such as 'ray', got a {type(self.engine).__name__}; leave it out for "
                "processes of this machine, or offer your own by a plugin's deepdance_workers"
            )

    @classmethod
    def open(
        cls,
        workspace: str | Path = "workspace",
        listen: Sequence[Listener] = (),
        *,
        jobs: int | None = None,
        engine: str = "",
    ) -> Self:
        """A session with all installed components. It is `listen` and the installed plugins that are told.

        Raises OptionError for less than one job.
        """
        if jobs is not None and jobs < 1:
            raise OptionError(f"jobs: expected 1 or more, got {jobs}; None is what this machine has room for")
        registry = discover()
        named = [(f"the listener {getattr(each, '__name__', type(each).__name__)}", each) for each in listen]
        told = make_listeners(registry, [*named, *registry.listeners])
        return cls(Workspace(Path(workspace)), registry, told, jobs=jobs, engine=engine)

    @contextmanager
    def follow(self) -> Iterator[None]:
        """`events.follow`, and what comes out of a plugin's code gets a note that says whose it is, and where."""
        with follow(self.listen):
            try:
                yield
            except Exception as error:
                culprit = find_culprit(error, self.registry)
                if culprit and not isinstance(error, DeepDanceError):
                    error.add_note(str(culprit))
                raise

    def make_anew(self, stage: str | None, stages: Sequence[str] = STAGES) -> Self:
        """The session that makes `stage` and all after it of `stages` anew, once; None is none. Raises OptionError."""
        if stage is None:
            return self
        if stage not in stages:
            raise OptionError(f"--fresh: expected one of {', '.join(stages)}, got {stage!r}{nearest(stage, stages)}")
        after = frozenset(stages[stages.index(stage) :])
        return replace(self, fresh=after, opened=datetime.now().astimezone())

    def open_workers(self, tasks: int) -> AbstractContextManager[Workers | None]:
        """What does so many tasks, at most `jobs` at once; None where that is this process.

        Raises OptionError as `start_workers` does.
        """
        return self.start_workers(min(tasks, self.jobs or 1))

    def start_workers(self, count: int) -> AbstractContextManager[Workers | None]:
        """So many processes or, whatever their count, those of the engine; None where that is this process.

        One alone would do no more than this one, and none would find a class that was given in Python. Raises
        OptionError for an engine that is not there, and in a process that may not begin others.
        """
        if (count <= 1 and not self.engine) or any(entry.loaded for entry in self.registry.entries):
            return nullcontext()
        return self.registry.open_workers(self.engine, self.jobs) if self.engine else open_processes(count)

    @contextmanager
    def open_readers(self, inputs: int) -> Iterator[tuple[Workers | None, int]]:
        """Processes that read so many inputs, if any do, and how many threads wait for them, or read themselves.

        A thread writes what one process makes; there are more, which open the next inputs while workers are busy.
        """
        with self.open_workers(inputs) as workers:
            count = 2 * workers.count if workers else self.jobs or count_cores()
            yield workers, min(count, inputs)

    def make(
        self,
        stage: str,
        inputs: dict[str, Any],
        work: Callable[[Path], dict[str, Any]],
        *,
        detail: str = "",
        resumable: bool = False,
    ) -> Artifact:
        """An artifact of the workspace, with its start and end told.

        Its manifest notes the `seconds` that it took, unless it goes on from what was there.
        """

        def begin(folder: Path) -> dict[str, Any]:
            self.listen(StageStarted(stage, detail))
            whole, start = not any(folder.iterdir()), monotonic()
            notes = work(folder)
            return {**notes, "seconds": round(monotonic() - start, 2)} if whole else notes

        waiting = self._tell_waiting(stage)
        since = self.opened if stage in self.fresh else None
        artifact = self.workspace.artifacts.build(
            stage, inputs, begin, resumable=resumable, waiting=waiting, since=since
        )
        self.listen(ArtifactReady(stage, artifact.key, artifact.folder, artifact.reused))
        self.listen(StageFinished(stage, artifact.reused, detail))
        return artifact

    def _tell_waiting(self, stage: str) -> Callable[[], None]:
        """What is called while a stage waits: each time something is told, so that a thread can be ended there."""
        told: Iterator[Event] = chain([StageStarted(stage, WAITING)], repeat(Progress(stage, 0, None, WAITING)))
        return lambda: self.listen(next(told))

    def training(self, stage: str, seed: int, folder: Path | None = None) -> Training:
        """What a component's `fit` is given, its progress told to the listener."""
        return Training(
            seed=seed,
            folder=folder,
            on_epoch=lambda epoch, epochs, metrics: self.listen(EpochFinished(stage, epoch, epochs, metrics)),
            on_progress=lambda done, total: self.listen(Progress(stage, done, total)),
            on_note=lambda note: self.listen(Progress(stage, 0, None, note)),
        )


def make_loggers(registry: Registry, names: Iterable[str]) -> list[tuple[str, Listener]]:
    """The loggers of these names, each once, with their default options. Raises PluginError."""
    made = {name: registry.component(LOGGER, name) for name in names}
    return [
        (_title_logger(registry, name), cls(registry.options(LOGGER, name, "standard", {})))
        for name, cls in made.items()
    ]


def _title_logger(registry: Registry, name: str) -> str:
    entry = registry.find(LOGGER, name)
    origin = "" if entry.distribution == BUILT_IN else f" of {entry.distribution} {entry.version}"
    return f"the log {entry.spec.name}{origin}"


def make_listeners(registry: Registry, named: Iterable[tuple[str, Listener]]) -> Listeners:
    """These as one listener; a plugin's that raises is told of with its file and line."""

    def locate(error: BaseException) -> str:
        culprit = find_culprit(error, registry)
        return culprit.place if culprit else ""

    return Listeners(named, locate)
