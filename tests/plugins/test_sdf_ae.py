import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import SHARED, needs_shared
from dancers import SIZE, draw_dancer
from pydantic import ValidationError

from deepdance.errors import PluginError
from deepdance.frames import Silhouettes
from deepdance.interfaces import Training
from deepdance.metrics.shapes import count_limb_pixels, iou
from deepdance_plugins.codecs.sdf_ae import fitting, model, prior
from deepdance_plugins.codecs.sdf_ae.distance_field import measure_placements
from deepdance_plugins.codecs.sdf_ae.error import FieldError
from deepdance_plugins.codecs.sdf_ae.field_model import FieldModel
from deepdance_plugins.codecs.sdf_ae.inference import Network
from deepdance_plugins.codecs.sdf_ae.model import SdfAE
from deepdance_plugins.codecs.sdf_ae.options import SdfAEOptions

RNG = np.random.default_rng(3)
MEASURED = {"importance": np.ones(4, np.float32), "descent": np.eye(4, dtype=np.float32)}


def draw(count: int) -> np.ndarray:
    return draw_dancer(40, seed=1)[:count]


def fitted(frames: np.ndarray, **options) -> SdfAE:
    codec, whole = SdfAE(SdfAEOptions(**options)), Silhouettes.of(frames)
    codec.fit(whole.between(0, len(frames) - 4), whole.between(len(frames) - 4, len(frames)), Training())
    return codec


@pytest.fixture(scope="module")
def network():
    """A small decoder with random weights, in Keras and in NumPy."""
    from deepdance_plugins.codecs.sdf_ae.network import build_decoder, read_weights, write_weights

    keras_network = build_decoder(np.linspace(3, 0.1, 20, dtype=np.float32), 6, 16, 2)
    weights = {
        name: 0.3 * RNG.standard_normal(values.shape).astype(np.float32)
        for name, values in read_weights(keras_network).items()
    }
    write_weights(keras_network, weights)
    return keras_network, Network(weights)


def test_the_network_in_numpy_is_the_one_that_keras_trained(network):
    in_keras, in_numpy = network
    latents = RNG.standard_normal((5, 6)).astype(np.float32)
    assert in_numpy(latents) == pytest.approx(np.asarray(in_keras(latents)), abs=1e-5)


def differentiate(loss, values):
    """The slope of a scalar function as the framework under Keras has it."""
    from deepdance_plugins.networks.backend import FRAMEWORK

    if FRAMEWORK == "jax":
        import jax

        return jax.grad(loss)(values)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(values)
        value = loss(values)
    return tape.gradient(value, values)


def test_the_slope_of_the_error_is_the_one_that_keras_follows(network):
    from deepdance_plugins.codecs.sdf_ae.network import build_loss
    from deepdance_plugins.networks.backend import ops

    in_keras, in_numpy = network
    error = FieldError.of(*(RNG.standard_normal(shape).astype(np.float32) for shape in ((20, 40), 40)), np.ones(20))
    latents, truth = (RNG.standard_normal((3, size)).astype(np.float32) for size in (6, 20))
    loss = build_loss(error)
    slope = differentiate(lambda pose: ops.sum(loss(truth, in_keras(pose))), ops.convert_to_tensor(latents))
    rebuilt, kept = in_numpy.trace(latents)
    assert in_numpy.pull_back(error.measure_slope(truth, rebuilt), kept) == pytest.approx(np.asarray(slope), rel=1e-3)


def test_the_error_of_the_truth_is_none():
    error = FieldError.of(np.eye(4, dtype=np.float32), np.zeros(4, np.float32), np.ones(4, np.float32))
    truth = RNG.standard_normal((2, 4)).astype(np.float32)
    assert error.measure_slope(truth, truth) == pytest.approx(0)


def test_the_prior_is_small_and_the_file_that_was_made(tmp_path, monkeypatch):
    assert prior.PATH.stat().st_size <= 16e6
    damaged = tmp_path / "prior.npz"
    damaged.write_bytes(prior.PATH.read_bytes()[:-1])
    monkeypatch.setattr(prior, "PATH", damaged)
    prior.load_prior.cache_clear()
    with pytest.raises(PluginError, match="add --set codec.prior=none"):
        prior.load_prior()
    prior.load_prior.cache_clear()


def test_the_prior_shows_a_body_and_nothing_is_trained(caplog):
    with caplog.at_level(logging.INFO, "deepdance"):
        codec = fitted(draw(24))
    assert "nothing is trained" in caplog.text
    assert iou(draw(24), codec.decode(codec.encode(draw(24)))).mean() > 0.93


