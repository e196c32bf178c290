"""Clusters of Ray on this machine, and what must not be left of a command that used one."""

import os
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest

FEW_BYTES = 100 << 20


@contextmanager
def open_two_nodes(**head):
    """A cluster of two nodes, of one processor each, where `ray` finds it; `head` is what the first has besides."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        node = {"num_cpus": 1, "object_store_memory": FEW_BYTES, "include_dashboard": False}
        opened = Cluster(initialize_head=True, head_node_args={**node, **head})
        opened.second = opened.add_node(**node)
        patch.setenv("RAY_ADDRESS", opened.address)
        try:
            yield opened
        finally:
            opened.shutdown()


def kill_who_waits_for_a_worker(program):
    """Kill a program that writes the number of its worker, which ends too."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    worker.wait(30)
