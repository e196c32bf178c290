"""Processes that do work, through the interface of `concurrent.futures.Executor`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


@dataclass(frozen=True)
class Workers:
    """Processes that do tasks, on this machine or on others."""

    executor: Executor
    count: int
    """How many tasks are done at once."""
    host: str = "127.0.0.1"
    """The address of this machine, as they see it."""
    lasting: bool = False
    """Whether the others go on when one is lost; what it did is then asked of them."""


@contextmanager
def open_processes(count: int) -> Iterator[Workers]:
    """So many processes of this machine, each started when there is work for it.

    They end with the block, at once where it is left by an exception, and with this process, however that ends.
    """
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import Pipe, get_context

    # Nothing is ever written: all that the others learn is that this end is closed.
    watched, lifeline = Pipe(duplex=False)
    # No fork: TensorFlow does not survive it, nor does any lock that another thread holds.
    with watched, lifeline:
        executor = ProcessPoolExecutor(count, get_context("spawn"), initializer=_begin, initargs=(watched,))
        try:
            yield Workers(executor, count)
        except BaseException:
            lifeline.close()
            raise
        finally:
            executor.shutdown(cancel_futures=True)


def _begin(lifeline: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal; it is the first process that ends
    Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _end_with(lifeline: Connection) -> None:
    with suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)
