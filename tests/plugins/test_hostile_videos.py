"""Videos that claim what they do not hold: read, partly and told, or refused in one line, with bounded means."""

import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from videos import constant, numbers, read, source, write_numbered

from deepdance.errors import InputError
from deepdance_plugins._ffmpeg import process as ffmpeg_process
from deepdance_plugins.sources.ffmpeg import command, probe

Entries = Sequence[tuple[int, ...]]
FAR = 2**31 - 1
"""Ticks: 6.6 hours."""


def replace_box(data: bytes, kind: bytes, content: bytes) -> bytes:
    """An MP4, whose index comes last, with another content of the first box of a kind."""
    start = data.index(kind) - 4
    out = bytearray(data[:start] + pack_box(kind, content) + data[start + read_length(data, start) :])
    grown = len(out) - len(data)
    position, end = 0, len(data)
    while position < start:
        length = read_length(data, position)
        if position + length <= start:
            position += length
            continue
        struct.pack_into(">I", out, position, length + grown)
        position, end = position + 8, position + length
    assert end > start
    return bytes(out)


def read_length(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 4], "big")


def pack_box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def pack_table(entries: Entries, layout: str = "II") -> bytes:
    return struct.pack(">II", 0, len(entries)) + b"".join(struct.pack(f">{layout}", *entry) for entry in entries)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> bytes:
    """60 numbered frames in 2 s, without an edit list."""
    path = write_numbered(tmp_path_factory.mktemp("hostile") / "plain.mp4", constant(30, 60))
    return path.read_bytes().replace(b"elst", b"free")


def scale_time(data: bytes, ticks: int) -> bytes:
    out = bytearray(data)
    struct.pack_into(">I", out, data.index(b"mdhd") + 16, ticks)
    return bytes(out)


def claim_frames(data: bytes, count: int) -> bytes:
    """Frames of one byte each, in tables of one line."""
    tables = {b"stsz": struct.pack(">III", 0, 1, count), b"stsc": pack_table([(1, count, 1)], "III")}
    tables |= {b"stco": pack_table([(48,)], "I"), b"stts": pack_table([(count, 3000)])}
    for kind, content in tables.items():
        data = replace_box(data, kind, content)
    return data


def multiply_streams(data: bytes, count: int) -> bytes:
    start = data.index(b"trak") - 4
    track = data[start : start + read_length(data, start)]
    index = data.index(b"moov") - 4
    return data[:index] + pack_box(b"moov", data[index + 8 : start] + count * track)


READ = """
import re, resource, sys
from pathlib import Path
from deepdance.errors import InputError
from deepdance_plugins.sources.ffmpeg.source import FfmpegOptions, FfmpegSource
source = FfmpegSource(sys.argv[1], FfmpegOptions())
try:
    print(sum(map(len, source.frames(10, (480, 800)))), *source.shot_starts())
except InputError as error:
    print(error)
# not this process' ru_maxrss, which begins with that of the process it was forked from
own = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
print((own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) // 1024)
"""


def read_apart(path: Path, data: bytes) -> str:
    """What a process of its own read, or its error; it and ffmpeg took less than 1 GB, and a minute."""
    path.write_bytes(data)
    ended = subprocess.run(
        (sys.executable, "-c", READ, str(path)), capture_output=True, text=True, timeout=60, check=True
    )
    outcome, megabytes = ended.stdout.splitlines()
    assert int(megabytes) < 1000
    return outcome


TABLES = {
    "the last for hours": ([(59, 3000), (1, FAR)], 20),
    "the first for hours": ([(1, FAR), (59, 3000)], 20),
    "one in the middle for hours": ([(30, 3000), (1, FAR), (29, 3000)], 20),
    "each for hours": ([(60, FAR)], 5901),
    "each for almost 10 s": ([(60, 899_999)], 5900),
}


@pytest.mark.skipif(sys.platform == "win32", reason="resource")
@pytest.mark.parametrize("table", TABLES)
def test_however_long_frames_are_shown_a_hole_costs_nothing(tmp_path, plain, table):
    entries, count = TABLES[table]
    outcome = read_apart(tmp_path / "long.mp4", replace_box(plain, b"stts", pack_table(entries)))
    assert abs(int(outcome.split()[0]) - count) <= 1


def test_what_is_held_is_not_looked_at_again_for_cuts(tmp_path, plain, monkeypatch):
    sizes = []
    monkeypatch.setattr(command, "LONGEST_STILL", 1e6)
    from deepdance_plugins.sources.ffmpeg import cuts

    find = cuts.find_cuts
    monkeypatch.setattr(cuts, "find_cuts", lambda file, *rest: sizes.append(file.seek(0, 2)) or find(file, *rest))
    (tmp_path / "held.mp4").write_bytes(replace_box(plain, b"stts", pack_table([(60, 900_000)])))
    assert len(read(tmp_path / "held.mp4", 1)) == 591
    assert sizes == [60 * cuts.BYTES]


