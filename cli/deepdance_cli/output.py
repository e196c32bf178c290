"""What holds for all that is written: nothing written ends a command by half, steers the terminal, or is bad JSON."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from deepdance.controls import CONTROLS, escape_controls

if TYPE_CHECKING:
    from deepdance.impression import Impression
    from deepdance.music.alignment import BeatAlignment


class OutputLostError(Exception):
    """Standard output cannot be written any more."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.reader_left = error.errno in (errno.EPIPE, errno.EIO)
        """Whether nobody reads it: the other end of a pipe, or a terminal, is closed."""


class GuardedStream:
    """A text stream that leads nowhere once it cannot be written: not even the interpreter's last flush fails then.

    The first failure raises OutputLostError, unless the stream is `optional`.
    """

    def __init__(self, stream: TextIO, optional: bool) -> None:
        self._stream, self._optional = stream, optional

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or lose, the text."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Hand on what was written, or lose it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)
        if not self._optional:
            raise OutputLostError(error)


def guard_streams() -> None:
    """Let no standard stream fail where it is closed, its reader leaves, or it lacks a sign, which becomes `?`."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        _open_descriptor(number, name)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.stdout = GuardedStream(sys.stdout, optional=False)
    sys.stderr = GuardedStream(sys.stderr, optional=True)


def _open_descriptor(number: int, name: str) -> None:
    """Lead a closed stream nowhere: else the next file that is opened gets its number, and what others print."""
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # the lowest free number: those below are open already
        os.set_inheritable(number, True)
    if getattr(sys, name) is None:
        setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def echo(text: str) -> None:
    """Print text as it is, but for signs that steer a terminal."""
    print(escape_controls(text), flush=True)  # noqa: T201


def describe_looks(impression: Impression) -> dict[str, Any]:
    """How a dance looks, for JSON."""
    from dataclasses import asdict

    return {"sentence": impression.sentence, **asdict(impression)}


def describe_alignment(alignment: BeatAlignment | None) -> dict[str, Any]:
    """How well a dance keeps to the beats, for JSON; nothing without any."""
    from dataclasses import asdict

    return {"music": {"sentence": alignment.sentence, **asdict(alignment)}} if alignment else {}


def write_alignment(alignment: BeatAlignment | None) -> str:
    """The same as a line; no line without any."""
    return f"music {alignment.sentence}\n" if alignment else ""


def print_json(value: Any) -> None:
    """Print a result as JSON. What the output has no sign for is escaped."""
    from deepdance.strict_json import dump_json

    text = CONTROLS.sub(lambda sign: f"\\u{ord(sign[0]):04x}", dump_json(value, indent=2, ensure_ascii=False))
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        text = dump_json(value, indent=2)
    echo(text)


class _MessageLines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        from deepdance_cli.console import err

        note = record.levelno < logging.WARNING
        prefix = "" if note else f"{record.levelname.lower()}: "
        err.print(f"{prefix}{record.getMessage()}", style="dim" if note else "yellow")


@contextmanager
def show_messages() -> Iterator[None]:
    """Meanwhile the warnings and notes of the logger `deepdance` go to standard error alone."""
    log = logging.getLogger("deepdance")
    handlers, level, propagate = log.handlers, log.level, log.propagate
    log.handlers, log.propagate = [_MessageLines()], False
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.handlers, log.propagate = handlers, propagate
        log.setLevel(level)
