"""What workers bring, and cost: one against two, what a task takes, and the memory of the process that drives.

    python benchmarks/workers.py prepare --clips 8 --seconds 40 --remover person
    python benchmarks/workers.py encode --frames 8192 --executor ray
    python benchmarks/workers.py evaluate --frames 6000 --seeds 5
    python benchmarks/workers.py tasks --executor ray --json
    python benchmarks/workers.py clips --clips 100 1000 --seconds 1 --jobs 2

`prepare`, `encode` and `evaluate` do the same work twice: by workers that have to begin, `cold`, and by the same ones
again, `warm`, which is what scaling is told by. One worker is a process of its own too, and each has one processor: of
this machine, or what `--executor` names. `driver` are the seconds of a processor that the process took meanwhile that
gives the work and writes the results: more workers do not shorten that. `clips` times the command as it is typed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import deepdance
from deepdance import pipeline
from deepdance.delegation import map_blocks, run_task
from deepdance.evaluation.report import evaluate
from deepdance.plugins import discover
from deepdance.preparation import prepare_all
from deepdance.recipe import Recipe
from deepdance.session import Session
from deepdance.tasks import Tools
from deepdance.workers import Workers, open_processes

SIZE = (120, 200)
Row = dict[str, Any]


@dataclass(frozen=True)
class WorkedSession(Session):
    """A session with workers that were there before."""

    workers: Workers | None = None

    def start_workers(self, count: int) -> AbstractContextManager[Workers | None]:
        return nullcontext(self.workers)


def measure_prepare(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Silhouettes of so many clips."""
    clips = [_write_clip(folder, number, options) for number in range(max(options.clips))]
    recipe = Recipe(size=SIZE, remover=options.remover)
    for count in options.clips:

        def prepare(session: Session, count: int = count) -> None:
            prepare_all(session.make_anew("silhouettes"), [recipe] * count, clips[:count])

        yield from _compare(options, folder, prepare, {"clips": count})