def test_keras_does_not_start_where_nothing_is_trained():
    script = """
import sys
from dancers import draw_dancer
from deepdance.frames import Silhouettes
from deepdance.interfaces import Training
from deepdance_plugins.codecs.sdf_ae.model import SdfAE, SdfAEOptions

frames = Silhouettes.of(draw_dancer(40, seed=1))
codec = SdfAE(SdfAEOptions())
codec.fit(frames.between(0, 30), frames.between(30, 40), Training())
codec.decode(codec.encode(frames[:4]))
assert "keras" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120, cwd=Path(__file__).parents[1])


def test_keras_starts_in_silence():
    script = "from deepdance_plugins.networks.backend import ops; ops.convert_to_numpy(ops.ones(1) + 1)"
    started = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert started.stdout + started.stderr == ""


def test_what_takes_seconds_beside_the_epochs_is_told():
    told = []
    frames = draw(12)
    training = Training(on_note=told.append, on_epoch=lambda *epoch: told.append("epoch"))
    SdfAE(SdfAEOptions(prior="none", steps=1, batch_size=12)).fit(
        Silhouettes.of(frames[:8]), Silhouettes.of(frames[8:]), training
    )
    first = told.index("epoch")
    assert [note.split()[0] for note in told[:first]] == ["looking", "finding", "computing"]
    assert [note.split()[0] for note in told[first:] if note != "epoch"] == ["measuring", "measuring"]


def test_a_codec_is_trained_on_each_frame_and_its_mirror_image(monkeypatch):
    totals, mirrored = set(), []
    train = Silhouettes.of(draw(10))
    training = Training(on_progress=lambda done, total: totals.add(total))
    options = SdfAEOptions(prior="none", steps=10, batch_size=8, latent_dim=9, coefficients=12, units=8, blocks=0)
    monkeypatch.setattr(FieldModel, "measure_latents", lambda self, rows: mirrored.append(rows) or MEASURED)
    fields, history = fitting.fit_field_model(train, train, measure_placements(draw(10)), options, training)
    assert totals == {20}
    assert len(history) == 4  # ten steps of eight are four times twenty
    assert fields.pose == 9 - 5
    assert len(fields.deviations) == 12
    # A mirror image's components are those of the frame that is mirrored.
    again = fields.project(fields.assemble(mirrored[0][:10])[..., ::-1])
    assert mirrored[0].shape == (20, 12)
    assert mirrored[0][10:] == pytest.approx(again, abs=0.05)


@pytest.fixture
def adapting(monkeypatch):
    """The prior does not show the frames, its components could, and how much better it gets is told."""
    monkeypatch.setattr(fitting, "ADAPTING", {"steps": 6, "batch_size": 16, "learning_rate": 3e-4})

    def judge_as(adapted: float) -> None:
        verdicts = iter([0.5, 0.95, 0.5, adapted])
        monkeypatch.setattr(model, "_judge", lambda truth, drawn: next(verdicts))

    return judge_as


def test_what_the_networks_do_not_know_they_are_taught(adapting, caplog, tmp_path):
    adapting(0.6)
    with caplog.at_level(logging.INFO, "deepdance"):
        codec = fitted(draw(16))
    assert "at an IoU of 0.500: it is adapted to them" in caplog.text
    assert codec._fields is not prior.load_prior()
    codec.save(tmp_path)
    again = SdfAE.load(tmp_path, codec.options)
    assert np.array_equal(again.decode(again.encode(draw(4))), codec.decode(codec.encode(draw(4))))


def test_a_prior_that_was_made_worse_stays_as_it_was(adapting):
    adapting(0.4)
    assert fitted(draw(16))._fields is prior.load_prior()


def test_what_is_no_body_is_learned_anew(caplog):
    stripes = np.full((12, *SIZE), 255, np.uint8)
    for number, frame in enumerate(stripes):
        frame[:, number % 4 :: 4] = 0
    with caplog.at_level(logging.INFO, "deepdance"):
        fitted(stripes, steps=2, batch_size=8)
    assert "a codec is trained anew" in caplog.text


def test_a_picture_at_another_size_is_of_the_same_body():
    codec = fitted(draw(12))
    latents = codec.encode(draw(2))
    assert np.array_equal(codec.decode_at(latents, SIZE), codec.decode(latents))
    large = codec.decode_at(latents, (1080, 1920))
    assert np.array_equal(large[:, :, 60:-60], codec.decode_at(latents, (1080, 1800)))
    assert (large[:, :, :60] == 255).all()
    assert (large < 128).mean() == pytest.approx((draw(2) < 128).mean() * 1800 / 1920, rel=0.05)


@pytest.fixture(scope="module")
def bodies() -> SdfAE:
    """A codec of the body prior as it is."""
    return fitted(draw(24))


def test_the_more_a_pose_is_refined_the_more_it_looks_like_the_picture(bodies):
    placements, fields = bodies._compute_fields(draw(24))

    def likeness(steps: int) -> float:
        refined = bodies._fields.decode(bodies._fields.encode(fields, steps))
        return float(iou(draw(24), bodies._draw(refined, placements, SIZE)).mean())

    guess, near, nearer = map(likeness, (0, 4, 16))
    assert guess + 0.002 < near < nearer + 0.001


def test_the_first_latents_are_where_the_body_is_in_deviations(bodies):
    frames = draw(24)
    placements = measure_placements(frames)
    learned = placements[:-4]
    deviation = np.maximum(learned.std(axis=0), [1, 1, 0.05, 0.05, 0.05])  # what hardly moves is not enlarged
    expected = 0.3 * (placements - learned.mean(axis=0)) / deviation
    assert bodies.encode(frames)[:, :5] == pytest.approx(expected, abs=1e-3)
    assert bodies.latent_dim == bodies.encode(frames).shape[1] == 5 + bodies._fields.pose
    assert SdfAE(SdfAEOptions(prior="none", latent_dim=9)).latent_dim == 9


def test_a_latent_of_the_place_moves_the_body_and_nothing_else(bodies):
    latents = np.repeat(bodies.encode(draw(1)), 3, axis=0)
    a_pixel = 0.3 / bodies._places["place_deviation"][:2]
    latents[1, 0] += 10 * a_pixel[0]
    latents[2, 1] -= 5 * a_pixel[1]
    here, right, up = bodies.decode(latents)
    assert np.abs(right[:, 10:].astype(int) - here[:, :-10]).max() <= 2
    assert np.abs(up[:-5].astype(int) - here[5:]).max() <= 2


def test_a_guessed_size_is_no_smaller_than_a_pixel_and_no_larger_than_two_pictures(bodies, monkeypatch):
    drawn = []
    monkeypatch.setattr(SdfAE, "_draw", lambda self, fields, placements, size: drawn.append(placements))
    latents = np.zeros((2, bodies.latent_dim), np.float32)
    latents[:, 3:5] = np.array([[-1e4], [1e4]])
    bodies.decode(latents)
    assert np.exp(drawn[0][:, 3:]) == pytest.approx(np.array([[0.5, 0.5], [2 * SIZE[1], 2 * SIZE[0]]]), rel=1e-3)


def test_the_figures_of_the_prior_are_those_of_its_pictures_and_told_as_one_epoch():
    told = []
    codec, whole = SdfAE(SdfAEOptions()), Silhouettes.of(draw(24))
    (metrics,) = codec.fit(
        whole.between(0, 20), whole.between(20, 24), Training(on_epoch=lambda *epoch: told.append(epoch))
    )
    assert told == [(1, 1, metrics)]
    truth = draw(24)[20:]
    grey, guess = truth / np.float32(255), codec.decode(codec.encode(truth)) / np.float32(255)
    assert metrics["val_loss"] == pytest.approx(np.square(grey - guess).mean(), rel=1e-3)
    assert metrics["val_acc"] == pytest.approx((grey == (guess > 0.5)).mean(), rel=1e-3)
    assert 0 < metrics["loss"] < 0.05
    assert "val_loss" not in SdfAE(SdfAEOptions()).fit(whole.between(0, 20), whole.between(24, 24), Training())[0]


def test_one_frame_in_four_may_show_no_body():
    truth = draw(8)
    drawn = truth.copy()
    drawn[:2] = 255 - drawn[:2]
    assert model._judge(truth, truth) == 1
    assert model._judge(truth, drawn) == 1
    drawn[2:7] = 255
    assert model._judge(truth, drawn) < 0.5


def test_a_kept_codec_shows_the_same(bodies, tmp_path):
    bodies.save(tmp_path)
    again = SdfAE.load(tmp_path, bodies.options)
    assert np.array_equal(again.decode(again.encode(draw(3))), bodies.decode(bodies.encode(draw(3))))
    assert again.latent_dim == bodies.latent_dim


def test_wild_latents_are_pictures():
    codec = fitted(draw(12))
    assert codec.decode(np.full((2, codec.latent_dim), 1e4, np.float32)).shape == (2, *SIZE)


@pytest.mark.parametrize("option", ["latent_dim", "coefficients", "units", "blocks", "radius"])
def test_what_the_prior_fixes_is_no_option_beside_it(option):
    with pytest.raises(ValidationError, match=f"error, the body prior's {option}, .*, or --set codec.prior=none"):
        SdfAEOptions(**{option: 7})
    assert getattr(SdfAEOptions(prior="none", **{option: 7}), option) == 7


@needs_shared
def test_real_dancers_are_shown_with_their_limbs():
    with np.load(SHARED / "shadowdance/train_02_masks.npz") as saved:
        masks = np.unpackbits(saved["masks_3fps"], axis=1).reshape(-1, 120, 200)[-42:]
    frames = np.where(masks, 0, 255).astype(np.uint8)
    codec = fitted(frames)
    drawn = codec.decode(codec.encode(frames))
    hits, limbs = count_limb_pixels(frames, drawn)
    assert iou(frames, drawn).mean() > 0.955
    assert hits.sum() > 0.92 * limbs.sum()
