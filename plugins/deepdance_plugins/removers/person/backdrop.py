"""What stands still behind the dancer: what never moves is no dancer.

Everything here is at half the frames' size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from deepdance.arrays import Float32, UInt8
from deepdance_plugins.removers.person.matting import Mask

FEATURES = 600
"""Points of a frame that are matched with another frame's, to lay one over the other."""
BORDER = 31
"""ORB finds no point so close to a picture's border, and OpenCV fails on pictures of a pixel."""
CORNERS = 120
"""Points of the backdrop that are followed into every frame."""
INLIERS = 0.3
"""Of these, so many must move as one camera would move them."""
LEAST_MATCHES = 12
LEAST_FRAMES = 6
STILL, MOSTLY = 0.6, 0.75
"""So much of the picture must be the same in so many of the frames, or there is no backdrop."""
ALWAYS = 0.92
"""What is the same in so many of the frames never moves, whoever takes it for a dancer's."""
QUORUM = 0.17
"""Elsewhere the backdrop is what this share of the frames agree on most closely,"""
MAJORITY = 0.6
"""and is known if so many of those without a dancer there show it."""
AGREEING = 24
"""Two colours agree if no channel differs by more."""
LEAST_NOISE = 3.0
UNKNOWN = 1e6
"""The noise where no backdrop is known."""
DIFFERENT = 2.0
"""What is so many times as far from the backdrop as noise may be has moved."""
REACH = 9
"""A body is made larger by half as many pixels, so that nothing of its outline gets into the backdrop."""
SHADOW = 0.35
"""A shadow leaves at least this share of the light,"""
SHADE_NOISE = 2.5
"""and the colour it falls on, up to so many times the noise."""


class Difference(NamedTuple):
    """A frame beside the backdrop."""

    apart: Float32
    """`(h, w)`: how far each pixel is from it, in multiples of noise; NaN where it is not known."""
    claimed: Float32
    """`(h, w)`: the share of the surveyed frames in which the networks took the pixel for a body's."""


