"""Several pieces of work at once, in threads of this process, told as if one did them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from threading import Lock, get_ident
from typing import Any, TypeVar

from deepdance.events import Event, Listener, Progress, StageFinished

Result = TypeVar("Result")


@contextmanager
def begin_together(
    listen: Listener, count: int, work: Callable[..., Result], given: Iterable[tuple[Any, ...]]
) -> Iterator[list[Future[Result]]]:
    """What `work` will return for a listener and each of the arguments that are given, `count` at once.

    `listen` is told one thing at a time, and their progress in all. Where the block is left by an exception, what has
    begun ends at its next event, and the rest never begins.
    """
    shared = SharedListener(listen)
    with ThreadPoolExecutor(count) as threads:
        try:
            yield [threads.submit(work, shared, *each) for each in given]
        except BaseException:
            shared.stopped = True
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def do_together(
    listen: Listener, count: int, work: Callable[..., Result], given: Iterable[tuple[Any, ...]]
) -> list[Result]:
    """What `begin_together` comes to, in the order of what is given. The first that fails stops the others."""
    with begin_together(listen, count, work, given) as pending:
        for future in as_completed(pending):
            future.result()
        return [future.result() for future in pending]


class _StoppedError(BaseException):
    """Ends a thread whose work nobody waits for; nothing on the way takes it for a failure."""


class SharedListener:
    """Tells a listener what several threads do, one at a time, and their progress in all."""

    def __init__(self, listen: Listener) -> None:
        self._listen = listen
        self._lock = Lock()
        self._progress: dict[tuple[int, str], Progress] = {}
        self._finished: dict[str, int] = {}
        self.stopped = False
        """Whether they shall end, each at its next event."""

    def __call__(self, event: Event) -> None:
        with self._lock:
            if self.stopped:
                raise _StoppedError
            if isinstance(event, StageFinished):
                self._put_by(event.stage)
            self._listen(self._add_up(event) if isinstance(event, Progress) and not event.note else event)

    def _put_by(self, stage: str) -> None:
        """Count what this thread has finished, whatever it begins next."""
        last = self._progress.pop((get_ident(), stage), None)
        if last:
            self._finished[stage] = self._finished.get(stage, 0) + last.done

    def _add_up(self, event: Progress) -> Progress:
        self._progress[get_ident(), event.stage] = event
        known = [each for (_, stage), each in self._progress.items() if stage == event.stage]
        before = self._finished.get(event.stage, 0)
        total = None if any(each.total is None for each in known) else before + sum(each.total or 0 for each in known)
        return Progress(event.stage, before + sum(each.done for each in known), total)
