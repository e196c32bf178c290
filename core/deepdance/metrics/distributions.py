"""How alike two sets of features are: Fréchet distance, density and coverage."""

from __future__ import annotations

import numpy as np

from deepdance.arrays import Float32

NEIGHBOURS = 5


def frechet_distance(a: Float32, b: Float32) -> float:
    """Squared Fréchet distance of the normal distributions fitted to `(n, d)` and `(m, d)` rows.

    `|μa - μb|² + tr(Σa + Σb - 2 (Σa Σb)^½)` (Heusel et al. 2017, "GANs trained by a two time-scale update rule",
    section 4). The trace of the root is the sum of the roots of the eigenvalues of `Σa^½ Σb Σa^½`, which is symmetric,
    so that no complex root can appear. Few rows bias it upwards: compare only figures of equal counts.
    """
    mean_a, mean_b = (rows.mean(axis=0, dtype=np.float64) for rows in (a, b))
    cov_a, cov_b = (np.atleast_2d(np.cov(rows.astype(np.float64), rowvar=False, bias=True)) for rows in (a, b))
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(0)).sum()
    distance = np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a) + np.trace(cov_b) - 2 * cross
    return float(max(distance, 0.0))


def density_coverage(real: Float32, made: Float32, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Density and coverage of `made` `(m, d)` against `real` `(n, d)`, n > k.

    Each real row has a ball that reaches to its k-th nearest real neighbour. Density is the number of balls a made row
    lies in, on average, divided by k; coverage the share of balls that hold a made row (Naeem et al. 2020, "Reliable
    fidelity and diversity metrics for generative models", equations 3 and 5).
    """
    radii = np.partition(squared_distances(real, real), k, axis=1)[:, k]
    inside = squared_distances(real, made) < radii[:, None]
    return float(inside.sum() / (k * len(made))), float(inside.any(axis=1).mean())


def squared_distances(a: Float32, b: Float32) -> Float32:
    """Squared Euclidean distances of the rows of `(n, d)` and `(m, d)`, `(n, m)`."""
    products: Float32 = a @ b.T
    products *= -2
    products += np.square(a).sum(axis=1)[:, None]
    products += np.square(b).sum(axis=1)
    np.maximum(products, 0, out=products)
    return products
