"""Processes that do work, through the interface of `concurrent.futures.Executor`."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from math import ceil
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from threading import Lock, RLock, Thread
from types import ModuleType
from typing import TYPE_CHECKING, Any

from deepdance.errors import OptionError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MEMORY_EACH = 1 << 30
"""Bytes that a process needs, with TensorFlow and a model of the usual size."""
PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
GPU = Path("/dev/nvidiactl")
DESCRIPTORS_EACH = 10
"""Files that this process has open for each of its own, and some more."""


class GivenUpError(BrokenExecutor):
    """What an executor says of a call whose process was lost, and that is not to be begun anew."""


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
    folder: Path | None = None
    """Where this process may leave files that all of them see."""


@contextmanager
def open_processes(count: int) -> Iterator[Workers]:
    """So many processes of this machine, each started when there is work for it. One that is lost is replaced.

    They end with the block, at once where it is left by an exception, and with this process, however that ends. What
    they have in temporary files goes with them. Raises OptionError in a process that may not begin others.
    """
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import Pipe, current_process

    if current_process().daemon:
        raise OptionError(
            "jobs: expected a process that may begin others, got a daemonic one, as multiprocessing.Pool's are; leave "
            "it out, or use concurrent.futures.ProcessPoolExecutor in place of the pool"
        )
    # Nothing is ever written: all that the others learn is that this end is closed.
    watched, lifeline = Pipe(duplex=False)
    if hasattr(os, "register_at_fork"):  # somebody's code may fork meanwhile, and its process last longer than this one
        os.register_at_fork(after_in_child=lifeline.close)
    with watched, lifeline, tempfile.TemporaryDirectory(prefix="deepdance-", ignore_cleanup_errors=True) as folder:

        def spawn(own: str) -> Executor:
            return ProcessPoolExecutor(1, _Spawning(), initializer=_begin, initargs=(watched, folder, own))

        count = min([count, *_find_descriptors()])
        executor = _Replacing(count, spawn, folder, lifeline)
        try:
            yield Workers(executor, count, lasting=True, folder=Path(folder))
        except BaseException:
            lifeline.close()
            raise
        finally:
            executor.shutdown(cancel_futures=True)


class _Replacing(Executor):
    """Processes that do a call each; another one takes the place of one that is lost, as long as there is a lifeline.

    A process is started by the thread that submits a call: were it another one, a fork of the caller's could come in
    between, and hold open the pipe whose end tells that the process has ended.
    """

    def __init__(self, count: int, spawn: Callable[[str], Executor], folder: str, lifeline: Connection) -> None:
        self._spawn, self._folder, self._lifeline = spawn, folder, lifeline
        self._free: list[Executor | None] = [None] * count
        """Processes without a call; None is room for one."""
        self._folders: dict[Executor, str] = {}
        """By process, where its temporary files are. Those that are lost are kept: from Python 3.12 on an executor may
        not be let go of while it tells that it is broken."""
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._changing = RLock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._lifeline.closed:
            raise GivenUpError("its processes have been ended")
        future: Future[Any] = Future()
        with self._changing:
            self._waiting.append((future, partial(fn, *args, **kwargs)))
            self._hand_out()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all processes when they have done their calls. What waits is cancelled in any case."""
        with self._changing:
            while self._waiting:
                self._waiting.pop()[0].cancel()
            processes = list(self._folders)
        with ThreadPoolExecutor(max(1, len(processes))) as threads:  # each takes a while to end
            list(threads.map(lambda process: process.shutdown(wait), processes))

    def _hand_out(self) -> None:
        """Give the calls that wait to the processes that are free."""
        while self._free and self._waiting:
            future, call = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                process = self._free.pop()
                try:
                    process = process or self._start()
                    process.submit(call).add_done_callback(partial(self._take_back, process, future))
                except (BrokenExecutor, OSError) as error:
                    # It was killed while it had nothing to do, or there is no room for it.
                    self._drop(process)
                    future.set_exception(error if isinstance(error, BrokenExecutor) else GivenUpError(str(error)))

    def _take_back(self, process: Executor, future: Future[Any], ended: Future[Any]) -> None:
        """Pass on what came of a call, and give its process the next one."""
        error = ended.exception()
        with self._changing:
            if isinstance(error, BrokenExecutor):
                self._drop(process)
                error = GivenUpError() if self._lifeline.closed else BrokenExecutor()
            else:
                self._free.append(process)
        if error:
            future.set_exception(error)
        else:
            future.set_result(ended.result())
        with self._changing:
            self._hand_out()

    def _start(self) -> Executor:
        folder = tempfile.mkdtemp(dir=self._folder)
        process = self._spawn(folder)
        self._folders[process] = folder
        return process

    def _drop(self, process: Executor | None) -> None:
        """Make room for another process, and clear away what this one has left."""
        self._free.insert(0, None)
        if process:
            shutil.rmtree(self._folders[process], ignore_errors=True)


