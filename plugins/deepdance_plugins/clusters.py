"""Clusters of Ray and Dask as workers, through the interface of `concurrent.futures.Executor`."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, InvalidStateError
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import import_module
from typing import Any
from weakref import WeakSet

from deepdance.doors import PATIENCE
from deepdance.errors import OptionError, PluginError
from deepdance.plugins.isolation import one_line
from deepdance.workers import GivenUpError, Workers

RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to Ray's makers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the future default, which is warned of
    "RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S": "4",
    "RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S": "4",
}

ATTEMPTS = 3
SILENCE, PAUSE = 30.0, 3.0
"""Seconds after which a head of Ray that does not answer counts as gone, and between two questions. Its client asks
for ever, and after a minute it ends the process that belongs to its cluster."""


def open_cluster(address: str, jobs: int | None) -> AbstractContextManager[Workers] | None:
    """The workers at `ray`, `ray://HOST:PORT` or `dask://HOST:PORT`; None for other addresses. Raises OptionError."""
    kind = address.partition("://")[0]
    if address == "ray":
        return _open_ray(os.environ.get("RAY_ADDRESS") or "auto", jobs)
    if kind == "ray":
        return _open_ray(address, jobs)
    return _open_dask(address, jobs) if kind == "dask" else None


@contextmanager
def _open_ray(address: str, jobs: int | None) -> Iterator[Workers]:
    os.environ.update({name: os.environ.get(name, value) for name, value in RAY_SETTINGS.items()})
    ray = _load("ray", "ray")
    host = "" if address in ("auto", "local") else _reach(address)
    with _join_ray(ray, address, jobs):
        count = jobs or int(ray.cluster_resources().get("CPU", 0))
        if not count:
            raise OptionError(f"--executor: expected processors in the cluster at {address}, got none; add a node")
        with _Ray(ray) as executor:
            yield Workers(executor, count, host or ray.util.get_node_ip_address(), lasting=True)


@contextmanager
def _join_ray(ray: Any, address: str, jobs: int | None) -> Iterator[None]:
    """Meanwhile this process belongs to a cluster: the one that its user has joined, one at an address, or its own."""
    if ray.is_initialized():
        yield
        return
    try:
        with _keep_sigterm():
            _init_ray(ray, address, jobs)
        yield
    finally:
        ray.shutdown()


def _init_ray(ray: Any, address: str, jobs: int | None) -> None:
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    quiet = {"logging_level": logging.CRITICAL, "log_to_driver": False}
    try:
        if address == "auto":
            with suppress(ConnectionError):
                ray.init(address, **quiet)
                return
            address = "local"
        own = {"num_cpus": jobs, "include_dashboard": False} if address == "local" else {}
        for _ in range(ATTEMPTS - 1):  # a busy head may fail to start the server that it has for each client
            with suppress(ConnectionAbortedError):
                ray.init(address, **own, **quiet)
                return
            ray.shutdown()
        ray.init(address, **own, **quiet)
    except (ConnectionError, RuntimeError) as error:
        raise _unreachable(f"Ray at {address}", error) from error


@contextmanager
def _keep_sigterm() -> Iterator[None]:
    """Meanwhile Ray may set what it likes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Ray(Executor):
    """Each call is a task of Ray, on a processor of its own, and not done again: who asked for it decides that."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._remote = ray.remote(num_cpus=1, max_retries=0)(_call)
        self._pending: WeakSet[Future[Any]] = WeakSet()
        self._changing = threading.Lock()
        self._lost = ""
        """Why no call can be done any more."""
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        # Ray would join whatever cluster it finds where the connection to its own has ended.
        if self._lost or not self._ray.is_initialized():
            raise BrokenExecutor(self._lost or "Ray's connection has ended")
        try:
            reference = self._remote.remote(fn, args, kwargs)
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            raise BrokenExecutor(one_line(error)) from error
        future = _pass_on(reference.future(), self._translate)
        with self._changing:
            self._pending.add(future)
        if self._lost:  # meanwhile
            self._end_pending()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the cluster be."""
        self._closed.set()

    def _translate(self, error: BaseException) -> BaseException:
        """BrokenExecutor for what happened to a task; its cause where it could not be begun."""
        if isinstance(error, self._ray.exceptions.RayTaskError):
            cause: BaseException = error.cause
            return cause
        if isinstance(error, self._ray.exceptions.LocalRayletDiedError):  # without that none is sent to a node
            self._lost = one_line(error)
        return _break(error) if isinstance(error, self._ray.exceptions.RayError | ConnectionError) else error

    def _watch(self) -> None:
        """Ask the cluster whether it is there, until it is not or need not be."""
        while not self._closed.wait(PAUSE) and self._ray.is_initialized():
            silence = threading.Timer(SILENCE, self._give_up)
            silence.daemon = True
            silence.start()
            with suppress(Exception):  # what it means the tasks tell
                self._ray.nodes()
            silence.cancel()

    def _give_up(self) -> None:
        self._lost = f"Ray's head has not answered for {SILENCE:.0f} seconds"
        self._end_pending()

    def _end_pending(self) -> None:
        with self._changing:
            pending = list(self._pending)
        for future in pending:
            with suppress(InvalidStateError):  # it is done
                future.set_exception(BrokenExecutor(self._lost))


