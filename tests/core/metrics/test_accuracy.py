import numpy as np
import pytest

from deepdance.metrics.accuracy import (
    accuracy_ceiling,
    argmax_agreement,
    keras_accuracy,
    mean_squared_error,
    with_held_out,
)

GREY = np.array([0, 0, 0.25, 1])


def test_an_anti_aliased_pixel_is_never_right_and_lowers_the_ceiling():
    assert keras_accuracy(GREY, GREY) == accuracy_ceiling(GREY) == 0.75
    assert accuracy_ceiling(np.array([0, 0, 0, 0.25])) == accuracy_ceiling(np.array([1, 1, 1, 0.25])) == 0.75
    assert keras_accuracy(GREY, 1 - GREY) == 0
    assert keras_accuracy(GREY, np.array([0.5, 0.6, 0.9, 0.51])) == 0.5  # one half is not above it


def test_vectors_agree_where_their_largest_numbers_stand_whatever_their_size():
    truth = np.array([[1.0, 2, 3], [3, 2, 1]])
    assert argmax_agreement(truth, 0.01 * truth - 5) == 1
    assert argmax_agreement(truth, truth[::-1]) == 0
    assert argmax_agreement(truth, truth[:1]) == 0.5


def test_the_error_is_squared_and_averaged():
    assert mean_squared_error(np.array([[1.0, 2], [3, 4]]), np.array([[1.0, 2], [3, 8]])) == 4


def test_figures_of_what_was_held_out_have_names_of_their_own():
    assert with_held_out(lambda rows: {"loss": float(sum(rows))}, [1], [2, 3]) == {"loss": 1, "val_loss": 5}
    assert with_held_out(lambda rows: {"loss": 1.0} if rows else {}, [1], []) == pytest.approx({"loss": 1})
