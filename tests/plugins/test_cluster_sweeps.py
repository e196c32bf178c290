"""Sweeps by a real cluster of Ray: two nodes on this machine, one of which is lost."""

import time
from dataclasses import replace
from functools import partial

import pytest
from cluster_tasks import make_run_far_away
from clusters import open_two_nodes
from conftest import demo_frames, write_video

from deepdance.session import Session
from deepdance.storage import read_json
from deepdance.sweeps import Sweep, driver, run_sweep

SMALL = {"size": [24, 40], "fps": 10, "remover": "threshold", "frames": 30}
RUNS = 8


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes, of one processor each."""
    pytest.importorskip("ray")
    with open_two_nodes() as opened:
        yield opened


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for seed, name in enumerate(("anna", "ben")):
        write_video(folder / f"{name}.mp4", demo_frames(8.0, 10.0, (48, 80), seed), 10.0)
    vary = {"codec": ["pca"], "sequence": ["ridge", "texture"]}
    table = {"videos": ["anna.mp4", "ben.mp4"], "recipe": SMALL, "seeds": [0, 1], "vary": vary}
    return Sweep.parse({"name": "try", **table, "evaluate": {"frames": 20, "seeds": 1}}, folder)


@pytest.fixture(scope="module")
def alone(sweep, tmp_path_factory):
    """The files of all that is made without a cluster."""
    root = tmp_path_factory.mktemp("alone")
    assert len(run_sweep(Session.open(root), sweep).results) == RUNS
    return list_files(root)


def list_files(root):
    return {path.parent.name: read_json(path)["files"] for path in sorted(root.glob("artifacts/*/manifest.json"))}


def lose_half_way(cluster, folder, most, finished):
    """A listener that notes when what is there was finished, and when it is half of all, ends a node."""

    def listen(event):
        for path in folder.glob("artifacts/*-*"):
            finished.setdefault(path.name, time.time_ns())
        if len(finished) > most / 2 and cluster.second:
            cluster.remove_node(cluster.second, allow_graceful=False)
            cluster.second = None

    return listen


def test_a_lost_node_costs_only_what_it_was_doing(cluster, sweep, alone, tmp_path, monkeypatch, log):
    """Of nodes that see nothing of the workspace's disk."""
    notes, finished = tmp_path / "notes", {}
    notes.mkdir()
    monkeypatch.setattr(driver, "make_run", partial(make_run_far_away, notes=str(notes)))
    listen = lose_half_way(cluster, tmp_path / "there", len(alone), finished)
    done = run_sweep(replace(Session.open(tmp_path / "there", [listen]), engine="ray"), sweep)

    assert (len(done.results), done.failed, cluster.second) == (RUNS, [], None)
    assert list_files(tmp_path / "there") == alone
    assert not list(tmp_path.glob("there/**/*-part*"))
    begun = [path.name.split(".") for path in notes.iterdir()]
    assert {name for name, *_ in begun} == alone.keys()
    assert len(begun) <= len(alone) + 1
    assert [name for name, when, _ in begun if int(when) > finished.get(name, int(when))] == []
    nodes = {path.read_text().strip() for path in notes.iterdir()} - {"1"}  # who works on when the node is lost
    assert len(nodes) == 2
