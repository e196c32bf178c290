"""Prepares what it is told on its standard input, a path a line, and answers each with a line of JSON."""

from __future__ import annotations

import json
import resource
import shutil
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from deepdance.errors import DeepDanceError
from deepdance.events import collect_warnings
from deepdance.frames import Silhouettes
from deepdance.inputs import expand_inputs, resolve
from deepdance.preparation import prepare
from deepdance.recipe import Choice, Recipe
from deepdance.session import Session

RECIPE = Recipe(remover=Choice(name="threshold"), size=(24, 40), fps=5)


@dataclass
class Ending:
    """How a file was read."""

    outcome: str
    """`right`, `partial` (with a warning), `refused` (one line), or what must not be."""
    told: str = ""
    seconds: float = 0.0
    megabytes: int = 0
    """Largest memory of the process and the largest of its children, together."""


def read(path: Path, workspace: Path) -> Ending:
    """What a user's `dd prepare` does with a file."""
    try:
        with collect_warnings() as told:
            session = Session.open(workspace)
            locations = expand_inputs(session.registry, [str(path)])
            recipe = resolve(RECIPE, session.registry, locations)
            prepared = prepare(session, recipe, locations[0])
            count = len(Silhouettes.load([prepared.folder]))
        return Ending("partial" if told else "right", told[0] if told else f"{count} frames")
    except DeepDanceError as error:
        line = str(error)
        return Ending("refused" if line.isprintable() else "more than a line", line)
    except BaseException:
        return Ending("traceback", traceback.format_exc())


def measure(path: Path) -> Ending:
    """`read`, in a workspace of its own, with its time and memory."""
    _reset_peak()
    workspace = Path(tempfile.mkdtemp())
    begun = time.monotonic()
    try:
        ending = read(path, workspace)
    finally:
        shutil.rmtree(workspace)
    ending.seconds = round(time.monotonic() - begun, 2)
    ending.megabytes = (_read_peak() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) // 1024
    return ending


def _reset_peak() -> None:
    """Linux begins to measure the process's largest memory anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _read_peak() -> int:
    """Kilobytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def main() -> None:
    answers = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        answers.write(json.dumps(asdict(measure(Path(line.rstrip("\n"))))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
