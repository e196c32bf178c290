"""A dancer that the project draws itself: no download, no end, and the same for the same seed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import cv2
import numpy as np

from deepdance.frames import fit_size
from deepdance.interfaces import FrameSource, SourceInfo, UInt8
from deepdance_plugins.sources.demo.body import Dancer
from deepdance_plugins.sources.demo.camera import draw_silhouette
from deepdance_plugins.sources.demo.options import DemoOptions
from deepdance_plugins.sources.demo.shots import aim_camera, find_shot

NATIVE_SIZE = (720, 1200)
NATIVE_FPS = 30.0
CHUNK = 16
ROUNDING = 1e-6
"""Of a frame: 0.1 s at 30 frames a second are 3 frames, not 4."""
DRAWING = 1
"""Raised whenever the same options draw other frames."""
TEMPOS = (116, 118, 120, 122, 124)
"""Beats a minute."""


class DemoSource(FrameSource[DemoOptions]):
    """Draws its dancer instead of reading one: the frame at time t depends on the seed and on t alone."""

    def __init__(self, location: str, options: DemoOptions) -> None:
        super().__init__(location, options)
        self._dancer = Dancer(options.seed)
        rng = np.random.default_rng((options.seed, 0))
        self._beats_per_second = float(rng.choice(TEMPOS)) / 60
        self._tint: tuple[int, ...] = tuple(rng.integers(0, 19, 3).tolist())
        self._shot_starts: list[int] = []

    def info(self) -> SourceInfo:
        """The native size and rate; other rates are drawn as exactly."""
        return SourceInfo(*NATIVE_SIZE, fps=NATIVE_FPS, seconds=self.options.seconds)

    def fingerprint(self) -> str:
        """The options, and the version of the drawing."""
        return "demo:" + json.dumps({"drawing": DRAWING, **self.options.model_dump()}, sort_keys=True)

    def frames(self, fps: float, size: tuple[int, int]) -> Iterator[UInt8]:
        """Chunks of RGB frames; sample `k` shows the time `k / fps`."""
        fitting = min(fit_size(*NATIVE_SIZE, size), NATIVE_SIZE)
        self._shot_starts = []
        count = math.ceil(self.options.seconds * fps - ROUNDING)
        for start in range(0, count, CHUNK):
            samples = range(start, min(start + CHUNK, count))
            self._note_cuts(samples, fps)
            yield np.stack([self.draw(sample / fps, fitting) for sample in samples])

    def shot_starts(self) -> Sequence[int]:
        """Samples of the last `frames` at which the camera cuts."""
        return tuple(self._shot_starts)

    def draw(self, seconds: float, size: tuple[int, int] = NATIVE_SIZE) -> UInt8:
        """The frame at a time: `(height, width, 3)` RGB."""
        beat = seconds * self._beats_per_second
        shot = find_shot(self.options.seed, beat)
        body = draw_silhouette(self._dancer.build_flesh(beat), aim_camera(shot, beat, size), size)
        return self._compose(shot.background.draw(size, beat), body)

    def _compose(self, picture: UInt8, body: UInt8) -> UInt8:
        """The nearly black body over the picture."""
        # The larger of the two, so that the body, a little tinted, is never blacker than its own colour.
        light = cv2.merge([cv2.bitwise_not(body)] * 3)
        framed: UInt8 = cv2.max(cv2.multiply(picture, light, scale=1 / 255), _fill(body.shape, self._tint))
        return framed

    def _note_cuts(self, samples: range, fps: float) -> None:
        for sample in samples:
            before, now = (self._find_shot_number(max(k, 0) / fps) for k in (sample - 1, sample))
            if now != before:
                self._shot_starts.append(sample)

    def _find_shot_number(self, seconds: float) -> int:
        return find_shot(self.options.seed, seconds * self._beats_per_second).number


@lru_cache(maxsize=4)
def _fill(size: tuple[int, ...], colour: tuple[int, ...]) -> UInt8:
    """One colour all over: `(height, width, 3)`."""
    return np.full((*size, 3), colour, np.uint8)
