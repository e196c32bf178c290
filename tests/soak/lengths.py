"""`make soak`: a million frames of dance and eight hours of video, in memory that does not grow, as fast at their end.

python -m tests.soak.lengths --share 0.05; each row of the table is a process of its own.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tests.conftest import demo_frames, write_video

FRAMES, HOURS = 1_000_000, 8
SIZE = (24, 40)
SCENE, SCENE_FPS = 60, 30
"""Seconds of the video that is looped, and its frames a second."""
MODELS = ("ridge", "motion-field")
MOST_GROWTH = 16.0
"""Megabytes between the second tenth and the last."""
MOST_SLOWING = 0.05
"""Share of its rate that the last tenth may be slower than the first."""
MOST_WRONG = 0.2
"""Share of the rest that the time left may be wrong by, at its median over the tenths."""
SHORTEST_REST = 5.0
"""Seconds: of less that is left, as much is counted. Nobody plans by it, and a bar shows whole seconds."""
LOOKS = 20
"""Looks at the memory and the clock in each tenth."""


@dataclass
class Measures:
    """What a length took, by tenths of it."""

    what: str
    length: int = 0
    megabytes: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    """Frames in the processor time that `measure_yardstick` takes beside them, times 1,000: the median of a tenth.

    So the machine's own slowing, by what others do on it or by its heat, does not count.
    """
    seconds_left: list[float | None] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    peak: float = 0.0

    @property
    def growth(self) -> float:
        """Megabytes."""
        return max(self.megabytes[-1] - self.megabytes[1], 0.0)

    @property
    def slowing(self) -> float:
        """Share of the first tenth's rate."""
        return 1 - self.rates[-1] / max(self.rates[0], 1e-9)

    @property
    def wrong(self) -> float:
        """How wrong the time left was, as a share of what was left: the median of the tenths before the last."""
        rest = [self.ended[-1] - moment for moment in self.ended[:-1]]
        told = zip(self.seconds_left[:-1], rest, strict=True)
        shares = [abs(left - true) / max(true, SHORTEST_REST) for left, true in told if left is not None]
        return float(np.median(shares))

    @property
    def faults(self) -> list[str]:
        """Which limits are passed."""
        figures = {"growth": MOST_GROWTH, "slowing": MOST_SLOWING, "wrong": MOST_WRONG}
        return [name for name, most in figures.items() if getattr(self, name) > most]


class Meter:
    """A listener that measures one stage, and asks the bar beside it for the time left."""

    def __init__(self, what: str, stage: str, workspace: Path) -> None:
        from rich.console import Console

        from deepdance.plugins import discover
        from deepdance.workspace import Workspace
        from deepdance_cli.forecast import Forecast
        from deepdance_cli.progress import StageBars, make_bars

        self.measures = Measures(what)
        self._stage, self._tenth, self._look = stage, 0, 0
        self._bars = make_bars(Console(file=io.StringIO(), force_terminal=True))
        self._show = StageBars(self._bars, Forecast(Workspace(workspace), discover()))
        self._began: tuple[int, float] | None = None
        self._rates: list[float] = []
        self._most = 0.0

    def __call__(self, event: Any) -> None:
        from deepdance.events import Progress

        self._show(event)
        if isinstance(event, Progress) and event.stage == self._stage and event.total:
            self._advance(event.done, event.total)

    def _advance(self, done: int, total: int) -> None:
        self.measures.length = total
        if done * 10 * LOOKS >= total * self._look:
            self._look += 1
            self._look_at(done)
        if done * 10 >= total * (self._tenth + 1):
            self._end_tenth()

    def _look_at(self, done: int) -> None:
        if self._began:
            before, then = self._began
            taken = time.process_time() - then
            self._rates.append(1000 * (done - before) * measure_yardstick() / max(taken, 1e-9))
        self._most = max(self._most, psutil.Process().memory_info().rss / 2**20)
        self._began = (done, time.process_time())

    def _end_tenth(self) -> None:
        measures, task = self.measures, self._bars.tasks[-1]
        measures.megabytes.append(self._most)
        measures.rates.append(float(np.median(self._rates)))
        measures.seconds_left.append(task.time_remaining)
        measures.ended.append(time.monotonic())
        self._rates, self._most = [], 0.0
        self._tenth += 1


