"""Keeping what other people's code writes away from standard output, where a script may be reading."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from threading import Lock

_LAYERS: dict[int, list[int]] = {}
"""Where each redirected descriptor led at first, and where those lead it that are at work, the latest last."""
_CHANGING = Lock()


@contextmanager
def redirect(*descriptors: int, to: int) -> Iterator[None]:
    """Meanwhile the file descriptors lead to `to`, for Python and for everything below it.

    Threads that do so at once may end in any order: the last to end leaves the descriptors as the first found them.
    """
    _flush()
    copies = {descriptor: os.dup(to) for descriptor in descriptors if _is_open(descriptor)}
    try:
        for descriptor, copy in copies.items():
            _cover(descriptor, copy)
        yield
    finally:
        _flush()
        for descriptor, copy in copies.items():
            _uncover(descriptor, copy)


def _cover(descriptor: int, copy: int) -> None:
    with _CHANGING:
        if descriptor not in _LAYERS:
            _LAYERS[descriptor] = [os.dup(descriptor)]
        _LAYERS[descriptor].append(copy)
        os.dup2(copy, descriptor)


def _uncover(descriptor: int, copy: int) -> None:
    with _CHANGING:
        os.close(copy)
        layers = _LAYERS.get(descriptor, [])
        if copy not in layers:  # a signal came before it was covered
            return
        layers.remove(copy)
        os.dup2(layers[-1], descriptor)
        if len(layers) == 1:
            os.close(_LAYERS.pop(descriptor)[0])


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
