"""Copies of remote files: a folder of bounded size, where a file has its name once it is whole, and not before."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Set
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from pathlib import Path
from shutil import rmtree
from time import monotonic, sleep
from typing import Protocol

from deepdance.errors import InputError, OptionError, WorkspaceError
from deepdance.locks import hold_lock
from deepdance.storage import (
    flush,
    flush_names,
    hash_file,
    is_alive,
    make_folder,
    measure_bytes,
    now,
    read_as,
    write_json,
)

FOLDER_VARIABLE = "DEEPDANCE_DOWNLOADS"
"""Names another folder than the user's cache."""
BOUND_VARIABLE = "DEEPDANCE_DOWNLOADS_GB"
DEFAULT_GB = 20.0
GRANTED = 64 << 20
"""Bytes that room is made for at a time where the length is not known."""
STALL_SECONDS = 30.0
"""A download that brings less than `LEAST_BYTES` in this time is given up."""
LEAST_BYTES = 30_000
TRIES = 4
"""How often a download that breaks off is gone on with in one command; the next command goes on from there."""
PAUSE_SECONDS = 0.5
"""Before a second try; each further one waits twice as long."""

Tell = Callable[[int, int | None], None]
"""Told the bytes that are here, and those of the whole if they are known."""


@dataclass(frozen=True)
class Held:
    """What is here of a remote file: the version that is whole, and that of which the first bytes are. Empty: none."""

    whole: str = ""
    partial: str = ""
    length: int = 0


@dataclass(frozen=True)
class Body:
    """What a remote file sends: its bytes from `start` on, or nothing where the whole that is held is `unchanged`."""

    version: str
    """Its ETag or what the store has in its place; empty where there is none, so that nothing can be gone on with."""
    start: int = 0
    size: int | None = None
    """Bytes of the whole file."""
    pieces: Iterator[bytes] = field(default_factory=lambda: iter(()))
    unchanged: bool = False


class RemoteFile(Protocol):
    """A file to download."""

    @property
    def key(self) -> str:
        """A name for its folder, its own."""

    @property
    def place(self) -> str:
        """The path of its copy below that folder."""

    @property
    def shown(self) -> str:
        """Its address without secrets."""

    def open(self, held: Held) -> Body:
        """Begin to send it, or what is missing. Raises InputError, OSError and what its library raises."""


class _FailedError(Exception):
    """Why a download failed; `final` where another try would not help."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final


@dataclass(frozen=True)
class _Origin:
    """Where a copy comes from, and how it is known to be whole."""

    url: str
    version: str
    size: int
    hash: str
    fetched: str


@dataclass(frozen=True)
class DownloadCache:
    """Copies of remote files in `folder`, of at most `most_bytes` in all: the longest unused give way."""

    folder: Path
    most_bytes: int
    _granted: dict[str, int] = field(default_factory=dict)
    """Bytes that room was made for, by the key of the file: what other threads are still to write counts too."""

    @classmethod
    def find(cls) -> DownloadCache:
        """The user's. Raises OptionError for a bound that is no number above 0."""
        import platformdirs

        named = os.environ.get(FOLDER_VARIABLE)
        folder = Path(named) if named else platformdirs.user_cache_path("deepdance", appauthor=False) / "downloads"
        text = os.environ.get(BOUND_VARIABLE) or str(DEFAULT_GB)
        try:
            most = int(float(text) * 1e9)
        except (ValueError, OverflowError):
            most = 0
        if most <= 0:
            raise OptionError(f"{BOUND_VARIABLE}: expected gigabytes above 0, such as {DEFAULT_GB:g}, got {text!r}")
        return cls(folder.absolute(), most)

    def fetch(self, file: RemoteFile, kept: Set[str], tell: Tell, waiting: Callable[[], None]) -> Path:
        """The path of the whole copy of `file`, downloaded if it is not there as it is now. Raises InputError.

        The copies whose keys are `kept`, and those that another living process has asked for, never give way.
        `waiting` is called while another process downloads it.
        """
        entry = self.folder / file.key
        try:
            make_folder(self.folder)
            with hold_lock(self.folder / ".lock", lambda: None):  # nobody makes room meanwhile
                make_folder(entry)
                _mark_used(entry)
            with hold_lock(entry / ".lock", waiting):
                _try_often(file, lambda: self._bring(file, entry, kept, tell))
        except _FailedError as error:
            raise InputError(f"expected a video from {file.shown}, got: {error}") from None
        except OSError as error:
            raise InputError(f"{file.shown}: could not be kept in {self.folder}: {error.strerror or error}") from None
        os.utime(entry)
        return entry / file.place

    def _bring(self, file: RemoteFile, entry: Path, kept: Set[str], tell: Tell) -> None:
        """One try: what has come stays for the next."""
        copy, part = entry / file.place, entry / ".part"
        held = _find_held(entry, copy)
        with _translate():
            body = file.open(held)
        if body.unchanged:
            return
        if not (body.start and body.start == held.length and body.version == held.partial):
            part.unlink(missing_ok=True)
        write_json(entry / ".part.json", {"version": body.version})
        self._write(file, body, part, kept, tell)
        flush(part)
        make_folder(copy.parent)
        origin = {"url": file.shown, "version": body.version, "size": part.stat().st_size, "hash": hash_file(part)}
        write_json(entry / "origin.json", origin | {"fetched": now()})
        part.replace(copy)
        flush_names(copy.parent)

    def _write(self, file: RemoteFile, body: Body, part: Path, kept: Set[str], tell: Tell) -> None:
        """Append what comes to `part`, as long as it comes and there is room."""
        written, granted, pace = body.start, 0, _Pace(body.start)
        with part.open("ab") as out, closing(_guard(body.pieces)) as pieces:
            for piece in pieces:
                written += len(piece)
                if written > granted:
                    granted = max(body.size or 0, written + GRANTED * (body.size is None))
                    self._make_room(file, max(granted, written), kept)
                out.write(piece)
                tell(written, body.size)
                pace.check(written)
        if body.size not in (None, written):
            raise _FailedError(f"{written} bytes of {body.size}, then the end; run it again to go on", final=False)

    def _make_room(self, file: RemoteFile, size: int, kept: Set[str]) -> None:
        """Remove the longest unused copies until `size` bytes of `file` fit. Raises _FailedError."""
        with hold_lock(self.folder / ".lock", lambda: None):
            self._granted[file.key] = size
            entries = [path for path in self.folder.iterdir() if path.is_dir() and path.name != file.key]
            total = size + sum(map(self._measure, entries))
            for entry in sorted(entries, key=lambda path: path.stat().st_mtime):
                if total > self.most_bytes and entry.name not in kept and not _is_used(entry):
                    total -= self._measure(entry)
                    rmtree(entry, ignore_errors=True)
        if total > self.most_bytes:
            raise _FailedError(
                f"more than there is room for: {total / 1e9:.3g} GB with what is in use, "
                f"of {self.most_bytes / 1e9:g} GB; name fewer videos, or set {BOUND_VARIABLE} to more",
                final=True,
            )

    def _measure(self, entry: Path) -> int:
        """Its bytes; where another process is just giving a file its name, they are counted the next time."""
        with suppress(FileNotFoundError):
            return max(measure_bytes(entry), self._granted.get(entry.name, 0))
        return 0


