"""The contract of a logger."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import chdir

from deepdance.events import (
    ArtifactReady,
    EpochFinished,
    Event,
    Failed,
    Progress,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    Warned,
)
from deepdance.interfaces import Logger
from deepdance.testing import common
from deepdance.testing.subject import Subject, collect_checks, expect

RUN = "check"
FAILED = Failed("InputError", "expected a video, got none")


class LoggerSubject(Subject):
    """A logger, made anew for every command, and a run for it to follow."""

    interface = Logger

    def log(self, events: Iterable[Event]) -> None:
        """Tell a new logger of events. Its own folder is the run's, and the working folder is another."""
        for name in ("run", "artifact", "elsewhere"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "artifact/manifest.json").write_text("{}", encoding="utf-8")
        logger = self.cls(self.options)
        with chdir(self.folder / "elsewhere"):
            for event in events:
                logger(event)

    def started(self) -> list[Event]:
        """The events with which a run begins."""
        return [RunStarted(RUN, self.folder / "run", {"seed": 0}), StageStarted("codec", "pca")]

    def events(self) -> list[Event]:
        """All events of a run with a training, in the order in which a run tells them."""
        return [
            *self.started(),
            *(Progress("codec", 8, None), EpochFinished("codec", 1, 2, {"loss": 2.0, "val_loss": 3.0})),
            *(Progress("codec", 8, 16), EpochFinished("codec", 2, 2, {"loss": 1.0, "val_loss": 2.0})),
            ArtifactReady("codec", "0f" * 8, self.folder / "artifact", reused=False),
            StageFinished("codec", reused=False),
            ArtifactReady("sequence", "1e" * 8, self.folder / "artifact", reused=True),
            StageFinished("sequence", reused=True),
            Warned("expected longer clips, got short ones"),
            RunFinished(RUN, self.folder / "run/dance.mp4"),
        ]


def takes_every_event(subject: LoggerSubject) -> None:
    """Every event of a run, in order, and those of a second command that goes on with the run, raise nothing."""
    subject.log(subject.events())
    subject.log(subject.events())


def takes_a_run_that_fails(subject: LoggerSubject) -> None:
    """A run may end with Failed, in the middle of a stage or before it has begun."""
    subject.log([*subject.started(), FAILED])
    subject.log([Warned("a line"), FAILED])


def takes_what_is_not_finite(subject: LoggerSubject) -> None:
    """Metrics with NaN or infinity in them are no hindrance."""
    metrics = {"loss": math.nan, "val_loss": math.inf}
    subject.log([*subject.started(), EpochFinished("codec", 1, 1, metrics), FAILED])


def writes_into_the_run_alone(subject: LoggerSubject) -> None:
    """It writes nothing outside the folder of RunStarted: not into an artifact, nor where the program was started."""
    subject.log(subject.events())
    files = (path.relative_to(subject.folder) for path in subject.folder.rglob("*") if path.is_file())
    outside = sorted(path.as_posix() for path in files if path.parts[0] != "run")
    expect(outside == ["artifact/manifest.json"], "no file outside the run's folder", ", ".join(outside))


CHECKS = (*common.CHECKS, *collect_checks(__name__))
