"""Real processes that are asked to end, at several moments: one line, the right exit code, nobody left, all kept."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import FAST, demo_frames, write_video
from filelock import FileLock
from wheels import CODEC, codec_package, install, wheel, with_site

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

KEPT = "finished stages are kept, the same command goes on from there\n"
PROGRAM = [sys.executable, "-m", "deepdance"]
PATIENCE = 120
LONG = ("--codec", "pca", "--seq", "lstm4", *FAST, "--set", "sequence.epochs=5000", "--name", "x", "--log", "jsonl")
QUICK = ("--codec", "pca", "--seq", "ridge", *FAST[: FAST.index("--set")], "--name", "x", "--log", "jsonl")
SWALLOWS = """
import time
from pathlib import Path

class Slow:
    def __del__(self):
        Path("finalizing").touch()
        time.sleep(1.0)

"""


def is_ffmpeg(process):
    try:
        return "-hide_banner" in process.cmdline()
    except psutil.Error:  # it has ended meanwhile
        return False


def is_worker(process):
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:
        return False


class Running:
    """A command in a process of its own, watched through its log."""

    def __init__(self, folder, arguments, **how):
        self.folder = folder
        self.process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **how,
        )

    def events(self):
        log = self.folder / "workspace/runs/x/log.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def wait_until(self, reached):
        deadline = time.monotonic() + PATIENCE
        while not reached():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def wait_for(self, **fields):
        self.wait_until(lambda: any(fields.items() <= event.items() for event in self.events()))

    def count_ffmpeg(self):
        children = psutil.Process(self.process.pid).children(recursive=True)
        return sum(map(is_ffmpeg, children))

    def count_workers(self):
        return sum(map(is_worker, psutil.Process(self.process.pid).children()))

    def stop(self, *signals):
        """End it; what it wrote to standard error."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        for number in signals:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        assert out == ""
        assert psutil.wait_procs(children, timeout=10)[1] == []
        assert not [path for path in self.folder.rglob(".*") if path.name.startswith(".dance")]
        return err


@pytest.fixture
def start(tmp_path):
    started = []

    def call(*arguments, **how):
        started.append(Running(tmp_path, arguments, **how))
        return started[-1]

    yield call
    for each in started:
        each.process.kill()
        each.process.communicate()


def assert_stopped(running, err, number):
    name = signal.Signals(number).name
    by = "" if number == signal.SIGINT else f" by {name}"
    assert running.process.returncode == 128 + number
    assert err.splitlines(keepends=True)[-1] == f"dd: stopped{by}; {KEPT}"
    assert err.count("dd: ") == 1
    assert "Traceback" not in err
    assert "ignored" not in err
    last = running.events()[-1]
    told = ("KeyboardInterrupt", "") if number == signal.SIGINT else ("Stopped", name)
    assert (last["event"], last["error"], last["message"]) == ("Failed", *told)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_while_a_framework_is_imported(start, video, number):
    running = start("run", video, *LONG)
    running.wait_for(event="StageStarted", stage="models")
    time.sleep(0.3)
    assert_stopped(running, running.stop(number), number)


SWALLOWED = """
import os, signal, time
from deepdance_cli.signals import Signals

signals = Signals()
signals.catch()
try:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    except BaseException:
        pass
    time.sleep(60)
except KeyboardInterrupt as stopped:
    signals.close()
    time.sleep(1)
    print(f"stopped by {stopped}")
"""


def test_a_signal_that_somebodys_code_swallows_is_heard_all_the_same():
    ended = subprocess.run([sys.executable, "-c", SWALLOWED], capture_output=True, text=True, timeout=30)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("stopped by SIGTERM\n", "", 0)


def test_while_a_network_is_trained_and_the_same_command_goes_on(start, video, tmp_path):
    running = start("run", video, *LONG)
    running.wait_for(event="EpochFinished", stage="sequence", epoch=3)
    assert_stopped(running, running.stop(signal.SIGINT, signal.SIGTERM, signal.SIGTERM), signal.SIGINT)
    reached = max(event["epoch"] for event in running.events() if event["event"] == "EpochFinished")
    (tmp_path / "workspace/runs/x/log.jsonl").unlink()
    again = start("run", video, *LONG)
    again.wait_for(event="EpochFinished", stage="sequence")
    assert [event["reused"] for event in again.events() if event["event"] == "ArtifactReady"] == [True, True, True]
    assert min(event["epoch"] for event in again.events() if event["event"] == "EpochFinished") > reached - 1
    again.stop(signal.SIGTERM)


