"""Ways to break a file, each a function of its bytes, of another file's, and of a random generator."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

Rng = np.random.Generator
Mutator = Callable[[bytes, bytes, Rng], bytes]

EXTREMES = (0, 1, -1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 2**62, 2**63 - 1, 2**63)
MP4_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta", b"moof", b"traf"})
MP4_TABLES = frozenset(b"mvhd tkhd mdhd elst stts ctts stsc stsz stco co64 stss stsd trun tfhd tfdt mehd trex".split())
NPY = b"\x93NUMPY"
PNG = b"\x89PNG\r\n\x1a\n"
ZIP_PARTS = {b"PK\x03\x04": 30, b"PK\x01\x02": 46, b"PK\x05\x06": 22}
"""Where a zip's records begin, and how long they are."""
SHAPES = (
    b"(0,)", b"(-1, 24, 40)", b"(4294967296, 4294967296)", b"(1000000, 600, 600)", b"(12, 24)", b"(12, 24, 40, 3)",
    b"(12, 24, 40, 1, 1)", b"()", b"(24, 40, 12)", b"(2, 70000, 70000)", b"(99999999999999999999, 1, 1)", b"((1,), 2)",
)  # fmt: skip
KINDS = (b"|O", b"<f8", b"<U9", b"|b1", b">f4", b"<c16", b"<M8[s]", b"|V7", b"<f2", b"<i8", b"|S0")


def mutate(data: bytes, other: bytes, rng: Rng) -> tuple[bytes, list[str]]:
    """A broken file, and the names of the one to three mutators that broke it."""
    names = []
    for _ in range(rng.integers(1, 4)):
        mutator = MUTATORS[rng.integers(len(MUTATORS))]
        data = mutator(data, other, rng)
        names.append(mutator.__name__)
    return data, names


def _choose_range(data: bytes, rng: Rng) -> tuple[int, int]:
    """Where a few bytes, or many, begin and end; half of the time near the beginning, where headers are."""
    start = int(rng.integers(max(1, min(len(data), 512 if rng.random() < 0.5 else len(data)))))
    return start, start + int(2 ** rng.uniform(0, np.log2(len(data) - start + 2)))


def flip_bits(data: bytes, other: bytes, rng: Rng) -> bytes:
    """One to eight bits."""
    broken = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        if broken:
            broken[_choose_range(data, rng)[0]] ^= 1 << int(rng.integers(8))
    return bytes(broken)


def zero_range(data: bytes, other: bytes, rng: Rng) -> bytes:
    """A range of zeros, as a disk leaves it."""
    start, stop = _choose_range(data, rng)
    return data[:start] + bytes(len(data[start:stop])) + data[stop:]


def duplicate_range(data: bytes, other: bytes, rng: Rng) -> bytes:
    """A range twice."""
    start, stop = _choose_range(data, rng)
    return data[:stop] + data[start:]


def remove_range(data: bytes, other: bytes, rng: Rng) -> bytes:
    """A range less."""
    start, stop = _choose_range(data, rng)
    return data[:start] + data[stop:]


def truncate(data: bytes, other: bytes, rng: Rng) -> bytes:
    """A download that broke off."""
    return data[: int(rng.integers(len(data) + 1))]


def splice(data: bytes, other: bytes, rng: Rng) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: int(rng.integers(len(data) + 1))] + other[int(rng.integers(len(other) + 1)) :]


def set_integer(data: bytes, other: bytes, rng: Rng) -> bytes:
    """An extreme number anywhere."""
    start, _ = _choose_range(data, rng)
    field = Field(start, int(rng.choice([2, 4, 8])), "little" if rng.random() < 0.5 else "big")
    return _write(data, field, rng)


def set_field(data: bytes, other: bytes, rng: Rng) -> bytes:
    """An extreme number where the format has one: sizes, counts, offsets, durations. A PNG's checksums are right."""
    fields = list(find_fields(data))
    if not fields:
        return set_integer(data, other, rng)
    broken = _write(data, fields[rng.integers(len(fields))], rng)
    return _renew_checksums(broken) if data.startswith(PNG) else broken


def set_array_header(data: bytes, other: bytes, rng: Rng) -> bytes:
    """Another shape or dtype in the header of an array, or of one in an .npz, whose checksums are right."""
    if data.startswith(NPY):
        return _set_header(data, rng)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info: archive.read(info) for info in archive.infolist()}
    except Exception:
        return set_field(data, other, rng)
    target = int(rng.integers(len(members))) if members else 0
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, (info, content) in enumerate(members.items()):
            archive.writestr(info, _set_header(content, rng) if number == target else content)
    return file.getvalue()


