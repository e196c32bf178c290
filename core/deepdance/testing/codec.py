"""The contract of a codec."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from deepdance.arrays import UInt8
from deepdance.errors import InputError
from deepdance.frames import BACKGROUND, Silhouettes
from deepdance.interfaces import FrameCodec, History, Training
from deepdance.testing import common, learners
from deepdance.testing.learners import LearnerSubject
from deepdance.testing.sample_data import SIZE, make_silhouettes
from deepdance.testing.subject import Array, collect_checks, expect, expect_array, expect_error, expect_same

TRAIN, HELD_OUT = 48, 8
OTHER_SIZES = ((90, 150), (48, 48), (12, 20))
"""Larger and smaller than the frames that are learned from, and of another shape."""


class CodecSubject(LearnerSubject):
    """A codec and silhouettes to fit it to."""

    interface = FrameCodec

    def sample_data(self) -> dict[str, Array]:
        return {"training frames": make_silhouettes(TRAIN), "held-out frames": make_silhouettes(HELD_OUT, first=TRAIN)}

    def fit(self, component: Any, training: Training, data: Mapping[str, Array]) -> History:
        train, held_out = (Silhouettes.of(frames) for frames in data.values())
        history: History = component.fit(train, held_out, training)
        return history

    def apply(self, component: Any, data: Mapping[str, Array]) -> dict[str, Array]:
        latents = component.encode(data["held-out frames"])
        return {"latents": latents, "frames": component.decode(latents)}

    def measure_error(self, component: Any) -> tuple[float, float, str]:
        frames = make_silhouettes(TRAIN).astype(np.float64)
        rebuilt = component.decode(component.encode(make_silhouettes(TRAIN)))
        mine, mean = (float(np.square(frames - guess).mean()) for guess in (rebuilt, frames.mean(axis=0)))
        return mine, mean, "showing the mean frame"


def encodes_and_decodes(subject: CodecSubject) -> None:
    """Frames become float32 latents `(n, latent_dim)`, and those become uint8 frames of the size learned."""
    codec, frames = subject.component, make_silhouettes(5)
    latents = codec.encode(frames)
    expect_array(latents, (5, codec.latent_dim), np.float32, "latents")
    expect_array(codec.decode(latents), frames.shape, np.uint8, "frames")


def decodes_at_any_size(subject: CodecSubject) -> None:
    """`decode_at` gives uint8 frames of the size asked for, each time the same; at the size learned, `decode`'s."""
    codec = subject.component
    latents = codec.encode(make_silhouettes(3))
    shown = codec.decode_at(latents, SIZE)
    expect_array(shown, (3, *SIZE), np.uint8, "frames at the size learned")
    expect_same({"frames": codec.decode(latents)}, {"frames": shown}, "from decode_at at the size learned")
    for height, width in OTHER_SIZES:
        shown = codec.decode_at(latents, (height, width))
        expect_array(shown, (3, height, width), np.uint8, f"frames at {height}×{width}")
        expect_same({"frames": shown}, {"frames": codec.decode_at(latents, (height, width))}, "a second time")


def chunks_are_as_the_whole(subject: CodecSubject) -> None:
    """Frames and latents that come in chunks give the same numbers as all at once."""
    codec, frames = subject.component, make_silhouettes(12)
    whole = codec.encode(frames)
    parts = np.concatenate([codec.encode(part) for part in np.split(frames, [1, 5])])
    expect_same({"latents": whole}, {"latents": parts}, "in chunks of 1, 4 and 7 frames")
    shown = np.concatenate([codec.decode(part) for part in np.split(whole, [1, 5])])
    expect_same({"frames": codec.decode(whole)}, {"frames": shown}, "in chunks of 1, 4 and 7 latents")


def takes_no_frames(subject: CodecSubject) -> None:
    """No frames are no latents, and no latents are no frames."""
    codec = subject.component
    expect_array(codec.encode(make_silhouettes(0)), (0, codec.latent_dim), np.float32, "latents of no frames")
    none = np.empty((0, codec.latent_dim), np.float32)
    expect_array(codec.decode(none), (0, *SIZE), np.uint8, "frames of no latents")
    expect_array(codec.decode_at(none, OTHER_SIZES[0]), (0, *OTHER_SIZES[0]), np.uint8, "frames of no latents")


def takes_plain_frames(subject: CodecSubject) -> None:
    """A frame without a dancer, or with nothing else, has finite latents."""
    plain = np.stack([np.full(SIZE, grey, np.uint8) for grey in (0, 128, 255)])
    latents = subject.component.encode(plain)
    expect_array(latents, (3, subject.component.latent_dim), np.float32, "latents of plain frames")


def shows_background_for_what_is_not_finite(subject: CodecSubject) -> None:
    """A latent with NaN or infinity in it decodes to background, and the others as ever."""
    codec = subject.component
    latents = codec.encode(make_silhouettes(5))
    broken = latents.copy()
    broken[1, 0], broken[3, -1] = np.nan, np.inf
    for decode, size in ((codec.decode, SIZE), (partial(codec.decode_at, size=OTHER_SIZES[0]), OTHER_SIZES[0])):
        shown = decode(broken)
        expect_array(shown, (5, *size), np.uint8, "frames of latents with NaN among them")
        expect_same({"frames": decode(latents)[::2]}, {"frames": shown[::2]}, "for latents beside one with NaN")
        plain = (shown[1::2] == BACKGROUND).all()
        expect(plain, "background (255) where a latent is not finite", _describe_greys(shown[1::2]))


def _describe_greys(frames: UInt8) -> str:
    return f"grey levels from {frames.min()} to {frames.max()}"


def learns_from_one_frame(subject: CodecSubject) -> None:
    """One frame, with none held out, is enough to fit to."""
    codec = subject.cls(subject.options)
    codec.fit(Silhouettes.of(make_silhouettes(1)), Silhouettes.of(make_silhouettes(0)), Training())
    latents = codec.encode(make_silhouettes(1))
    expect_array(latents, (1, codec.latent_dim), np.float32, "latents of one frame")
    expect_array(codec.decode(latents), (1, *SIZE), np.uint8, "frames of one latent")


def refuses_to_learn_from_nothing(subject: CodecSubject) -> None:
    """`fit` without a frame raises InputError."""
    none = Silhouettes.of(make_silhouettes(0))
    with expect_error(InputError, "a fit without frames"):
        subject.cls(subject.options).fit(none, none, Training())


CHECKS = (*common.CHECKS, *learners.CHECKS, *collect_checks(__name__))
