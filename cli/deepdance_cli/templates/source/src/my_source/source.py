"""`my-source`: a flip book, frames drawn with characters in a text file, an empty line between them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import file_digest
from itertools import islice, repeat
from math import floor
from pathlib import Path

import numpy as np
from deepdance.errors import InputError
from deepdance.frames import BACKGROUND, fit_size
from deepdance.interfaces import FrameSource, Options, SourceInfo, UInt8
from pydantic import Field

CHUNK = 64
"""Frames in a chunk."""
GROUND = "."
ROUNDING = 1e-9
"""Of a sample: 0.3 · 10 are 3 frames, not 2."""


class MySourceOptions(Options):
    """What the file does not say."""

    fps: float = Field(10.0, gt=0, le=240, description="frames a second of the file")
    ink: str = Field("#", min_length=1, max_length=1, description="the character that is the dancer; . is the ground")


class MySource(FrameSource[MySourceOptions]):
    """One character is one pixel, and all frames are of one size. The file is read as its frames are asked for."""

    def info(self) -> SourceInfo:
        """The first frame's size. How long the file is would be known only after reading all of it."""
        height, width = next(self._drawn()).shape
        return SourceInfo(height, width, fps=self.options.fps, silhouettes=True)

    def fingerprint(self) -> str:
        """A hash of the content: the same frames under another name are the same."""
        try:
            with Path(self.location).open("rb") as file:
                return file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise self._unreadable(error) from None

    def frames(self, fps: float, size: tuple[int, int]) -> Iterator[UInt8]:
        """Chunks `(n, h, w, 3)`; at another rate than the file's, frames are left out or shown again."""
        samples = self._sampled(fps, size)
        while chunk := list(islice(samples, CHUNK)):
            yield np.repeat(np.stack(chunk)[..., None], 3, axis=3)

    def _sampled(self, fps: float, size: tuple[int, int]) -> Iterator[UInt8]:
        """Sample `k` is the first frame whose time has reached k / `fps`: `(h, w)`."""
        taken = 0
        for number, frame in enumerate(self._drawn()):
            reached = floor(number * fps / self.options.fps + ROUNDING) + 1
            if reached > taken:
                yield from repeat(_fitted(frame, size), reached - taken)
            taken = reached

    def _drawn(self) -> Iterator[UInt8]:
        """Every frame of the file, `(h, w)`: 0 is the dancer, 255 the ground. Raises InputError."""
        shape = None
        lines: list[str] = []
        for number, line in self._lines():
            if line:
                lines.append(line)
            elif lines:
                frame = self._pixels(lines, number)
                if shape not in (None, frame.shape):
                    raise self._wrong(f"frames of {shape}", f"one of {frame.shape} that ends at line {number}")
                yield frame
                shape, lines = frame.shape, []
        if shape is None:
            raise self._wrong("frames", "none")

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Lines with their numbers from 1, and an empty one at the end."""
        number = 0
        try:
            with Path(self.location).open(encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    yield number, line.strip()
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from None
        yield number + 1, ""

    def _pixels(self, lines: list[str], number: int) -> UInt8:
        """The frame `(h, w)` that ends before line `number`."""
        ink = self.options.ink
        if len({len(line) for line in lines}) > 1 or set().union(*lines) - {ink, GROUND}:
            raise self._wrong(f"lines of one length, of {ink} and {GROUND}", f"others before line {number}")
        return np.where(np.array([list(line) for line in lines]) == ink, np.uint8(0), np.uint8(BACKGROUND))

    def _wrong(self, expected: str, got: str) -> InputError:
        return InputError(f"{self.location}: expected {expected}, got {got}; choose another file or draw it again")

    def _unreadable(self, error: OSError | UnicodeDecodeError) -> InputError:
        reason = error.strerror if isinstance(error, OSError) else "characters that are not UTF-8"
        return InputError(f"{self.location}: expected a text file, got: {reason}; check the path")


def _fitted(frame: UInt8, size: tuple[int, int]) -> UInt8:
    """Scaled down, never up, to fit into `size`, keeping its shape."""
    import cv2  # heavy, so it is imported where it is used

    height, width = frame.shape
    height, width = fit_size(height, width, (min(size[0], height), min(size[1], width)))
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
