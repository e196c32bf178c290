"""Loggers that break their checks."""

import json
from pathlib import Path

from my_logger.logger import MyLogger

from contract.broken import breaks
from deepdance.events import EpochFinished, Failed, Progress, RunStarted


@breaks("logger", "takes_every_event")
class _(MyLogger):
    def __call__(self, event):
        if isinstance(event, Progress):
            self.share = event.done / event.total


@breaks("logger", "takes_every_event")
class _(MyLogger):
    def __call__(self, event):
        if isinstance(event, RunStarted):
            (event.folder / "log").mkdir()


@breaks("logger", "takes_a_run_that_fails")
class _(MyLogger):
    def __call__(self, event):
        super().__call__(event)
        if isinstance(event, Failed):
            self._path.write_text(event.message)


@breaks("logger", "takes_what_is_not_finite")
class _(MyLogger):
    def __call__(self, event):
        if isinstance(event, EpochFinished):
            json.dumps(event.metrics, allow_nan=False)


@breaks("logger", "writes_into_the_run_alone")
class _(MyLogger):
    def __call__(self, event):
        Path("log.txt").write_text(str(event))
