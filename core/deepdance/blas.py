"""The threads by which NumPy and SciPy sum: with more or fewer, sums differ in their last bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

_TURN = RLock()


@contextmanager
def sum_by_threads(count: int) -> Iterator[None]:
    """Meanwhile so many threads sum. Their number is a process': of several callers one goes after the other.

    SciPy has a BLAS of its own: where it is loaded meanwhile, it has as many as it likes until somebody asks again.
    """
    from threadpoolctl import threadpool_limits

    with _TURN, threadpool_limits(count, "blas"):
        yield


def count_threads() -> int:
    """How many threads sum in this process."""
    from threadpoolctl import threadpool_info

    return max((each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"), default=1)
