"""Where a pipeline works, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Self

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
from deepdance.workspace import Artifact, Workspace

WAITING = "another process is making this; waiting for it"
"""What a stage tells in place of its detail until it can begin."""


@dataclass(frozen=True)
class Session:
    """Where a pipeline works: a workspace to keep things in, components to work with, and somebody to tell."""

    workspace: Workspace
    registry: Registry
    listen: Listener = ignore

    @classmethod
    def open(cls, workspace: str | Path = "workspace", listen: Sequence[Listener] = ()) -> Self:
        """A session with all installed components. It is `listen` and the installed plugins that are told."""
        registry = discover()
        named = [(f"the listener {getattr(each, '__name__', type(each).__name__)}", each) for each in listen]
        return cls(Workspace(Path(workspace)), registry, Listeners([*named, *registry.listeners]))

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

        def waiting() -> None:
            self.listen(StageStarted(stage, WAITING))

        artifact = self.workspace.build(stage, inputs, begin, resumable=resumable, waiting=waiting)
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
