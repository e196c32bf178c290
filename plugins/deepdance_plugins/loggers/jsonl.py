"""`--log jsonl`: every event as a line of JSON, for scripts, notebooks and whoever asks later what happened."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from deepdance.events import Event, Progress, RunStarted
from deepdance.interfaces import Logger, Options
from deepdance.strict_json import dump_json

FILE = "log.jsonl"
SECONDS_BETWEEN_PROGRESS = 1.0


class JsonLines(Logger[Options]):
    """Appends to `log.jsonl` in the run's folder: `time` (ISO 8601, with its zone), `event`, and the event's fields.

    The file is complete at any moment, one JSON object a line. Of `Progress`, a line a second is kept, and what
    completes a stage or an epoch. A number that is not finite becomes `null`, which JSON can hold.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._path: Path | None = None
        self._progress_at = -math.inf

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._path = event.folder / FILE
        if self._path is None or (isinstance(event, Progress) and self._skips(event)):
            return
        record = {"time": datetime.now().astimezone().isoformat(), "event": type(event).__name__, **asdict(event)}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(dump_json(record) + "\n")

    def _skips(self, event: Progress) -> bool:
        now = time.monotonic()
        if event.done != event.total and now < self._progress_at + SECONDS_BETWEEN_PROGRESS:
            return True
        self._progress_at = now
        return False
