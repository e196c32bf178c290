"""Who sums by how many threads."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from threadpoolctl import OpenBLASController, threadpool_info, threadpool_limits

from deepdance.blas import count_threads, sum_by_threads


def list_threads():
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads():
    """Not by a `with`: else this thread would be the only one that may change their number."""
    before = threadpool_limits(2, "blas")
    OpenBLASController.clear_controlling_thread()
    yield
    before.restore_original_limits()


def test_who_leaves_gives_the_number_from_before_back():
    with sum_by_threads(3):
        with sum_by_threads(1):
            assert list_threads() == {1}
        assert list_threads() == {3}
    assert list_threads() == {2}
    assert count_threads() == 2


def test_several_who_ask_at_once_all_get_what_they_ask_for():
    """Their number is a process': who leaves first would give the others back what was before."""

    def hold(count):
        with sum_by_threads(count):
            began = list_threads()
            time.sleep(0.02)
            return began, list_threads()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(hold, [1, 1, 3, 1] * 3)) == [({count},) * 2 for count in [1, 1, 3, 1] * 3]
        assert threads.submit(list_threads).result() == {2}


def run_with(threads, program):
    """What a program prints that begins with so many threads, and can `tell()` how many there are."""
    tell = (
        "import numpy\nfrom threadpoolctl import threadpool_info\n"
        "def tell(): print(sorted(each['num_threads'] for each in threadpool_info() if each['user_api'] == 'blas'))\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    command = [sys.executable, "-c", tell + program]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout


def test_what_is_loaded_meanwhile_is_held_by_the_next_who_asks():
    """SciPy has a BLAS of its own; clusters and users say how many threads it begins with."""
    told = run_with(
        "2",
        "from deepdance.blas import sum_by_threads\n"
        "with sum_by_threads(1):\n    import scipy.linalg\n    tell()\n    with sum_by_threads(1): tell()\n"
        "tell()\n",
    )
    assert told == "[1, 2]\n[1, 1]\n[2, 2]\n"


def test_a_run_of_a_sweep_has_as_many_threads_wherever_it_is_made():
    """A process of Ray's begins with one, whatever is loaded when."""
    told = run_with(
        "1",
        "from types import SimpleNamespace\nfrom deepdance.plugins import discover\n"
        "from deepdance.sweeps import worker\nfrom deepdance.tasks import Tools\n"
        "def run(*_):\n    import scipy.linalg\n    tell()\n    raise SystemExit\n"
        "worker._check_inputs, worker.report.run = print, run\n"
        "worker.make_run(Tools(discover()), SimpleNamespace(recipe='', inputs='', name=''), None, {}, '.', 2)\n",
    )
    assert told.endswith("\n[2, 2]\n")