@dataclass(frozen=True)
class Backdrop:
    """The picture without whatever moves in it, and what it takes to find it in a frame."""

    picture: UInt8
    noise: Float32
    claimed: Float32
    grey: UInt8
    corners: Float32

    @classmethod
    def build(
        cls, halves: Sequence[UInt8], placed: Sequence[Float32], bodies: Sequence[Mask], claims: Sequence[Mask]
    ) -> Backdrop | None:
        """The backdrop of frames `(h, w, 3)` spread over a clip; None where too little of it stands out.

        `placed` lays each over one of them; `bodies`, `(h, w)`, is what does not count, and `claims` what the networks
        take for a body.
        """
        stack = _lay_all(halves, placed)
        free = _lay_all([_widen(body) for body in bodies], placed) == 0
        picture, known = _find_picture(stack, free)
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        corners = cv2.goodFeaturesToTrack(grey, CORNERS, 0.01, 8, mask=known.astype(np.uint8))
        if corners is None or len(corners) < LEAST_MATCHES:
            return None
        claimed = _lay_all([claim.astype(np.uint8) for claim in claims], placed).mean(axis=0, dtype=np.float32)
        noise = np.where(known, _measure_noise(halves, placed, picture), UNKNOWN).astype(np.float32)
        return cls(picture, noise, claimed, grey, corners)

    def compare(self, half: UInt8) -> Difference | None:
        """A frame `(h, w, 3)` beside the backdrop; None if that is not found in it."""
        matrix = self._locate(half)
        if matrix is None:
            return None
        size = half.shape[1::-1]
        shifted = cv2.warpAffine(self.picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        noise = cv2.warpAffine(self.noise, matrix, size, borderValue=UNKNOWN)
        apart = _measure_apart(half, shifted) / noise
        apart[_is_shaded(half, shifted, noise, apart > DIFFERENT)] = DIFFERENT
        apart[noise > 100 * LEAST_NOISE] = np.nan
        return Difference(apart, cv2.warpAffine(self.claimed, matrix, size))

    def _locate(self, half: UInt8) -> Float32 | None:
        """Where the backdrop lies in a frame: the camera's shake."""
        grey = cv2.cvtColor(half, cv2.COLOR_RGB2GRAY)
        moved, found, _ = cv2.calcOpticalFlowPyrLK(self.grey, grey, self.corners, None, winSize=(15, 15), maxLevel=3)
        found = found.ravel() == 1
        return _fit_camera(self.corners[found], moved[found], INLIERS * len(self.corners))


def align(frames: Sequence[UInt8]) -> list[Float32 | None]:
    """What lays each frame over the middle one, `(2, 3)`; None for one that does not match it."""
    if min(frames[0].shape[:2]) <= 2 * BORDER:
        return [None] * len(frames)
    detector = cv2.ORB.create(FEATURES, edgeThreshold=BORDER)
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
    seen = [detector.detectAndCompute(frame, None) for frame in frames]
    points, words = seen[len(frames) // 2]
    placed = []
    for there, said in seen:
        matches = matcher.match(said, words) if words is not None and said is not None else ()
        source = np.array([there[match.queryIdx].pt for match in matches], np.float32)
        target = np.array([points[match.trainIdx].pt for match in matches], np.float32)
        placed.append(_fit_camera(source, target, LEAST_MATCHES))
    return placed


def stands_still(halves: Sequence[UInt8], placed: Sequence[Float32]) -> bool:
    """Whether most of the picture is the same in most of the frames, laid over one another."""
    stack = _lay_all(halves, placed)[:, ::2, ::2]
    agreeing = _agree(stack, np.median(stack, axis=0).astype(np.uint8))
    return bool((agreeing.mean(axis=0) >= MOSTLY).mean() >= STILL)


def _fit_camera(source: Float32, target: Float32, least: float) -> Float32 | None:
    """The shift, turn and scale that most of the points agree on; None if fewer than `least` do."""
    if len(source) < LEAST_MATCHES:
        return None
    matrix, inliers = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=1.0)
    if matrix is None or inliers.sum() < max(least, LEAST_MATCHES):
        return None
    return np.asarray(matrix, np.float32)


def _lay_all(images: Sequence[UInt8], placed: Sequence[Float32]) -> UInt8:
    """Images laid over one another; their outermost pixels fill the rest."""
    size = images[0].shape[1::-1]
    return np.stack(
        [
            np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
            for image, matrix in zip(images, placed, strict=True)
        ]
    )


def _widen(body: Mask) -> UInt8:
    return np.asarray(cv2.dilate(body.astype(np.uint8), np.ones((REACH, REACH), np.uint8)), np.uint8)


def _find_picture(stack: UInt8, free: Mask) -> tuple[UInt8, Mask]:
    """The backdrop `(h, w, 3)` of aligned frames, and where it is known; `free` is where no dancer is."""
    picture = np.median(stack, axis=0).astype(np.uint8)
    known = _agree(stack, picture).mean(axis=0) >= ALWAYS
    rest = ~known
    picture[rest], known[rest] = _find_mode(stack[:, rest], free[:, rest])
    return picture, known


def _find_mode(colours: UInt8, free: Mask) -> tuple[UInt8, Mask]:
    """Of pixels `(n, p, 3)` the median of the `QUORUM` of free ones that agree best, and whether most agree with it.

    They are sorted by brightness; those that agree best are neighbours then (the shorth: Andrews et al. 1972,
    "Robust Estimates of Location").
    """
    count = max(3, round(QUORUM * len(colours)))
    order = np.argsort(np.where(free, colours.sum(axis=2, dtype=np.int16), 1000), axis=0, kind="stable")
    ordered = np.take_along_axis(colours, order[..., None], axis=0).astype(np.int16)
    widths = np.abs(ordered[count - 1 :] - ordered[: len(colours) - count + 1]).max(axis=2)
    widths[~np.take_along_axis(free, order, axis=0)[count - 1 :]] = 1000
    picks = widths.argmin(axis=0)[None] + np.arange(count)[:, None]
    mode = np.median(np.take_along_axis(ordered, picks[..., None], axis=0), axis=0)
    agreeing = (np.abs(colours - mode).max(axis=2) <= AGREEING) & free
    most = agreeing.sum(axis=0) >= MAJORITY * free.sum(axis=0)
    return mode.astype(np.uint8), most & (widths.min(axis=0) <= 2 * AGREEING)


def _agree(stack: UInt8, picture: UInt8) -> Mask:
    return np.asarray([_take_largest(cv2.absdiff(frame, picture)) <= AGREEING for frame in stack])


def _measure_noise(halves: Sequence[UInt8], placed: Sequence[Float32], picture: UInt8) -> Float32:
    """What frames that agree with the backdrop differ from it by, in nine of ten cases."""
    size = picture.shape[1::-1]
    way_back = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    apart = []
    for half, matrix in zip(halves, placed, strict=True):
        there = cv2.warpAffine(picture, matrix, size, flags=way_back, borderMode=cv2.BORDER_REPLICATE)
        apart.append(cv2.warpAffine(_measure_apart(half, there), matrix, size))
    agreeing = np.where(np.asarray(apart) > AGREEING, 0, apart)
    return np.asarray(np.maximum(np.quantile(agreeing, 0.9, axis=0), LEAST_NOISE), np.float32)


def _measure_apart(frame: UInt8, picture: UInt8) -> Float32:
    """How far each pixel's colour is from those of the picture there and next to it, smoothed over 3×3 pixels."""
    kernel = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(picture, kernel), cv2.dilate(picture, kernel)
    apart = _take_largest(cv2.max(cv2.subtract(frame, high), cv2.subtract(low, frame)))
    return np.asarray(cv2.blur(apart.astype(np.float32), (3, 3)), np.float32)


def _take_largest(image: UInt8) -> UInt8:
    """The largest channel of each pixel: `(h, w, 3)` → `(h, w)`."""
    red, green, blue = cv2.split(image)
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)


def _is_shaded(half: UInt8, picture: UInt8, noise: Float32, asked: Mask) -> Mask:
    """Where, among the pixels `asked`, the frame is the picture with less light."""
    one, other = half[asked].astype(np.float32), picture[asked].astype(np.float32)
    light = (one * other).sum(axis=1) / ((other * other).sum(axis=1) + 1)
    rest = np.abs(one - light[:, None] * other).max(axis=1)
    shaded = np.zeros(asked.shape, bool)
    shaded[asked] = (light > SHADOW) & (light < 1) & (rest < SHADE_NOISE * noise[asked])
    return shaded