MUTATORS: tuple[Mutator, ...] = (
    flip_bits, zero_range, duplicate_range, remove_range, truncate, splice, set_integer, set_field, set_field,
    set_array_header,
)  # fmt: skip


def _set_header(data: bytes, rng: Rng) -> bytes:
    header = data[10:200].split(b"\n")[0]
    if rng.random() < 0.5:
        changed = re.sub(rb"'shape': \([^)]*\)", b"'shape': " + SHAPES[rng.integers(len(SHAPES))], header)
    else:
        changed = re.sub(rb"'descr': '[^']*'", b"'descr': '" + KINDS[rng.integers(len(KINDS))] + b"'", header)
    changed = changed.replace(b"False", b"True") if rng.random() < 0.2 else changed
    return data[:8] + struct.pack("<H", len(changed) + 1) + changed + data[10 + len(header) :]


@dataclass(frozen=True)
class Field:
    """Where a number is."""

    start: int
    width: int
    order: str


def _write(data: bytes, field: Field, rng: Rng) -> bytes:
    now = int.from_bytes(data[field.start : field.start + field.width], field.order)  # type: ignore[arg-type]
    choices = (*EXTREMES, now + 1, now - 1, 2 * now, int(rng.integers(2**32)))
    value = choices[rng.integers(len(choices))] % 2 ** (8 * field.width)
    return data[: field.start] + value.to_bytes(field.width, field.order) + data[field.start + field.width :]  # type: ignore[arg-type]


def find_fields(data: bytes) -> Iterator[Field]:
    """The numbers of an MP4's boxes, a PNG's chunks, a zip's records or a TIFF's entries."""
    if data[4:8] in (b"ftyp", b"moov", b"wide", b"mdat", b"free"):
        yield from _find_mp4_fields(data, 0, len(data))
    elif data.startswith(PNG):
        yield from _find_png_fields(data)
    elif data.startswith(b"PK"):
        yield from _find_zip_fields(data)
    elif data[:4] in (b"II*\0", b"MM\0*"):
        yield from _find_tiff_fields(data)


def _find_mp4_fields(data: bytes, start: int, stop: int) -> Iterator[Field]:
    while start + 8 <= stop:
        size, name = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
        yield Field(start, 4, "big")
        end = min(start + size, stop) if size >= 8 else stop
        if name in MP4_CONTAINERS:
            yield from _find_mp4_fields(data, start + 8, end)
        elif name in MP4_TABLES:
            yield from (Field(place, 4, "big") for place in range(start + 8, min(end - 3, start + 136), 4))
        start = end


def _find_png_fields(data: bytes) -> Iterator[Field]:
    for start, length in _find_png_chunks(data):
        yield Field(start, 4, "big")
        yield from (Field(place, 4, "big") for place in range(start + 8, start + 8 + min(length, 28) - 3, 4))
        if data[start + 4 : start + 8] == b"IHDR":
            yield from (Field(place, 1, "big") for place in range(start + 16, start + 21))


def _find_png_chunks(data: bytes) -> Iterator[tuple[int, int]]:
    start = len(PNG)
    while start + 12 <= len(data):
        length = int.from_bytes(data[start : start + 4], "big")
        yield start, length
        start += 12 + length


def _renew_checksums(data: bytes) -> bytes:
    renewed = bytearray(data)
    for start, length in _find_png_chunks(data):
        end = start + 8 + length
        if end + 4 <= len(data):
            renewed[end : end + 4] = zlib.crc32(data[start + 4 : end]).to_bytes(4, "big")
    return bytes(renewed)


def _find_zip_fields(data: bytes) -> Iterator[Field]:
    for begin, length in ZIP_PARTS.items():
        for match in re.finditer(re.escape(begin), data):
            for place in range(match.start() + 4, match.start() + length - 1, 2):
                yield Field(place, 2, "little")
                yield Field(place, 4, "little")


def _find_tiff_fields(data: bytes) -> Iterator[Field]:
    order = "little" if data.startswith(b"II") else "big"
    yield Field(4, 4, order)
    directory = int.from_bytes(data[4:8], order)  # type: ignore[arg-type]
    for place in range(directory + 2, min(directory + 2 + 12 * 20, len(data) - 12), 12):
        yield Field(place + 2, 2, order)
        yield Field(place + 4, 4, order)
        yield Field(place + 8, 4, order)
