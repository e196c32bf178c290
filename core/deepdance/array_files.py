"""Arrays from files that anybody may have written: nothing is allocated that the file does not hold.

NumPy believes a header. 228 bytes that promise 15 GB get them, and so does a member of an archive that inflates.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from deepdance.errors import WorkspaceError
from deepdance.folders import show_path

MOST_MEMBERS = 4096
"""Arrays of an .npz."""
MOST_INFLATED = 100
"""Times the size of an .npz that its arrays may have in memory."""
DIRECTORY_BYTES = 1 << 20
"""What zipfile may read of an archive's directory: of a larger one it makes objects of gigabytes."""
HEADER_BYTES = 10_000
"""As NumPy has it, which looks only after reading."""
PLAIN_KINDS = "biufcUS"
"""Numbers and text; no objects, no records."""
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What NumPy writes. LZMA would allocate what its header asks for."""

DAMAGED = (
    ValueError, EOFError, OSError, RuntimeError, TypeError, MemoryError, zipfile.BadZipFile, zlib.error, struct.error
)  # fmt: skip
"""What NumPy and zipfile raise when a file is cut short, is something else, or holds pickled objects."""


@dataclass(frozen=True)
class Header:
    """What an array's header says; `data_start` is where its first number is, in bytes."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    data_start: int

    @property
    def nbytes(self) -> int:
        """What the array takes in memory."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes], size: int) -> Header:
    """The header of an array that fills, with it, at most `size` bytes; leaves `file` at the first number.

    Raises ValueError for what is no array of numbers or text, or promises more than the bytes that are there.
    """
    header = _parse_header(_read_raw_header(file))
    if header.dtype.kind not in PLAIN_KINDS or not header.dtype.itemsize:
        raise ValueError(f"{str(header.dtype)[:40]} values where numbers are wanted")
    if min(header.shape, default=0) < 0:
        raise ValueError("a damaged header")
    held = size - header.data_start
    if header.nbytes > held:
        raise ValueError(f"a header that promises {header.nbytes:,} bytes, and {max(held, 0):,} of them")
    return header


def _read_raw_header(file: IO[bytes]) -> bytes:
    start = file.read(8)
    if start[:6] != np.lib.format.MAGIC_PREFIX:
        raise ValueError("no NumPy array")
    kind = "<H" if start[6:7] == b"\x01" else "<I"
    length = file.read(struct.calcsize(kind))
    (count,) = struct.unpack(kind, length)
    if count > HEADER_BYTES:
        raise ValueError(f"a header of {count:,} bytes, where at most {HEADER_BYTES:,} are wanted")
    return start + length + file.read(count)


def _parse_header(raw: bytes) -> Header:
    file = io.BytesIO(raw)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(file)
        return Header(tuple(map(int, shape)), fortran, dtype, len(raw))
    except Exception:  # the header is a Python expression, and what may go wrong in one has no end
        raise ValueError("a damaged header") from None


class _LimitedFile(io.FileIO):
    """A file of which no more than `limit` bytes are read at once."""

    limit: int | None = DIRECTORY_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        if self.limit is not None and size is not None and size > self.limit:
            raise ValueError(f"a directory of {size:,} bytes, where at most {self.limit:,} are wanted")
        return super().read(-1 if size is None else size) or b""


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """An .npz whose members are few, of NumPy's compressions, and no larger together than the file.

    Raises what is in `DAMAGED`.
    """
    with _LimitedFile(path) as file, zipfile.ZipFile(file) as archive:
        file.limit = None
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise ValueError(f"{len(members):,} arrays, where at most {MOST_MEMBERS:,} are wanted")
        if any(member.compress_type not in COMPRESSIONS for member in members):
            raise ValueError("a compression that NumPy does not write")
        if sum(member.compress_size for member in members) > path.stat().st_size:
            raise ValueError("arrays that lie one over the other")
        yield archive


def read_headers(archive: zipfile.ZipFile) -> dict[str, Header]:
    """The header of each array of an .npz, by its name. Raises what is in `DAMAGED`."""
    headers = {}
    for member in archive.infolist():
        if member.filename.endswith(".npy"):
            with archive.open(member) as file:
                headers[member.filename.removesuffix(".npy")] = read_header(file, member.file_size)
    return headers


def read_member(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    """One array of an .npz, whose header was read. Raises what is in `DAMAGED`."""
    with archive.open(f"{name}.npy") as file:
        array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def load_array(path: Path, mmap_mode: Literal["r"] | None = None) -> npt.NDArray[Any]:
    """The array of an .npy that deepdance wrote; `mmap_mode` as of `numpy.load`. Raises WorkspaceError.

    A file that is cut while it is mapped ends the program, as a whole (SIGBUS); one that was cut before is told.
    """
    with translate_damage(path):
        with path.open("rb") as file:
            read_header(file, path.stat().st_size)
        array: npt.NDArray[Any] = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    return array


def load_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All arrays of an .npz that deepdance wrote, by their names. Raises WorkspaceError."""
    with translate_damage(path), open_archive(path) as archive:
        headers = read_headers(archive)
        total, held = sum(header.nbytes for header in headers.values()), path.stat().st_size
        if total > held * MOST_INFLATED:
            raise ValueError(f"{held:,} bytes that inflate to {total:,}, more than {MOST_INFLATED} times as many")
        return {name: read_member(archive, name) for name in headers}


@contextmanager
def translate_damage(path: Path) -> Iterator[None]:
    """Turn what reading a damaged file raises into a WorkspaceError that names it."""
    try:
        yield
    except DAMAGED as error:
        raise WorkspaceError(
            f"{show_path(path)}: expected arrays as deepdance saves them, got {describe_damage(error)}; "
            f"delete the folder {show_path(path.parent)} and run again"
        ) from None


def describe_damage(error: BaseException) -> str:
    """What is wrong, in one printable line."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error).split("\n")[0]
    return show_path(reason or type(error).__name__)
