import numpy as np
import pytest

from deepdance.frames import Clip, Silhouettes
from deepdance.metrics.accuracy import accuracy_ceiling, argmax_agreement, keras_accuracy, mean_squared_error
from deepdance.metrics.paper_table import build_row, measure_latent_reference, measure_pixel_reference


def test_an_anti_aliased_pixel_is_never_right():
    truth = np.array([0.0, 1.0, 0.5, 1.0])
    assert keras_accuracy(truth, truth) == accuracy_ceiling(truth) == 0.75
    assert keras_accuracy(truth, np.array([0.4, 0.6, 0.9, 0.2])) == 0.5


def test_the_accuracies_are_those_of_keras():
    import keras

    rng = np.random.default_rng(0)
    truth = rng.choice([0, 0.5, 1], (8, 6, 5, 1)).astype(np.float32)
    predicted = rng.random((8, 6, 5, 1), dtype=np.float32)
    latents, guesses = rng.random((2, 40, 7), dtype=np.float32)
    for x, y, ours in ((truth, predicted, keras_accuracy), (latents, guesses, argmax_agreement)):
        model = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Identity()])
        model.compile(loss="mse", metrics=["accuracy"])
        loss, accuracy = model.evaluate(y, x, batch_size=64, verbose=0)
        assert ours(x, y) == pytest.approx(accuracy, abs=1e-6)
        assert mean_squared_error(x, y) == pytest.approx(loss, abs=1e-6)


def test_copying_never_looks_across_a_cut():
    frames = np.zeros((6, 2, 2), np.uint8)
    frames[3:] = 255
    still = Silhouettes([frames], [Clip(0, 3, "a", 3), Clip(3, 6, "b", 3)])
    assert measure_pixel_reference(still.neighbours()) == {"ceiling_acc": 1, "copy_last_acc": 1, "copy_last_loss": 0}
    cut = Silhouettes([frames], [Clip(0, 6, "a", 3)])
    assert measure_pixel_reference(cut.neighbours())["copy_last_acc"] == pytest.approx(4 / 5)


def test_copying_latents_is_measured_on_each_windows_target():
    clip = np.eye(4, dtype=np.float32)[[0, 1, 1, 2, 2, 2]]
    reference = measure_latent_reference([clip, clip[:2]], context=2)
    assert reference["ceiling_acc"] == 1
    assert reference["copy_last_acc"] == pytest.approx(3 / 4)
    assert reference["copy_last_loss"] == pytest.approx(2 / 16)


def test_a_row_holds_the_last_epoch_and_says_what_was_not_measured():
    row = build_row(
        "codec", "pca", [{"loss": 2, "acc": 0.1}, {"loss": 1, "acc": 0.2}], measure_latent_reference([], 3), 7
    )
    assert row.held_out == 7
    assert (row.epochs, row.loss, row.acc, row.val_loss, row.ceiling_acc) == (2, 1, 0.2, None, None)
