"""`--log tensorboard`: the curves of both trainings, as files that TensorBoard reads."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from deepdance.events import ArtifactReady, EpochFinished, Event, Failed, RunFinished, RunStarted
from deepdance.interfaces import Logger, Options
from deepdance.plugins.redirection import capture_output
from deepdance.strict_json import restore_metrics

FOLDER = "tensorboard"
FORMAT = "brain.Event:2"
"""TensorBoard's name of the format, with which a file begins."""


class TensorBoard(Logger[Options]):
    """Writes `codec/loss`, `sequence/val_loss` and the like, a step an epoch, into `tensorboard/` in the run's folder.

    `tensorboard --logdir workspace/runs` shows several runs beside one another. Each run of the program writes a file
    of its own. Where there is none yet, a training that is kept from before is written from its history. Files are
    written with TensorFlow, whatever the backend.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._folder: Path | None = None
        self._first = True
        self._writer: Any = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._folder = event.folder / FOLDER
            self._first = not any(self._folder.glob("*"))
        elif isinstance(event, EpochFinished):
            self._write(event.stage, event.epoch, event.metrics)
        elif isinstance(event, ArtifactReady):
            if event.reused and self._first:
                self._write_history(event)
        elif isinstance(event, RunFinished | Failed) and self._writer:
            self._writer.close()
            self._writer = None

    def _write_history(self, event: ArtifactReady) -> None:
        manifest = json.loads((event.folder / "manifest.json").read_text(encoding="utf-8"))
        for number, metrics in enumerate(restore_metrics(manifest.get("history", [])), start=1):
            self._write(event.stage, number, metrics)

    def _write(self, stage: str, epoch: int, metrics: Mapping[str, float]) -> None:
        if self._folder is None:
            return
        compat = _tensorflow().compat.v1
        values = [compat.Summary.Value(tag=f"{stage}/{name}", simple_value=value) for name, value in metrics.items()]
        self._append(self._folder, step=epoch, summary=compat.Summary(value=values))

    def _append(self, folder: Path, **fields: Any) -> None:
        """`tf.summary` would need TensorBoard itself; the file is a TFRecord of `Event` messages."""
        tensorflow = _tensorflow()
        if self._writer is None:
            folder.mkdir(exist_ok=True)
            name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
            self._writer = tensorflow.io.TFRecordWriter(str(folder / name))
            self._append(folder, file_version=FORMAT)
        event = tensorflow.compat.v1.Event(wall_time=time.time(), **fields)
        self._writer.write(event.SerializeToString())
        self._writer.flush()


@cache
def _tensorflow() -> Any:
    with capture_output():
        import tensorflow
    return tensorflow
