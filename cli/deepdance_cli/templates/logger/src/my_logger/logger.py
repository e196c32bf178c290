"""`my-logger`: the losses of both trainings, as a table for a spreadsheet."""

import csv
from pathlib import Path

from deepdance.events import EpochFinished, Event, RunStarted
from deepdance.interfaces import Logger, Options

COLUMNS = ("stage", "epoch", "loss", "val_loss")


class MyLogger(Logger[Options]):
    """Appends a line an epoch to `losses.csv` in the run's folder. What was not measured is an empty cell."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._path = Path()

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._path = event.folder / "losses.csv"
        elif isinstance(event, EpochFinished):
            with self._path.open("a", encoding="utf-8", newline="") as file:
                table = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
                if not file.tell():  # an earlier command may have begun the table
                    table.writeheader()
                table.writerow({**event.metrics, "stage": event.stage, "epoch": event.epoch})