def test_while_ffmpeg_writes(start, video):
    running = start("run", video, *QUICK, "--frames", 50000)
    running.wait_for(event="StageStarted", stage="render")
    running.wait_until(running.count_ffmpeg)
    assert_stopped(running, running.stop(signal.SIGTERM), signal.SIGTERM)


@pytest.fixture
def slow_ffmpeg(tmp_path, monkeypatch):
    """An ffmpeg that reads no faster than a video is played."""
    import imageio_ffmpeg

    script = tmp_path / "ffmpeg"
    script.write_text(f'#!/bin/sh\nexec "{imageio_ffmpeg.get_ffmpeg_exe()}" -re "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(script))


@pytest.mark.usefixtures("slow_ffmpeg")
@pytest.mark.parametrize("videos", [1, 2], ids=["one video", "two in processes"])
def test_while_ffmpeg_reads(start, video, tmp_path, videos):
    names = [Path(shutil.copy(video, tmp_path / "0.mp4"))]
    if videos == 2:
        names.append(write_video(tmp_path / "1.mp4", demo_frames(4, 30, (120, 200), seed=1), 30))
    running = start("prepare", *names, *FAST[:6], "--jobs", 2)
    running.wait_until(lambda: running.count_ffmpeg() == videos)
    assert running.stop(signal.SIGTERM) == f"dd: stopped by SIGTERM; {KEPT}"
    assert running.process.returncode == 143
    assert not list((tmp_path / "workspace/artifacts").glob("silhouettes-*"))


@pytest.mark.usefixtures("slow_ffmpeg")
@pytest.mark.parametrize("reading", [0, 2], ids=["while workers start", "while they read"])
def test_ctrl_c_reaches_the_workers_too_and_only_one_process_tells(start, video, tmp_path, reading):
    other = write_video(tmp_path / "1.mp4", demo_frames(4, 30, (120, 200), seed=1), 30)
    running = start("prepare", video, other, *FAST[:6], "--jobs", 2, start_new_session=True)
    running.wait_until(lambda: running.count_workers() and running.count_ffmpeg() >= reading)
    os.killpg(running.process.pid, signal.SIGINT)
    assert running.stop() == f"dd: stopped; {KEPT}"
    assert running.process.returncode == 130


@pytest.mark.usefixtures("slow_ffmpeg")
def test_another_worker_takes_the_place_of_one_that_is_killed(start, video, tmp_path):
    other = write_video(tmp_path / "1.mp4", demo_frames(4, 30, (120, 200), seed=1), 30)
    running = start("prepare", video, other, *FAST[:6], "--jobs", 2)
    running.wait_until(lambda: running.count_ffmpeg() == 2)
    next(filter(is_worker, psutil.Process(running.process.pid).children())).kill()
    _, err = running.process.communicate(timeout=PATIENCE)
    assert "a worker has not done its part, another one is asked: expected worker processes that last" in err
    assert (running.process.returncode, err.count("a worker has not done")) == (0, 1)
    assert len(list((tmp_path / "workspace/artifacts").glob("silhouettes-*"))) == 2


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "in a thread"])
def test_while_it_waits_for_another_process(start, dd, video, tmp_path, others):
    if others:
        write_video(tmp_path / "1.mp4", demo_frames(2, 30, (120, 200), seed=1), 30)
    videos = [video, tmp_path / "1.mp4"][: 1 + others]
    assert dd("prepare", video, *FAST[:6]).code == 0
    (made,) = (tmp_path / "workspace/artifacts").glob("silhouettes-*")
    shutil.rmtree(made)
    with FileLock(made.parent / ".locks" / f"{made.name}.lock"):
        running = start("run", *videos, *QUICK)
        time.sleep(6)
        err = running.stop(signal.SIGTERM)
    assert (running.process.returncode, err) == (143, f"dd: stopped by SIGTERM; {KEPT}")


def test_a_signal_that_is_ignored_stays_so(start, video):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    running = start("run", video, *LONG)
    signal.signal(signal.SIGHUP, before)
    running.wait_for(event="EpochFinished", epoch=1, stage="sequence")
    running.process.send_signal(signal.SIGHUP)
    seen = len(running.events())
    running.wait_until(lambda: len(running.events()) > seen + 3)
    assert_stopped(running, running.stop(signal.SIGTERM), signal.SIGTERM)