OTHERS = {
    "ticks of a second": (lambda data: scale_time(data, 1), "5901"),
    "ticks of half a nanosecond": (lambda data: scale_time(data, FAR), "1"),
    "a clock that stands still": (lambda data: replace_box(data, b"stts", pack_table([(60, 0)])), ""),
    "a million times a second": (
        lambda data: scale_time(replace_box(data, b"stts", pack_table([(60, 1)])), 10**6),
        "1",
    ),
    "stamps before the first": (lambda data: replace_box(data, b"ctts", pack_table([(60, 2**32 - 1)])), ""),
    "stamps of the far future": (lambda data: replace_box(data, b"ctts", pack_table([(30, 0), (30, FAR)])), ""),
    "fifty million frames": (lambda data: claim_frames(data, 50_000_000), "expected a video"),
    "a hundred streams": (lambda data: multiply_streams(data, 100), "20"),
    "three thousand streams": (lambda data: multiply_streams(data, 3000), "cannot open"),
    "a thousand edits": (lambda data: add_edits(data, 1000), ""),
}


def add_edits(data: bytes, count: int) -> bytes:
    return replace_box(data.replace(b"free", b"elst"), b"elst", pack_table([(300, 0, 1 << 16)] * count, "III"))


@pytest.mark.skipif(sys.platform == "win32", reason="resource")
@pytest.mark.parametrize("claim", OTHERS)
def test_whatever_a_file_claims_it_is_read_or_refused_with_bounded_means(tmp_path, plain, claim):
    change, expected = OTHERS[claim]
    outcome = read_apart(tmp_path / "claim.mp4", change(plain))
    assert expected in outcome
    assert outcome.split()[0].isdigit() or "; " in outcome


def test_a_video_without_an_end_is_told(tmp_path, plain, monkeypatch, children):
    monkeypatch.setattr(command, "MOST_SECONDS", 60)
    monkeypatch.setattr(ffmpeg_process, "CHUNK_BYTES", 1 << 18)
    (tmp_path / "endless.mp4").write_bytes(replace_box(plain, b"stts", pack_table([(60, 899_999)])))
    with pytest.raises(InputError, match=r"at most 24 hours, got more.*; give a part of it"):
        read(tmp_path / "endless.mp4", 10)
    with pytest.raises(InputError, match="at most 24 hours"):
        source(tmp_path / "endless.mp4").sample(12, (120, 200))
    assert not children()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
def test_an_ffmpeg_that_takes_too_much_memory_is_told(tmp_path, monkeypatch):
    path = write_numbered(tmp_path / "video.mp4", constant(30, 60), size=(480, 800))
    assert len(read(path, 10)) == 20
    monkeypatch.setattr(ffmpeg_process, "MEMORY_BYTES", 60 << 20)
    monkeypatch.setattr(ffmpeg_process, "THREADED_PARTS", 0)
    monkeypatch.setattr(ffmpeg_process, "OTHER_THREADS", 0)
    monkeypatch.setattr(ffmpeg_process, "MEMORY_PER_PIXEL", 0)
    with pytest.raises(InputError, match=r"reads with at most 60 MB, got one that takes more; convert it"):
        read(path, 30)


def test_an_ffmpeg_that_trickles_is_killed(tmp_path, monkeypatch):
    path = write_numbered(tmp_path / "video.mp4", constant(30, 3))
    reading = source(path)
    reading.info()
    program = tmp_path / "trickling"
    program.write_text("#!/bin/sh\nwhile :; do printf x; sleep 0.1; done\n")
    program.chmod(0o755)
    monkeypatch.setattr(ffmpeg_process, "_find_executable", lambda: str(program))
    monkeypatch.setattr(ffmpeg_process, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(ffmpeg_process, "SLOWEST_FRAME", 0.1)
    begin = time.monotonic()
    with pytest.raises(InputError, match="or fewer for long, after 0; "):
        next(reading.frames(10, (480, 800)))
    assert time.monotonic() - begin < 5


def test_a_size_that_grows_midway_is_read(tmp_path):
    small, large = (
        write_numbered(tmp_path / f"{side}.ts", constant(30, 30, start), size=(side, 5 * side), first=30 * start)
        for start, side in enumerate((16, 160))
    )
    (tmp_path / "both.ts").write_bytes(small.read_bytes() + large.read_bytes())
    frames = read(tmp_path / "both.ts", 10)
    assert frames.shape[1:] == (16, 80, 3)
    assert numbers(frames)[:10] == list(range(0, 30, 3))
    assert np.isin(numbers(frames), range(60)).all()


def test_headers_that_are_sought_for_ever_are_told(tmp_path, plain, monkeypatch):
    path = tmp_path / "plain.mp4"
    path.write_bytes(plain)
    monkeypatch.setattr(probe, "STALL_SECONDS", 1e-9)
    with pytest.raises(InputError, match="expected a video, but ffmpeg sought its headers for more than 0 s; copy it"):
        probe.probe_video(path, "plain.mp4")
