"""What many tests need: a small video of the demo dancer, and the command line called in this process."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import psutil
import pytest

from deepdance.plugins import Registry, discovery
from deepdance.plugins.discovery import ONLY, WITHOUT, Installed

SHARED = Path(__file__).parents[2] / "shared/data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs shared/data")

SMALL = (24, 40)
SMALL_RUN = ("--remover", "threshold", "--size", "24x40", "--fps", "10", "--frames", "40")
FAST = (*SMALL_RUN, "--set", "sequence.layers=2", "--set", "sequence.units=16", "--set", "sequence.epochs=2")

os.environ["IMAGEIO_FFMPEG_NO_PREVENT_SIGINT"] = "1"
"""It would fork, which gRPC does not survive: a process that a test joined to a cluster has threads of it."""

signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""A shell's background job ignores Ctrl-C, one under `nohup` SIGHUP, and so would every program that tests start."""


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def dd(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Result]:
    """Call `deepdance` with arguments, in an empty folder."""
    from deepdance_cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in (ONLY, WITHOUT):  # `--no-plugins` sets them for the rest of the process: they go when the test ends
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    def call(*arguments: object) -> Result:
        capfd.readouterr()
        with process_of_its_own(["deepdance", *map(str, arguments)]), pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Result(int(ended.value.code or 0), out, err)

    return call


@contextmanager
def process_of_its_own(arguments: list[str]) -> Iterator[None]:
    """Afterwards the streams and signals are as before: `main` takes them for a process that it ends."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", arguments)
        for name in ("stdin", "stdout", "stderr", "excepthook"):
            patch.setattr(sys, name, getattr(sys, name))
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)


def demo_frames(seconds: float, fps: float, size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """RGB frames `(n, h, w, 3)` of the demo dancer."""
    from deepdance_plugins.sources.demo.source import DemoOptions, DemoSource

    return np.concatenate(list(DemoSource("demo", DemoOptions(seed=seed, seconds=seconds)).frames(fps, size)))


def write_video(path: Path, frames: np.ndarray, fps: float, extra: Sequence[str] = ()) -> Path:
    """RGB frames as H.264."""
    import imageio_ffmpeg

    size = f"{frames.shape[2]}x{frames.shape[1]}"
    reading = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(fps), "-i", "pipe:0"]
    writing = ["-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv420p", *extra, f"file:{path}"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *reading, *writing]
    subprocess.run(command, input=frames.tobytes(), check=True)
    return path


def probe(path: Path) -> tuple[dict, np.ndarray]:
    """Size, rate and frames of a video."""
    import imageio_ffmpeg

    reader = imageio_ffmpeg.read_frames(str(path), pix_fmt="gray", bits_per_pixel=8)
    meta = next(reader)
    width, height = meta["size"]
    frames = [np.frombuffer(frame, np.uint8).reshape(height, width) for frame in reader]
    return meta, np.stack(frames)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """The logger `deepdance` as a program that never called the command line has it."""
    logger = logging.getLogger("deepdance")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)
    return logger


@pytest.fixture(scope="session")
def person_weights() -> Path:
    """The folder with the weights of the remover `person`, fetched as a run does; a test skips where it cannot be."""
    from deepdance.errors import PluginError
    from deepdance_plugins.removers.person.weights import fetch_weights

    try:
        return fetch_weights()
    except PluginError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of the demo dancer at 30 frames a second, 200×120."""
    return write_video(tmp_path_factory.mktemp("video") / "dancer.mp4", demo_frames(8, 30, (120, 200)), 30)


@pytest.fixture(scope="session")
def silhouettes() -> np.ndarray:
    """`(120, 24, 40)` silhouettes of the demo dancer at 10 a second."""
    from deepdance.frames import shrink
    from deepdance_plugins.removers.threshold import Threshold, ThresholdOptions

    frames = demo_frames(12, 10, (96, 160), seed=1)
    return shrink(Threshold(ThresholdOptions()).remove(frames), SMALL)


def registry_of(monkeypatch: pytest.MonkeyPatch, **modules: object) -> Registry:
    """Discovery with these modules as the only plugins."""
    found = []
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, f"plugin_{name}", module)
        found.append(Installed(EntryPoint(name, f"plugin_{name}", "deepdance"), f"dance-{name}", "1.0"))
    monkeypatch.setattr(discovery, "find_installed", lambda: found)
    return discovery._discover.__wrapped__(None, None)


@pytest.fixture
def children() -> Callable[[], list[psutil.Process]]:
    """The child processes of this one that the test has started."""
    before = psutil.Process().children()
    return lambda: [child for child in psutil.Process().children() if child not in before]
