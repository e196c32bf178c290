from functools import cache

import numpy as np
import pytest

from deepdance.errors import OptionError
from deepdance.frames import Silhouettes
from deepdance.interfaces import Training
from deepdance.metrics.accuracy import keras_accuracy, mean_squared_error
from deepdance_plugins.codecs.conv_ae import model as conv_ae
from deepdance_plugins.codecs.conv_ae.model import ConvAE, ConvAEOptions, build_decoder, build_encoder
from deepdance_plugins.codecs.pca import PCA, PCAOptions
from deepdance_plugins.codecs.sdf_ae import fitting
from deepdance_plugins.codecs.sdf_ae.model import SdfAE, SdfAEOptions

CODECS = [
    pytest.param(PCA, PCAOptions(latent_dim=12), id="pca"),
    pytest.param(
        SdfAE,
        SdfAEOptions(prior="none", steps=30, batch_size=32, latent_dim=12, coefficients=40, units=64),
        id="sdf-ae",
    ),
    pytest.param(ConvAE, ConvAEOptions(epochs=3, batch_size=16, latent_dim=12), id="conv-ae"),
]


def fitted(cls, options, frames, **training):
    codec = cls(options)
    whole = Silhouettes.of(frames)
    history = codec.fit(whole.between(0, 100), whole.between(100, 120), Training(**training))
    return codec, history


@pytest.fixture(scope="module")
def once(silhouettes):
    """Each codec fitted a single time, for the tests that only look at it."""
    return cache(lambda cls, options: fitted(cls, options, silhouettes))


@pytest.mark.parametrize(("cls", "options"), CODECS)
class TestEveryCodec:
    """What the contract of codecs leaves open; `test_contract.py` checks the rest."""

    def test_the_papers_table_finds_its_figures(self, cls, options, once):
        assert {"loss", "acc", "val_loss", "val_acc"} == set(once(cls, options)[1][-1])

    def test_another_seed_gives_another_codec_and_nothing_held_out_no_figures(self, cls, options, silhouettes, once):
        whole = Silhouettes.of(silhouettes)
        other = cls(options)
        history = other.fit(whole.between(0, 100), whole.between(100, 100), Training(seed=2))
        assert not np.array_equal(other.encode(silhouettes), once(cls, options)[0].encode(silhouettes))
        assert "val_loss" not in history[-1]

    def test_upright_frames_stay_upright(self, cls, options, silhouettes):
        upright = np.ascontiguousarray(silhouettes.transpose(0, 2, 1))
        codec, _ = fitted(cls, options, upright)
        assert codec.decode(codec.encode(upright[:4])).shape == (4, 40, 24)


def test_the_papers_layers():
    encoder, decoder = build_encoder((120, 200), 128), build_decoder((120, 200), 128)
    convolutions = [layer.filters for layer in encoder.layers if hasattr(layer, "filters")]
    deconvolutions = [layer.filters for layer in decoder.layers if hasattr(layer, "filters")]
    dense = [layer.units for model in (encoder, decoder) for layer in model.layers if hasattr(layer, "units")]
    assert convolutions == [32, 32, 32, 32, 32, 32, 32, 8]
    assert deconvolutions == [4, 32, 32, 32, 32, 32, 32, 32, 1]
    assert dense == [512, 128, 512, 1500]
    assert encoder.output_shape == (None, 128)
    assert decoder.output_shape == (None, 120, 200, 1)
    assert decoder.layers[-1].activation.__name__ == "sigmoid"


def test_conv_ae_learns_and_does_not_collapse_to_white(silhouettes):
    codec, history = fitted(ConvAE, ConvAEOptions(epochs=25, batch_size=8, latent_dim=32), silhouettes)
    white = mean_squared_error(silhouettes[:100] / 255.0, 1.0)
    assert history[-1]["loss"] < 0.5 * white
    assert (codec.decode(codec.encode(silhouettes[:20])) < 128).any(axis=(1, 2)).all()


def test_conv_ae_says_which_size_it_needs(silhouettes):
    frames = Silhouettes.of(silhouettes[:, :20])
    with pytest.raises(OptionError, match="expected a height and width divisible by 8, got 20x40; try --size 16x40"):
        ConvAE(ConvAEOptions()).fit(frames, frames, Training())


def test_the_history_is_what_keras_would_compute(silhouettes, once):
    codec, history = once(*CODECS[-1].values)
    truth = silhouettes[100:] / np.float32(255)
    pictures = np.asarray(codec._decoder(codec.encode(silhouettes[100:])))[..., 0]
    assert history[-1]["val_loss"] == pytest.approx(mean_squared_error(truth, pictures), rel=1e-4)
    assert history[-1]["val_acc"] == pytest.approx(keras_accuracy(truth, pictures), rel=1e-4)


def test_sdf_ae_does_not_learn_a_short_video_by_heart(silhouettes):
    frames = Silhouettes.of(silhouettes[:4])
    codec = SdfAE(SdfAEOptions(prior="none", steps=10_000, latent_dim=8, coefficients=8, units=8, blocks=0))
    assert len(codec.fit(frames, frames.between(4, 4), Training())) == fitting.MOST_EPOCHS


def test_conv_ae_latents_have_unit_size(silhouettes, once):
    codec, _ = once(*CODECS[-1].values)
    assert np.sqrt(np.square(codec.encode(silhouettes[:100])).mean()) == pytest.approx(1, rel=1e-3)


def test_conv_ae_gives_what_its_networks_predict(silhouettes, once):
    codec, _ = once(*CODECS[-1].values)
    for count in (1, conv_ae.AT_ONCE + 1):
        latents = codec.encode(silhouettes[:count])
        grey = silhouettes[:count, ..., None] / np.float32(255)
        assert np.abs(latents - codec._encoder.predict_on_batch(grey)).max() < 1e-5
        assert np.abs(codec.decode(latents) / 255 - codec._decoder.predict_on_batch(latents)[..., 0]).max() < 0.0021


def test_conv_ae_begins_at_the_mean_grey_level_whatever_that_is():
    assert conv_ae._logit(0.5) == 0
    for grey in (0.002, 0.3, 0.9):
        assert 1 / (1 + np.exp(-conv_ae._logit(grey))) == pytest.approx(grey)
    assert conv_ae._logit(0.0) == pytest.approx(np.log(0.001 / 0.999))  # and not infinite
    assert conv_ae._logit(1.0) == pytest.approx(-np.log(0.001 / 0.999))
    frames = Silhouettes.of(np.repeat(np.array([0, 51, 255], np.uint8), 4 * 40 * 8).reshape(12, 8, 40))
    assert conv_ae._measure_mean_grey(frames) == pytest.approx(0.4)
