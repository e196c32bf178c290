"""How time and memory grow with the number of frames, stage by stage: `benchmarks/growth.json` and its plot.

    python benchmarks/growth.py [--most 100000]

Each stage runs in a process of its own, on frames of 48×80 and on 128 latents. Time is that of the processors, which
others on the machine disturb less. Memory is what a stage adds and the system cannot take back by itself: pages of a
file that is read are not counted. Linux alone tells it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np

HERE = Path(__file__).parent
RESULT, PLOT = HERE / "growth.json", HERE.parent / "docs/pictures/growth.svg"
SIZE, LATENTS = (48, 80), 128
COUNTS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
FITTED = 10_000
"""Frames of what is learned from where the stage only uses it."""


def write_frames(folder: Path, count: int) -> Path:
    """A file of `count` silhouettes `(n, 48, 80)`: a block that wanders, never all of them in memory."""
    path = folder / "frames.npy"
    frames = np.lib.format.open_memmap(path, "w+", np.uint8, (count, *SIZE))
    random = np.random.default_rng(0)
    for start in range(0, count, 1000):
        chunk = np.full((min(1000, count - start), *SIZE), 255, np.uint8)
        for frame, (row, column, height) in zip(chunk, random.integers(4, 24, (len(chunk), 3)), strict=True):
            frame[row : row + height, column : column + 16] = 0
        frames[start : start + len(chunk)] = chunk
    return path


def make_latents(count: int) -> Any:
    """Latents `(n, 128)` that wander about and stay near 0."""
    from scipy.signal import lfilter

    steps = np.random.default_rng(0).standard_normal((count, LATENTS), dtype=np.float32)
    return np.asarray(lfilter([0.3], [1, -0.95], steps, axis=0), np.float32)


def prepare(folder: Path, count: int) -> Callable[[], object]:
    from deepdance.frames import SilhouetteWriter
    from deepdance_plugins.sources.array import ArrayOptions, ArraySource

    path = write_frames(folder, count)

    def work() -> None:
        with SilhouetteWriter(folder, SIZE) as writer:
            for chunk in ArraySource(str(path), ArrayOptions(dancer="dark")).frames(10, SIZE):
                writer.write(chunk[..., 0])

    return work


def load(folder: Path, count: int) -> Any:
    from deepdance.frames import Clip, Silhouettes

    return Silhouettes([np.load(write_frames(folder, count), mmap_mode="r")], [Clip(0, count, "block", 10)])


def fit_pca(frames: Any) -> Any:
    from deepdance.interfaces import Training
    from deepdance_plugins.codecs.pca import PCA, PCAOptions

    codec = PCA(PCAOptions())
    codec.fit(frames, frames.between(0, 0), Training())
    return codec


def fit_codec(folder: Path, count: int) -> Callable[[], object]:
    frames = load(folder, count)
    return lambda: fit_pca(frames)


def encode(folder: Path, count: int) -> Callable[[], object]:
    frames = load(folder, count)
    codec = fit_pca(frames.between(0, 1000))

    def work() -> None:
        latents = np.empty((count, codec.latent_dim), np.float32)
        for number, chunk in enumerate(frames.chunks()):
            latents[number * 256 : number * 256 + len(chunk)] = codec.encode(chunk)

    return work


def fit_motion_field(latents: Any) -> Any:
    from deepdance.interfaces import Training
    from deepdance_plugins.sequences.motion_field.model import MotionField
    from deepdance_plugins.sequences.motion_field.options import MotionFieldOptions

    model = MotionField(MotionFieldOptions())
    model.fit([latents], [latents[:0]], Training())
    return model


def fit_sequence(folder: Path, count: int) -> Callable[[], object]:
    latents = make_latents(count)
    return lambda: fit_motion_field(latents)


def generate(folder: Path, count: int) -> Callable[[], object]:
    latents = make_latents(FITTED)
    model = fit_motion_field(latents)
    return lambda: model.generate(latents[None, : model.context], count)


def decode(folder: Path, count: int) -> Callable[[], object]:
    from deepdance.pipeline import decode_frames

    codec = fit_pca(load(folder, 1000))
    latents = np.resize(make_latents(1000)[:, : codec.latent_dim], (count, codec.latent_dim))
    return lambda: sum(map(len, decode_frames(codec, [latents])))


STAGES = {stage.__name__: stage for stage in (prepare, fit_codec, encode, fit_sequence, generate, decode)}


def read_memory() -> float:
    """Megabytes of this process that no file holds."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) / 1024


def measure(work: Callable[[], object]) -> dict[str, float]:
    """Seconds of the processors and megabytes at the most, beyond what there was before."""
    before, peak, done = read_memory(), [0.0], Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], read_memory() - before)

    watcher = Thread(target=watch)
    watcher.start()
    start = time.process_time()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return {"seconds": round(time.process_time() - start, 3), "megabytes": round(peak[0])}


def measure_in_a_process(stage: str, count: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--stage", stage, "--most", str(count)]
    # BLAS threads that wait for one another spin, and on a busy machine that is most of what they do.
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    result: dict[str, float] = json.loads(done.stdout)
    print(f"{stage} {count}: {result}", flush=True)
    return result


def find_exponent(points: dict[str, dict[str, float]], figure: str) -> float:
    """How a figure grows at the end: 1 is as fast as the frames."""
    (few, before), (many, after) = list(points.items())[-2:]
    ratio = max(after[figure], 1e-3) / max(before[figure], 1e-3)
    return float(np.log(ratio) / np.log(int(many) / int(few)))


def plot(growth: dict[str, dict[str, dict[str, float]]]) -> None:
    """Both figures of every stage against the frames, on logarithmic axes."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "deepdance"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axis, key in zip(axes, ("seconds", "megabytes"), strict=True):
        for stage, points in growth.items():
            values = [max(point[key], 1e-2 if key == "seconds" else 1) for point in points.values()]
            axis.loglog([int(count) for count in points], values, marker=".", label=stage.replace("_", " "))
        axis.set(xlabel="frames", title=key.replace("seconds", "seconds of a processor"))
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=7)
    figure.savefig(PLOT, metadata={"Date": None})


def main() -> None:
    """Measure every stage, or, called by itself, one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", choices=STAGES)
    parser.add_argument("--most", type=int, default=100_000)
    arguments = parser.parse_args()
    if arguments.stage:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(STAGES[arguments.stage](Path(folder), arguments.most))))
        return
    counts = [count for count in COUNTS if count <= arguments.most]
    growth = {stage: {str(count): measure_in_a_process(stage, count) for count in counts} for stage in STAGES}
    RESULT.write_text(json.dumps(growth, indent=1) + "\n", encoding="utf-8")
    plot(growth)
    for stage, points in growth.items():
        print(
            f"{stage}: time ^{find_exponent(points, 'seconds'):.2f}, memory ^{find_exponent(points, 'megabytes'):.2f}"
        )


if __name__ == "__main__":
    main()
