"""The contract of a source."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from deepdance.arrays import UInt8
from deepdance.errors import InputError
from deepdance.frames import fit_size
from deepdance.interfaces import FrameSource, SourceInfo
from deepdance.testing import common
from deepdance.testing.sample_data import make_pictures
from deepdance.testing.subject import (
    Subject,
    collect_checks,
    expect,
    expect_array,
    expect_error,
    expect_same,
    measure_memory,
    skip,
)

FPS = 10.0
FRAMES = 24
SIZE = (48, 80)
LARGE, LONG = (480, 800), 112
"""A file of so many large frames has 129 MB of them."""
TOTAL = 128_000_000
HELD = 0.5
"""Of those bytes: what a source may hold at once."""


class SourceSubject(Subject):
    """A source, and something for it to read: what was given, or what the kit writes for its first known suffix."""

    interface = FrameSource

    def make_source(self, location: str | None = None) -> Any:
        """A new instance."""
        return self.cls(location or self.place, self.options)

    @property
    def place(self) -> str:
        """A location with frames. A source that reads no files is given its own name."""
        if self.location or not self.spec.suffixes:
            return self.location or self.spec.name
        path = self.folder / f"dance{self.suffix}"
        return str(path) if path.exists() else self.write("dance", make_pictures(FRAMES, SIZE))

    @property
    def suffix(self) -> str:
        """The first of its suffixes that the kit can write, or skip the check."""
        suffix = next((suffix for suffix in self.spec.suffixes if suffix in WRITERS), None)
        if suffix is None:
            skip(f"nothing here writes {' '.join(self.spec.suffixes) or 'what it reads'}; give a location")
        return suffix

    def write(self, name: str, frames: UInt8) -> str:
        """A new file of RGB frames."""
        path = self.folder / f"{name}{self.suffix}"
        WRITERS[self.suffix](path, frames)
        return str(path)


def _read(source: Any, fps: float = FPS, size: tuple[int, int] = SIZE) -> UInt8:
    """All samples of a source, at most `FRAMES`."""
    chunks: list[UInt8] = []
    for chunk in source.frames(fps, size):
        chunks.append(chunk)
        if sum(map(len, chunks)) >= FRAMES:
            break
    expect(chunks, "at least one chunk of frames", "none")
    return np.concatenate(chunks)[:FRAMES]


def tells_what_it_is(subject: SourceSubject) -> None:
    """`info()` is a SourceInfo with a height and a width, before a frame is read."""
    info = subject.make_source().info()
    expect(isinstance(info, SourceInfo), "a SourceInfo from info()", type(info).__name__)
    expect(info.height >= 1 and info.width >= 1, "a height and a width of at least 1", f"{info.height}×{info.width}")
    for name, value in (("fps", info.fps), ("seconds", info.seconds)):
        expect(value is None or value > 0, f"{name} above 0, or None where it is not known", value)


def yields_frames(subject: SourceSubject) -> None:
    """Chunks are uint8 RGB `(n, h, w, 3)`, n at least 1, all of one size."""
    size = None
    for chunk in islice(subject.make_source().frames(FPS, SIZE), 3):
        size = size or chunk.shape[1:3]
        expect(len(chunk), "a frame in every chunk", "an empty chunk")
        expect_array(chunk, (len(chunk), *size, 3), np.uint8, "frames")
    expect(size, "at least one chunk of frames", "none")


def keeps_the_shape_of_frames(subject: SourceSubject) -> None:
    """Frames are scaled down to fit inside the size asked for, never up, and keep their shape."""
    info = subject.make_source().info()
    native = info.height, info.width
    for box in (SIZE, (33, 33), (2 * info.height, 2 * info.width)):
        expected = fit_size(*native, (min(box[0], native[0]), min(box[1], native[1])))
        got = next(iter(subject.make_source().frames(FPS, box))).shape[1:3]
        near = all(abs(mine - other) <= 1 for mine, other in zip(got, expected, strict=True))
        expect(near, f"frames of {expected} for {native} inside {box}", got)


def reads_the_same_again(subject: SourceSubject) -> None:
    """The same frames and fingerprint come from a new instance, and from one that was left in the middle."""
    source, other = subject.make_source(), subject.make_source()
    left = source.frames(FPS, SIZE)
    next(left)
    left.close()
    frames = _read(source)
    expect_same({"frames": frames}, {"frames": _read(other)}, "from a new instance")
    prints = source.fingerprint(), other.fingerprint()
    expect(isinstance(prints[0], str) and prints[0], "a text from fingerprint()", repr(prints[0]))
    expect(prints[0] == prints[1], f"the same fingerprint {prints[0]!r} again", repr(prints[1]))


def other_frames_have_another_fingerprint(subject: SourceSubject) -> None:
    """The fingerprint changes with the frames, also where the file's name stays."""
    _require_files(subject)
    one = subject.make_source(subject.write("changed", make_pictures(FRAMES, SIZE))).fingerprint()
    other = subject.make_source(subject.write("changed", make_pictures(FRAMES, SIZE, first=5))).fingerprint()
    expect(one != other, "another fingerprint for other frames", f"{other!r} for both")


