"""Files that are whole or not there: made beside their place, flushed to the disk, renamed, and known by a hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from deepdance.errors import WorkspaceError
from deepdance.folders import show_path
from deepdance.strict_json import dump_json

if TYPE_CHECKING:
    from pydantic import ValidationError

T = TypeVar("T")

MOST_JSON_BYTES = 64 << 20
"""A record or a manifest is smaller; a file of more is none."""
DAMAGED = ".damaged-"
"""Before the name of what was found to be damaged."""
LEFTOVER = re.compile(r"\.(?P<target>.+)-(?P<process>\d+)-(?P<kind>part|old)(?P<suffix>\.\w+)?")
"""The name of what a process was writing, or putting aside, for a target beside it."""


def digest(value: Any) -> str:
    """A short hash of anything that JSON can hold."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def now() -> str:
    """The time, with its zone, as records have it."""
    return datetime.now().astimezone().isoformat()


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, of the same suffix, that becomes `path` when the block ends well.

    What is made there may be a file or a folder, and takes the place of the one that was. It is on the disk before it
    has its name: a machine that loses its power has the one or the other, whole.
    """
    temporary = path.with_name(f".{path.stem}-{os.getpid()}-part{path.suffix}")
    try:
        make_folder(path.parent)
        remove_leftovers(path.parent, path)
        yield temporary
        take_over(temporary, path)
    finally:
        with suppress(OSError):
            shutil.rmtree(temporary) if temporary.is_dir() else temporary.unlink(missing_ok=True)


def take_over(made: Path, path: Path) -> None:
    """Have a file or a folder of the same disk take the place of `path`, or of nothing, once it is on the disk."""
    flush(made)
    _move_over(made, path)
    flush_names(path.parent)


def _move_over(temporary: Path, path: Path) -> None:
    """Rename to `path`. A folder that is there already goes first aside, for no rename replaces one."""
    if temporary.is_dir() and path.is_dir():
        aside = path.with_name(f".{path.stem}-{os.getpid()}-old{path.suffix}")
        path.replace(aside)
        temporary.replace(path)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        temporary.replace(path)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, and have their names on the disk. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        flush_names(folder.parent)


def flush(path: Path) -> None:
    """Have the system write a file, or a folder with all that it holds, to the disk. Raises OSError."""
    if path.is_dir():
        for each in path.iterdir():
            flush(each)
        flush_names(path)
    elif path.is_file():
        _synchronize(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)


def flush_names(folder: Path) -> None:
    """Have the system write which files a folder holds to the disk; Windows does so by itself."""
    if os.name != "nt":
        _synchronize(folder, os.O_RDONLY)


def _synchronize(path: Path, flags: int) -> None:
    number = os.open(path, flags)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def set_aside(folder: Path) -> Path:
    """Rename a damaged folder to a name that nothing reads, which is given; all that it holds is kept."""
    numbered = (f"{DAMAGED}{folder.name}{f'-{number}' if number > 1 else ''}" for number in count(1))
    aside = next(path for path in map(folder.with_name, numbered) if not os.path.lexists(path))
    folder.rename(aside)
    flush_names(folder.parent)
    return aside


def find_leftovers(folder: Path, target: Path | None = None) -> list[Path]:
    """What processes that have died left in a folder under temporary names; of one `target`, or of all."""
    found = [(path, LEFTOVER.fullmatch(path.name)) for path in folder.iterdir()] if folder.is_dir() else []
    wanted = target and (target.stem, target.suffix or None)
    return [
        path
        for path, name in found
        if name and not is_alive(int(name["process"])) and wanted in (None, (name["target"], name["suffix"]))
    ]


def remove_leftovers(folder: Path, target: Path | None = None) -> None:
    """Remove `find_leftovers`. A folder that had been put aside goes back where its place is still free."""
    for path in find_leftovers(folder, target):
        place = find_free_place(path)
        if place:
            path.replace(place)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def find_free_place(leftover: Path) -> Path | None:
    """Where a leftover goes back to, if it was only put aside and its place is free."""
    name = LEFTOVER.fullmatch(leftover.name)
    place = leftover.with_name(f"{name['target']}{name['suffix'] or ''}") if name else leftover
    return place if name and name["kind"] == "old" and not place.exists() else None


def is_alive(process: int) -> bool:
    """Whether another process has this number: where programs are often started anew, they get the same ones."""
    if os.name == "nt":  # there a signal of 0 is no question but Ctrl-C
        return process != os.getpid()
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return process != os.getpid()


def measure_bytes(path: Path) -> int:
    """Bytes of a file, or of all files of a folder; a link has none."""
    if path.is_symlink():
        return 0
    return sum(map(measure_bytes, path.iterdir())) if path.is_dir() else path.stat().st_size


def find_link(folder: Path) -> Path | None:
    """What is in a folder, however deep, and is neither a file nor a folder of its own: a link, a pipe, a device."""
    paths = folder.rglob("*")
    return next((path for path in paths if path.is_symlink() or not (path.is_file() or path.is_dir())), None)


def hash_file(path: Path) -> str:
    """BLAKE2b of a file's content, 128 bits, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically; a number that is not finite is `null`."""
    write_text(path, dump_json(value, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write text atomically, as UTF-8; what a file's name holds that is no Unicode stays as it is."""
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of the workspace. Raises WorkspaceError."""
    try:
        value = json.loads(read_text(path, MOST_JSON_BYTES))
        if not isinstance(value, dict):
            raise ValueError(f"a {type(value).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        raise WorkspaceError(f"expected JSON in {path}, got {error}; remove the folder and run again") from None
    return value


def read_as(path: Path, kind: type[T]) -> T:
    """What JSON of the workspace holds, whoever wrote it: a model, or dataclasses in a list. Raises WorkspaceError."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(json.loads(read_text(path, MOST_JSON_BYTES)))
    except ValidationError as error:
        problem = _describe_misfit(error)
    except (OSError, ValueError, RecursionError) as error:
        problem = f"expected JSON, got {error}"
    raise WorkspaceError(f"{show_path(path)}: {problem}; delete the folder {show_path(path.parent)} and run again")


def _describe_misfit(error: ValidationError) -> str:
    """The first thing that does not fit, and where it is."""
    first = error.errors()[0]
    where = show_path(".".join(map(str, first["loc"])))
    expected = "one" if first["type"] == "missing" else first["msg"].removeprefix("Input should be ")
    got = "nothing" if first["type"] == "missing" else show_path(repr(first["input"]))[:40]
    return f"{where}: expected {expected}, got {got}"


def read_text(path: Path, most_bytes: int) -> str:
    """The text of a plain file of at most so many bytes: no link, no pipe. Raises OSError, ValueError."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise ValueError("what is no plain file")
    size = path.stat().st_size
    if size > most_bytes:
        raise ValueError(f"a file of {size} bytes, more than {most_bytes}")
    return path.read_text(encoding="utf-8", errors="surrogateescape")