def _call(function: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return function(*arguments, **options)


@contextmanager
def _open_dask(address: str, jobs: int | None) -> Iterator[Workers]:
    distributed = _load("distributed", "dask")
    host = _reach(address, greets=True)  # Dask itself would wait for it for ever
    place = address.rpartition("://")[2]
    for name in ("distributed", "distributed.client"):  # each has a level of its own
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(place, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise _unreachable(f"Dask at {place}", error) from error
    with client:
        count = _count_dask(client, place)
        yield Workers(_Dask(distributed, client), jobs or count, host, lasting=True)


def _count_dask(client: Any, place: str) -> int:
    """How many workers Dask has. A task has a process to itself: warnings, for one, are a process'."""
    threads: dict[str, int] = client.nthreads()
    if not threads or max(threads.values()) > 1:
        got = "several" if threads else "no worker"
        raise OptionError(
            f"--executor: expected workers of one thread at dask://{place}, got {got}; start them with: "
            f"dask worker tcp://{place} --nworkers auto --nthreads 1"
        )
    return len(threads)


class _Dask(Executor):
    def __init__(self, distributed: Any, client: Any) -> None:
        self._executor = client.get_executor(pure=False)
        self._closed = distributed.client.ClosedClientError
        self._killed = distributed.scheduler.KilledWorker
        self._lost = (distributed.CancelledError, OSError)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        try:
            return _pass_on(self._executor.submit(fn, *args, **kwargs), self._translate)
        except self._closed as error:
            raise BrokenExecutor("the scheduler of Dask does not answer") from error

    def _translate(self, error: BaseException) -> BaseException:
        if isinstance(error, self._killed):  # Dask repeats what its workers die of, and no call can tell it not to
            return _break(error, GivenUpError)
        return _break(error) if isinstance(error, self._lost) else error


def _pass_on(future: Future[Any], translate: Callable[[BaseException], BaseException]) -> Future[Any]:
    """A future with what another one has, its error translated."""
    translated: Future[Any] = Future()
    translated.set_running_or_notify_cancel()

    def hand_on(ended: Future[Any]) -> None:
        error = BrokenExecutor("cancelled") if ended.cancelled() else ended.exception()
        with suppress(InvalidStateError):  # it was given up
            if error:
                translated.set_exception(translate(error))
            else:
                translated.set_result(ended.result())

    future.add_done_callback(hand_on)
    return translated


def _break(error: BaseException, kind: type[BrokenExecutor] = BrokenExecutor) -> BrokenExecutor:
    broken = kind(one_line(error))
    broken.__cause__ = error
    return broken


def _reach(address: str, *, greets: bool = False) -> str:
    """This machine's address as a cluster sees it, which may greet whoever connects. Raises OptionError."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not (host and port.isdecimal()):
        raise OptionError(
            "--executor: expected a cluster and where it is, such as 'dask://localhost:8786' or "
            f"'ray://localhost:10001', got {address!r}"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PATIENCE) as peer:
            if greets and not peer.recv(1):
                raise ConnectionError("it hangs up")
            own: str = peer.getsockname()[0]
    except (OSError, OverflowError) as error:
        raise _unreachable(address, error) from error
    return own


def _unreachable(what: str, error: Exception) -> OptionError:
    known = "" if "dask" in what.lower() else ", RAY_AUTH_MODE the same there and here"
    return OptionError(
        f"--executor: expected a cluster, {what}, got {one_line(error)}; is it running, of the same version, the port "
        f"open{known}?"
    )


def _load(module: str, extra: str) -> Any:
    # It warns of slow connections, which errors tell, and of large arguments, which frames are.
    warnings.filterwarnings("ignore", category=UserWarning, module=rf"{module}\.")
    try:
        return import_module(module)
    except ImportError as error:
        raise PluginError(
            f"--executor: expected the package {module}, got none; install it with: pip install 'deepdance[{extra}]'"
        ) from error
