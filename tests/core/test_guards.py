"""The guards: what they refuse, and what the class is. That they hold the contracts is shown by test_testing.py."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import registry_of
from contract.broken import my_codec
from my_codec.codec import MyCodec, MyCodecOptions
from my_logger.logger import MyLogger
from my_remover.remover import MyRemover
from my_renderer.renderer import MyRenderer, MyRendererOptions
from my_sequence.sequence import MySequence
from my_source.source import MySource

from deepdance.errors import InputError, PluginError, RenderError, TrainingError
from deepdance.frames import Silhouettes
from deepdance.guards import guard
from deepdance.interfaces import Options, Training

RGB = np.arange(72, dtype=np.uint8).reshape(4, 2, 3, 3)
GREY = RGB[..., 0]
LATENTS = np.zeros((4, 2), np.float32)
BROKEN = np.array([[1, 2], [3, np.nan], [np.inf, 0]], np.float32)
SEEDS = np.zeros((2, 2, 5))
CALLS = {
    "frames": (MySource, 1, (2, 3)),
    "remove": (MyRemover, RGB),
    "encode": (MyCodec, GREY),
    "decode": (MyCodec, LATENTS),
    "decode_at": (MyCodec, LATENTS, (6, 9)),
    "generate": (MySequence, SEEDS, 4),
}


def guarded(component, **methods):
    """A component with these methods, as the toolkit hands it out."""
    known = {"__module__": "their_package.mine", "__init__": lambda self: None, "latent_dim": 2}
    return guard(type("Mine", (component,), known | methods))()


def hand_on(method, answer):
    """What comes out of a guarded component whose own method answers so."""
    component, *arguments = CALLS[method]
    return getattr(guarded(component, **{method: lambda *_, **__: answer}), method)(*arguments)


@pytest.mark.parametrize(
    ("method", "answer", "told"),
    [
        ("frames", [RGB, RGB[:, :1]], "RGB frames as uint8 (4, 2, 3, 3), got uint8 (4, 1, 3, 3)"),
        ("frames", [RGB[0]], "RGB frames as uint8 (2, 3, 3, 3), got uint8 (2, 3, 3)"),
        ("frames", [GREY], "RGB frames as uint8 (4, 2, 3, 3), got uint8 (4, 2, 3)"),
        ("frames", [RGB.astype(float)], "RGB frames as uint8 (4, 2, 3, 3), got float64 (4, 2, 3, 3)"),
        ("frames", [RGB.tolist()], "RGB frames as uint8 (4, 2, 3, 3), got list"),
        ("remove", GREY > 3, "silhouettes as uint8 (4, 2, 3), got bool (4, 2, 3)"),
        ("encode", np.zeros((4, 2), np.int64), "latents as float32 (4, 2), got int64 (4, 2)"),
        ("encode", np.zeros((4, 3)), "latents as float32 (4, 2), got float64 (4, 3)"),
        ("decode", GREY[:1], "frames as uint8 (4, 2, 3), got uint8 (1, 2, 3)"),
        ("decode_at", GREY, "frames as uint8 (4, 6, 9), got uint8 (4, 2, 3)"),
        ("generate", None, "latents as float32 (2, 4, 5), got NoneType"),
    ],
)
def test_a_wrong_answer_of_a_plugin_is_told(method, answer, told):
    with pytest.raises(
        PluginError, match=re.escape(f"Mine of their_package: expected {told}; update it, or choose another")
    ):
        list(hand_on(method, answer))


NO_HISTORIES = [None, [], {"loss": 1.0}, [1.0], [{"loss": [1, 2]}], [{"acc": 1.0}], [{"loss": None}]]


@pytest.mark.parametrize("history", NO_HISTORIES)
@pytest.mark.parametrize(("component", "data"), [(MyCodec, GREY), (MySequence, [LATENTS])])
def test_a_fit_that_returns_no_history_is_told(component, data, history):
    model = guarded(component, context=2, fit=lambda *_: history)
    with pytest.raises(PluginError, match=r"Mine: expected fit to return a list .*, got .*; mend its fit") as told:
        model.fit(data, data[:0], Training())
    assert "\n" not in str(told.value)


def test_a_history_becomes_plain_numbers():
    model = guarded(MySequence, context=2, fit=lambda *_: [{"loss": np.float32(0.5), "acc": np.array(1)}])
    assert json.dumps(model.fit([LATENTS], [], Training())) == '[{"loss": 0.5, "acc": 1.0}]'


@pytest.mark.parametrize("losses", [[1.0, np.nan, 1.0], [1.0, 0.5, np.float32("inf")], [0.2, 0.1, 2.1]])
def test_a_training_of_a_plugin_that_loses_its_way_is_ended_and_told(losses):
    def fit(self, train, validation, training):
        for epoch, loss in enumerate(losses, 1):
            training.on_epoch(epoch, 3, {"loss": loss})
        raise AssertionError("the training went on")

    told = []
    training = Training(on_epoch=lambda epoch, *_: told.append(epoch))
    wrong = next(n for n, loss in enumerate(losses, 1) if not loss < 10 * losses[0])
    with pytest.raises(
        TrainingError, match=f"^Mine: expected a .* in epoch {wrong} of 3; train it longer or more care"
    ):
        guarded(MySequence, context=2, fit=fit).fit([LATENTS], [], training)
    assert told == [*range(1, wrong)]


def test_a_history_that_ends_without_a_number_is_told_and_a_negative_loss_is_none():
    def fitted(*losses):
        return guarded(MySequence, context=2, fit=lambda *_: [{"loss": loss} for loss in losses])

    with pytest.raises(TrainingError, match="Mine: expected a finite loss, got nan in epoch 2 of 2"):
        fitted(1.0, np.nan).fit([LATENTS], [], Training())
    assert fitted(-1.0, -30.0, 2.0).fit([LATENTS], [], Training())[-1] == {"loss": 2.0}


def test_a_codec_of_a_plugin_that_shows_one_picture_for_all_is_told():
    frames = Silhouettes.of(np.repeat(np.uint8([0, 255, 90]), 24).reshape(3, 4, 6))
    blind = guarded(
        MyCodec,
        fit=lambda *_: [{"loss": 1.0}],
        encode=lambda self, frames: np.zeros((len(frames), 2), np.float32),
        decode=lambda self, latents: np.zeros((len(latents), 4, 6), np.uint8),
    )
    with pytest.raises(TrainingError, match="Mine: expected a picture for each of 3 frames, got the same one for all"):
        blind.fit(frames, frames.between(0, 0), Training())


@pytest.mark.parametrize("count", [2.5, "2", 0, None])
def test_what_counts_latents_is_a_whole_number(count):
    fit = {"fit": lambda *_: [{"loss": 0.0}]}
    with pytest.raises(PluginError, match="Mine: expected context to be a whole number from 1, got"):
        guarded(MySequence, context=count, **fit).fit([LATENTS], [], Training())
    with pytest.raises(PluginError, match="Mine: expected latent_dim to be a whole number from 1, got"):
        guarded(MyCodec, **fit | {"latent_dim": count}).fit(GREY, GREY[:0], Training())


@pytest.mark.parametrize("method", ["generate", "generate_shots"])
def test_a_dance_that_is_not_finite_is_told_with_its_step(method):
    def generate(self, seed, steps, **_):
        latents = np.zeros((len(seed), steps, seed.shape[2]), np.float32)
        latents[1, 2:] = np.nan
        return latents

    with pytest.raises(PluginError, match="Mine: expected finite latents, got NaN or infinity from step 3 of 4; train"):
        getattr(guarded(MySequence, generate=generate), method)(SEEDS, 4)


@pytest.mark.parametrize(("method", "shape"), [("encode", (4, 2)), ("generate", (2, 4, 5))])
def test_latents_are_float32(method, shape):
    assert hand_on(method, np.zeros(shape)).dtype == np.float32


def test_latents_none_of_which_is_finite_are_background():
    def decode(self, latents):
        assert len(latents) and np.isfinite(latents).all()
        return GREY[: len(latents)]

    assert guarded(MyCodec, decode=decode).decode(BROKEN[1:]).tolist() == np.full((2, 2, 3), 255).tolist()


def test_at_any_size_a_latent_that_is_not_finite_is_background():
    black = guarded(MyCodec, decode=lambda self, latents: np.zeros((len(latents), 2, 3), np.uint8))
    shown = black.decode_at(BROKEN, (20, 30))
    assert [frame.max() for frame in shown] == [0, 255, 255]
    assert (black.decode_at(BROKEN[1:], (20, 30)) == 255).all()
    assert black.decode_at(BROKEN[:0], (20, 30)).shape == (0, 20, 30)


@pytest.mark.parametrize(("lengths", "longest"), [([], 0), ([0], 0), ([2, 1], 2)])
def test_a_sequence_model_learns_from_a_clip_longer_than_its_context(lengths, longest):
    clips = [LATENTS[:length] for length in lengths]
    with pytest.raises(InputError, match=rf"a clip of more than 2 latents .*, got at most {longest}; give a longer"):
        guarded(MySequence).fit(clips, [], Training())
    guarded(MySequence).fit([*clips, LATENTS[:3]], [], Training())


def test_what_the_user_can_mend_is_told(tmp_path):
    none = Silhouettes.of(GREY[:0])
    with pytest.raises(InputError, match="expected at least one frame to learn from, got none; give a longer video"):
        guarded(MyCodec).fit(none, none, Training())
    with pytest.raises(InputError, match="expected finite latents to learn from, got NaN or infinity in 2; the"):
        guarded(MySequence).fit([BROKEN], [], Training())
    with pytest.raises(InputError, match="expected finite latents to start from, got NaN or infinity"):
        guarded(MySequence).generate(BROKEN[None], 3)
    with pytest.raises(RenderError, match="none: expected at least one frame to write, got none"):
        guarded(MyRenderer).render([GREY[:0]], 1, tmp_path / "none")
    with pytest.raises(RenderError, match="dance: expected to write it, but: No such file or directory; choose"):
        guard(MyRenderer)(MyRendererOptions()).render([GREY], 1, tmp_path / "missing/dance")
    assert not list(tmp_path.iterdir())


def test_a_renderer_is_given_every_frame_and_no_empty_chunk():
    given = []
    renderer = guarded(MyRenderer, render=lambda self, frames, fps, path: given.extend(frames))
    renderer.render(iter([GREY[:0], GREY[:1], GREY[:0], GREY[1:]]), 1, Path("dance"))
    assert [chunk.tolist() for chunk in given] == [GREY[:1].tolist(), GREY[1:].tolist()]


def test_an_error_of_reading_the_frames_is_none_of_writing_them():
    def frames():
        yield GREY
        raise FileNotFoundError("of the source")

    renderer = guarded(MyRenderer, render=lambda self, frames, fps, path: list(frames))
    with pytest.raises(FileNotFoundError, match="of the source"):
        renderer.render(frames(), 1, Path("dance"))


def test_a_guarded_class_is_one_of_its_component(tmp_path):
    mine = guard(MyCodec)
    assert issubclass(mine, MyCodec)
    assert (mine.__name__, mine.__module__, mine.__doc__) == ("MyCodec", MyCodec.__module__, MyCodec.__doc__)
    assert guard(MyCodec) is mine is guard(mine)
    mine(MyCodecOptions()).save(tmp_path)
    assert type(mine.load(tmp_path, MyCodecOptions())) is mine
    assert guard(MyLogger) is MyLogger


def test_the_registry_hands_out_guarded_classes(monkeypatch):
    codec = registry_of(monkeypatch, acme=my_codec).component("codec", "my-codec")
    assert codec is guard(MyCodec) is not MyCodec


@pytest.mark.parametrize(
    ("rate", "advice"),
    [
        (0.5, "its learning rate of 0.5 is too high: try --set codec.learning_rate=0.02"),
        (0.02, "try --set codec.learning_rate=0.002, or a longer training"),
        (0.01, "try --set codec.learning_rate=0.001, or a longer training"),
    ],
)
def test_a_training_that_lost_its_way_is_advised_a_smaller_rate(rate, advice):
    class Rated(Options):
        learning_rate: float = 0.02

    model = guarded(MyCodec, options=Rated(learning_rate=rate), fit=lambda *_: [{"loss": np.nan}])
    with pytest.raises(TrainingError, match=re.escape(f"in epoch 1 of 1; {advice}") + "$"):
        model.fit(GREY, GREY[:0], Training())


def test_the_step_from_which_a_dance_is_no_number_is_told():
    dance = np.zeros((2, 4, 5), np.float32)
    dance[1, 2, 3] = np.nan
    with pytest.raises(PluginError, match="NaN or infinity from step 3 of 4;"):
        hand_on("generate", dance)


@pytest.mark.parametrize(("count", "is_one"), [(1, True), (np.int64(3), True), (0, False), (1.0, False)])
def test_a_context_is_a_whole_number_from_1(count, is_one):
    model = guarded(MySequence, context=count, fit=lambda *_: [{"loss": 0.5}])
    if is_one:
        assert model.fit([LATENTS], [], Training())
    else:
        with pytest.raises(PluginError, match="expected context to be a whole number from 1, got"):
            model.fit([LATENTS], [], Training())


def test_a_clip_must_be_one_latent_longer_than_the_context():
    model = guarded(MySequence, context=4, fit=lambda *_: [{"loss": 0.5}])
    with pytest.raises(InputError, match="a clip of more than 4 latents to learn from .*, got at most 4"):
        model.fit([LATENTS, LATENTS[:1]], [], Training())
    assert model.fit([np.zeros((5, 2), np.float32)], [], Training())


def test_nothing_in_is_nothing_out_and_the_component_is_not_asked():
    codec, model = guarded(MyCodec, encode=pytest.fail), guarded(MySequence, generate_shots=pytest.fail)
    assert codec.encode(GREY[:0]).shape == (0, 2)
    assert guarded(MyRemover, remove=pytest.fail).remove(RGB[:0]).shape == (0, 2, 3)
    latents, cuts = model.generate_shots(SEEDS, 0)
    assert (latents.shape, cuts.shape) == ((2, 0, 5), (2, 0))
    assert model.generate(SEEDS, 0).shape == (2, 0, 5)


def test_no_rate_is_advised_where_there_is_no_usual_one():
    class Rated(Options):
        learning_rate: float | None = None

    model = guarded(MyCodec, options=Rated(learning_rate=0.5), fit=lambda *_: [{"loss": np.nan}])
    with pytest.raises(TrainingError, match="train it longer or more carefully, or choose another component$"):
        model.fit(GREY, GREY[:0], Training())


def test_the_last_entry_of_a_history_may_be_in_units_of_its_own():
    history = [{"loss": 0.5}, {"loss": 5000.0}]
    model = guarded(MySequence, context=2, fit=lambda *_: history)
    assert model.fit([LATENTS], [], Training()) == history
