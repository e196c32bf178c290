"""Tasks for workers that import neither pytest nor what a test brings along."""

import os
import signal
import time
from pathlib import Path

from deepdance import preparation
from deepdance.artifacts import ArtifactStore
from deepdance.sweeps import worker

READ = preparation._open_and_read


def find_pid(tools, *block):
    return os.getpid()


def find_environment(tools, name):
    return os.environ.get(name)


def sleep(tools, seconds):
    tools.emit(os.getpid())
    time.sleep(seconds)


def die(tools):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(tools, error):
    error.add_note("by the way")
    raise error


def read_slowly(tools, location, *arguments):
    """What reads an input, and leaves a line beside it each time that it begins."""
    with Path(f"{location}.begun").open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(1)
    return READ(tools, location, *arguments)


def make_run_noted(tools, planned, measured, root, notes):
    """`make_run`, which leaves a file in `notes` each time that an artifact is begun, slowly, and saves each epoch."""
    make = ArtifactStore._make

    def make_noted(store, name, inputs, make_it, resumable):
        Path(notes, f"{name}.{time.time_ns()}.begun").write_text(str(os.getppid()))
        time.sleep(0.5)
        return make(store, name, inputs, make_it, resumable)

    worker._LentStore._make = make_noted
    worker.SAVING_SECONDS = 0.0
    return worker.make_run(tools, planned, measured, root)


def make_run_far_away(tools, planned, measured, root, notes):
    """The same where nothing of the workspace's disk is seen."""
    worker._is_same = lambda manifest, expected: False
    return make_run_noted(tools, planned, measured, root, notes)
