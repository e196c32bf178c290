"""Who is let in by a door, and who keeps nobody waiting."""

import pickle
import socket
import time
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from threading import Thread

import pytest

from deepdance import doors
from deepdance.doors import Door, knock


class Spy:
    """What creates a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def talk(door):
    """What comes through a door that a friend knocks at."""

    def send():
        with knock(door.address, door.key) as friend:
            friend.send("hello")

    Thread(target=send, daemon=True).start()
    with door.wait() as connection:
        return connection.recv()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_who_has_the_key_is_let_in(host):
    with Door(host) as door:
        assert talk(door) == "hello"


@pytest.mark.parametrize(
    "sent", [b"", b"\0\0", b"\0\0\0\x20half", b"\x7f\xff\xff\xff" + b"x" * 4096, b"GET / HTTP/1.1\r\n\r\n"]
)
def test_strangers_keep_nobody_waiting(sent):
    start = time.monotonic()
    with Door("127.0.0.1") as door:
        strangers = [socket.create_connection(door.address) for _ in range(8)]
        for stranger in strangers:
            stranger.sendall(sent)
        assert talk(door) == "hello"
        for stranger in strangers:
            stranger.close()
    assert time.monotonic() - start < doors.PATIENCE / 2


def test_more_strangers_than_there_are_threads_are_hung_up_on(monkeypatch):
    class Scarce(Thread):
        left = 2

        def start(self):
            Scarce.left -= 1
            if Scarce.left == 0:
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr(doors, "Thread", Scarce)
    with Door("127.0.0.1") as door:
        with socket.create_connection(door.address) as stranger:
            stranger.settimeout(20)
            assert not stranger.recv(1)
        assert talk(door) == "hello"


def test_who_says_nothing_is_hung_up_on(monkeypatch):
    monkeypatch.setattr(doors, "PATIENCE", 0.2)
    with Door("127.0.0.1") as door, socket.create_connection(door.address) as stranger:
        stranger.settimeout(20)
        while stranger.recv(1024):
            pass


def test_nothing_without_the_key_is_unpickled(tmp_path):
    with Door("127.0.0.1") as door:
        with Client(door.address) as stranger:
            stranger.send(Spy(str(tmp_path / "spied")))
        with Client(door.address) as stranger:
            stranger.recv_bytes()
            stranger.send_bytes(pickle.dumps(Spy(str(tmp_path / "spied"))))
        with pytest.raises((AuthenticationError, EOFError, OSError)):
            knock(door.address, b"another key")
        assert talk(door) == "hello"
    assert not (tmp_path / "spied").exists()


def test_nobody_waits_for_who_never_comes():
    with Door("127.0.0.1") as door:
        door.give_up()
        assert door.wait() is None


def test_a_closed_door_takes_nobody():
    with Door("127.0.0.1") as door:
        pass
    with pytest.raises(OSError):
        knock(door.address, door.key)


def test_who_comes_when_nobody_waits_is_told():
    with Door("127.0.0.1") as door:
        told = []

        def come():
            with pytest.raises((EOFError, OSError)):
                knock(door.address, door.key)
            told.append("gone")

        late = Thread(target=come, daemon=True)
        late.start()
        time.sleep(0.3)
    late.join(20)
    assert told == ["gone"]
