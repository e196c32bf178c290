"""Where a pipeline works, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from deepdance.errors import OptionError
from deepdance.events import (
    ArtifactReady,
    EpochFinished,
    Listener,
    Listeners,
    Progress,
    StageFinished,
    StageStarted,
    ignore,
)
from deepdance.interfaces import Training
from deepdance.plugins import LOGGER, Registry, discover
from deepdance.validation import nearest
from deepdance.workspace import Artifact, Workspace

PREPARATION = ("remover", "silhouettes")
STAGES = (*PREPARATION, "codec", "latents", "sequence", "evaluation")
"""What a run keeps, in its order: each is made of those before it."""
TABLES = ("evaluation", "codec_table", "next_frame_table", "long_table")
"""What `evaluate` keeps, each a table of its own."""


@dataclass(frozen=True)
class Session:
    """Where a pipeline works: a workspace to keep things in, components to work with, and somebody to tell."""

    workspace: Workspace
    registry: Registry
    listen: Listener = ignore
    fresh: frozenset[str] = frozenset()
    """Stages that are made anew where what is there is older than `opened`."""
    opened: datetime = field(default_factory=lambda: datetime.now().astimezone())

    @classmethod
    def open(cls, workspace: str | Path = "workspace", listen: Sequence[Listener] = ()) -> Self:
        """A session with all installed components. It is `listen` and the installed plugins that are told."""
        registry = discover()
        named = [(f"the listener {getattr(each, '__name__', type(each).__name__)}", each) for each in listen]
        return cls(Workspace(Path(workspace)), registry, Listeners([*named, *registry.listeners]))

    def make_anew(self, stage: str | None, stages: Sequence[str] = STAGES) -> Self:
        """The session that makes `stage` and all after it of `stages` anew, once; None is none. Raises OptionError."""
        if stage is None:
            return self
        if stage not in stages:
            raise OptionError(f"--fresh: expected one of {', '.join(stages)}, got {stage!r}{nearest(stage, stages)}")
        after = frozenset(stages[stages.index(stage) :])
        return replace(self, fresh=after, opened=datetime.now().astimezone())

    def make(
        self,
        stage: str,
        inputs: dict[str, Any],
        work: Callable[[Path], dict[str, Any]],
        *,
        detail: str = "",
        resumable: bool = False,
    ) -> Artifact:
        """An artifact of the workspace, with its start and end told."""

        def begin(folder: Path) -> dict[str, Any]:
            self.listen(StageStarted(stage, detail))
            return work(folder)

        def waiting() -> None:
            self.listen(StageStarted(stage, "another process is making this; waiting for it"))

        since = self.opened if stage in self.fresh else None
        artifact = self.workspace.build(stage, inputs, begin, resumable=resumable, waiting=waiting, since=since)
        self.listen(ArtifactReady(stage, artifact.key, artifact.folder, artifact.reused))
        self.listen(StageFinished(stage, artifact.reused, detail))
        return artifact

    def training(self, stage: str, seed: int, folder: Path | None = None) -> Training:
        """What a component's `fit` is given, its progress told to the listener."""
        return Training(
            seed=seed,
            folder=folder,
            on_epoch=lambda epoch, epochs, metrics: self.listen(EpochFinished(stage, epoch, epochs, metrics)),
            on_progress=lambda done, total: self.listen(Progress(stage, done, total)),
        )


def make_loggers(registry: Registry, names: Iterable[str]) -> list[tuple[str, Listener]]:
    """The loggers of these names, each once, with their default options. Raises PluginError."""
    made = {name: registry.component(LOGGER, name) for name in names}
    return [(f"the log {name}", cls(registry.options(LOGGER, name, "standard", {}))) for name, cls in made.items()]
