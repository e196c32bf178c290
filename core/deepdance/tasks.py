"""Work that other processes do, through the interface of `concurrent.futures.Executor`.

A task knows no workspace: it is given what it needs, emits what it makes chunk by chunk, and tells what happens. All of
that comes back over a connection of its own to the process that asked, which alone writes. A sender waits until the
receiver has read: no chunk piles up, however long the result is.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from threading import Timer
from traceback import format_exception, format_exception_only
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from deepdance.doors import Address, Door, knock
from deepdance.errors import ClusterLostError, PluginError, WorkerError
from deepdance.events import Listener, ignore
from deepdance.plugins import Registry, discover
from deepdance.plugins.culprits import attach_culprit
from deepdance.plugins.discovery import ONLY, WITHOUT
from deepdance.plugins.isolation import one_line
from deepdance.workers import RepeatedlyBrokenError, Workers

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

EVENT, WARNING, CHUNK, QUESTION = "event", "warning", "chunk", "question"
"""What a task sends."""
ATTEMPTS = 4
"""How often a task is begun whose workers are lost, where others are left to do it."""
AFTERWARDS = 60.0
"""Seconds that lasting workers have to tell what came of a task whose connection has ended. Of a node that the network
has lost Ray tells nothing for minutes."""
WAIT = 20.0
"""Seconds after which it is told that no worker has come."""
ENVIRONMENT = (ONLY, WITHOUT, "KERAS_BACKEND")
"""Variables that say which code does a task."""

Result = TypeVar("Result")

_KNOWN: WeakSet[Executor] = WeakSet()
"""Those of whom workers have come, or were told to be late."""

log = logging.getLogger("deepdance")


@dataclass(frozen=True)
class Tools:
    """What a task works with: components, somebody to tell, where to put what it makes, and whom to ask for more."""

    registry: Registry
    listen: Listener = ignore
    emit: Callable[[Any], None] = lambda chunk: None
    ask: Callable[[Any], Any] = lambda question: None


Task = Callable[..., Result]
"""A function of a module, called with `Tools` and its arguments; these, what it emits, asks, is answered and returns
can be pickled."""


def run_task(workers: Workers | None, tools: Tools, task: Task[Result], *arguments: Any) -> Result:
    """What a task returns; meanwhile what it emits, tells and asks reaches `tools`, in its order, in this thread.

    Without workers it is done here. Elsewhere it has the components of plugins only, as they are installed there.
    Raises what the task raises, and WorkerError where a process was ended from outside.
    """
    if workers is None:
        return task(tools, *arguments)
    with Door(workers.host) as door:
        future = _submit(workers, _do, door.address, door.key, *_pack(tools.registry, task, arguments))
        future.add_done_callback(lambda ended: door.give_up())
        with _tell_waiting(workers):
            worker = door.wait()
        if worker:
            _receive(worker, tools)
    try:
        result: Result = _unwrap(workers, future, AFTERWARDS if workers.lasting else None)
    except _UnreachedError as error:
        if worker:  # Dask has begun it anew, unasked
            raise _describe_death(workers, BrokenExecutor()) from error
        raise
    return result


def repeat_lost(workers: Workers | None, attempt: Callable[[], Result]) -> Result:
    """What an attempt returns, which begins anew where one of lasting workers was lost. Raises what it raises."""
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt()
        except WorkerError as error:
            if not can_repeat(workers, error):
                raise
            log.info("a worker has not done its part, another one is asked: %s", error)
    return attempt()


def can_repeat(workers: Workers | None, error: WorkerError) -> bool:
    """Whether others are left to do what a worker did that was lost, and have not tried it yet."""
    given_up = isinstance(error, ClusterLostError) or isinstance(error.__cause__, RepeatedlyBrokenError)
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
    return _submit(workers, _do_block, *_pack(registry, task, block))


def _wait_for(workers: Workers, first: Future[Outcome], submit: Callable[[], Future[Outcome]]) -> Any:
    """What a future has, or the one that is submitted in its place where a worker was lost."""
    futures = chain([first], iter(submit, None))
    return repeat_lost(workers, lambda: _unwrap(workers, next(futures)))


def _submit(workers: Workers, function: Callable[..., Any], *arguments: Any) -> Future[Outcome]:
    """Submit a call. An executor that takes none any more is lost, with all of its workers."""
    try:
        with _block_interrupts():
            return workers.executor.submit(_attempt, function, *arguments)
    except BrokenExecutor as error:
        if not workers.lasting:
            raise _describe_death(workers, error) from error
        raise ClusterLostError(
            f"expected a cluster that is there as long as its work takes, got one that has gone: {error}; what is "
            "finished is kept: start the cluster again, or leave out --executor, and run the same command"
        ) from error


@contextmanager
def _block_interrupts() -> Iterator[None]:
    """A process that is started meanwhile is deaf to Ctrl-C from its first moment."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
        log.info("no worker is free, perhaps others keep all of the cluster busy; waiting for one")


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
    return WorkerError(
        "expected worker processes that last as long as their work, got one that was killed, perhaps for want of "
        f"memory{why}; what is finished is kept: run again where there is more of it, or with --jobs 1"
    )


