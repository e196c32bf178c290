"""Keeping what other people's code writes away from standard output, where a script may be reading."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile


@contextmanager
def redirect(*descriptors: int, to: int) -> Iterator[None]:
    """Meanwhile the file descriptors lead to `to`, for Python and for everything below it."""
    _flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in descriptors if _is_open(descriptor)}
    try:
        for descriptor in saved:
            os.dup2(to, descriptor)
        yield
    finally:
        _flush()
        for descriptor, copy in saved.items():
            os.dup2(copy, descriptor)
            os.close(copy)


@contextmanager
def capture_output() -> Iterator[list[str]]:
    """Meanwhile nothing reaches standard output and error; the list then holds what was written, as one text."""
    said: list[str] = []
    with TemporaryFile(buffering=0) as file:
        with redirect(1, 2, to=file.fileno()):
            yield said
        file.seek(0)
        said.append(file.read().decode(errors="replace").strip())


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