def samples_by_time(subject: SourceSubject) -> None:
    """Sample k is the first frame with pts · fps ≥ k, so at half the rate every second sample is left."""
    if subject.make_source().info().fps is None:
        skip("its frames have no times: info().fps is None")
    twice, once = _read(subject.make_source(), 2 * FPS)[::2], _read(subject.make_source())
    count = min(len(once), len(twice))
    expect_same({"samples": once[:count]}, {"samples": twice[:count]}, f"at {FPS:g} and {2 * FPS:g} a second")


def takes_one_frame(subject: SourceSubject) -> None:
    """A file of one frame yields one frame."""
    _require_files(subject)
    frames = _read(subject.make_source(subject.write("one", make_pictures(1, SIZE))))
    expect(len(frames) == 1, "one frame from a file of one", len(frames))


def refuses_what_it_cannot_read(subject: SourceSubject) -> None:
    """What does not exist, is empty or is something else raises InputError, from info() and from frames()."""
    _require_files(subject)
    for what, path in _make_unreadable(subject):
        with expect_error(InputError, f"info() of {what}"):
            subject.make_source(str(path)).info()
        with expect_error(InputError, f"frames() of {what}"):
            next(iter(subject.make_source(str(path)).frames(FPS, SIZE)), None)


def _make_unreadable(subject: SourceSubject) -> Iterator[tuple[str, Path]]:
    yield "what does not exist", subject.folder / f"missing{subject.suffix}"
    empty = subject.folder / f"empty{subject.suffix}"
    if subject.suffix == FOLDER:
        empty.mkdir(exist_ok=True)
        yield "an empty folder", empty
        return
    empty.touch()
    yield "an empty file", empty
    text = empty.with_stem("text")
    text.write_text("no frames are in here, only words\n" * 50)
    yield "a text", text


def tells_where_shots_start(subject: SourceSubject) -> None:
    """After the last frame `shot_starts()` are samples of it, in order."""
    source, count = subject.make_source(), 0
    for chunk in source.frames(FPS, SIZE):
        count += len(chunk)
    starts = list(source.shot_starts())
    inside = all(0 <= start < count for start in starts)
    expect(inside and starts == sorted(set(starts)), f"samples below {count} in order from shot_starts()", starts)


def samples_for_a_look(subject: SourceSubject) -> None:
    """`sample(count, size)` is one to `count` RGB frames of the size that `frames` gives."""
    source = subject.make_source()
    height, width = next(iter(source.frames(FPS, SIZE))).shape[1:3]
    for count in (1, 5):
        sampled = subject.make_source().sample(count, SIZE)
        expect(1 <= len(sampled) <= count, f"one to {count} frames from sample({count})", len(sampled))
        expect_array(sampled, (len(sampled), height, width, 3), np.uint8, "sampled frames")


def streams(subject: SourceSubject) -> None:
    """What it holds at once does not grow with the length of the source."""
    own = subject.location or not subject.spec.suffixes
    place = subject.place if own else subject.write("long", np.repeat(make_pictures(2, LARGE), LONG // 2, axis=0))
    fps = max(subject.make_source(place).info().fps or FPS, 1.0)
    read = 0

    def read_all() -> None:
        nonlocal read
        for chunk in subject.make_source(place).frames(fps, LARGE):
            read += chunk.nbytes
            if read >= TOTAL:
                return

    _read(subject.make_source())
    held, _ = measure_memory(read_all)
    if read < TOTAL:
        skip(f"it has {read:,} bytes of frames, and {TOTAL:,} are needed to see it; give a longer location")
    expect(held <= HELD * TOTAL, f"at most {int(HELD * TOTAL):,} bytes held of {read:,}", f"{held:,}")


def _require_files(subject: SourceSubject) -> None:
    if not subject.spec.suffixes:
        skip("it reads no files: its spec has no suffixes")


def _write_array(path: Path, frames: UInt8) -> None:
    np.save(path, frames)


def _write_images(path: Path, frames: UInt8) -> None:
    path.mkdir(exist_ok=True)
    for name, image in _encode_images(frames):
        (path / name).write_bytes(image)


def _write_comic_book(path: Path, frames: UInt8) -> None:
    with zipfile.ZipFile(path, "w") as book:
        for name, image in _encode_images(frames):
            book.writestr(name, image)


def _encode_images(frames: UInt8) -> Iterator[tuple[str, bytes]]:
    import cv2

    for number, frame in enumerate(frames):
        _, image = cv2.imencode(".png", frame[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        yield f"{number:06}.png", image.tobytes()


def _write_video(path: Path, frames: UInt8) -> None:
    import cv2

    height, width = frames.shape[1:3]
    code = cv2.VideoWriter.fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    video = cv2.VideoWriter(str(path), code, FPS, (width, height))
    for frame in frames:
        video.write(np.ascontiguousarray(frame[..., ::-1]))
    video.release()


FOLDER = "/"
WRITERS: Mapping[str, Callable[[Path, UInt8], None]] = {
    ".npy": _write_array,
    FOLDER: _write_images,
    ".mp4": _write_video,
    ".avi": _write_video,
    ".cbz": _write_comic_book,
}


CHECKS = (*common.CHECKS, *collect_checks(__name__))
