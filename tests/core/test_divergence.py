"""When a training has lost its way."""

import math

import pytest

from deepdance.divergence import MOST_RISE_AT_FIRST, check_loss
from deepdance.errors import TrainingError


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("beginning", [2.0, 0.0, -5.0])
def test_a_loss_that_is_no_number_ends_a_training_with_its_epoch(loss, beginning):
    with pytest.raises(TrainingError, match=rf"expected a finite loss, got {loss} in epoch 3 of 20"):
        check_loss(loss, beginning, 3, 20)


@pytest.mark.parametrize("beginning", [0.01, 2.0, 700.0])
def test_a_loss_of_more_than_ten_times_its_beginning_ends_a_training(beginning):
    check_loss(10 * beginning, beginning, 3, 20)
    with pytest.raises(TrainingError, match=rf"falls from {beginning:.3g}, got .* in epoch 3 of 20"):
        check_loss(10.01 * beginning, beginning, 3, 20)


def test_a_first_epoch_may_rise_a_hundredfold_over_its_first_batch():
    check_loss(200.0, 2.0, 1, 20, most=MOST_RISE_AT_FIRST)
    with pytest.raises(TrainingError):
        check_loss(200.1, 2.0, 1, 20, most=MOST_RISE_AT_FIRST)


@pytest.mark.parametrize(("loss", "beginning"), [(500.0, -3.0), (500.0, 0.0), (-1.0, -300.0), (-50.0, 3.0)])
def test_a_loss_that_is_no_ratio_of_its_beginning_may_go_anywhere(loss, beginning):
    check_loss(loss, beginning, 3, 20)
