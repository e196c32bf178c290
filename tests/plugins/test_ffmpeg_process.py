"""One child at a time, with a program of the test's own in ffmpeg's place."""

import sys
from pathlib import Path

import numpy as np
import pytest

from deepdance_plugins._ffmpeg import process
from deepdance_plugins._ffmpeg.process import FfmpegProcess, StalledError


@pytest.fixture
def program(tmp_path, monkeypatch):
    """What stands in ffmpeg's place runs these lines."""

    def write(*lines):
        file = tmp_path / "program"
        file.write_text("\n".join([f"#!{sys.executable}", "import os, sys, time", *lines]))
        file.chmod(0o755)
        monkeypatch.setattr(process, "_find_executable", lambda: str(file))

    return write


def test_frames_come_whole_and_in_their_order_in_chunks_of_a_bounded_size(program, monkeypatch):
    program("os.write(1, bytes(range(200)))", "os.write(1, bytes(range(200, 250)))")
    monkeypatch.setattr(process, "CHUNK_BYTES", 50)
    with FfmpegProcess([]) as child:
        chunks = list(child.chunks((2, 4)))
        assert child.finish() == 0
    assert [len(chunk) for chunk in chunks] == [6, 6, 6, 6, 6, 1]  # the last frame is cut short
    assert np.concatenate(chunks).tobytes() == bytes(range(248))


def test_a_frame_larger_than_a_chunk_is_one(program, monkeypatch):
    program("os.write(1, bytes(60))")
    monkeypatch.setattr(process, "CHUNK_BYTES", 7)
    with FfmpegProcess([]) as child:
        assert [chunk.shape for chunk in child.chunks((4, 5))] == [(1, 4, 5)] * 3


def test_all_bytes_are_read(program):
    program("os.write(1, b'a dance')")
    with FfmpegProcess([]) as child:
        assert child.read().tobytes() == b"a dance"


def test_the_first_twenty_complaints_are_kept_and_all_are_counted(program):
    program("for n in range(25): print(f'[mov @ 0x5590] [error] line {n}\\n', file=sys.stderr)")
    with FfmpegProcess([]) as child:
        child.finish()
    assert child.messages == [f"line {n}" for n in range(20)]
    assert child.message_count == 25


def test_what_a_filter_prints_is_no_complaint(program):
    lines = ("[Eval @ 0x55aa] [error] 2.5", "[Eval @ 0x55aa] [fatal] -1.000000", "[Eval @ 0x55aa] [error] 7")
    program(*(f"print({line!r}, file=sys.stderr)" for line in lines))
    with FfmpegProcess([]) as child:
        child.finish()
    assert (child.printed["error"].tolist(), child.printed["fatal"].tolist()) == ([2.5, 7], [-1])
    assert child.message_count == 0


def test_what_is_written_arrives_and_the_status_comes_back(program):
    program("raise SystemExit(len(sys.stdin.buffer.read()) // 1_000_000)")
    with FfmpegProcess([], reads_frames=True) as child:
        for _ in range(7):
            child.write(np.zeros((10, 100, 1000), np.uint8).swapaxes(0, 1))
        assert child.finish() == 7


def test_a_child_that_delivers_nothing_is_taken_for_hung(program, monkeypatch):
    program("os.write(1, bytes(8))", "time.sleep(60)")
    monkeypatch.setattr(process, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(process, "CHUNK_BYTES", 8)
    with FfmpegProcess([]) as child:
        chunks = child.chunks((8,))
        assert len(next(chunks)) == 1
        with pytest.raises(StalledError):
            next(chunks)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets another process be bounded")
def test_an_ffmpeg_may_fill_memory_by_the_pixels_of_its_frames(program, monkeypatch):
    program("time.sleep(60)")
    monkeypatch.setattr(process.os, "cpu_count", lambda: 4)
    with FfmpegProcess([], pixels=1000) as small, FfmpegProcess([], pixels=3840 * 2160) as large:
        assert large.memory - small.memory == 96 * (3840 * 2160 - 1000)
        for child in (small, large):
            limits = Path(f"/proc/{child._child.pid}/limits").read_text()
            assert f"Max data size             {child.memory} " in limits
    with FfmpegProcess([]) as free:
        assert free.memory is None
    sizes = {}
    for cores in (2, 16, 64):
        monkeypatch.setattr(process.os, "cpu_count", lambda cores=cores: cores)
        with FfmpegProcess([], pixels=1000) as child:
            sizes[cores] = child.memory
    assert sizes[2] < small.memory < sizes[16] == sizes[64]  # no more threads than for 16
