"""`--log jsonl`: every event as a line of JSON, for scripts, notebooks and whoever asks later what happened."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from deepdance.events import Event, Progress, RunStarted
from deepdance.interfaces import Logger, Options

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
            file.write(json.dumps(_to_json(record), allow_nan=False) + "\n")

    def _skips(self, event: Progress) -> bool:
        now = time.monotonic()
        if event.done != event.total and now < self._progress_at + SECONDS_BETWEEN_PROGRESS:
            return True
        self._progress_at = now
        return False


def _to_json(value: Any) -> Any:
    """The value in JSON's own types."""
    if isinstance(value, Mapping):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if isinstance(value, np.generic):
        return _to_json(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