def test_a_signal_that_a_finalizer_swallows_comes_again(start, video, tmp_path):
    codec = SWALLOWS + CODEC.replace("        self.size = train.size\n", "        Slow()\n        time.sleep(100)\n")
    package = codec_package("dance_swallows", "swallows", codec=codec)
    install([wheel(tmp_path, "dance-swallows", "1.5", package)], tmp_path / "site")
    running = start("run", video, *QUICK[2:], "--codec", "swallows", env=with_site(tmp_path / "site"))
    running.wait_until((tmp_path / "finalizing").exists)
    assert_stopped(running, running.stop(signal.SIGTERM), signal.SIGTERM)


def test_a_signal_that_nothing_wakes_the_program_for_comes_again(start, video, tmp_path):
    """Python hears of a signal between two steps of the main thread; one just before it waits comes too late."""
    unheard = (
        "import signal, threading, time\ndef interrupt(): signal.pthread_kill(threading.get_ident(), signal.SIGINT)\n"
    )
    late = "        threading.Timer(0.5, interrupt).start()\n        time.sleep(100)\n"
    codec = unheard + CODEC.replace("        self.size = train.size\n", late)
    install([wheel(tmp_path, "dance-late", "1.5", codec_package("dance_late", "late", codec=codec))], tmp_path / "site")
    running = start("run", video, *QUICK[2:], "--codec", "late", env=with_site(tmp_path / "site"))
    assert_stopped(running, running.process.communicate(timeout=60)[1], signal.SIGINT)


FORKS = """
import multiprocessing, os, signal, threading, time
from deepdance_cli.signals import Signals

def fork(patience):
    forked = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    forked.start()
    time.sleep(patience)
    forked.terminate()
    forked.join()
    print(forked.exitcode)

os.register_at_fork(after_in_child=lambda: time.sleep(0.3))
signals = Signals()
signals.catch()
fork(0.6)
fork(0.0)
thread = threading.Thread(target=fork, args=(0.0,))
thread.start()
thread.join()
time.sleep(1)
signal.raise_signal(signal.SIGINT)
"""


def test_a_signal_that_ends_a_forked_process_ends_that_alone():
    """As a pool ends its processes, however young; they have what this one had, and its pipe."""
    ended = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=30)
    assert ended.stdout == 3 * f"{-signal.SIGTERM}\n"
    assert ended.stderr.endswith("\nKeyboardInterrupt\n")
    assert ended.stderr.count("Traceback") == 1


def test_who_was_told_of_signals_before_is_told_again(dd):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    assert dd("--help").code == 0
    assert signal.set_wakeup_fd(-1) == writer
    os.close(reader)
    os.close(writer)


def test_in_another_thread_it_is_told_in_a_line(tmp_path):
    script = (
        "import sys, threading\nfrom deepdance_cli.main import main\nsys.argv = ['dd', '--help']\n"
        "thread = threading.Thread(target=main)\nthread.start()\nthread.join()\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert ended.stderr.startswith("dd: unexpected ValueError: signal only works in main thread")
    assert ended.stderr.count("\n") == 1


def test_a_signal_at_the_interpreters_end_changes_no_code():
    """Python lets go of signals before it has put all away, which may take a second."""
    script = (
        "import builtins, time\nfrom deepdance_cli import main\n"
        "class Slow:\n    def __del__(self):\n        print('ends', flush=True)\n        time.sleep(2)\n"
        "builtins.slow = Slow()\nmain._call_app = lambda invocation: time.sleep(print('begun', flush=True) or 100)\n"
        "main.main()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for line, number in ((b"begun", signal.SIGINT), (b"ends", signal.SIGTERM)):
            assert process.stdout.readline().strip() == line
            process.send_signal(number)
        assert process.wait(30) == 130


def test_python_keeps_its_signals(tmp_path):
    script = (
        "import signal\nbefore = [signal.getsignal(n) for n in (2, 15, 1)]\n"
        "import deepdance\ndeepdance.Session.open('none')\nimport deepdance_cli.main\n"
        "assert before == [signal.getsignal(n) for n in (2, 15, 1)]\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
