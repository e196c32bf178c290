"""Child processes that never outlive this one, however it ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO, Self

WATCHDOG = ("/bin/sh", "-c", "read -r line || kill -9 0")
"""Waits for the end of its standard input, which only this process holds open, and then kills its process group.

A parent-death signal would have Linux do it alone. But it is sent when the thread that started the child ends, which
a pool's threads do; and to ask for it, Python would have to fork, which copies the page tables of all that
TensorFlow holds, and to run code between fork and exec, which can deadlock beside threads.
"""


class ChildProcess(subprocess.Popen[bytes]):
    """A child that is killed and reaped when the block is left, and by a watchdog if this process is killed.

    It is in the process group of its watchdog: Ctrl-C does not reach it, and Python ends it. The group is there before
    the child, and the watchdog's pipe has no other end once the child runs: no moment is unwatched, and no other
    process can be taken for the child. Windows has no watchdog: a child whose parent is killed there ends when it
    next uses a pipe to it.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
        stdout: IO[bytes] | int = subprocess.DEVNULL,
        stderr: IO[bytes] | int = subprocess.DEVNULL,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._watchdog = _start_watchdog()
        group = self._watchdog.pid if self._watchdog else None
        try:
            super().__init__(
                command, bufsize=0, stdin=stdin, stdout=stdout, stderr=stderr, env=env, process_group=group
            )
        except BaseException:
            self._release()
            raise

    def end(self) -> None:
        """Kill and reap it. Harmless when it has ended already."""
        self.kill()
        self.wait()

    def close(self) -> None:
        """End it, and let its watchdog go."""
        self.end()
        self._release()

    def _release(self) -> None:
        if self._watchdog:
            self._watchdog.kill()
            self._watchdog.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _start_watchdog() -> subprocess.Popen[bytes] | None:
    if os.name != "posix":
        return None
    quiet = subprocess.DEVNULL
    return subprocess.Popen(WATCHDOG, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, process_group=0)
