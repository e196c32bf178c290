"""What components that read and write files share: finding one, naming it in a message, hashing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from deepdance.errors import InputError
from deepdance.folders import describe_kind
from deepdance.folders import show_path as show_path  # noqa: PLC0414  (offered from here too)
from deepdance.frames import fit_size

CHUNK_BYTES = 8 << 20
"""About the size of one chunk of frames."""

MAX_PIXELS = 1 << 26
"""A frame larger than 8192×8192 is refused before it is decoded."""

Version = tuple[int, ...]


def find_file(location: str, what: str) -> Path:
    """The absolute path of a file that is not empty; `what` is what should have been named. Raises InputError."""
    path = Path(location).absolute()
    if path.is_dir():
        raise InputError(f"{show_path(location)}: expected {what}, got a folder; name one file in it")
    if not path.is_file():
        kind = describe_kind(path) if path.exists() else ""
        problem = f"got a {kind}; save it as a file" if kind else "found nothing; check the path"
        raise InputError(f"{show_path(location)}: expected {what}, {problem}")
    with translate_errors(path):
        if not path.stat().st_size:
            raise InputError(f"{show_path(location)}: expected {what}, got an empty file; copy or download it again")
    return path


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals into an InputError that names the file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{show_path(path)}: expected a file that can be read, got: {reason}; check its permissions"
        ) from None


def tell_version(path: Path) -> Version:
    """What changes when a file does: each stage of a run opens a source of its own, and they ask the same of a file."""
    with translate_errors(path):
        status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def hash_files(paths: Iterable[Path]) -> str:
    """Bytes in all and a BLAKE2 hash of the content of each file; those that stay as they are, are read once."""
    return _hash(tuple((path, tell_version(path)) for path in paths))


@lru_cache
def _hash(files: tuple[tuple[Path, Version], ...]) -> str:
    total = 0
    digest = blake2b(digest_size=16)
    for path, _ in files:
        with translate_errors(path), path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
            digest.update(file.tell().to_bytes(8, "little"))
            total += file.tell()
    return f"{total}-{digest.hexdigest()}"


def shrink_to_fit(shape: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """The size (height, width) of a frame of `shape` scaled down, never up, to fit into `box`."""
    return fit_size(*shape, (min(box[0], shape[0]), min(box[1], shape[1])))
