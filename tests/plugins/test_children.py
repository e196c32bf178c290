"""No child outlives the program that started it, however the program ends."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deepdance_plugins._children import ChildProcess

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no watchdog")

STUCK = (sys.executable, "-c", "import time; time.sleep(100)")
"""A child that uses no pipe, and so does not notice that its parent is gone."""


def wait_until(holds: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(holds())


def is_running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def list_ffmpegs(parent: psutil.Process) -> list[psutil.Process]:
    return [child for child in parent.children() if "ffmpeg" in child.name()]


def test_leaving_the_block_ends_the_child_and_its_watchdog(children):
    with ChildProcess(STUCK) as child:
        assert len(children()) == 2
    assert child.returncode == -signal.SIGKILL
    assert not children()


def test_a_child_that_has_ended_keeps_its_status_and_leaves_no_watchdog(children):
    with ChildProcess(("/bin/sh", "-c", "exit 3")) as child:
        assert child.wait() == 3
    assert child.returncode == 3
    assert not children()


def test_a_program_that_is_not_there_leaves_no_watchdog(tmp_path, children):
    with pytest.raises(FileNotFoundError):
        ChildProcess((str(tmp_path / "nothing"),))
    assert not children()


STARTING = f"""
import threading, time
from deepdance_plugins._children import ChildProcess
children = []
thread = threading.Thread(target=lambda: children.extend(ChildProcess({STUCK!r}) for _ in range(2)))
thread.start()
thread.join()
time.sleep(0.3)
print(*(child.pid for child in children if child.poll() is None), flush=True)
time.sleep(100)
"""


def test_children_outlive_the_thread_that_started_them_and_not_the_process():
    with subprocess.Popen((sys.executable, "-c", STARTING), stdout=subprocess.PIPE) as python:
        children = [psutil.Process(int(pid)) for pid in python.stdout.readline().split()]
        assert len(children) == 2
        watchdogs = [child for child in psutil.Process(python.pid).children() if child not in children]
        python.kill()
    assert wait_until(lambda: not any(map(is_running, [*children, *watchdogs])), 1)


FIRST_CHUNK = """
import sys, time
from deepdance_plugins._ffmpeg import process
from deepdance_plugins.sources.ffmpeg.source import FfmpegOptions, FfmpegSource
process.CHUNK_BYTES = 1 << 18
frames = FfmpegSource(sys.argv[1], FfmpegOptions()).frames(30, (480, 800))
next(frames)
print("ready", flush=True)
time.sleep(100)
"""
RENDERING = """
import sys, time
from pathlib import Path
import numpy as np
from deepdance_plugins._ffmpeg.encoding import write_video
def draw():
    for _ in range(20):
        yield np.zeros((50, 120, 200), np.uint8)
    print("ready", flush=True)
    time.sleep(100)
write_video(draw(), "10", Path(sys.argv[1]), ["-c:v", sys.argv[2]])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("work", ["read", "mp4", "webm"])
def test_no_ffmpeg_is_left_by_a_program_that_is_killed_at_work(tmp_path, video, work, number):
    codec = {"mp4": "libx264", "webm": "libvpx-vp9"}.get(work)
    words = (RENDERING, tmp_path / f"dance.{work}", codec) if codec else (FIRST_CHUNK, video)
    with subprocess.Popen((sys.executable, "-c", *map(str, words)), stdout=subprocess.PIPE) as python:
        assert python.stdout.readline() == b"ready\n"
        ffmpegs = list_ffmpegs(psutil.Process(python.pid))
        assert ffmpegs
        python.send_signal(number)
    assert wait_until(lambda: not any(map(is_running, ffmpegs)), 1)


@pytest.fixture
def stuck_ffmpeg(tmp_path: Path) -> Path:
    """An ffmpeg that reads its input for ever, and writes nothing."""
    import imageio_ffmpeg

    program = tmp_path / "stuck"
    endless = f"{shlex.quote(imageio_ffmpeg.get_ffmpeg_exe())} -v quiet -re -f lavfi -i color -f null -"
    program.write_text(f"#!/bin/sh\nexec {endless}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_ffmpeg_is_left_in_a_filter_by_a_run_that_is_killed(tmp_path, video, stuck_ffmpeg, number):
    command = (sys.executable, "-m", "deepdance", "prepare", str(video), "--remover", "threshold")
    environment = {**os.environ, "IMAGEIO_FFMPEG_EXE": str(stuck_ffmpeg)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as run:
        parent = psutil.Process(run.pid)
        assert wait_until(lambda: list_ffmpegs(parent), 60)
        ffmpegs = list_ffmpegs(parent)
        run.send_signal(number)
    assert wait_until(lambda: not any(map(is_running, ffmpegs)), 1)
