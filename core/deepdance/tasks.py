"""What a task is, and what a worker does with one.

A task knows no workspace: it is given what it needs, emits what it makes chunk by chunk, and tells what happens. All of
that goes over a connection of its own to the process that asked, which alone writes.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from traceback import format_exception, format_exception_only
from typing import TYPE_CHECKING, Any, TypeVar

from deepdance.doors import Address, knock
from deepdance.errors import PluginError, WorkerError
from deepdance.events import Listener, ignore
from deepdance.plugins import Registry, discover
from deepdance.plugins.culprits import attach_culprit
from deepdance.plugins.discovery import ONLY, WITHOUT

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

EVENT, WARNING, CHUNK, QUESTION = "event", "warning", "chunk", "question"
"""What a task sends."""
ENVIRONMENT = (ONLY, WITHOUT, "KERAS_BACKEND")
"""Variables that say which code does a task."""

Result = TypeVar("Result")

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


@dataclass(frozen=True)
class Failure:
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


class UnreachedError(WorkerError):
    """A worker has no connection to the process that asked."""


Outcome = tuple[bytes, Failure | None]
"""What a task returns, pickled, or how it failed. Ray would hand on its own copy of an array, which is read-only."""


def attempt(function: Callable[..., Any], *arguments: Any) -> Outcome:
    """In a worker: call a function."""
    try:
        return pickle.dumps(function(*arguments), pickle.HIGHEST_PROTOCOL), None
    except (Exception, SystemExit) as error:
        return b"", _pack_failure(error)


def _pack_failure(error: BaseException) -> Failure:
    plain = RuntimeError(_describe(error)).with_traceback(error.__traceback__)
    forms = []
    for form in (error, plain) if isinstance(error, Exception) else (plain,):
        with suppress(Exception):
            attach_culprit(form, discover())
        with suppress(Exception):
            forms.append(pickle.dumps(form))
    return Failure(tuple(forms), "".join(format_exception(error)))


def _describe(error: BaseException) -> str:
    return "".join(format_exception_only(error)).strip()


Packed = tuple[dict[str, str | None], dict[str, str], bytes]
"""The environment and the code that a task is meant for, and the task with its arguments, which only the same code
reads."""


def pack(registry: Registry, task: Task[Any], arguments: tuple[Any, ...]) -> Packed:
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


def do_task(address: Address, key: bytes, *packed: Any) -> Any:
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
        raise UnreachedError(
            f"expected a connection from {socket.gethostname()} to the command at {address[0]}:{address[1]}, got "
            f"{type(error).__name__}: {error}; open that machine's ports to the cluster"
        ) from error


def do_block(*packed: Any) -> tuple[Any, list[str]]:
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