class _Process(SpawnProcess):
    """A process that does not import the script that it is begun by.

    Its first lines may be all of its work, of which it would find no end: each process would do it again, and wait for
    what the first has begun. A task is a function of a module.
    """

    _starting = Lock()

    def start(self) -> None:
        with self._starting, _block_interrupts():
            script, arguments = sys.modules["__main__"], sys.argv
            try:
                sys.modules["__main__"], sys.argv = _hide_file(script), arguments[:1]
                super().start()
            finally:
                sys.modules["__main__"], sys.argv = script, arguments


@contextmanager
def _block_interrupts() -> Iterator[None]:
    """A process that is started meanwhile is deaf to Ctrl-C from its first moment."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing.resource_tracker import ensure_running

    ensure_running()  # it would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hide_file(script: ModuleType) -> ModuleType:
    """A module that has all that a script has, for whoever pickles some of it meanwhile, and no file to import."""
    stand_in = ModuleType(script.__name__)
    vars(stand_in).update(__file__=None, __getattr__=partial(getattr, script))
    return stand_in


class _Spawning(SpawnContext):
    """No fork: TensorFlow does not survive it, nor does any lock that another thread holds."""

    Process = _Process


def _begin(lifeline: Connection, folder: str, own: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal; it is the first process that ends
    tempfile.tempdir = own
    Thread(target=_end_with, args=(lifeline, folder), daemon=True).start()


def _end_with(lifeline: Connection, folder: str) -> None:
    with suppress(EOFError, OSError):
        lifeline.recv()
    for _ in range(3):  # the process that made it may have been killed, and the main thread writes there still
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def count_processes(each: int = MEMORY_EACH) -> int:
    """How many processes this machine has the cores and, at so many bytes each, the memory for: at least one.

    One where they would share a GPU. Inside a container its limits count. Where the memory is not known, on no Linux,
    the cores alone do.
    """
    if GPU.exists():  # the first that uses it takes all of its memory
        return 1
    return max(1, min([count_cores(), *(free // each for free in _find_memory())]))


def _find_descriptors() -> Iterator[int]:
    """How many processes leave some of the files that this one may have open."""
    with suppress(ImportError):  # Windows knows no such bound
        import resource

        yield max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // DESCRIPTORS_EACH)


def count_cores() -> int:
    """How many processors this process may use; inside a container, its share of the machine's, rounded up."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min([len(affinity(0)) if affinity else os.cpu_count() or 1, *_find_share()])


def _find_share() -> Iterator[int]:
    with suppress(OSError, ValueError):  # `max` is no limit
        quota, period = map(int, (CGROUP / "cpu.max").read_text().split())
        yield ceil(quota / period)


def _find_memory() -> Iterator[int]:
    """Bytes that are free: of the machine, and of the container."""
    free = _read_numbers(PROC / "meminfo").get("MemAvailable:")
    if free is not None:
        yield free << 10
    with suppress(OSError, ValueError):  # `max` is no limit
        limit = int((CGROUP / "memory.max").read_text())
        # What is cached of files counts as used there, but is given up where it is needed.
        yield max(0, limit - _read_numbers(CGROUP / "memory.stat").get("anon", 0))


def _read_numbers(path: Path) -> dict[str, int]:
    """The first number of each line, by the word before it; none where there is no such file."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {line[0]: int(line[1]) for line in lines if len(line) > 1}
