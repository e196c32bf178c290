"""How alike two sets of features are: Fréchet distance, density and coverage."""

from __future__ import annotations

import numpy as np

from deepdance.arrays import Float32

NEIGHBOURS = 5


def frechet_distance(a: Float32, b: Float32) -> float:
    """Squared Fréchet distance of the normal distributions fitted to `(n, d)` and `(m, d)` rows.

    `|μa - μb|² + tr(Σa + Σb - 2 (Σa Σb)^½)` (Heusel et al. 2017, "GANs trained by a two time-scale update rule",
    section 4). Few rows bias it upwards: compare only figures of equal counts.
    """
    mean_a, mean_b = (rows.mean(axis=0, dtype=np.float64) for rows in (a, b))
    cov_a, cov_b = (np.atleast_2d(np.cov(rows.astype(np.float64), rowvar=False, bias=True)) for rows in (a, b))
    # Σa Σb is not symmetric, and its root may come out complex. Σa^½ Σb Σa^½ is symmetric and has the same eigenvalues,
    # whose roots add up to the trace sought. Rounding leaves some a little below 0, which `clip` puts right.
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    trace_of_root = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(0)).sum()
    distance = np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a) + np.trace(cov_b) - 2 * trace_of_root
    return float(max(distance, 0.0))


def density_coverage(real: Float32, generated: Float32, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Density and coverage of `generated` `(m, d)` against `real` `(n, d)`, n > k; takes 4·n·(n + m) bytes.

    Each real row has a ball that reaches to its k-th nearest real neighbour. Density is the number of balls that a
    generated row lies in, on average, divided by k; coverage the share of balls that hold a generated row (Naeem et
    al. 2020, "Reliable fidelity and diversity metrics for generative models", equations 3 and 5).
    """
    # A row is its own nearest at distance 0, so that place k, counted from 0, holds its k-th neighbour.
    radii = np.partition(squared_distances(real, real), k, axis=1)[:, k]
    inside = squared_distances(real, generated) < radii[:, None]
    return float(inside.sum() / (k * len(generated))), float(inside.any(axis=1).mean())


def squared_distances(a: Float32, b: Float32) -> Float32:
    """Squared Euclidean distances of the rows of `(n, d)` and `(m, d)`, `(n, m)`."""
    # |a|² + |b|² - 2 a·b, in place: one matrix product and one array of the result's size, none of (n, m, d).
    squares: Float32 = a @ b.T
    squares *= -2
    squares += np.square(a).sum(axis=1)[:, None]
    squares += np.square(b).sum(axis=1)
    # The three terms cancel for equal rows, and float32 may leave a little less than 0.
    np.maximum(squares, 0, out=squares)
    return squares
