import numpy as np
import pytest

from deepdance.interfaces import Training
from deepdance_plugins.sequences.ridge import RADIUS, Ridge, RidgeOptions


def turning(count, angle=0.3, growth=1.0):
    """A point that circles the origin: `x_(t+1)` is exactly linear in `x_t`."""
    steps = np.arange(count, dtype=np.float64)[:, None]
    return (growth**steps * np.hstack([np.cos(angle * steps), np.sin(angle * steps)])).astype(np.float32)


def test_a_linear_motion_is_continued_as_it_is():
    model = Ridge(RidgeOptions(context=2, penalty=1e-9))
    history = model.fit([turning(400)], [turning(50)], Training())
    assert history[0]["val_loss"] < 1e-5
    truth = turning(60)
    assert np.abs(model.generate(truth[None, :2], 58)[0] - truth[2:]).max() < 0.1


def test_a_motion_is_continued_about_any_place():
    place = np.array([10, 0], np.float32)
    model = Ridge(RidgeOptions(context=2, penalty=1e-9))
    history = model.fit([turning(400) + place], [turning(50) + place], Training())
    truth = turning(60) + place
    assert np.abs(model.generate(truth[None, :2], 58)[0] - truth[2:]).max() < 0.1
    # The first number is always the larger, and so it is in every prediction.
    assert history[0] == pytest.approx({"loss": 0, "acc": 1, "val_loss": 0, "val_acc": 1}, abs=1e-5)


@pytest.mark.parametrize("scale", [0.001, 1, 1000])
@pytest.mark.parametrize("penalty", [0.01, 1, 3])
def test_the_penalty_draws_the_change_towards_none_in_any_unit(scale, penalty):
    decay = scale * 0.9 ** np.arange(30, dtype=np.float32)[:, None]
    model = Ridge(RidgeOptions(context=1, penalty=penalty))
    model.fit([decay, -decay], [], Training())
    # In one dimension the coefficient is Σxy / (Σx² + penalty · n · mean x²), of a change y = -0.1x.
    assert model._transition.item() == pytest.approx(1 - 0.1 / (1 + penalty), rel=1e-4)


def test_by_default_a_second_is_foretold_and_a_video_that_stands_still_goes_on_standing():
    model = Ridge(RidgeOptions())
    model.fit([turning(400)], [], Training())
    truth = turning(15)
    assert np.abs(model.generate(truth[None, :5], 10)[0] - truth[5:]).max() < 0.2
    still = np.full((30, 2), 7, np.float32)
    model.fit([still], [], Training())
    assert model.generate(still[None, :5], 10) == pytest.approx(7)


def test_a_kept_model_goes_on_as_before_and_was_trained_in_one_epoch(tmp_path):
    epochs = []
    model = Ridge(RidgeOptions(context=2))
    model.fit([turning(40) + 3], [], Training(on_epoch=lambda *told: epochs.append(told[:2])))
    model.save(tmp_path)
    seed = turning(2)[None]
    assert np.array_equal(Ridge.load(tmp_path, model.options).generate(seed, 20), model.generate(seed, 20))
    assert epochs == [(1, 1)]


def test_a_motion_that_grows_does_not_explode():
    model = Ridge(RidgeOptions(context=3, penalty=1e-6))
    clip = turning(100, growth=1.05)
    model.fit([clip], [], Training())
    generated = model.generate(clip[None, -3:], 10_000)[0]
    assert np.abs(generated - clip.mean(axis=0)).max() < 2 * np.abs(clip).max()
    assert np.abs(np.diff(generated[-100:], axis=0)).max() < 0.01


def test_a_slow_motion_keeps_the_eigenvalues_it_has():
    model = Ridge(RidgeOptions(context=1, penalty=1e-9))
    clip = turning(200, growth=0.98)
    model.fit([clip - clip.mean(axis=0)], [], Training())
    assert np.abs(np.linalg.eigvals(model._transition)) == pytest.approx(0.98, abs=5e-3)
    assert RADIUS > 0.98


def test_no_window_crosses_a_clip():
    model = Ridge(RidgeOptions(context=2))
    model.fit([turning(5), turning(2), turning(4)], [], Training())
    inputs, targets = model._cut_windows([turning(5), turning(2), turning(4)])
    assert len(inputs) == len(targets) == 3 + 0 + 2
    assert model._measure([turning(2)]) == {}
