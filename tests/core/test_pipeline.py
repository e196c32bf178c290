"""The stages after preparation, with components that can be held in the head."""

from math import prod
from types import SimpleNamespace

import numpy as np
import pytest

from deepdance import pipeline
from deepdance.errors import InputError
from deepdance.events import Progress
from deepdance.frames import Clip, SilhouetteWriter
from deepdance.interfaces import SequenceModel
from deepdance.pipeline import check_length, dance, decode_frames, encode, find_chunk_length, load_latents
from deepdance.recipe import Recipe
from deepdance.session import Session
from deepdance.workspace import Workspace


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
    codec, latents = Counting(), np.arange(count, dtype=np.float32)[:, None]
    chunks = list(decode_frames(codec, np.array_split(latents, range(50, count, 50)), **options))
    return np.concatenate(chunks), codec.asked


@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_latents_are_decoded_once_each_in_their_order(count):
    frames, asked = decode(count)
    assert frames[:, 0, 0].tolist() == list(range(count))
    assert asked == [64] * (count // 64) + [count % 64] * (count % 64 > 0)


def test_nothing_is_decoded_before_it_is_asked_for():
    codec = Counting()
    chunks = decode_frames(codec, iter([np.zeros((200, 1), np.float32)]))
    assert codec.asked == []
    next(chunks)
    assert codec.asked == [64]


def test_of_large_frames_fewer_are_decoded_at_once():
    frames, asked = decode(20, size=(1080, 1920))
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


class Circling:
    """Goes round in 20 steps, whatever it starts from."""

    context, is_deterministic = 2, True

    def __init__(self):
        self.asked = []

    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        self.asked.append(steps)
        angles = 2 * np.pi * np.arange(steps) / 20
        return np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)[None]

    generate_shots = SequenceModel.generate_shots


LATENTS = Circling().generate(None, 200)[0]
CLIPS = [Clip(0, 200, "a", 10)]


@pytest.mark.parametrize(("loop", "steps"), [(2, 3000), (150, 4500)])
def test_a_loop_is_sought_in_five_minutes_or_three_times_its_length(loop, steps):
    model = Circling()
    frames = np.concatenate(list(dance(Recipe(loop=loop, fps=10, render_fps=30), model, LATENTS, CLIPS)))
    assert model.asked == [steps]
    assert frames.shape == (30 * loop, 2)


class Counted(Circling):
    """Each latent is its number."""

    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        return np.arange(steps, dtype=np.float32)[None, :, None] * np.ones(2, np.float32)

    stream = SequenceModel.stream


@pytest.mark.parametrize(("start", "ahead"), [("last", -1), ("noise", 0)])
@pytest.mark.parametrize("keys", [3, 256, 257, 600])
def test_a_dance_comes_to_its_last_keyframe_however_many_are_made_at_once(keys, start, ahead):
    asked = Recipe(start=start, frames=3 * keys + 1, fps=10, render_fps=30, curve="linear")
    frames = np.concatenate(list(dance(asked, Counted(), LATENTS, CLIPS)))
    assert len(frames) == 3 * keys + 1
    assert frames[3::3, 0] == pytest.approx(np.arange(1, keys + 1) + ahead, abs=1e-3)


def test_latents_are_those_of_all_frames_in_their_order(tmp_path, monkeypatch):
    frames = np.arange(150, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 5), np.uint8)
    folder = tmp_path / "silhouettes"
    folder.mkdir()
    with SilhouetteWriter(folder, (4, 5)) as writer:
        writer.write(frames)
        writer.finish(source="a", fps=10, shot_starts=[0])
    told = []
    session = Session(Workspace(tmp_path), None, told.append)
    encoder = SimpleNamespace(latent_dim=1, encode=lambda chunk: chunk[:, 0, :1].astype(np.float32))
    monkeypatch.setattr(pipeline, "load_codec", lambda *_: encoder)
    monkeypatch.setattr(pipeline, "ENCODE_BATCH", 64)
    made = encode(session, Recipe(), SimpleNamespace(key="codec"), [SimpleNamespace(key="a", folder=folder)])
    assert load_latents(made)[:, 0].tolist() == list(range(150))
    assert [each.done for each in told if isinstance(each, Progress)] == [64, 128, 150]


@pytest.mark.parametrize(("temperature", "deterministic", "told"), [(2, True, 1), (2, False, 0), (1, True, 0)])
def test_a_temperature_that_a_model_does_not_know_is_told(caplog, log, temperature, deterministic, told):
    model = Circling()
    model.is_deterministic = deterministic
    dance(Recipe(frames=20, fps=10, render_fps=10, temperature=temperature), model, LATENTS, CLIPS)
    assert caplog.text.count("knows no --temperature") == told
