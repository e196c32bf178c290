"""Tasks that other processes do, through the interface of `concurrent.futures.Executor`.

What a task emits and tells comes back over a connection of its own, where a sender waits until the receiver has read:
no chunk piles up, however long the result is.
"""

from __future__ import annotations

import logging
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, islice
from threading import Timer
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from deepdance.doors import Door
from deepdance.errors import ClusterLostError, WorkerError
from deepdance.plugins import Registry
from deepdance.plugins.isolation import one_line
from deepdance.tasks import (
    EVENT,
    QUESTION,
    WARNING,
    Outcome,
    Result,
    Task,
    Tools,
    UnreachedError,
    attempt,
    do_block,
    do_task,
    pack,
)
from deepdance.workers import GivenUpError, Workers

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

ATTEMPTS = 4
"""How often a task is begun whose workers are lost, where others are left to do it."""
AFTERWARDS = 60.0
"""Seconds that lasting workers have to tell what came of a task whose connection has ended. Of a node that the network
has lost Ray tells nothing for minutes."""
WAIT = 20.0
"""Seconds after which it is told that no worker has come."""
_KNOWN: WeakSet[Executor] = WeakSet()
"""Those of whom workers have come, or were told to be late."""

log = logging.getLogger("deepdance")


def run_task(workers: Workers | None, tools: Tools, task: Task[Result], *arguments: Any) -> Result:
    """What a task returns; meanwhile what it emits, tells and asks reaches `tools`, in its order, in this thread.

    Without workers it is done here. Elsewhere it has the components of plugins only, as they are installed there.
    Raises what the task raises, and WorkerError where a process was ended from outside.
    """
    if workers is None:
        return task(tools, *arguments)
    with Door(workers.host) as door:
        future = _submit(workers, do_task, door.address, door.key, *pack(tools.registry, task, arguments))
        future.add_done_callback(lambda ended: door.give_up())
        with _tell_waiting(workers):
            worker = door.wait()
        if worker:
            _receive(worker, tools)
    try:
        result: Result = _unwrap(workers, future, AFTERWARDS if workers.lasting else None)
    except UnreachedError as error:
        if worker:  # Dask has begun it anew, unasked
            raise _describe_death(workers, BrokenExecutor()) from error
        raise
    return result


def repeat_lost(workers: Workers | None, ask: Callable[[], Result]) -> Result:
    """What an attempt returns, which begins anew where one of lasting workers was lost. Raises what it raises."""
    for _ in range(ATTEMPTS - 1):
        try:
            return ask()
        except WorkerError as error:
            if not _can_repeat(workers, error):
                raise
            log.info("a worker has not done its part, another one is asked: %s", error)
    return ask()


def _can_repeat(workers: Workers | None, error: WorkerError) -> bool:
    """Whether others are left to do what a worker did that was lost, and have not tried it yet."""
    given_up = isinstance(error, ClusterLostError) or isinstance(error.__cause__, GivenUpError | CancelledError)
    return bool(workers and workers.lasting) and not given_up


def map_blocks(
    workers: Workers, tools: Tools, task: Task[Result], blocks: Iterable[tuple[Any, ...]]
) -> Iterator[Result]:
    """What a task returns for each of the blocks of arguments, in their order; it emits and asks nothing, and tells
    warnings only.

    One block more than there are workers is held at once. Errors are those of `run_task`.
    """
    submit = partial(_submit_block, workers, tools.registry, task)
    rest, pending = iter(blocks), deque[tuple[tuple[Any, ...], Future[Outcome]]]()

    while True:
        pending.extend((block, submit(block)) for block in islice(rest, workers.count + 1 - len(pending)))
        if not pending:
            return
        block, future = pending.popleft()
        result, warnings = _wait_for(workers, future, partial(submit, block))
        for message in warnings:
            log.warning("%s", message)
        yield result


def _submit_block(workers: Workers, registry: Registry, task: Task[Any], block: tuple[Any, ...]) -> Future[Outcome]:
    return _submit(workers, do_block, *pack(registry, task, block))


def _wait_for(workers: Workers, first: Future[Outcome], submit: Callable[[], Future[Outcome]]) -> Any:
    """What a future has, or the one that is submitted in its place where a worker was lost."""
    futures = chain([first], iter(submit, None))
    return repeat_lost(workers, lambda: _unwrap(workers, next(futures)))


def _submit(workers: Workers, function: Callable[..., Any], *arguments: Any) -> Future[Outcome]:
    """Submit a call. An executor that takes none any more is lost, with all of its workers."""
    try:
        return workers.executor.submit(attempt, function, *arguments)
    except BrokenExecutor as error:
        if not workers.lasting or isinstance(error, GivenUpError):
            raise _describe_death(workers, error) from error
        raise ClusterLostError(
            f"expected a cluster that is there as long as its work takes, got one that has gone: {error}; what is "
            "finished is kept: start the cluster again, or leave out --executor, and run the same command"
        ) from error


def _unwrap(workers: Workers, future: Future[Outcome], timeout: float | None = None) -> Any:
    """What a task returns. Raises what it raises, and WorkerError for all that its executor has to say."""
    try:
        result, failure = future.result(timeout)
    except (BrokenExecutor, CancelledError, TimeoutError) as error:
        raise _describe_death(workers, error) from error
    except Exception as error:
        raise WorkerError(
            "expected workers with the same Python and the same packages as here, got one that cannot begin: "
            f"{one_line(error)}; install the same there, and start the cluster anew"
        ) from error
    if failure:
        raise failure.restore() from WorkerTracebackError(failure.traceback)
    return pickle.loads(result)  # noqa: S301 - it comes from one who was sent the task


@contextmanager
def _tell_waiting(workers: Workers) -> Iterator[None]:
    """Say, once, that none of lasting workers has come yet: others may keep a cluster busy for hours."""
    timer = Timer(WAIT, _tell_once, (workers,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        _KNOWN.add(workers.executor)


def _tell_once(workers: Workers) -> None:
    if workers.lasting and workers.executor not in _KNOWN:
        _KNOWN.add(workers.executor)
        log.info("no worker has begun yet, perhaps others keep them busy; waiting for one")


def _receive(worker: Connection, tools: Tools) -> None:
    """Hand on what a task sends, until it has ended."""
    for kind, content in _read(worker):
        if kind == EVENT:
            tools.listen(content)
        elif kind == WARNING:
            log.warning("%s", content)
        elif kind == QUESTION:
            answer = tools.ask(content)
            with suppress(OSError):  # who was killed meanwhile is not read from any more
                worker.send(answer)
        else:
            tools.emit(content)


def _read(worker: Connection) -> Iterator[tuple[str, Any]]:
    with worker, suppress(EOFError, OSError):
        while True:
            yield worker.recv()


def _describe_death(workers: Workers, error: Exception) -> WorkerError:
    why = f" ({error})" if workers.lasting and str(error) else ""
    kind = WorkerError if workers.lasting else ClusterLostError  # the others are lost with it
    return kind(
        "expected worker processes that last as long as their work, got one that was killed, perhaps for want of "
        f"memory{why}; what is finished is kept: run again where there is more of it, or with --jobs 1"
    )


class WorkerTracebackError(Exception):
    """Where an error arose, in a worker."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"