def _find_held(entry: Path, copy: Path) -> Held:
    """What is here, as far as it is whole: a damaged copy, or a part of which no version is known, is nothing."""
    part = entry / ".part"
    whole = partial = ""
    with suppress(WorkspaceError, OSError):
        origin = read_as(entry / "origin.json", _Origin)
        if copy.stat().st_size == origin.size and hash_file(copy) == origin.hash:
            whole = origin.version
    with suppress(WorkspaceError, OSError):
        partial = read_as(entry / ".part.json", dict[str, str])["version"]
    length = part.stat().st_size if partial and part.is_file() else 0
    return Held(whole, partial if length else "", length)


def _mark_used(entry: Path) -> None:
    for path in entry.glob(".used-by-*"):
        if not is_alive(_find_user(path)):
            path.unlink(missing_ok=True)
    (entry / f".used-by-{os.getpid()}").touch()


def _find_user(mark: Path) -> int:
    return int(mark.name.rpartition("-")[2])


def _is_used(entry: Path) -> bool:
    """Whether another process that lives has asked for this copy."""
    return any(is_alive(_find_user(path)) for path in entry.glob(".used-by-*"))


def _try_often(file: RemoteFile, work: Callable[[], None]) -> None:
    for number in count():
        try:
            return work()
        except _FailedError as error:
            if error.final or number + 1 == TRIES:
                raise
        sleep(PAUSE_SECONDS * 2**number)


class _Pace:
    """Ends a download that hardly moves, which no time between two packets would."""

    def __init__(self, written: int) -> None:
        self._written, self._since = written, monotonic()

    def check(self, written: int) -> None:
        if written - self._written >= LEAST_BYTES:
            self._written, self._since = written, monotonic()
        elif monotonic() - self._since > STALL_SECONDS:
            raise _fail_stalled(written)


def _fail_stalled(written: int | None = None) -> _FailedError:
    after = "" if written is None else f" after the first {written}"
    return _FailedError(
        f"less than {LEAST_BYTES} bytes in {STALL_SECONDS:g} s{after}; run it again to go on", final=True
    )


def _guard(pieces: Iterator[bytes]) -> Generator[bytes, None, None]:
    with _translate():
        yield from pieces


@contextmanager
def _translate() -> Iterator[None]:
    """Whatever a library raises becomes a _FailedError, without its text: that may hold the address, with secrets."""
    try:
        yield
    except (InputError, _FailedError):
        raise
    except Exception as error:
        raise _describe_failure(error) from None


def _describe_failure(error: Exception) -> _FailedError:
    status = getattr(error, "status", None)
    if isinstance(error, TimeoutError):
        return _fail_stalled()
    if isinstance(error, FileNotFoundError):
        return _FailedError("no such file (404); check the address", final=True)
    if isinstance(error, PermissionError) or status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return _FailedError("it may not be read (403); check the credentials", final=True)
    if isinstance(status, int) and status >= 300:
        transient = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
        return _FailedError(f"the answer {status}; try again later", final=not transient)
    reason = error.strerror if isinstance(error, OSError) and error.errno else ""
    return _FailedError(f"{reason or type(error).__name__}; run it again to go on", final=False)