def measure_encode(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """The latents of so many frames by `sdf-ae` with its prior."""
    path = folder / "frames.npy"
    np.save(path, np.resize(_draw_silhouettes(), (options.frames, *SIZE)))
    recipe, session = Recipe(size=SIZE, codec="sdf-ae"), Session.open(folder)
    prepared = prepare_all(session, [recipe], [str(path)])
    codec = pipeline.fit_codec(session, recipe, prepared)

    def encode(session: Session) -> None:
        pipeline.encode(session.make_anew("latents"), recipe, codec, prepared)

    return _compare(options, folder, encode, {"frames": options.frames})


def measure_evaluate(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """All tables of a run of the demo: so many dances of so many frames."""
    deepdance.run("demo", workspace=folder, name="demo", codec="sdf-ae", frames=1, progress=False)

    def measure(session: Session) -> None:
        evaluate(session, "demo", options.frames, options.seeds, fresh="evaluation")

    return _compare(options, folder, measure, {"frames": options.frames, "seeds": options.seeds})


def _compare(options: argparse.Namespace, folder: Path, work: Callable[[Session], None], what: Row) -> Iterator[Row]:
    """A row for each number of jobs; the speed-up is against the first."""
    first = 0.0
    for jobs in options.jobs:
        start = time.perf_counter()
        with _open_workers(options.executor, jobs) as workers:
            opened = Session.open(folder)
            session = WorkedSession(opened.workspace, opened.registry, jobs=jobs, workers=workers)
            work(session)
            cold, before = time.perf_counter() - start, time.process_time()
            warm = _time(partial(work, session))
            driver = time.process_time() - before
        first = first or warm
        yield {**what, "jobs": jobs, "cold s": cold, "warm s": warm, "driver s": driver, "speed-up": first / warm}


def _open_workers(engine: str, jobs: int) -> AbstractContextManager[Workers]:
    return discover().open_workers(engine, jobs) if engine else open_processes(jobs)


def measure_tasks(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Milliseconds of a task that does nothing, of a hundred, once workers are warm."""
    for jobs in options.jobs:
        start = time.perf_counter()
        with _open_workers(options.executor, jobs) as workers:
            _map(workers)
            opened = time.perf_counter() - start
            alone, blocks = _time(partial(_ask_for_each, workers)), _time(partial(_map, workers))
        yield {"jobs": jobs, "open s": opened, "run_task ms": 10 * alone, "map_blocks ms": 10 * blocks}


def measure_clips(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """`dd prepare` of many clips: the time, and the most memory that its first process had."""
    clips = [_write_clip(folder, number, options) for number in range(max(options.clips))]
    executor = ["--executor", options.executor] if options.executor else []
    for count, jobs in product(options.clips, options.jobs):
        flags = ["--workspace", str(folder / f"{count}-{jobs}"), "--remover", options.remover, "--jobs", str(jobs)]
        seconds, most = _time_command(["prepare", *clips[:count], *flags, *executor])
        yield {"clips": count, "jobs": jobs, "s": seconds, "ms a clip": 1000 * seconds / count, "driver MB": most}


def _ask_for_each(workers: Workers) -> None:
    tools = Tools(discover())
    for number in range(100):
        run_task(workers, tools, _do_nothing, number)


def _map(workers: Workers) -> None:
    list(map_blocks(workers, Tools(discover()), _do_nothing, ((number,) for number in range(100))))


def _do_nothing(tools: Tools, number: int) -> None:
    pass


def _write_clip(folder: Path, number: int, options: argparse.Namespace) -> str:
    """A video of the demo dancer, whom another seed draws in each."""
    import imageio_ffmpeg

    from deepdance_plugins.sources.demo.source import DemoOptions, DemoSource

    path, (height, width) = folder / f"{number:05}.mp4", options.picture
    demo = DemoSource("demo", DemoOptions(seed=number, seconds=options.seconds))
    writer = imageio_ffmpeg.write_frames(str(path), (width, height), fps=10, macro_block_size=1)
    writer.send(None)
    for frame in (frame for chunk in demo.frames(10, (height, width)) for frame in chunk):
        writer.send(np.ascontiguousarray(frame))
    writer.close()
    return str(path)


def _draw_silhouettes() -> np.ndarray:
    """A minute of the demo dancer, `(600, 120, 200)`, uint8."""
    from deepdance_plugins.removers.threshold import Threshold, ThresholdOptions
    from deepdance_plugins.sources.demo.source import DemoOptions, DemoSource

    demo, threshold = DemoSource("demo", DemoOptions(seconds=60)), Threshold(ThresholdOptions())
    return np.concatenate([threshold.remove(chunk) for chunk in demo.frames(10, SIZE)])


def _time_command(arguments: list[str]) -> tuple[float, float]:
    """Seconds of a `dd`, and the most megabytes that its own process ever held."""
    start, most = time.perf_counter(), 0.0
    with subprocess.Popen([sys.executable, "-m", "deepdance", *arguments], stdout=subprocess.DEVNULL) as running:
        while running.poll() is None:
            most = max(most, _read_peak(running.pid))
            time.sleep(0.05)
    if running.returncode:
        raise SystemExit(f"dd {arguments[0]} ended with {running.returncode}")
    return time.perf_counter() - start, most


def _read_peak(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)


def _time(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


MEASURES = {
    "prepare": measure_prepare,
    "encode": measure_encode,
    "evaluate": measure_evaluate,
    "tasks": measure_tasks,
    "clips": measure_clips,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--executor", default="")
    parser.add_argument("--clips", type=int, nargs="+", default=[8])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--picture", type=int, nargs=2, default=(240, 400), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--remover", default="threshold")
    parser.add_argument("--frames", type=int, default=8192)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON, not as a table")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        rows = MEASURES[options.measure](options, Path(folder))
        if options.json:
            print(json.dumps(list(rows), indent=2))
        else:
            _print_table(rows)


def _print_table(rows: Iterator[Row]) -> None:
    for number, row in enumerate(rows):
        if not number:
            _print_cells(row)
            _print_cells(["---"] * len(row))
        _print_cells(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row.values())


def _print_cells(cells: Iterable[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    import_module(Path(__file__).stem).main()  # workers have to find its tasks under a name
