"""The paper's accuracy and loss, what they can reach at most, and what copying the last frame reaches.

What Keras calls `accuracy` depends on the shape of what is predicted. For pictures `(…, 1)` it is
`mean(y == (p > 0.5))`, so a pixel that is neither 0 nor 1, as all anti-aliased ones, can never be right. For vectors
`(…, d)` with d > 1 it is how often the largest number of `y` and of `p` stand in the same place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
DataT = TypeVar("DataT")


def keras_accuracy(truth: Array, predicted: Array) -> float:
    """`mean(truth == (predicted > 0.5))`, for grey levels in [0, 1]."""
    return float(np.mean(truth == (predicted > 0.5)))


def accuracy_ceiling(truth: Array) -> float:
    """What `keras_accuracy` reaches when every pixel is predicted right: the share that is exactly 0 or 1."""
    return float(np.mean((truth == 0) | (truth == 1)))


def argmax_agreement(truth: Array, predicted: Array) -> float:
    """How often the largest number of two `(n, d)` arrays stands in the same place."""
    return float(np.mean(truth.argmax(axis=-1) == predicted.argmax(axis=-1)))


def mean_squared_error(truth: Array, predicted: Array) -> float:
    """`mean((truth - predicted)²)`."""
    return float(np.mean(np.square(truth - predicted)))


def with_held_out(measure: Callable[[DataT], dict[str, float]], train: DataT, validation: DataT) -> dict[str, float]:
    """The figures of the training data, and as `val_…` those of the validation data."""
    return measure(train) | {f"val_{name}": value for name, value in measure(validation).items()}
