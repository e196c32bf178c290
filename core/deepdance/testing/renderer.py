"""The contract of a renderer."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from deepdance.arrays import UInt8
from deepdance.errors import InputError, RenderError
from deepdance.interfaces import Renderer
from deepdance.plugins import discover
from deepdance.testing import common
from deepdance.testing.sample_data import make_silhouettes
from deepdance.testing.subject import (
    Subject,
    collect_checks,
    expect,
    expect_error,
    expect_unchanged,
    measure_memory,
    skip,
)

FPS = 25.0
CHUNKS, LENGTH = 64, 50
HELD = 0.5
"""Of the bytes of all frames: what a renderer may hold at once."""


class RendererSubject(Subject):
    """A renderer and a dance to show."""

    interface = Renderer

    def path(self, name: str) -> Path:
        """Where to write, with the renderer's own file ending; that of a folder is none."""
        return self.folder / f"{name}{self.spec.suffixes[0]}"

    def render(self, frames: Iterable[UInt8], path: Path) -> Path:
        """Write frames with a new renderer."""
        self.cls(self.options).render(frames, FPS, path)
        return path


def _make_chunks(*lengths: int) -> Iterator[UInt8]:
    start = 0
    for length in lengths:
        yield make_silhouettes(length, first=start)
        start += length


def writes_a_file(subject: RendererSubject) -> None:
    """Chunks of any length, of none too, from a generator become a file, in place of one that is there.

    Or they become a folder of files, which is there or not.
    """
    path = subject.path("dance")
    if path.suffix:
        path.write_bytes(b"something older")
    else:
        path.mkdir()
    subject.render(_make_chunks(5, 0, 1, 14), path)
    written = _read_bytes(path)
    expect(written, "a file that is not empty, or a folder of such files", "none")
    expect(written != b"something older", "the file that was there to be overwritten", "the older one")


def can_be_read(subject: RendererSubject) -> None:
    """What it writes can be opened, and shows something."""
    path = subject.render(_make_chunks(10, 10), subject.path("readable"))
    reader = READERS.get(path.suffix or "/")
    if reader is None:
        skip(f"files ending in {path.suffix} cannot be read here")
    expected = f"a {path.suffix} file that can be read and is not one grey all over"
    try:
        expect(reader(path), expected, "something else")
    except (OSError, ValueError, SyntaxError, InputError) as error:  # SyntaxError: an XML that is none
        expect(False, expected, error)


def takes_one_frame(subject: RendererSubject) -> None:
    """A dance of one frame is a file too."""
    path = subject.render(_make_chunks(1), subject.path("one"))
    expect(_read_bytes(path), "a file of one frame, or a folder of it", "none")


def refuses_no_frames(subject: RendererSubject) -> None:
    """No chunks, and chunks without a frame, raise RenderError."""
    for name, lengths in (("no chunks", ()), ("empty chunks", (0, 0))):
        with expect_error(RenderError, name):
            subject.render(_make_chunks(*lengths), subject.path("none"))


def tells_that_it_cannot_write(subject: RendererSubject) -> None:
    """A path in a folder that does not exist raises RenderError."""
    with expect_error(RenderError, "a folder that does not exist"):
        subject.render(_make_chunks(3), subject.folder / "no-such-folder" / subject.path("dance").name)


def lets_errors_of_the_frames_pass(subject: RendererSubject) -> None:
    """An error raised while frames are made is not swallowed."""

    def broken() -> Iterator[UInt8]:
        yield make_silhouettes(3)
        raise KeyError("made by the check")

    try:
        subject.render(broken(), subject.path("broken"))
    except KeyError:
        return
    expect(False, "the KeyError of its frames to pass", "it swallowed")


def leaves_what_it_is_given(subject: RendererSubject) -> None:
    """It does not write into the frames that it is given."""
    frames = make_silhouettes(6)
    with expect_unchanged({"frames": frames}):
        subject.render([frames], subject.path("unchanged"))


def streams(subject: RendererSubject) -> None:
    """Frames are written as they come: what it holds at once does not grow with the dance."""
    chunk = make_silhouettes(LENGTH)
    total = CHUNKS * chunk.nbytes
    subject.render([chunk], subject.path("warm"))
    held, _ = measure_memory(lambda: subject.render((chunk.copy() for _ in range(CHUNKS)), subject.path("long")))
    expect(held <= HELD * total, f"at most {int(HELD * total):,} bytes held of {total:,}", f"{held:,}")


def _read_bytes(path: Path) -> bytes:
    """The bytes of a file, or of all the files of a folder; none where one of them is empty."""
    parts = [part.read_bytes() for part in (sorted(path.iterdir()) if path.is_dir() else [path])]
    return b"".join(parts) if all(parts) else b""


def _reads_folder(path: Path) -> bool:
    return all(READERS.get(part.suffix, Path.is_file)(part) for part in path.iterdir())


def _reads_video(path: Path) -> bool:
    """Whether the toolkit's own source sees something, which lays on white what is transparent."""
    registry = discover()
    source = registry.component("source", "ffmpeg")(str(path), registry.options("source", "ffmpeg", "quick", {}))
    return bool(np.ptp(source.sample(1, (480, 800))))


def _reads_image(path: Path) -> bool:
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return image is not None and bool(np.ptp(image))


def _reads_array(path: Path) -> bool:
    loaded: Any = np.load(path, allow_pickle=False)
    arrays = [loaded] if isinstance(loaded, np.ndarray) else list(loaded.values())
    return any(array.size and np.ptp(array) for array in arrays)


def _reads_svg(path: Path) -> bool:
    root = ElementTree.parse(path).getroot()  # noqa: S314 (the plugin under check has written it)
    return root.tag.endswith("svg") and len(root) > 0


def _reads_json(path: Path) -> bool:
    return bool(json.loads(path.read_text(encoding="utf-8")))


READERS: Mapping[str, Callable[[Path], bool]] = {
    **dict.fromkeys((".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif"), _reads_video),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"), _reads_image),
    **dict.fromkeys((".npy", ".npz"), _reads_array),
    "/": _reads_folder,
    ".svg": _reads_svg,
    ".json": _reads_json,
    ".zip": zipfile.is_zipfile,
}


CHECKS = (*common.CHECKS, *collect_checks(__name__))
