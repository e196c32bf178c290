"""`my-source`: the pictures of a comic book archive, a zip of them in the order of their names, as frames."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import cv2
import numpy as np
from deepdance.errors import InputError
from deepdance.frames import fit_size
from deepdance.interfaces import FrameSource, Options, SourceInfo, UInt8
from pydantic import Field

CHUNK = 8
"""Frames in a chunk."""
PICTURES = (".jpg", ".jpeg", ".png", ".webp")
ROUNDING = 1e-9
"""Of a sample: 0.3 · 10 are 3 frames, not 2."""


class MySourceOptions(Options):
    """What the file does not say."""

    fps: float = Field(10.0, gt=0, le=240, description="pictures a second")


class MySource(FrameSource[MySourceOptions]):
    """One picture is one frame. They are unpacked as they are asked for, some at a time."""

    @contextmanager
    def _open(self) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
        """The archive, and the entries in it that are pictures. Raises InputError."""
        try:
            with zipfile.ZipFile(self.location) as book:
                names = sorted(name for name in book.namelist() if name.lower().endswith(PICTURES))
                if not names:
                    raise InputError(f"{self.location}: expected pictures ({', '.join(PICTURES)}) in it, got none")
                yield book, [book.getinfo(name) for name in names]
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(f"{self.location}: expected a zip of pictures, got: {error}; check the path") from None

    def info(self) -> SourceInfo:
        with self._open() as (book, pages):
            height, width = self._read(book, pages[0]).shape[:2]
        return SourceInfo(height, width, self.options.fps, len(pages) / self.options.fps)

    def fingerprint(self) -> str:
        """A hash of the checksums that a zip keeps: the same pictures in another file are the same."""
        with self._open() as (_, pages):
            return sha256(repr([page.CRC for page in pages]).encode()).hexdigest()

    def frames(self, fps: float, size: tuple[int, int]) -> Iterator[UInt8]:
        """At another rate than the archive's, pictures are left out or shown again."""
        with self._open() as (book, pages):
            step = self.options.fps / fps
            count = int((len(pages) - 1) / step + ROUNDING) + 1
            numbers = np.ceil(np.arange(count) * step - ROUNDING).astype(int)
            height, width = self._read(book, pages[0]).shape[:2]
            height, width = fit_size(height, width, (min(size[0], height), min(size[1], width)))
            for start in range(0, count, CHUNK):
                pictures = (self._read(book, pages[number]) for number in numbers[start : start + CHUNK])
                yield np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in pictures])

    def _read(self, book: zipfile.ZipFile, page: zipfile.ZipInfo) -> UInt8:
        picture = cv2.imdecode(np.frombuffer(book.read(page), np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise InputError(f"{self.location}: expected a picture, got {page.filename}; remove it or make it anew")
        return np.ascontiguousarray(picture[..., ::-1])  # OpenCV's pictures are BGR
