"""The guards: what holds for every component that the toolkit hands out, and does not for the class alone."""

from pathlib import Path

import numpy as np
import pytest
from conftest import registry_of
from contract.broken import my_codec
from contract.codec import MyCodec

from deepdance.errors import InputError, PluginError, RenderError
from deepdance.frames import Silhouettes
from deepdance.guards import guard
from deepdance.interfaces import (
    BackgroundRemover,
    FrameCodec,
    FrameSource,
    Logger,
    Options,
    Renderer,
    SequenceModel,
    SourceInfo,
    Training,
)


class Source(FrameSource):
    """Yields the chunks that it is given."""

    def info(self):
        return SourceInfo(2, 3)

    def fingerprint(self):
        return ""

    def frames(self, fps, size):
        yield from self.options


class Remover(BackgroundRemover):
    """The red channel."""

    def remove(self, frames):
        assert len(frames)
        return frames[..., 0]


class Codec(FrameCodec):
    """The mean and the darkest grey level of a frame of 2×3 pixels."""

    latent_dim = 2

    def fit(self, train, validation, training):
        return [{"loss": float(train[:].mean())}]

    def encode(self, frames):
        assert len(frames)
        return np.stack([frames.mean(axis=(1, 2)), frames.min(axis=(1, 2))], axis=1)

    def decode(self, latents):
        assert len(latents) and np.isfinite(latents).all()
        return np.broadcast_to(latents[:, :1, None], (len(latents), 2, 3)).astype(np.uint8)

    def save(self, folder):
        pass

    @classmethod
    def load(cls, folder, options):
        return cls(options)


class Sequence(SequenceModel):
    """Stands still."""

    context = 2

    def fit(self, train, validation, training):
        return [{"loss": float(np.concatenate(train).mean())}]

    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        assert steps
        return seed[:, -1:].repeat(steps, axis=1)

    def save(self, folder):
        pass

    @classmethod
    def load(cls, folder, options):
        return cls(options)


class Writer(Renderer):
    """The frames, one after the other."""

    def render(self, frames, fps, path):
        chunks = list(frames)
        assert all(map(len, chunks))
        path.write_bytes(np.concatenate(chunks).tobytes())


class Silent(Logger):
    """Writes nothing."""

    def __call__(self, event):
        pass


def rgb(count, size=(2, 3)):
    return np.full((count, *size, 3), 7, np.uint8)


def source(chunks):
    return list(guard(Source)("", chunks).frames(1, (2, 3)))


def replaced(component, **methods):
    """A guarded component with other methods."""
    return guard(type(component.__name__, (component,), methods))(Options())


def test_a_source_yields_no_empty_chunk():
    assert [len(chunk) for chunk in source([rgb(0, (1, 1)), rgb(2), rgb(0), rgb(1)])] == [2, 1]


def test_what_a_source_yields_is_rgb_of_one_size():
    with pytest.raises(PluginError, match=r"Source: expected RGB frames as uint8 \(1, 2, 3, 3\), got uint8 \(1, 4"):
        source([rgb(1), rgb(1, (4, 3))])
    for wrong in (rgb(1)[0], rgb(1)[..., 0], rgb(1).astype(float), rgb(1).tolist()):
        with pytest.raises(PluginError, match="Source: expected RGB frames"):
            source([wrong])


def test_a_remover_is_given_no_empty_chunk_and_gives_a_silhouette_for_each_frame():
    assert guard(Remover)(Options()).remove(rgb(0)).shape == (0, 2, 3)
    assert np.array_equal(guard(Remover)(Options()).remove(rgb(2)), np.full((2, 2, 3), 7))
    with pytest.raises(PluginError, match=r"Remover: expected silhouettes as uint8 \(2, 2, 3\), got bool \(2, 2, 3\)"):
        replaced(Remover, remove=lambda self, frames: frames[..., 0] > 3).remove(rgb(2))


def test_a_codec_does_not_learn_from_nothing():
    none = Silhouettes.of(np.empty((0, 2, 3), np.uint8))
    with pytest.raises(InputError, match="expected at least one frame to learn from, got none"):
        guard(Codec)(Options()).fit(none, none, Training())


def test_latents_are_float32_and_one_a_frame():
    latents = guard(Codec)(Options()).encode(rgb(4)[..., 0])
    assert (latents.dtype, latents.shape) == (np.float32, (4, 2))
    assert guard(Codec)(Options()).encode(rgb(0)[..., 0]).shape == (0, 2)
    with pytest.raises(PluginError, match=r"Codec: expected latents as float32 \(4, 2\), got int64 \(4, 2\)"):
        replaced(Codec, encode=lambda self, frames: np.zeros((4, 2), np.int64)).encode(rgb(4)[..., 0])


def test_what_is_not_finite_is_shown_as_background_and_changes_no_other_frame():
    latents = np.array([[1, 0], [np.nan, 0], [3, np.inf], [4, 0]], np.float32)
    shown = guard(Codec)(Options()).decode(latents)
    assert shown[:, 0, 0].tolist() == [1, 255, 255, 4]
    assert guard(Codec)(Options()).decode(latents[1:3]).tolist() == np.full((2, 2, 3), 255).tolist()
    assert guard(Codec)(Options()).decode(latents[:0]).shape == (0, 2, 3)