@dataclass(frozen=True)
class _Failure:
    """An error on its way. Executors would end over one that cannot be pickled, or be read where it arrives."""

    forms: tuple[bytes, ...]
    """The error and one in plain words, as far as they can be pickled."""
    traceback: str

    def restore(self) -> Exception:
        """The error or, where it is not known here, the one in plain words."""
        for form in self.forms[:-1]:
            with suppress(Exception):
                error: Exception = pickle.loads(form)  # noqa: S301 - it comes from one who has the key of the task
                return error
        plain: Exception = pickle.loads(self.forms[-1])  # noqa: S301 - likewise
        return plain


class _UnreachedError(WorkerError):
    """A worker has no connection to the process that asked."""


class WorkerTracebackError(Exception):
    """Where an error arose, in a worker."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


Outcome = tuple[bytes, _Failure | None]
"""What a task returns, pickled, or how it failed. Ray would hand on its own copy of an array, which is read-only."""


def _attempt(function: Callable[..., Any], *arguments: Any) -> Outcome:
    """In a worker: call a function."""
    try:
        return pickle.dumps(function(*arguments), pickle.HIGHEST_PROTOCOL), None
    except (Exception, SystemExit) as error:
        return b"", _pack_failure(error)


def _pack_failure(error: BaseException) -> _Failure:
    plain = RuntimeError(_describe(error)).with_traceback(error.__traceback__)
    forms = []
    for form in (error, plain) if isinstance(error, Exception) else (plain,):
        with suppress(Exception):
            attach_culprit(form, discover())
        with suppress(Exception):
            forms.append(pickle.dumps(form))
    return _Failure(tuple(forms), "".join(format_exception(error)))


def _describe(error: BaseException) -> str:
    return "".join(format_exception_only(error)).strip()


Packed = tuple[dict[str, str | None], dict[str, str], bytes]
"""The environment and the code that a task is meant for, and the task with its arguments, which only the same code
reads."""


def _pack(registry: Registry, task: Task[Any], arguments: tuple[Any, ...]) -> Packed:
    environment = {name: os.environ.get(name) for name in ENVIRONMENT}
    return environment, registry.describe_code(), pickle.dumps((task, arguments), pickle.HIGHEST_PROTOCOL)


def _unpack(environment: dict[str, str | None], code: dict[str, str], packed: bytes) -> tuple[Any, Any, Registry]:
    """In a worker: a task, its arguments, and the components here. Raises WorkerError where they are others."""
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    registry = _discover_same(code)
    task, arguments = pickle.loads(packed)  # noqa: S301 - it comes from the process that asks
    return task, arguments, registry


def _discover_same(code: dict[str, str]) -> Registry:
    """In a worker: the components here. Raises WorkerError where they are of other code."""
    try:
        registry = discover()
    except PluginError as error:
        raise WorkerError(
            "expected the same plugins on all machines, as where the command runs, got on "
            f"{socket.gethostname()}: {error}; install the same there"
        ) from error
    here = registry.describe_code()
    other = sorted(name for name in here.keys() | code.keys() if here.get(name) != code.get(name))
    if other:
        expected, got = (", ".join(each.get(name, f"no {name}") for name in other) for each in (code, here))
        raise WorkerError(
            f"expected {expected} on all machines, as where the command runs, got {got} on {socket.gethostname()}; "
            f"install the same there{_advise(code[name] for name in other if name in code)}, and start the cluster anew"
        )
    return registry


def _advise(packages: Iterable[str]) -> str:
    """How released packages are installed; those with a hash of their code are worked on."""
    released = [text.replace(" ", "==") for text in packages if text.count(" ") == 1]
    return f" (pip install {' '.join(released)})" if released else ""


def _do(address: Address, key: bytes, *packed: Any) -> Any:
    """In a worker: do a task, and send what it emits and tells."""
    with _connect(address, key) as asker:

        def ask(question: Any) -> Any:
            send(QUESTION, question)
            with _translate_loss(address):
                return asker.recv()

        def send(kind: str, content: Any) -> None:
            with _translate_loss(address):
                asker.send((kind, content))

        task, arguments, registry = _unpack(*packed)
        tools = Tools(registry, partial(send, EVENT), partial(send, CHUNK), ask)
        with _catch_warnings(partial(send, WARNING)):
            return task(tools, *arguments)


def _connect(address: Address, key: bytes) -> Connection:
    with _translate_loss(address):
        return knock(address, key)


@contextmanager
def _translate_loss(address: Address) -> Iterator[None]:
    """In a worker: an asker who cannot be reached, or is gone, is no failure of the task."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise _UnreachedError(
            f"expected a connection from {socket.gethostname()} to the command at {address[0]}:{address[1]}, got "
            f"{type(error).__name__}: {error}; open that machine's ports to the cluster"
        ) from error


def _do_block(*packed: Any) -> tuple[Any, list[str]]:
    """In a worker: what a task returns, and its warnings."""
    warnings: list[str] = []
    task, arguments, registry = _unpack(*packed)
    with _catch_warnings(warnings.append):
        return task(Tools(registry), *arguments), warnings


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
