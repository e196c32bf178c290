"""Progress as one line that is written anew, for a terminal or a notebook; each finished stage leaves its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from time import monotonic
from typing import TextIO

from deepdance.controls import escape_controls
from deepdance.events import EpochFinished, Event, Failed, Progress, StageFinished, StageStarted, Warned

TRAININGS = ("codec", "sequence")
"""Stages that go on by epochs."""
TITLES = {"codec_table": "codec's table", "next_frame_table": "next frame's table", "long_table": "long dances' table"}
"""Stages whose names are not for people."""
SECONDS = 0.2
"""Between two writings of the line: a notebook keeps them all."""
WIDTH = 79
LOSSES = {"loss": "loss", "val_loss": "val"}
"""Metrics that stand beside a bar, and as what."""


def title_stage(stage: str) -> str:
    """A stage as it is shown."""
    return TITLES.get(stage, stage)


def is_watched(stream: TextIO | None) -> bool:
    """Whether somebody looks on: at a terminal, or in a notebook. A program without a console has no stream."""
    return stream is not None and (stream.isatty() or "ipykernel" in sys.modules)


class ProgressLine:
    """A listener that writes to `stream`, or to standard error as it is when something is told."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._began: dict[str, float] = {}
        self._epoch = ""
        self._written = 0.0

    def __call__(self, event: Event) -> None:
        match event:
            case StageStarted(stage, detail):
                self._began[stage], self._epoch = monotonic(), ""
                self._write(f"{title_stage(stage)} {detail}")
            case EpochFinished(stage, epoch, epochs, metrics):
                self._epoch = describe_epoch(epoch, epochs, metrics)
                alone = epoch == epochs and stage not in self._began  # `fit` begins and ends no stage
                self._rewrite(f"{stage} {self._epoch}", "\n" if alone else "")
            case Progress(stage, note=note) if note:
                self._write(f"{stage} {note}")
            case Progress(stage, done, total) if stage not in TRAININGS or not self._epoch:
                self._rewrite(f"{title_stage(stage)} {done}{f' of {total}' if total else ''}")
            case StageFinished(stage, reused, detail):
                self._finish(stage, detail, reused)
            case Warned() | Failed():
                self._write("", "\r")  # so that what is told stands on a line of its own

    def _rewrite(self, text: str, end: str = "") -> None:
        if end or monotonic() - self._written > SECONDS:
            self._write(text, end)

    def _finish(self, stage: str, detail: str, reused: bool) -> None:
        began = self._began.pop(stage, None)
        ended = f"({monotonic() - began:.0f} s)" if began is not None and not reused else "(kept)" if reused else ""
        epochs = self._epoch if stage in TRAININGS and not reused else ""
        self._write(" ".join(filter(None, [title_stage(stage), detail, epochs, ended])), "\n")

    def _write(self, text: str, end: str = "") -> None:
        stream = self._stream or sys.stderr
        stream.write(f"\r{escape_controls(text)[:WIDTH]:<{WIDTH}}{end}")
        stream.flush()
        self._written = monotonic()


def describe_epoch(epoch: int, epochs: int, metrics: Mapping[str, float]) -> str:
    """`3/27 loss 0.0075 val 0.0081`, in few letters: beside a bar all of it is seen at 80 columns.

    The losses alone of a model that is not trained by epochs, or not at all.
    """
    losses = [f"{shown} {metrics[key]:.3g}" for key, shown in LOSSES.items() if key in metrics]
    return " ".join([f"{epoch}/{epochs}"] * (epochs > 1) + losses)