def test_a_codec_shows_a_frame_for_each_latent():
    codec = replaced(Codec, decode=lambda self, latents: np.zeros((1, 2, 3), np.uint8))
    with pytest.raises(PluginError, match=r"Codec: expected frames as uint8 \(4, 2, 3\), got uint8 \(1, 2, 3\)"):
        codec.decode(np.zeros((4, 2), np.float32))


@pytest.mark.parametrize("train", [[], [0], [2, 1]])
def test_a_sequence_model_learns_from_a_clip_longer_than_its_context(train):
    clips = [np.zeros((length, 2), np.float32) for length in train]
    with pytest.raises(InputError, match=r"expected a clip of more than 2 latents .*, got at most \d; give a longer"):
        guard(Sequence)(Options()).fit(clips, [], Training())
    guard(Sequence)(Options()).fit([*clips, np.zeros((3, 2), np.float32)], [], Training())


def test_a_sequence_model_learns_from_and_goes_on_from_finite_latents_alone():
    latents = np.array([[[1, 2], [3, np.nan], [np.inf, 0]]], np.float32)
    with pytest.raises(InputError, match="expected finite latents to learn from, got NaN or infinity in 2; the"):
        guard(Sequence)(Options()).fit(list(latents), [], Training())
    with pytest.raises(InputError, match="expected finite latents to start from, got NaN or infinity"):
        guard(Sequence)(Options()).generate(latents, 3)


def test_generated_latents_are_float32_and_as_many_as_were_asked_for():
    seed = np.zeros((2, 2, 5))
    assert guard(Sequence)(Options()).generate(seed, 0).shape == (2, 0, 5)
    assert guard(Sequence)(Options()).generate(seed, 4).dtype == np.float32
    with pytest.raises(PluginError, match=r"Sequence: expected latents as float32 \(2, 4, 5\), got NoneType"):
        replaced(Sequence, generate=lambda self, seed, steps, **more: None).generate(seed, 4)


def test_a_renderer_is_given_frames(tmp_path):
    renderer = guard(Writer)(Options())
    renderer.render(iter([rgb(0), rgb(1), rgb(0), rgb(2)]), 1, tmp_path / "dance")
    assert (tmp_path / "dance").read_bytes() == rgb(3).tobytes()
    for none in ([], [rgb(0)]):
        with pytest.raises(RenderError, match="none: expected at least one frame to write, got none"):
            renderer.render(none, 1, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_what_cannot_be_written_is_told_and_what_the_frames_raise_passes(tmp_path):
    def frames(error):
        yield rgb(1)
        raise error

    renderer = guard(Writer)(Options())
    with pytest.raises(RenderError, match="dance: expected to write it, but: No such file or directory; choose"):
        renderer.render([rgb(1)], 1, tmp_path / "missing/dance")
    for error in (FileNotFoundError("of the source"), KeyError("of the source")):
        with pytest.raises(type(error), match="of the source"):
            renderer.render(frames(error), 1, tmp_path / "dance")


ALONE = [
    lambda: Remover(Options()).remove(rgb(0)),
    lambda: Codec(Options()).encode(rgb(0)[..., 0]),
    lambda: Codec(Options()).decode(np.full((1, 2), np.nan, np.float32)),
    lambda: Sequence(Options()).generate(np.zeros((1, 2, 2)), 0),
    lambda: Writer(Options()).render([rgb(0)], 1, Path("dance")),
    lambda: Writer(Options()).render([rgb(1)], 1, Path("missing/dance")),
    lambda: Sequence(Options()).fit([], [], Training()),
]


@pytest.mark.parametrize("call", ALONE)
def test_the_class_alone_is_not_guarded(call):
    with pytest.raises((AssertionError, ValueError, FileNotFoundError)):
        call()
    assert [len(chunk) for chunk in Source("", [rgb(0)]).frames(1, (2, 3))] == [0]
    assert np.isnan(Sequence(Options()).generate(np.full((1, 2, 2), np.nan), 1)).all()


def test_a_guarded_class_is_one_of_its_component(tmp_path):
    guarded = guard(Codec)
    assert issubclass(guarded, Codec)
    assert (guarded.__name__, guarded.__module__, guarded.__doc__) == ("Codec", Codec.__module__, Codec.__doc__)
    assert guard(Codec) is guarded is guard(guarded)
    assert type(guarded.load(tmp_path, Options())) is guarded
    assert guard(Silent) is Silent


def test_a_class_that_lacks_a_method_lacks_it_still():
    class Unfinished(BackgroundRemover):
        pass

    with pytest.raises(TypeError, match="abstract"):
        guard(Unfinished)(Options())


def test_the_registry_hands_out_guarded_classes(monkeypatch):
    codec = registry_of(monkeypatch, acme=my_codec).component("codec", "my-codec")
    assert codec is guard(MyCodec) is not MyCodec
