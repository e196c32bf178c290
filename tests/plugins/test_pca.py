"""Principal components of the pixels: as good as an exact decomposition, in chunks."""

import numpy as np
import pytest

from deepdance.frames import Silhouettes
from deepdance.interfaces import Training
from deepdance.metrics.accuracy import keras_accuracy, mean_squared_error
from deepdance_plugins import _principal_components
from deepdance_plugins._principal_components import fit_principal_components
from deepdance_plugins.codecs.pca import PCA, PCAOptions


def fitted(frames, held_out=20, **options):
    """A codec of all frames but the last, and its history."""
    codec, whole = PCA(PCAOptions(**options)), Silhouettes.of(frames)
    stop = len(frames) - held_out
    return codec, codec.fit(whole.between(0, stop), whole.between(stop, len(frames)), Training())


@pytest.fixture(scope="module")
def once(silhouettes):
    return fitted(silhouettes, latent_dim=12)


def test_it_is_as_good_as_an_exact_decomposition(silhouettes, once):
    codec, history = once
    rows = silhouettes[:100].reshape(100, -1) / 255.0
    centred = rows - rows.mean(axis=0)
    best = np.square(np.linalg.svd(centred, compute_uv=False)[12:]).sum() / centred.size
    rebuilt = codec.encode(silhouettes[:100]) * codec._scale @ codec._components
    assert mean_squared_error(centred, rebuilt) < 1.02 * best
    assert history[-1]["loss"] <= 1.02 * best  # grey levels are clipped, which can only help
    assert codec.encode(silhouettes[:100])[:, 0].std() == pytest.approx(1, rel=0.01)


def test_the_history_is_what_keras_would_compute_of_the_grey_levels(silhouettes, once):
    codec, history = once
    for name, frames in (("", silhouettes[:100]), ("val_", silhouettes[100:])):
        truth = frames.reshape(len(frames), -1) / 255.0
        rebuilt = np.clip(codec.encode(frames) * codec._scale @ codec._components + codec._mean, 0, 1)
        assert history[0][f"{name}loss"] == pytest.approx(mean_squared_error(truth, rebuilt), rel=1e-4)
        assert history[0][f"{name}acc"] == pytest.approx(keras_accuracy(truth, rebuilt), rel=1e-4)


def test_with_as_many_components_as_frames_every_pixel_comes_back(silhouettes):
    codec, history = fitted(silhouettes[:30], held_out=0)
    assert codec.latent_dim == 30
    assert np.abs(codec.decode(codec.encode(silhouettes[:30])).astype(int) - silhouettes[:30]).max() <= 1
    assert set(history[0]) == {"loss", "acc"}
    assert PCA(PCAOptions(latent_dim=7)).latent_dim == 7


def test_latents_keep_their_distances_to_one_scale(silhouettes):
    codec, _ = fitted(silhouettes[:30], held_out=0)
    rows = silhouettes[:30].reshape(30, -1) / 255.0
    latents = codec.encode(silhouettes[:30])
    apart = [np.linalg.norm(values[:10] - values[10:20], axis=1) for values in (rows, latents)]
    assert np.ptp(apart[0] / apart[1]) < 1e-3 * (apart[0] / apart[1]).mean()


def test_what_is_brighter_than_white_is_white(silhouettes, once):
    codec, _ = once
    wild = codec.decode(np.full((1, 12), 50, np.float32))
    assert set(np.unique(wild)) >= {0, 255}


def test_a_video_that_stands_still_is_shown_as_it_is():
    still = np.full((40, 6, 8), 200, np.uint8)
    still[:, 2:4] = 30
    codec, _ = fitted(still)
    assert np.isfinite(codec.encode(still)).all()
    assert np.abs(codec.encode(still)).max() < 1
    assert np.array_equal(codec.decode(codec.encode(still)), still)


def test_a_kept_codec_shows_the_same_and_was_fitted_in_one_epoch(silhouettes, tmp_path):
    told = []
    whole = Silhouettes.of(silhouettes[:30])
    codec = PCA(PCAOptions(latent_dim=5))
    codec.fit(whole, whole.between(30, 30), Training(on_epoch=lambda *epoch: told.append(epoch[:2])))
    codec.save(tmp_path)
    again = PCA.load(tmp_path, codec.options)
    assert np.array_equal(again.decode(again.encode(silhouettes)), codec.decode(codec.encode(silhouettes)))
    assert told == [(1, 1)]


def test_components_come_in_the_order_of_their_deviations_however_the_rows_come():
    rng = np.random.default_rng(0)
    deviations = np.array([9, 5, 3, 1, 0.5])
    axes = np.linalg.qr(rng.normal(size=(40, 5)))[0].T
    rows = (rng.normal(size=(3000, 5)) * deviations @ axes + 7).astype(np.float32)
    whole, parts = (
        fit_principal_components(lambda cut=cut: iter(np.split(rows, cut)), 3, power_iterations=2, seed=0)
        for cut in ([], [7, 1000])
    )
    for mean, components, found in (whole, parts):
        assert mean == pytest.approx(rows.mean(axis=0), abs=1e-3)
        assert np.abs(components @ axes.T) == pytest.approx(np.eye(3, 5), abs=0.05)
        assert found == pytest.approx(deviations[:3], rel=0.05)
        assert found == pytest.approx((rows @ components.T).std(axis=0), rel=1e-3)


@pytest.mark.parametrize(("rows", "columns"), [(12, 12), (100, 12), (16, 16), (100, 40)])
def test_a_basis_made_in_blocks_spans_the_same(monkeypatch, rows, columns):
    monkeypatch.setattr(_principal_components, "BLOCK_ROWS", 16)
    given = np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)
    given[:, 1] = given[:, 0]  # a video that holds still has fewer directions than columns
    basis = given.copy()
    _principal_components._orthonormalize(basis)
    assert np.abs(basis.T @ basis - np.eye(columns)).max() < 1e-5
    assert np.abs(basis @ (basis.T @ given) - given).max() < 1e-5
