"""Blocks of work: done in this process until what is left is worth others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from time import monotonic
from typing import Any

from deepdance.blas import sum_by_threads
from deepdance.delegation import map_blocks
from deepdance.packing import PackedModel
from deepdance.plugins import Registry, discover
from deepdance.session import Session
from deepdance.tasks import Result, Task, Tools
from deepdance.workers import Workers, count_processes

START = 4.0
"""Seconds that a process needs to begin, with TensorFlow."""
WORTH = 5 * START
"""Seconds of work that are worth processes: two do it in half of that, and have then made up for their start."""
TOGETHER, BYTES_TOGETHER = 32, 48 << 20
"""Blocks that a worker is sent at once, at most: what they have in common is sent once."""
SHARES = 2
"""A worker is sent one of so many parts of its share of what is left: less and less, so that none waits long for the
last (guided self-scheduling: Polychronopoulos and Kuck, IEEE Transactions on Computers 36, 1987)."""

Block = tuple[Any, ...]


class Pool:
    """Does blocks of work, in their order, in this process; what `open_pool` gives does the same by workers too.

    Tasks work with the components of `registry`, or with all that are installed.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        self._tools = Tools(registry or discover())

    def map(self, task: Task[Result], blocks: Iterable[Block], count: int) -> Iterator[Result]:
        """What a task returns for each of `count` blocks of arguments. Errors are those of `tasks.map_blocks`."""
        rest, spent = iter(blocks), 0.0
        for done in range(count):
            left = count - done
            workers = self._find_workers(left, spent / done * left if spent > START else 0)
            if workers:
                yield from _map_elsewhere(workers, self._tools, task, rest, left)
                return
            block, since = next(rest), monotonic()
            result = _do(self._tools, task, block)
            spent += monotonic() - since
            yield result

    def _find_workers(self, left: int, seconds: float) -> Workers | None:
        """What does so many blocks, of which it is known by now that they would take so long here; None is this."""
        return None


class _SharingPool(Pool):
    """Does blocks here or by a session's workers: once opened, they are there for all that follows."""

    def __init__(self, session: Session, resources: ExitStack) -> None:
        super().__init__(session.registry)
        self._session, self._resources = session, resources
        self._workers: Workers | None = None

    def _find_workers(self, left: int, seconds: float) -> Workers | None:
        session = self._session
        if left == 1 and not session.engine:
            return None
        if self._workers is None and (session.engine or session.jobs or (session.spawns and seconds > WORTH)):
            self._workers = self._resources.enter_context(session.start_workers(session.jobs or count_processes()))
        return self._workers


def _map_elsewhere(
    workers: Workers, tools: Tools, task: Task[Result], blocks: Iterator[Block], left: int
) -> Iterator[Result]:
    lent = (tuple(_lend(part, workers) for part in block) for block in blocks)
    groups = ((task, group) for group in _group(lent, left, SHARES * workers.count))
    return chain.from_iterable(map_blocks(workers, tools, _do_each, groups))


def _lend(part: Any, workers: Workers) -> Any:
    """What workers are sent in place of an argument: models travel to those of this machine once."""
    return part.lend(workers.folder) if workers.folder and isinstance(part, PackedModel) else part


def _group(blocks: Iterator[Block], left: int, shares: int) -> Iterator[list[Block]]:
    """The blocks that are left, in groups that are the smaller the fewer are left."""
    while left:
        group, room, most = [next(blocks)], BYTES_TOGETHER, min(TOGETHER, left // shares)
        while len(group) < most and (room := room - sum(getattr(part, "nbytes", 0) for part in group[-1])) > 0:
            group.append(next(blocks))
        left -= len(group)
        yield group


def _do_each(tools: Tools, task: Task[Result], blocks: list[Block]) -> list[Result]:
    return [_do(tools, task, block) for block in blocks]


def _do(tools: Tools, task: Task[Result], block: Block) -> Result:
    """Do a block by one thread: with more, sums differ in their last bits, and processes wait for cores."""
    with sum_by_threads(1):
        return task(tools, *block)


@contextmanager
def open_pool(session: Session) -> Iterator[Pool]:
    """A pool of `session.jobs` workers, or of those of its engine.

    Where neither is set and the session `spawns`, processes of this machine begin where what is left is worth it, as
    many as it has cores and memory for.
    """
    with ExitStack() as resources:
        yield _SharingPool(session, resources)
