"""Several pieces of work at once, in threads: what is told of them, and what happens where one fails."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from deepdance.events import Progress, StageFinished
from deepdance.threads import SharedListener, do_together


def test_progress_of_threads_is_added_up_and_what_was_finished_stays_counted():
    told = []
    listen = SharedListener(told.append)

    def work(*events):
        with ThreadPoolExecutor(1) as thread:  # a number of its own
            for event in events:
                thread.submit(listen, event).result()

    begun, release = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as other:
        held = other.submit(lambda: (listen(Progress("silhouettes", 3, 10)), begun.set(), release.wait(60)))
        begun.wait(60)
        work(Progress("silhouettes", 5, 20), Progress("latents", 1, 2), StageFinished("silhouettes", False))
        work(Progress("silhouettes", 1, None))
        release.set()
        held.result()
    assert [(each.stage, each.done, each.total) for each in told if isinstance(each, Progress)] == [
        ("silhouettes", 3, 10),
        ("silhouettes", 8, 30),
        ("latents", 1, 2),
        ("silhouettes", 9, None),
    ]


def test_what_is_done_together_comes_in_order_so_many_at_once():
    meeting = threading.Barrier(3)

    def meet(listen, number):
        meeting.wait(60)
        return number**2

    assert do_together(lambda event: None, 3, meet, [(n,) for n in range(6)]) == [0, 1, 4, 9, 16, 25]


def test_the_first_failure_ends_the_others_at_their_next_event_and_the_rest_never_begins():
    begun, told = [], []
    both = threading.Barrier(2)

    def work(listen, number):
        begun.append(number)
        both.wait(60)
        if number == 1:
            raise ValueError("it is torn")
        while True:
            listen(Progress("silhouettes", 1, None))

    with pytest.raises(ValueError, match="it is torn"):
        do_together(told.append, 2, work, [(n,) for n in range(9)])
    assert sorted(begun) == [0, 1]