def measure_yardstick() -> float:
    """Seconds of the processor for a fixed piece of work such as a dance is made of: a loop over small arrays."""
    began, rows = time.process_time(), np.ones(4096, np.float32)
    for _ in range(400):
        rows = np.tanh(rows + np.float32(0.1))  # a product of matrices would take as many threads as are free
    return time.process_time() - began


def make_long_video(place: Path, seconds: float) -> Path:
    """The demo dancer for a while, again and again, without encoding it again."""
    import imageio_ffmpeg

    scene = write_video(place / "scene.mp4", demo_frames(SCENE, SCENE_FPS, (48, 80)), SCENE_FPS)
    looped = place / "long.mp4"
    again = ["-stream_loop", str(round(seconds / SCENE) - 1), "-i", str(scene), "-c", "copy", str(looped)]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *again], check=True)
    return looped


def prepare(place: Path, seconds: float) -> Measures:
    """A video of so many seconds → silhouettes at 10 a second."""
    from deepdance.preparation import prepare
    from deepdance.recipe import Recipe
    from deepdance.session import Session

    meter = Meter("silhouettes", "silhouettes", place / "workspace")
    recipe = Recipe(remover="threshold", size=SIZE, fps=10)
    prepare(Session.open(place / "workspace", [meter]), recipe, str(make_long_video(place, seconds)))
    return finish(meter)


def encode(place: Path, seconds: float) -> Measures:
    """The silhouettes of so many seconds → latents."""
    from deepdance import pipeline
    from deepdance.preparation import prepare
    from deepdance.recipe import Recipe
    from deepdance.session import Session

    meter = Meter("latents", "latents", place / "workspace")
    session = Session.open(place / "workspace", [meter])
    recipe = Recipe(remover="threshold", size=SIZE, fps=10, codec={"name": "pca", "latent_dim": 32})
    scene, long = (prepare(session, recipe, str(place / name)) for name in ("scene.mp4", "long.mp4"))
    pipeline.encode(session, recipe, pipeline.fit_codec(session, recipe, [scene]), [long])
    return finish(meter)


def dance(place: Path, model: str, frames: int) -> Measures:
    """So many frames of a dance by `pca` and a sequence model, as a video."""
    import deepdance

    meter = Meter(f"dance of {model}", "render", place / "workspace")
    run = deepdance.run(
        name=model, workspace=place / "workspace", source={"name": "demo", "seconds": 40}, codec="pca", sequence=model,
        fps=10, size=SIZE, frames=10, render_size=SIZE,
    )  # fmt: skip
    deepdance.open_run(run.folder, listen=[meter]).generate(place / f"{model}.mp4", frames=frames)
    return finish(meter)


def finish(meter: Meter) -> Measures:
    """What was measured, and the most memory that this process ever had."""
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    meter.measures.peak = most / (2**20 if sys.platform == "darwin" else 2**10)
    return meter.measures


def measure(work: Callable[..., Measures], *given: Any) -> Measures:
    """Do one piece of work in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        return processes.submit(work, *given).result()


def describe(measures: Measures) -> str:
    """One row of the table."""
    rates = " ".join(f"{rate:.0f}" for rate in measures.rates)
    memory = f"peak {measures.peak:4.0f} MB  grows {measures.growth:4.1f} MB"
    times = f"slower {measures.slowing:5.1%}  time left wrong by {measures.wrong:4.0%}  rates {rates}"
    return f"{measures.what:22} {measures.length:>9,} frames  {memory}  {times}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and fail where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the million frames and the eight hours")
    share = parser.parse_args(arguments).share
    with tempfile.TemporaryDirectory() as folder:
        place, seconds = Path(folder).resolve(), share * HOURS * 3600
        works: list[tuple[Any, ...]] = [(prepare, place, seconds), (encode, place, seconds)]
        works += [(dance, place, model, round(share * FRAMES)) for model in MODELS]
        faults = []
        for work in works:
            measures = measure(*work)
            print(describe(measures), flush=True)
            faults += [f"{measures.what}: {fault}" for fault in measures.faults]
    if faults:
        sys.exit(f"limits passed: {', '.join(faults)}")


if __name__ == "__main__":
    main()
