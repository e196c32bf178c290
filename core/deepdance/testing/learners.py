"""What every component that learns must hold: codecs and sequence models alike."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import zipfile
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from deepdance.interfaces import History, Metrics, Training
from deepdance.testing.subject import Array, CheckFailed, Subject, collect_checks, expect, expect_same, skip

PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth")
FRESH_PROCESS_SECONDS = 300


class StoppedError(Exception):
    """What ends a training in the middle."""


@dataclass(frozen=True)
class Fitted:
    """A fitted component, and what was seen while it was fitted and tried."""

    component: Any
    history: History
    reported: list[tuple[int, int, Metrics]]
    outputs: dict[str, Array]
    changed: list[str]


class LearnerSubject(Subject):
    """A component that learns, fitted once for all checks that only look at it."""

    @abstractmethod
    def sample_data(self) -> dict[str, Array]:
        """New arrays to fit to, and to try it on."""

    @abstractmethod
    def fit(self, component: Any, training: Training, data: Mapping[str, Array]) -> History:
        """Fit to the sample data."""

    @abstractmethod
    def apply(self, component: Any, data: Mapping[str, Array]) -> dict[str, Array]:
        """What a fitted component makes of the sample data."""

    @abstractmethod
    def measure_error(self, component: Any) -> tuple[float, float, str]:
        """How wrong it is about what it has learned from, how wrong a simple guess is, and what that guess is."""

    @cached_property
    def fitted(self) -> Fitted:
        """The component fitted with seed 0."""
        reported: list[tuple[int, int, Metrics]] = []
        component, data = self.cls(self.options), self.sample_data()
        before = {name: array.copy() for name, array in data.items()}
        history = self.fit(component, Training(on_epoch=lambda *epoch: reported.append(epoch)), data)
        outputs = self.apply(component, data)
        changed = [name for name, array in data.items() if not np.array_equal(array, before[name])]
        return Fitted(component, history, reported, outputs, changed)

    def fit_again(self, training: Training) -> tuple[History, dict[str, Array]]:
        """The history and the outputs of a new component."""
        component = self.cls(self.options)
        history = self.fit(component, training, self.sample_data())
        return history, self.apply(component, self.sample_data())

    @property
    def component(self) -> Any:
        """The fitted component."""
        return self.fitted.component

    @cached_property
    def saved(self) -> Path:
        """A folder that the fitted component was saved to."""
        folder = self.new_folder("saved")
        self.component.save(folder)
        return folder


def notes_every_epoch(subject: LearnerSubject) -> None:
    """`fit` returns an entry with a finite loss for each epoch, and tells `on_epoch` of it, from 1."""
    history, reported = subject.fitted.history, subject.fitted.reported
    expect(isinstance(history, list) and history, "a list with one entry an epoch from fit", repr(history))
    for number, metrics in enumerate(history, 1):
        loss = metrics.get("loss", math.nan)
        expect(math.isfinite(loss), f"a finite loss in epoch {number}", metrics)
    numbers, expected = [(epoch, epochs) for epoch, epochs, _ in reported], len(history)
    expect(
        numbers == [(number, expected) for number in range(1, expected + 1)],
        f"on_epoch to be told of epochs 1 to {expected} of {expected}",
        numbers,
    )


def learns(subject: LearnerSubject) -> None:
    """The loss falls from the first epoch to the last; where there is one epoch, the fit beats a simple guess."""
    history = subject.fitted.history
    if len(history) > 1:
        first, last = history[0]["loss"], history[-1]["loss"]
        expect(last < first, f"a loss below the first epoch's {first:.4g} after {len(history)}", f"{last:.4g}")
    else:
        mine, simple, what = subject.measure_error(subject.component)
        expect(mine < simple, f"an error below that of {what}, {simple:.4g}", f"{mine:.4g}")


def the_seed_decides(subject: LearnerSubject) -> None:
    """Fitted again with the same seed, it gives the same numbers."""
    np.random.seed(1)
    random.seed(1)
    _, outputs = subject.fit_again(Training())
    expect_same(subject.fitted.outputs, outputs, "from the same seed")


def a_stopped_training_goes_on(subject: LearnerSubject) -> None:
    """Stopped after an epoch and fitted again in the same folder, it ends as if it had never stopped."""
    history = subject.fitted.history
    if len(history) < 2:
        skip("its training is a single epoch, so there is nothing to go on from")
    folder = subject.new_folder("stopped")
    _fit_and_stop(subject, folder)
    if not any(folder.iterdir()):
        skip("it leaves no checkpoint in Training.folder, so a stopped training begins anew")
    epochs: list[int] = []
    training = Training(folder=folder, on_epoch=lambda epoch, *_: epochs.append(epoch))
    again, outputs = subject.fit_again(training)
    expect(epochs[:1] == [2], "the training to go on with epoch 2", f"epochs {epochs}")
    expect(len(again) == len(history), f"a history of {len(history)} epochs, those before the stop too", len(again))
    expect_same(subject.fitted.outputs, outputs, "after a stopped training")


def _fit_and_stop(subject: LearnerSubject, folder: Path) -> None:
    def stop(epoch: int, epochs: int, metrics: Metrics) -> None:
        raise StoppedError

    try:
        subject.fit_again(Training(folder=folder, on_epoch=stop))
    except StoppedError:
        return
    raise CheckFailed("expected what on_epoch raises to end the training, got it swallowed")


def is_the_same_in_a_fresh_process(subject: LearnerSubject) -> None:
    """Saved, and loaded by another Python, it gives the same numbers."""
    request = {"spec": asdict(subject.spec), "options": subject.options.model_dump(mode="json")}
    path = subject.saved.with_name("request.json")
    path.write_text(json.dumps(request))
    command = [sys.executable, "-m", "deepdance.testing.fresh_process", str(path), str(subject.saved)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=FRESH_PROCESS_SECONDS, check=False
    )
    complaint = (ended.stderr.strip() or "nothing").splitlines()[-1]
    expect(ended.returncode == 0, "load to work in a fresh process", complaint)
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as outputs:
        expect_same(subject.fitted.outputs, dict(outputs), "in a fresh process")


def saves_no_pickles(subject: LearnerSubject) -> None:
    """Nothing that `save` writes can run code when it is opened."""
    pickles = [str(path.relative_to(subject.saved)) for path in _find_pickles(subject.saved)]
    expect(not pickles, "JSON, npy, npz or .keras files", f"pickles in {', '.join(pickles)}")


def _find_pickles(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (path.suffix in PICKLES or any(map(_is_pickle, _read_starts(path)))):
            yield path


def _read_starts(path: Path) -> Iterator[bytes]:
    """A file's bytes, or those of each file in an archive: enough of them to know a pickle."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as file:
                    yield file.read(512)
    else:
        with path.open("rb") as file:
            yield file.read(512)


def _is_pickle(start: bytes) -> bool:
    """Whether bytes begin as a pickle does, or as an .npy of objects, which holds one."""
    protocol = len(start) > 1 and start[0] == 0x80 and start[1] <= 5
    return protocol or (start.startswith(b"\x93NUMPY") and b"'descr': '|O" in start)


def leaves_what_it_is_given(subject: LearnerSubject) -> None:
    """It does not write into the arrays that it is given."""
    changed = subject.fitted.changed
    expect(not changed, "the arrays given to stay as they were", f"other numbers in {', '.join(changed)}")


CHECKS = collect_checks(__name__)
