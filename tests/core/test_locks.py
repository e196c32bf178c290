"""Waiting for another process: told at once and every second, and ended by whoever is told."""

from itertools import pairwise
from time import monotonic

import pytest

from deepdance.locks import hold_lock


def never():
    pytest.fail("waited for a lock that nobody holds")


def test_a_free_lock_is_held_without_waiting_and_again_afterwards(tmp_path):
    for _ in range(2):
        with hold_lock(tmp_path / "lock", never):
            pass


def test_a_lock_is_free_again_where_the_work_failed(tmp_path):
    with pytest.raises(ValueError, match="broken"), hold_lock(tmp_path / "lock", never):
        raise ValueError("broken")
    with hold_lock(tmp_path / "lock", never):
        pass


def test_who_waits_is_told_at_once_then_every_second_and_may_give_up(tmp_path):
    begun, told = monotonic(), []

    def give_up():
        told.append(monotonic())
        if len(told) == 3:
            raise KeyboardInterrupt

    with hold_lock(tmp_path / "lock", never), pytest.raises(KeyboardInterrupt), hold_lock(tmp_path / "lock", give_up):
        pytest.fail("two hold one lock")
    assert told[0] - begun < 0.8
    assert all(0.8 < after - before < 1.8 for before, after in pairwise(told))
