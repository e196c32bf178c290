"""Blocks of work: done in this process until what is left is worth others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain, islice
from time import monotonic
from typing import Any

from deepdance.plugins import discover
from deepdance.session import Session
from deepdance.tasks import Result, Task, Tools, map_blocks
from deepdance.workers import Workers, count_processes

START = 4.0
"""Seconds that a process needs to begin, with TensorFlow."""
WORTH = 5 * START
"""Seconds of work that are worth processes: two do it in half of that, and have then made up for their start."""
TOGETHER = 8
"""Blocks that a worker is sent at once, at most: what they have in common, such as a model, is sent once."""
SHARES = 4
"""At least so many times each worker is sent some: none waits long for the last."""

Block = tuple[Any, ...]


class Pool:
    """Does blocks of work, in their order, here or by workers: what comes of it is the same.

    Workers, once opened, are there for all that follows. Without a session all is done here.
    """

    def __init__(self, session: Session | None = None, resources: ExitStack | None = None) -> None:
        self._tools = Tools(session.registry if session else discover())
        self._session = session
        self._resources = resources
        self._workers: Workers | None = None

    def map(self, task: Task[Result], blocks: Iterable[Block], count: int) -> Iterator[Result]:
        """What a task returns for each of `count` blocks of arguments. Errors are those of `tasks.map_blocks`."""
        rest, spent = iter(blocks), 0.0
        for done in range(count):
            left = count - done
            workers = self._find_workers(left, spent / done * left if spent > START else 0)
            if workers:
                yield from _map_elsewhere(workers, task, rest, left)
                return
            block, since = next(rest), monotonic()
            result = _do(self._tools, task, block)
            spent += monotonic() - since
            yield result

    def _find_workers(self, left: int, seconds: float) -> Workers | None:
        """What does so many blocks, of which it is known by now that they would take so long here."""
        session = self._session
        if session is None or self._resources is None or (left == 1 and not session.engine):
            return None
        if self._workers is None and (session.engine or session.jobs or (session.spawns and seconds > WORTH)):
            jobs = session.jobs or (None if session.engine else count_processes())
            asked = replace(session, jobs=jobs).open_workers(jobs or 1)
            self._workers = self._resources.enter_context(asked)
        return self._workers


def _map_elsewhere(workers: Workers, task: Task[Result], blocks: Iterator[Block], left: int) -> Iterator[Result]:
    size = max(1, min(TOGETHER, left // (SHARES * workers.count)))
    groups = iter(lambda: (task, list(islice(blocks, size))), (task, []))
    return chain.from_iterable(map_blocks(workers, _do_each, groups))


def _do_each(tools: Tools, task: Task[Result], blocks: list[Block]) -> list[Result]:
    return [_do(tools, task, block) for block in blocks]


def _do(tools: Tools, task: Task[Result], block: Block) -> Result:
    """Do a block by one thread of NumPy's: with more, sums differ in their last bits, and processes wait for cores."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        return task(tools, *block)


@contextmanager
def open_pool(session: Session) -> Iterator[Pool]:
    """A pool of `session.jobs` workers, or of those of its engine.

    Where neither is set and the session `spawns`, processes of this machine begin where what is left is worth it, as
    many as it has cores and memory for.
    """
    with ExitStack() as resources:
        yield Pool(session, resources)
