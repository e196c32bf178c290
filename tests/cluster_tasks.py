"""Tasks for workers that import neither pytest nor what a test brings along."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from deepdance import preparation
from deepdance.artifacts import ArtifactStore
from deepdance.sweeps import worker

READ = preparation._open_and_read


def find_pid(tools, *block):
    return os.getpid()


def find_environment(tools, name):
    return os.environ.get(name)


def make_array(tools):
    return np.zeros(100_000, np.float32)


def sleep(tools, seconds):
    tools.emit(os.getpid())
    time.sleep(seconds)


def die(tools, begun):
    """Leave a letter in `begun` before it ends."""
    with begun.open("a") as file:
        file.write("x")
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


def make_run_far_away(tools, *arguments, notes):
    """`make_run` where nothing of the workspace's disk is seen.

    It leaves a file in `notes` each time that it begins to make an artifact, which takes it a while.
    """
    make = ArtifactStore._make

    def make_noted(store, name, *details, resumable):
        Path(notes, f"{name}.{time.time_ns()}.begun").write_text(str(os.getppid()))
        time.sleep(0.5)
        return make(store, name, *details, resumable)

    worker._LentStore._make = make_noted
    worker._is_same = lambda manifest, expected: False
    return worker.make_run(tools, *arguments)
