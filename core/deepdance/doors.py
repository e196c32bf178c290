"""A connection between two processes that share a key, over a network where others may connect too."""

from __future__ import annotations

import socket
from contextlib import suppress
from queue import Empty, SimpleQueue
from secrets import token_bytes
from threading import Thread, Timer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PATIENCE = 10.0
"""Seconds that somebody has to connect, and to show the key."""
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""After a minute of silence a machine that has lost its power counts as gone."""

Address = tuple[str, int]


class Door:
    """Where those who have the key are let in; the others, whatever they send or do not send, keep nobody waiting.

    Nothing that comes from somebody without the key is unpickled.
    """

    def __init__(self, host: str) -> None:
        self.key = token_bytes(32)
        self._socket = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.address: Address = self._socket.getsockname()[:2]
        self._admitted: SimpleQueue[Connection | None] = SimpleQueue()
        self._closed = False
        Thread(target=self._watch, daemon=True).start()

    def wait(self) -> Connection | None:
        """The next one who is let in, and told so; None once `give_up` was called, where nobody came before."""
        admitted = self._admitted.get()
        if admitted:
            with suppress(OSError):  # whoever reads from it learns that it is gone
                admitted.send(None)
        return admitted

    def give_up(self) -> None:
        """Let nobody wait for whoever has not come yet."""
        self._admitted.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._closed = True
        with suppress(OSError):  # what waits for the next one to connect is not woken otherwise
            socket.create_connection(self.address, PATIENCE).close()
        self._turn_away()

    def _watch(self) -> None:
        with self._socket:
            while not self._closed:
                with suppress(OSError, RuntimeError):  # who hangs up at once, or is one thread too many
                    Thread(target=self._admit, args=(self._socket.accept()[0],), daemon=True).start()

    def _admit(self, peer: socket.socket) -> None:
        with peer, suppress(Exception):  # strangers may send what they like
            self._admitted.put(_authenticate(peer, self.key, asked=True))
        if self._closed:
            self._turn_away()

    def _turn_away(self) -> None:
        """Hang up on those who came when nobody waited for them any more."""
        with suppress(Empty):
            while True:
                late = self._admitted.get_nowait()
                if late:
                    late.close()


def knock(address: Address, key: bytes) -> Connection:
    """A connection to a door, once it is let in there. Raises OSError, EOFError, AuthenticationError."""
    with socket.create_connection(address, PATIENCE) as peer:
        peer.settimeout(None)
        connection = _authenticate(peer, key, asked=False)
    connection.recv()
    return connection


def _authenticate(peer: socket.socket, key: bytes, *, asked: bool) -> Connection:
    """A connection to somebody who has the key too, and shows it in time."""
    from multiprocessing.connection import Connection, answer_challenge, deliver_challenge

    _keep_alive(peer)
    connection = Connection(peer.dup().detach())
    deadline = Timer(PATIENCE, _hang_up, (peer,))
    deadline.daemon = True
    deadline.start()
    try:
        for show in (deliver_challenge, answer_challenge) if asked else (answer_challenge, deliver_challenge):
            show(connection, key)
    except BaseException:
        connection.close()
        raise
    finally:
        deadline.cancel()
    return connection


def _hang_up(peer: socket.socket) -> None:
    with suppress(OSError):
        peer.shutdown(socket.SHUT_RDWR)


def _keep_alive(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
