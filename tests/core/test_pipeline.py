"""The stages after preparation, with components that can be held in the head."""

from math import prod

import numpy as np
import pytest

from deepdance import pipeline
from deepdance.errors import InputError
from deepdance.frames import Clip
from deepdance.pipeline import check_length, decode_frames, find_chunk_length
from deepdance.recipe import Recipe


class Counting:
    """Shows each latent as a frame of its number, and notes how many were asked for at once."""

    def __init__(self):
        self.asked = []

    def decode(self, latents):
        return self.decode_at(latents, (2, 3))

    def decode_at(self, latents, size):
        self.asked.append(len(latents))
        return np.broadcast_to(latents[:, :1, None].astype(np.uint8), (len(latents), *size))


def decode(count, **options):
    codec, told = Counting(), []
    latents = np.arange(count, dtype=np.float32)[:, None]
    chunks = list(decode_frames(codec, latents, lambda *progress: told.append(progress), **options))
    return np.concatenate(chunks), codec.asked, told


@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_latents_are_decoded_once_each_in_their_order(count):
    frames, asked, told = decode(count)
    assert frames[:, 0, 0].tolist() == list(range(count))
    assert max(asked) <= 64
    assert told == [(done, count) for done in np.cumsum(asked)]


def test_nothing_is_decoded_before_it_is_asked_for():
    codec = Counting()
    chunks = decode_frames(codec, np.zeros((200, 1), np.float32))
    assert codec.asked == []
    next(chunks)
    assert codec.asked == [64]


def test_of_large_frames_fewer_are_decoded_at_once():
    frames, asked, _ = decode(20, size=(1080, 1920))
    assert frames.shape == (20, 1080, 1920)
    assert asked == [8, 8, 4]


@pytest.mark.parametrize(
    ("size", "count"), [((120, 200), 64), ((512, 512), 64), ((513, 512), 63), ((1080, 1920), 8), ((8000, 8000), 1)]
)
def test_as_many_frames_are_held_as_have_16_million_pixels(size, count):
    assert find_chunk_length(size) == count
    assert count == 1 or count * prod(size) <= 1 << 24


@pytest.mark.parametrize(("stops", "fits"), [((10, 16), False), ((11,), True), ((8, 19), True)])
def test_a_clip_must_be_longer_than_the_context(monkeypatch, stops, fits):
    monkeypatch.setattr(pipeline, "find_context", lambda session, recipe: 10)
    clips = [Clip(start, stop, "a", 10) for start, stop in zip((0, *stops), stops, strict=False)]
    recipe = Recipe(validation=0, fps=10)
    if fits:
        assert check_length(None, recipe, clips) == 10
    else:
        with pytest.raises(InputError, match="a clip of more than 10 frames to learn from .*, got 10 at 10 frames"):
            check_length(None, recipe, clips)


def test_what_is_held_out_is_nothing_to_learn_from(monkeypatch):
    monkeypatch.setattr(pipeline, "find_context", lambda session, recipe: 10)
    clips = [Clip(0, 5, "a", 10), Clip(5, 20, "b", 10)]
    with pytest.raises(InputError, match="got [0-9] at"):
        check_length(None, Recipe(validation=0.5, fps=10), clips)
