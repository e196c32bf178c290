"""Work that other processes do, through the interface of `concurrent.futures.Executor`.

A task knows no workspace: it is given what it needs, emits what it makes chunk by chunk, and tells what happens. All of
that comes back over a connection of its own to the process that asked, which alone writes. A sender waits until the
receiver has read: no chunk piles up, however long the result is.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from secrets import token_bytes
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from deepdance.errors import WorkerError
from deepdance.events import Listener, ignore
from deepdance.plugins import Registry, discover
from deepdance.plugins.culprits import attach_culprit

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.connection import Listener as Door

EVENT, WARNING, CHUNK = "event", "warning", "chunk"
"""What a task sends."""

Result = TypeVar("Result")

log = logging.getLogger("deepdance")


@dataclass(frozen=True)
class Tools:
    """What a task works with: components, somebody to tell, and where to put what it makes."""

    registry: Registry
    listen: Listener = ignore
    emit: Callable[[Any], None] = lambda chunk: None


Task = Callable[..., Result]
"""A function of a module, called with `Tools` and its arguments; these, what it emits and what it returns can be
pickled."""


@contextmanager
def open_processes(count: int) -> Iterator[Executor]:
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
            yield executor
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


def run_task(executor: Executor | None, tools: Tools, task: Task[Result], *arguments: Any) -> Result:
    """What a task returns; meanwhile what it emits and tells reaches `tools`, in its order, in this thread.

    Without an executor it is done here. Elsewhere it has the components of plugins only, as they are installed there.
    Raises what the task raises, and WorkerError where a process was ended from outside.
    """
    if executor is None:
        return task(tools, *arguments)
    from multiprocessing.connection import Listener as Door

    key = token_bytes(32)
    with Door(("127.0.0.1", 0), authkey=key) as door:
        address = door.address
        with _translate_death():
            future = _submit(executor, _do, address, key, task, arguments)
        future.add_done_callback(lambda ended: _knock(ended, address))
        _receive(door, future, tools)
    with _translate_death():
        result: Result = future.result()
    return result


def map_blocks(
    executor: Executor, ahead: int, task: Task[Result], blocks: Iterable[tuple[Any, ...]]
) -> Iterator[Result]:
    """What a task returns for each of the blocks of arguments, in their order; it emits nothing, and tells warnings.

    At most `ahead` blocks are held at once. Errors are those of `run_task`.
    """
    rest, pending = iter(blocks), deque[Future[tuple[Result, list[str]]]]()
    while True:
        with _translate_death():
            pending.extend(_submit(executor, _do_block, task, block) for block in islice(rest, ahead - len(pending)))
            if not pending:
                return
            result, warnings = pending.popleft().result()
        for message in warnings:
            log.warning("%s", message)
        yield result


def _submit(executor: Executor, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
    """Submit a call; a process that is started for it is deaf to Ctrl-C from its first moment."""
    if not hasattr(signal, "pthread_sigmask"):
        return executor.submit(function, *arguments)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return executor.submit(function, *arguments)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _receive(door: Door, future: Future[Any], tools: Tools) -> None:
    """Hand on what a task sends, until it has ended."""
    for kind, content in _read(door, future):
        if kind == EVENT:
            tools.listen(content)
        elif kind == WARNING:
            log.warning("%s", content)
        else:
            tools.emit(content)


def _read(door: Door, future: Future[Any]) -> Iterator[tuple[str, Any]]:
    worker = _accept(door, future)
    if worker is None:
        return
    with worker:
        while True:
            try:
                message = worker.recv()
            except (EOFError, ConnectionError):
                return
            yield message


def _accept(door: Door, future: Future[Any]) -> Connection | None:
    """The connection of the process that does the task; None where it ended before it had one."""
    from multiprocessing import AuthenticationError

    while True:
        try:
            return door.accept()
        except (AuthenticationError, EOFError, ConnectionError):  # a knock, or somebody who has no key
            if future.done():
                return None


def _knock(future: Future[Any], address: Any) -> None:
    """End the waiting for a process that will never come."""
    if future.cancelled() or future.exception():
        with suppress(OSError):
            socket.create_connection(address).close()


@contextmanager
def _translate_death() -> Iterator[None]:
    try:
        yield
    except (BrokenExecutor, CancelledError) as error:
        raise WorkerError(
            "expected worker processes that last as long as their work, got one that was killed, perhaps for want of "
            "memory; what is finished is kept: run again with --jobs 1"
        ) from error


def _do(address: Any, key: bytes, task: Task[Result], arguments: tuple[Any, ...]) -> Result:
    """In a worker: do a task, and send what it emits and tells."""
    from multiprocessing.connection import Client

    with Client(address, authkey=key) as asker:
        tools = Tools(discover(), lambda event: asker.send((EVENT, event)), lambda chunk: asker.send((CHUNK, chunk)))
        with _catch_warnings(lambda message: asker.send((WARNING, message))), _attach_culprit():
            return task(tools, *arguments)


def _do_block(task: Task[Result], arguments: tuple[Any, ...]) -> tuple[Result, list[str]]:
    """In a worker: what a task returns, and its warnings."""
    warnings: list[str] = []
    with _catch_warnings(warnings.append), _attach_culprit():
        return task(Tools(discover()), *arguments), warnings


@contextmanager
def _attach_culprit() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        attach_culprit(error, discover())
        raise


@contextmanager
def _catch_warnings(tell: Callable[[str], None]) -> Iterator[None]:
    """Meanwhile this process' warnings are told, and not shown here."""
    handler, propagate = _Teller(tell), log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagate


class _Teller(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.getMessage())
