"""`make soak`: broken files are read in whole, in part with a warning, or refused in one line, within limits.

python -m tests.soak.mutations --seed 1 --count 5000; a failure is played again with --seed 1 --only 1234.
"""

from __future__ import annotations

import argparse
import json
import queue
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil

from .material import Material, list_material
from .mutators import mutate

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/data"
GOOD = ("right", "partial", "refused")
MOST_MEGABYTES = 1000
STOPPED_MEGABYTES = 4000
"""What takes so much is stopped, lest it take the machine with it."""
MOST_SECONDS = 120
RECYCLED = 100
"""Files that a process reads before another takes its place."""
KINDS = ("picture", "array", "video")


@dataclass(frozen=True)
class Mutation:
    """A broken file: number `number` of `seed`."""

    seed: int
    number: int
    material: Material
    data: bytes
    names: Sequence[str]

    def describe(self) -> str:
        return f"--seed {self.seed} --only {self.number}: {self.material.name}: {', '.join(self.names)}"


@dataclass(frozen=True)
class Outcome:
    mutation: Mutation
    outcome: str
    told: str
    seconds: float = 0
    megabytes: int = 0

    @property
    def good(self) -> bool:
        return self.outcome in GOOD


def make_mutation(materials: Sequence[Material], seed: int, number: int) -> Mutation:
    """Pictures, arrays and videos take turns; the rest is chance, the same for the same seed and material."""
    rng = np.random.default_rng([seed, number])
    fitting = [each for each in materials if each.kind == KINDS[number % len(KINDS)]]
    chosen, other = (fitting[rng.integers(len(fitting))] for _ in range(2))
    return Mutation(seed, number, chosen, *mutate(chosen.data, other.data, rng))


class Worker:
    """A process that reads files one after the other, and another when that one ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._count = 0

    def read(self, mutation: Mutation) -> Outcome:
        shutil.rmtree(self._folder, ignore_errors=True)
        path = mutation.material.lay(self._folder / "input", mutation.data)
        process = self._start()
        assert process.stdin and process.stdout
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        wrong = _await_answer(process)
        outcome = Outcome(mutation, *wrong) if wrong else self._judge(mutation, process.stdout.readline())
        if not outcome.good or self._count >= RECYCLED:
            self.stop()
        return outcome

    def _start(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-X", "faulthandler", "-m", "tests.soak.worker"]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
            )
            self._count = 0
        self._count += 1
        return self._process

    def _judge(self, mutation: Mutation, answer: str) -> Outcome:
        if not answer:
            return Outcome(mutation, "crash", f"exit {self._process and self._process.wait()}")
        outcome = Outcome(mutation, **json.loads(answer))
        if outcome.good and outcome.megabytes > MOST_MEGABYTES:
            return replace(outcome, outcome="memory")
        return outcome

    def stop(self) -> None:
        """End the process and its children."""
        if self._process is None:
            return
        if self._process.poll() is None:
            for each in _list_family(self._process):
                each.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process = None


def _list_family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """A process and all that it started."""
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def _await_answer(process: subprocess.Popen[str]) -> tuple[str, str, float, int] | None:
    """Wait until a process has answered or ended; what is wrong where it takes too long or too much."""
    begun = time.monotonic()
    while not select.select([process.stdout], [], [], 0.5)[0]:
        seconds, megabytes = time.monotonic() - begun, _measure_memory(process)
        if seconds > MOST_SECONDS:
            return "hang", f"no answer in {MOST_SECONDS} s", seconds, megabytes
        if megabytes > STOPPED_MEGABYTES:
            return "memory", "stopped before it ended", seconds, megabytes
    return None


def _measure_memory(process: subprocess.Popen[str]) -> int:
    """Megabytes of a process and its children."""
    try:
        return sum(each.memory_info().rss for each in _list_family(process)) >> 20
    except psutil.NoSuchProcess:
        return 0


@contextmanager
def _hire(count: int) -> Iterator[list[Worker]]:
    with tempfile.TemporaryDirectory() as folder:
        workers = [Worker(Path(folder) / str(number)) for number in range(count)]
        try:
            yield workers
        finally:
            for worker in workers:
                worker.stop()


def soak(materials: Sequence[Material], seed: int, numbers: Collection[int], workers: int = 2) -> Iterator[Outcome]:
    """Read each mutation, some at once, and give the outcomes as they come."""
    waiting: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
    for number in numbers:
        waiting.put(number)

    def work(worker: Worker) -> None:
        try:
            while (number := waiting.get()) is not None:
                done.put(worker.read(make_mutation(materials, seed, number)))
        except BaseException as error:
            done.put(error)

    with _hire(workers) as hired:
        for worker in hired:
            waiting.put(None)
            threading.Thread(target=work, args=[worker], daemon=True).start()
        for _ in numbers:
            outcome = done.get()
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome


def tabulate(outcomes: Sequence[Outcome]) -> str:
    """How many ended how, by kind, and the largest memory and longest time."""
    counts = Counter((each.outcome, each.mutation.material.kind) for each in outcomes)
    names = sorted({name for name, _ in counts}, key=lambda name: (name not in GOOD, name))
    rows = [("", *KINDS), *((name, *(str(counts[name, kind]) for kind in KINDS)) for name in names)]
    table = "\n".join(f"{row[0]:18}" + "".join(f"{cell:>10}" for cell in row[1:]) for row in rows)
    largest = max(outcomes, key=lambda each: each.megabytes)
    longest = max(outcomes, key=lambda each: each.seconds)
    return (
        f"{table}\nlargest memory {largest.megabytes} MB: {largest.mutation.describe()}"
        f"\nlongest time {longest.seconds} s: {longest.mutation.describe()}"
    )


def keep(outcome: Outcome, folder: Path) -> str:
    """Keep a file that was read wrongly, and say how to read it again."""
    mutation = outcome.mutation
    path = mutation.material.lay(folder / f"{mutation.seed}-{mutation.number}", mutation.data)
    return f"{outcome.outcome}: {mutation.describe()}\n  {path}\n  {outcome.told}"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--only", type=int, action="append", help="the number of a mutation, to read it again")
    parser.add_argument("--keep", type=Path, default=ROOT / "soak-failures", help="where files read wrongly are kept")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    materials = list_material(SHARED if SHARED.is_dir() else None)
    numbers = arguments.only or range(arguments.count)
    outcomes: list[Outcome] = []
    failures = 0
    for outcome in soak(materials, arguments.seed, numbers):
        outcomes.append(outcome)
        if not outcome.good:
            failures += 1
            print(f"\r{keep(outcome, arguments.keep)}")
        elif arguments.only:
            print(f"{outcome.outcome}: {outcome.told}")
        print(f"\r{len(outcomes)} of {len(numbers)}, {failures} failed", end="", flush=True)
    print(f"\n{tabulate(outcomes)}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
