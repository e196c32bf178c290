"""A classifier two-sample test: can a classifier that has learned from some tell others of two samples apart?

Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017. Half of its answers are right by chance; so
many are where there is no difference, or none that it can see.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from deepdance.arrays import Bools, Float64, Int64
from deepdance.blas import sum_by_threads
from deepdance.metrics.bootstrap import Estimate, bootstrap_mean
from deepdance.metrics.windows import Windows

MOST = 600
"""Windows of each sample: more hardly tell more, and take long (the time grows with the third power)."""
FOLDS = 5
PENALTY = 1.0
FARTHEST = 4.0
"""Standard deviations from the mean at which a feature is cut: far out nothing was learned."""
ALL = "all"


def tell_apart(sample: Windows, other: Windows) -> dict[str, Estimate] | None:
    """The share of right answers, by all kinds of features together, `all`, and by each kind alone.

    Of as many windows of each. The time of both is cut into five parts; the classifier learns from four and answers on
    the fifth. By each kind alone and not without it, for where several kinds tell the same none of them would be
    missed. `None` where a sample has windows in fewer than five stretches of time.
    """
    count = min(len(sample), len(other), MOST)
    both = [sample.sample(count), other.sample(count)]
    if any(len(np.unique(windows.blocks)) < FOLDS for windows in both):
        return None
    features = {kind: np.concatenate([windows.features[kind] for windows in both]) for kind in sample.features}
    labels = np.repeat([1.0, -1.0], count)
    folds = np.concatenate([_number_folds(windows.blocks) for windows in both])
    # The two are resampled as one, so a stretch of one is none of the other.
    blocks = np.concatenate([2 * both[0].blocks, 2 * both[1].blocks + 1])
    kinds = {ALL: list(features.values())} | {kind: [values] for kind, values in features.items()}
    told = {kind: _answer(groups, labels, folds) for kind, groups in kinds.items()}
    estimates = {kind: bootstrap_mean(right, blocks) for kind, right in told.items()}
    return {kind: estimate for kind, estimate in estimates.items() if estimate}


def _number_folds(blocks: Int64) -> Int64:
    """The fold of each window: fifths of the time, and no block in two of them."""
    distinct, ranks = np.unique(blocks, return_inverse=True)
    return np.asarray(ranks * FOLDS // len(distinct), np.int64)


def _answer(groups: Sequence[Float64], labels: Float64, folds: Int64) -> Bools:
    """Whether each row `(n,)` was told right by a classifier that has learned from the other folds."""
    right = np.empty(len(labels), np.bool_)
    for held_out in (folds == fold for fold in range(FOLDS)):
        learned, asked = _scale(groups, ~held_out, held_out)
        scores = _classify(learned, labels[~held_out], asked)
        right[held_out] = (scores > 0) == (labels[held_out] > 0)
    return right


def _scale(groups: Sequence[Float64], *parts: Bools) -> Iterator[Float64]:
    """The rows of each part, by mean and deviation of the first; a group counts as much as another of any width."""
    means, deviations = zip(
        *((rows[parts[0]].mean(axis=0), rows[parts[0]].std(axis=0)) for rows in groups), strict=True
    )
    for part in parts:
        scaled = (
            np.clip((rows[part] - mean) / np.maximum(deviation, 1e-9), -FARTHEST, FARTHEST) / np.sqrt(rows.shape[1])
            for rows, mean, deviation in zip(groups, means, deviations, strict=True)
        )
        yield np.concatenate(list(scaled), axis=1) / np.sqrt(len(groups))


def _classify(rows: Float64, labels: Float64, asked: Float64) -> Float64:
    """Scores `(m,)` of `asked` by regularised least squares with a kernel (Rifkin, Yeo and Poggio 2003).

    It has a closed form, and so neither seed nor steps. The sum of a linear and a Gaussian kernel sees a difference of
    levels as well as one of spreads and of combinations.
    """
    from scipy.linalg import solve

    with sum_by_threads(1):
        weights = solve(_compute_kernel(rows, rows) + PENALTY * np.eye(len(rows)), labels, assume_a="pos")
    return np.asarray(_compute_kernel(asked, rows) @ weights)


def _compute_kernel(a: Float64, b: Float64) -> Float64:
    products = a @ b.T
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * products
    return np.asarray(products + np.exp(-np.maximum(squares, 0) / 2))
