"""Principal components of rows that need not fit into memory: what the codecs that learn a linear basis share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from deepdance.interfaces import Float32

OVERSAMPLING = 10
BLOCK_ROWS = 4096
Chunks = Callable[[], Iterable[Float32]]


def fit_principal_components(
    chunks: Chunks, components: int, *, power_iterations: int, seed: int
) -> tuple[Float32, Float32, Float32]:
    """Mean `(p,)`, components `(k, p)` and their standard deviations `(k,)` of rows that come as chunks `(n, p)`.

    Randomized PCA (Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1): `chunks` is called, and the rows read,
    `3 + 2 · power_iterations` times. There are fewer components than asked for where there are fewer rows.
    """
    count, mean = _measure_mean(chunks)
    rank = min(components, count)
    # Random vectors put through the rows span what varies most, with a high probability; a few more than are wanted
    # catch what chance leaves out. A power iteration puts them through again, which damps what varies little.
    columns = min(rank + OVERSAMPLING, count)
    probes = np.random.default_rng(seed).standard_normal((len(mean), columns), dtype=np.float32)
    for _ in range(power_iterations):
        probes = np.linalg.qr(_project_back(chunks, mean, _project_rows(chunks, mean, probes)))[0]
    # The small matrix Qᵀ·rows has nearly the right singular vectors of the rows, however many those are.
    small = _project_back(chunks, mean, _project_rows(chunks, mean, probes)).T
    _, singular, found = np.linalg.svd(small, full_matrices=False)
    deviations = (singular[:rank] / np.sqrt(count)).astype(np.float32)
    return mean, np.ascontiguousarray(found[:rank]), deviations


def _measure_mean(chunks: Chunks) -> tuple[int, Float32]:
    count, total = 0, np.zeros(1)
    for rows in chunks():
        count += len(rows)
        total = total + rows.sum(axis=0, dtype=np.float64)
    return count, (total / count).astype(np.float32)


def _project_rows(chunks: Chunks, mean: Float32, probes: Float32) -> Float32:
    """An orthonormal basis Q of the centred rows applied to the probes, `(n, columns)`.

    Orthonormal in every round, or the probes would all turn to the first component and rounding lose the others.
    """
    projected = np.concatenate([(rows - mean) @ probes for rows in chunks()])
    _orthonormalize(projected)
    return projected


def _orthonormalize(columns: Float32) -> None:
    """The Q of a tall `(n, k)`, in place, a block of rows at a time: as a whole it would be there four times.

    (Demmel, Grigori, Hoemmen and Langou 2012: Q of the blocks times Q of what is left of them.)
    """
    least = max(BLOCK_ROWS, columns.shape[1])  # a block has as many rows as columns, or its Q is narrower
    blocks = np.array_split(columns, max(1, len(columns) // least))
    left = []
    for block in blocks:
        block[:], triangle = np.linalg.qr(block)
        left.append(triangle)
    for block, turn in zip(blocks, np.split(np.linalg.qr(np.concatenate(left))[0], len(blocks)), strict=True):
        block[:] = block @ turn


def _project_back(chunks: Chunks, mean: Float32, left: Float32) -> Float32:
    """The transposed centred rows applied to `left`, `(p, columns)`."""
    out = np.zeros((len(mean), left.shape[1]), np.float32)
    start = 0
    for rows in chunks():
        out += (rows - mean).T @ left[start : start + len(rows)]
        start += len(rows)
    return out
