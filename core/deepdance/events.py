"""What a run tells while it works. The progress display, the logs and plugins' `deepdance_event` are its listeners."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, get_ident
from typing import Any

log = logging.getLogger("deepdance")
_FILTERING = Lock()


@dataclass(frozen=True)
class RunStarted:
    """Work on the run `run` begins, by `dd run`, `generate` or `extend`; `folder` is the run's, and exists.

    `recipe` has the names and values of a recipe file. Stages follow. Where a sweep makes several runs at once, each is
    told once it has ended, without what `StageStarted` and `Progress` would have told meanwhile.
    """

    run: str
    folder: Path
    recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StageStarted:
    """A stage begins to work, or to wait for another process that is doing the same work.

    `stage` is remover (one is chosen), models (the components are imported), download, silhouettes, codec, latents,
    sequence, evaluation (or one of its tables), render, report, export or sweep, and `detail` the input, component or
    file in question. A stage whose artifact is there already does not start: it is finished.
    """

    stage: str
    detail: str = ""


@dataclass(frozen=True)
class Progress:
    """Within a stage: `done` of `total` (None: not known) frames, or samples of the epoch that is being trained.

    A `note` says what is being done where that is not counted; `done` and `total` then say nothing.
    """

    stage: str
    done: int
    total: int | None
    note: str = ""


@dataclass(frozen=True)
class EpochFinished:
    """A training has finished epoch `epoch` (from 1) of `epochs`.

    `metrics` are `loss` and `acc`, `val_loss` and `val_acc` where frames are held out, and what else a model measures.
    A training that is gone on with starts at the first epoch that was missing.
    """

    stage: str
    epoch: int
    epochs: int
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ArtifactReady:
    """A stage's artifact is whole: all its files lie in `folder`, with a `manifest.json`.

    `key` is the hash of all that went into it; `reused` means that it was there already. Comes right before the
    stage's `StageFinished`.
    """

    stage: str
    key: str
    folder: Path
    reused: bool


@dataclass(frozen=True)
class StageFinished:
    """A stage is done; `reused` means that its artifact was there already.

    Of `render` and `export`, `detail` is the file's path.
    """

    stage: str
    reused: bool
    detail: str = ""


@dataclass(frozen=True)
class RunFinished:
    """Work on the run `run` has ended well, and `video` is the file that it made."""

    run: str
    video: Path


@dataclass(frozen=True)
class Warned:
    """Something that the user should know and that stops nothing: one line, as the command line shows it."""

    message: str


@dataclass(frozen=True)
class Failed:
    """The work ends with an error, or was interrupted: the last event.

    `error` is the exception's class, such as `InputError`, and `message` its text. `KeyboardInterrupt` is Ctrl-C, and
    `Stopped` another signal that ended the program `dd`, with the signal's name as its text: `SIGTERM`.
    """

    error: str
    message: str


Event = (
    RunStarted | StageStarted | Progress | EpochFinished | ArtifactReady | StageFinished | RunFinished | Warned | Failed
)
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener of those who do not listen."""


class Listeners:
    """A listener that tells several others, each known by a name.

    One that raises is told of in a warning, once, and hears nothing more; the others and the run go on. `locate` says
    where in a plugin's code that was.
    """

    def __init__(
        self, named: Iterable[tuple[str, Listener]], locate: Callable[[BaseException], str] = lambda error: ""
    ) -> None:
        self._named = list(named)
        self._locate = locate

    def __call__(self, event: Event) -> None:
        failed = []
        for pair in list(self._named):
            try:
                pair[1](event)
            except (Exception, SystemExit) as error:
                failed.append((pair, error))
        self._named = [pair for pair in self._named if all(pair is not bad for bad, _ in failed)]
        for (name, _), why in failed:
            place = self._locate(why)
            reason = f"{type(why).__name__}: {why}{f' ({place})' if place else ''}"
            log.warning("%s failed at %s and is switched off: %s", name, type(event).__name__, reason)


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """The warnings of the logger `deepdance` in this thread, while the block runs; they are logged as ever."""
    told: list[str] = []

    def note(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            told.append(record.getMessage())
        return True

    with _filter_here(note):
        yield told


@contextmanager
def hold_log(held: list[logging.LogRecord]) -> Iterator[None]:
    """What the logger `deepdance` is told in this thread, while the block runs, is `held` and not logged."""

    def hold(record: logging.LogRecord) -> bool:
        held.append(record)
        return False

    with _filter_here(hold):
        yield


@contextmanager
def _filter_here(pass_on: Callable[[logging.LogRecord], bool]) -> Iterator[None]:
    here = get_ident()

    def note(record: logging.LogRecord) -> bool:
        return get_ident() != here or pass_on(record)

    # Other threads may be going through the list, so it is replaced; the filter that drops what was said stays last.
    with _FILTERING:
        log.filters = [note, *log.filters]
    try:
        yield
    finally:
        with _FILTERING:
            log.filters = [each for each in log.filters if each is not note]


@contextmanager
def follow(listen: Listener) -> Iterator[None]:
    """While the block runs, `listen` is told the warnings of the logger `deepdance`, and the error that ends it.

    What was said once is not said again: an input is looked at several times on its way.
    """
    shown = logging.lastResort
    handlers = [_WarningEvents(listen), *([shown] if shown and not log.hasHandlers() else [])]
    for handler in handlers:
        log.addHandler(handler)
    once = _Once()
    log.addFilter(once)
    try:
        yield
    except BaseException as error:
        listen(Failed(type(error).__name__, str(error)))
        raise
    finally:
        log.removeFilter(once)
        for handler in handlers:
            log.removeHandler(handler)


class _Once(logging.Filter):
    """Lets each message pass once."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        new = text not in self._said
        self._said.add(text)
        return new


class _WarningEvents(logging.Handler):
    def __init__(self, listen: Listener) -> None:
        super().__init__(logging.WARNING)
        self._listen = listen

    def emit(self, record: logging.LogRecord) -> None:
        self._listen(Warned(record.getMessage()))
