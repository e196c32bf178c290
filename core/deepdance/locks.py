"""Waiting for another process, in a way that can be ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

WAITING_SECONDS = 1.0


@contextmanager
def hold_lock(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a file while the block runs.

    `waiting` is called every second while another process holds it, and may raise: a thread hears of no signal.
    """
    from filelock import FileLock, Timeout

    lock, patience = FileLock(path), 0.0
    while not lock.is_locked:
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            waiting()
            patience = WAITING_SECONDS
    try:
        yield
    finally:
        lock.release()


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Whether the lock of a file is free; if so, it is held while the block runs."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
