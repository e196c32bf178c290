"""Signals that ask the program to end: each ends it as Ctrl-C does."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, cast

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
RETRY_SECONDS = 0.3


class Stopped(KeyboardInterrupt):
    """Raised where another signal than Ctrl-C's arrives; its text is the signal's name."""


class Signals:
    """What signals do from `catch` until the process has ended. One that is ignored, or somebody else's, stays so.

    The first raises in the main thread. While that is on its way up, all others are passed over, so that nothing is
    put away by half. It is sent again until the program has heard of it: somebody's code may swallow it, a finalizer or
    an import that tries something else, and Python overlooks it where it arrives just before a call that waits.
    """

    def __init__(self) -> None:
        self.received = 0
        """The number of the signal that ends the program, or 0."""
        self._closed = False
        self._code: int | None = None
        self._writer: int | None = None
        self._woken = -1
        """Where somebody else was told of signals before."""
        self._others: dict[int, Any] = {}
        """What signals did before, by their numbers."""
        self._forking = threading.local()
        self._show_unraisable = sys.unraisablehook

    def catch(self) -> None:
        """Begin."""
        for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                self._others[number] = signal.signal(number, self._stop)
        self._open_pipe()
        sys.unraisablehook = self._show_others
        atexit.register(self._ignore)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._block, after_in_parent=self._unblock, after_in_child=self._let_go)

    def close(self) -> None:
        """From now on pass over every signal: what was under way has ended, and is being told."""
        self._closed = True
        self._close_pipe()
        sys.unraisablehook = self._show_unraisable

    def finish(self, code: int) -> None:
        """All is told: another signal ends the process at once, without a traceback from the interpreter's end."""
        self._code = code

    def _ignore(self) -> None:
        """As the last that is done: the interpreter's own end would let a signal kill it, with another code."""
        for number in filter(self._is_ours, self._others):
            signal.signal(number, signal.SIG_IGN)

    def _block(self) -> None:
        """A process that is forked hears of no signal until it has let go of what this one does with them."""
        self._forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._others)

    def _unblock(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._forking.mask)

    def _let_go(self) -> None:
        """In a process that somebody's code has forked: what ends that one, as a pool does, is not sent to this one."""
        self._close_pipe()
        for number in filter(self._is_ours, self._others):
            signal.signal(number, self._others[number])
        self._unblock()

    def _is_ours(self, number: int) -> bool:
        return signal.getsignal(number) == self._stop

    def _open_pipe(self) -> None:
        """Hear of a signal when it arrives, before Python calls what it does."""
        reader, self._writer = os.pipe()
        if sys.platform != "win32":
            os.set_blocking(self._writer, False)
        self._woken = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        threading.Thread(target=self._send_again, args=(reader,), daemon=True).start()

    def _close_pipe(self) -> None:
        if self._writer is not None:
            signal.set_wakeup_fd(self._woken)
            os.close(self._writer)
            self._writer = None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._code is not None:
            os._exit(self._code)
        if self._closed or _is_stopping():
            return
        self.received = number
        raise KeyboardInterrupt if number == signal.SIGINT else Stopped(signal.Signals(number).name)

    def _show_others(self, unraisable: Any) -> None:
        """Show what came out of a finalizer, unless it was a signal, which is sent again."""
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):
            self._show_unraisable(unraisable)

    def _send_again(self, reader: int) -> None:
        """Send the first signal that ends the program again and again, until `close`."""
        with open(reader, "rb", buffering=0) as arrived:
            while number := arrived.read(1):
                while self._is_ours(number[0]) and not self._closed:
                    time.sleep(RETRY_SECONDS)
                    if not self._closed:
                        _send(number[0])


def _send(number: int) -> None:
    """Signal the main thread, so that what it waits in ends; on Windows it hears of it when that has ended."""
    if sys.platform == "win32":
        signal.raise_signal(number)
    else:
        signal.pthread_kill(cast(int, threading.main_thread().ident), number)


def _is_stopping() -> bool:
    """Whether the main thread is in an `except`, `finally` or `with` that an interrupt leaves."""
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False
