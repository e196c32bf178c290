"""A logger that keeps a list of events in the run's folder, and loggers that break their checks."""

import json
from pathlib import Path

from contract.broken import breaks
from deepdance.events import EpochFinished, Failed, Progress, RunStarted
from deepdance.interfaces import Logger


class EventList(Logger):
    """A line for each event, once the run has begun."""

    path = None

    def __call__(self, event):
        if isinstance(event, RunStarted):
            self.path = event.folder / "events.txt"
        if self.path:
            with self.path.open("a") as file:
                file.write(f"{event}\n")


@breaks("logger", "takes_every_event")
class _(EventList):
    def __call__(self, event):
        if isinstance(event, Progress):
            self.share = event.done / event.total


@breaks("logger", "takes_every_event")
class _(EventList):
    def __call__(self, event):
        if isinstance(event, RunStarted):
            (event.folder / "log").mkdir()


@breaks("logger", "takes_a_run_that_fails")
class _(EventList):
    def __call__(self, event):
        super().__call__(event)
        if isinstance(event, Failed):
            self.path.write_text(event.message)


@breaks("logger", "takes_what_is_not_finite")
class _(EventList):
    def __call__(self, event):
        if isinstance(event, EpochFinished):
            json.dumps(event.metrics, allow_nan=False)


@breaks("logger", "writes_into_the_run_alone")
class _(EventList):
    def __call__(self, event):
        Path("log.txt").write_text(str(event))
