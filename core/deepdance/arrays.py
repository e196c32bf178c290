"""The arrays that everything agrees on, as types."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def sample_evenly(count: int, most: int) -> Int64:
    """At most `most` of the indices below `count`, evenly spread."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def unmap(array: npt.NDArray[Any]) -> None:
    """Give back the pages of a mapped file that were read: else all of a long one is in memory at last.

    What the system keeps of the file makes the next reading quick; it takes that memory back when it is short of it.
    """
    mapped = getattr(array, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
