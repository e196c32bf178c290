"""Processes that do work, through the interface of `concurrent.futures.Executor`."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from math import ceil
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from queue import LifoQueue
from threading import Lock, Thread
from types import ModuleType
from typing import TYPE_CHECKING, Any

from deepdance.errors import OptionError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MEMORY_EACH = 1 << 30
"""Bytes that a process needs, with TensorFlow and a model of the usual size."""
PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
GPU = Path("/dev/nvidiactl")
_STARTING = Lock()
"""Held while a process is started, one after the other."""
if hasattr(os, "register_at_fork"):  # a fork in between would keep a pipe open whose end tells that the process ended
    os.register_at_fork(before=_STARTING.acquire, after_in_parent=_STARTING.release, after_in_child=_STARTING.release)


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
        spawn = partial(ProcessPoolExecutor, 1, _Spawning(), initializer=_begin, initargs=(watched, folder))
        executor = _Replacing(count, spawn, lifeline)
        try:
            yield Workers(executor, count, lasting=True, folder=Path(folder))
        except BaseException:
            lifeline.close()
            raise
        finally:
            executor.shutdown(cancel_futures=True)


class _Replacing(ThreadPoolExecutor):
    """Processes that do a call each, with a thread that waits for it. Another one takes the place of one that is lost,
    as long as there is a lifeline."""

    def __init__(self, count: int, spawn: Callable[[], Executor], lifeline: Connection) -> None:
        super().__init__(count)
        self._spawn, self._lifeline = spawn, lifeline
        self._free: LifoQueue[Executor] = LifoQueue()
        for _ in range(count):
            self._free.put(spawn())

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._lifeline.closed:
            raise BrokenExecutor("its processes have been ended")
        return super().submit(self._call, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        while not self._free.empty():
            self._free.get().shutdown(wait)

    def _call(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        process = self._free.get()
        try:
            return process.submit(fn, *args, **kwargs).result()
        except BrokenExecutor as error:
            if self._lifeline.closed:
                raise GivenUpError from error
            process = self._spawn()
            raise BrokenExecutor from error
        finally:
            self._free.put(process)


class _Process(SpawnProcess):
    """A process that does not import the script that it is begun by.

    Its first lines may be all of its work, of which it would find no end: each process would do it again, and wait for
    what the first has begun. A task is a function of a module.
    """

    def start(self) -> None:
        with _STARTING:
            script = sys.modules["__main__"]
            try:
                sys.modules["__main__"] = _hide_file(script)
                super().start()
            finally:
                sys.modules["__main__"] = script


def _hide_file(script: ModuleType) -> ModuleType:
    """A module that has all that a script has, for whoever pickles some of it meanwhile, and no file to import."""
    stand_in = ModuleType(script.__name__)
    vars(stand_in).update(__file__=None, __getattr__=partial(getattr, script))
    return stand_in


class _Spawning(SpawnContext):
    """No fork: TensorFlow does not survive it, nor does any lock that another thread holds."""

    Process = _Process


def _begin(lifeline: Connection, folder: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal; it is the first process that ends
    tempfile.tempdir = folder
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
