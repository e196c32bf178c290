"""What a run tells while it works; the command line's progress display is one listener."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class StageStarted:
    """A stage begins to work, or to wait for another process that is doing the same work."""

    stage: str
    detail: str = ""


@dataclass(frozen=True)
class Progress:
    """Within a stage: `done` of `total` (None: not known) frames, or samples of the epoch that is being trained."""

    stage: str
    done: int
    total: int | None


@dataclass(frozen=True)
class EpochFinished:
    """A training has finished epoch `epoch` (from 1) of `epochs`."""

    stage: str
    epoch: int
    epochs: int
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StageFinished:
    """A stage is done; `reused` means that its artifact was there already."""

    stage: str
    reused: bool
    detail: str = ""


Event = StageStarted | Progress | EpochFinished | StageFinished
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener of those who do not listen."""
