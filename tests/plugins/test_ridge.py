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
