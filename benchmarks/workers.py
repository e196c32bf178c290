"""What workers bring, and cost: one against two, what a task takes, and the memory of the process that drives.

    python benchmarks/workers.py prepare --clips 8 --remover person
    python benchmarks/workers.py encode --frames 8192
    python benchmarks/workers.py tasks --executor ray
    python benchmarks/workers.py prepare --clips 100 1000 --seconds 1 --jobs 2 --remover threshold

Each line of a table is a measurement of its own, in a folder of its own. `--executor` is that of `dd prepare`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from deepdance import pipeline
from deepdance.plugins import discover
from deepdance.preparation import prepare_all
from deepdance.recipe import Recipe
from deepdance.session import Session
from deepdance.tasks import Tools, map_blocks, run_task
from deepdance.workers import Workers

SIZE = (120, 200)


def measure_prepare(options: argparse.Namespace) -> Iterator[tuple[object, ...]]:
    """`dd prepare` of so many clips by so many jobs: seconds, and the most memory that its first process had."""
    yield "clips", "jobs", "s", "driver MB"
    with TemporaryDirectory() as folder:
        clips = [_write_clip(Path(folder), number, options) for number in range(max(options.clips))]
        for count, jobs in product(options.clips, options.jobs):
            workspace = Path(folder, f"workspace-{count}-{jobs}")
            flags = ["--workspace", str(workspace), "--remover", options.remover, "--jobs", str(jobs)]
            executor = ["--executor", options.executor] if options.executor else []
            yield count, jobs, *_time_command(["prepare", *clips[:count], *flags, *executor])


def measure_encode(options: argparse.Namespace) -> Iterator[tuple[object, ...]]:
    """The latents of so many frames by `sdf-ae` with its prior, by so many jobs."""
    yield "frames", "jobs", "s"
    with TemporaryDirectory() as folder:
        path = Path(folder, "frames.npy")
        np.save(path, np.resize(_draw_silhouettes(), (options.frames, *SIZE)))
        recipe = Recipe(size=SIZE, codec="sdf-ae")
        session = Session.open(Path(folder, "workspace"))
        prepared = prepare_all(session, [recipe], [str(path)])
        codec = pipeline.fit_codec(session, recipe, prepared)
        for jobs in options.jobs:
            anew = replace(session.make_anew("latents"), jobs=jobs, engine=options.executor if jobs > 1 else "")
            yield options.frames, jobs, _time(partial(pipeline.encode, anew, recipe, codec, prepared))


def measure_tasks(options: argparse.Namespace) -> Iterator[tuple[object, ...]]:
    """Milliseconds of a task that does nothing, of a hundred, once workers are warm."""
    yield "jobs", "open s", "run_task ms", "map_blocks ms"
    for jobs in options.jobs:
        session = replace(Session.open(), jobs=jobs, engine=options.executor)
        start = time.perf_counter()
        with session.open_workers(100) as workers:
            if workers is None:
                continue
            _map(workers)
            opened = time.perf_counter() - start
            alone, blocks = _time(partial(_ask_for_each, workers)), _time(partial(_map, workers))
        yield jobs, opened, 10 * alone, 10 * blocks


def _ask_for_each(workers: Workers) -> None:
    tools = Tools(discover())
    for number in range(100):
        run_task(workers, tools, _do_nothing, number)


def _map(workers: Workers) -> None:
    list(map_blocks(workers, _do_nothing, ((number,) for number in range(100))))


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measures = {"prepare": measure_prepare, "encode": measure_encode, "tasks": measure_tasks}
    parser.add_argument("measure", choices=measures)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--executor", default="")
    parser.add_argument("--clips", type=int, nargs="+", default=[8])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--picture", type=int, nargs=2, default=(240, 400), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--remover", default="threshold")
    parser.add_argument("--frames", type=int, default=8192)
    options = parser.parse_args()
    for row in measures[options.measure](options):
        print(*(f"{cell:>12.4g}" if isinstance(cell, float) else f"{cell!s:>12}" for cell in row), flush=True)


if __name__ == "__main__":
    import_module(Path(__file__).stem).main()  # workers have to find its tasks under a name
