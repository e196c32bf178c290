"""Blocks of work: where they are done, and that it makes no difference."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import deepdance
from deepdance import pipeline, workers
from deepdance import pool as pools
from deepdance.blas import count_threads
from deepdance.errors import OptionError
from deepdance.packing import PackedModel
from deepdance.pool import Pool, open_pool
from deepdance.preparation import prepare_all
from deepdance.recipe import Recipe
from deepdance.session import Session
from deepdance.tasks import Tools
from deepdance.workers import Workers, count_cores, count_processes, open_processes


def find_process(tools, number):
    return number, os.getpid()


def find_threads(tools, number):
    return count_threads()


def doze(tools, number):
    time.sleep(0.02)
    return number, os.getpid()


def look_into(tools, model):
    return "files" in vars(model), model.load(tools.registry).latent_dim


@pytest.fixture
def session(tmp_path):
    return replace(Session.open(tmp_path), spawns=True)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """One with so many cores, and files that tell of its memory."""

    def make(cores, **files):
        monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _: range(cores), raising=False)
        for name in ("PROC", "CGROUP"):
            monkeypatch.setattr(workers, name, tmp_path)
        monkeypatch.setattr(workers, "GPU", tmp_path / "gpu")
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)

    return make


def test_processes_are_as_many_as_there_are_cores(machine):
    machine(6)
    assert count_processes() == 6


@pytest.mark.parametrize(("cpu_max", "count"), [("max 100000", 6), ("200000 100000", 2), ("150000 100000", 2)])
def test_of_cores_a_containers_share_counts(machine, cpu_max, count):
    machine(6, cpu_max=f"{cpu_max}\n")
    assert count_cores() == count_processes() == count


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"meminfo": f"MemTotal: {64 << 20} kB\nMemAvailable: {3 << 20} kB\n"}, 3),
        ({"meminfo": "MemAvailable: 1000 kB\n"}, 1),
        ({"meminfo": f"MemAvailable: {64 << 20} kB\n", "memory_max": f"{2 << 30}\n"}, 2),
        ({"memory_max": f"{5 << 30}\n", "memory_stat": f"anon {1 << 30}\nfile {4 << 30}\n"}, 4),
        ({"meminfo": f"MemAvailable: {64 << 20} kB\n", "memory_max": "max\n"}, 6),
        ({"gpu": ""}, 1),
    ],
)
def test_processes_are_as_many_as_memory_holds_and_one_with_a_gpu(machine, files, count):
    machine(6, **files)
    assert count_processes() == count


def test_a_small_job_starts_no_process(session, children):
    with open_pool(session) as pool:
        assert list(pool.map(find_process, ((n,) for n in range(9)), 9)) == [(n, os.getpid()) for n in range(9)]
        assert children() == []


def test_a_long_job_goes_on_in_processes(session, children, monkeypatch, machine):
    machine(2)
    monkeypatch.setattr(pools, "START", 0.1)
    monkeypatch.setattr(pools, "WORTH", 0.5)
    with open_pool(session) as pool:
        numbers, places = zip(*pool.map(doze, ((n,) for n in range(40)), 40), strict=True)
        assert numbers == tuple(range(40))
        here = places.count(os.getpid())
        assert 1 <= here < 40
        assert places[:here] == (os.getpid(),) * here
        assert 1 <= len(set(places[here:])) <= 2
        assert {place for _, place in pool.map(find_process, ((n,) for n in range(9)), 9)} <= set(places[here:])
    assert not {each.pid for each in children()} & set(places[here:])


@pytest.mark.parametrize(("cores", "worth", "spawns"), [(1, 0.1, True), (2, 10, True), (2, 0.1, False)])
def test_a_long_job_stays_here_on_one_core_where_too_little_is_left_and_in_a_script(
    session, machine, monkeypatch, cores, worth, spawns
):
    machine(cores)
    monkeypatch.setattr(pools, "START", 0.05)
    monkeypatch.setattr(pools, "WORTH", worth)
    with open_pool(replace(session, spawns=spawns)) as pool:
        assert {place for _, place in pool.map(doze, ((n,) for n in range(12)), 12)} == {os.getpid()}


@pytest.mark.parametrize(("jobs", "here"), [(1, True), (2, False)])
def test_jobs_that_were_asked_for_are_begun_at_once(session, monkeypatch, jobs, here):
    monkeypatch.setattr(pools, "START", 0)
    monkeypatch.setattr(pools, "WORTH", 0)
    with open_pool(replace(session, jobs=jobs)) as pool:
        places = {place for _, place in pool.map(find_process, ((n,) for n in range(20)), 20)}
        assert (places == {os.getpid()}) == here
        assert {place for _, place in pool.map(find_process, [(1,)], 1)} == {os.getpid()}


@pytest.mark.parametrize(
    ("count", "size", "groups"),
    [
        (3, 0, [1, 1, 1]),
        (60, 0, [15, 11, 8, 6, 5, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1]),
        (200, 4, [32, 32, 32, 26]),
        (200, 6 << 20, [8] * 4),
        (9, 99 << 20, [1] * 9),
    ],
)
def test_groups_of_blocks_grow_smaller_and_are_not_too_heavy(count, size, groups):
    blocks = ((number, np.empty(size, np.uint8)) for number in range(count))
    made = list(pools._group(blocks, count, 4))
    assert [len(group) for group in made][: len(groups)] == groups
    assert [number for group in made for number, _ in group] == list(range(count))


def test_sums_are_by_one_thread_wherever_they_are_made(session):
    with open_pool(replace(session, jobs=2)) as pool:
        assert list(pool.map(find_threads, [(1,), (2,)], 2)) == list(Pool().map(find_threads, [(1,)], 1)) * 2 == [1] * 2


def test_a_model_travels_to_processes_of_this_machine_without_its_files(session, tmp_path, silhouettes):
    np.save(tmp_path / "frames.npy", silhouettes)
    recipe = Recipe(size=silhouettes.shape[1:], codec={"name": "pca", "latent_dim": 8}, fps=10)
    prepared = prepare_all(session, [recipe], [str(tmp_path / "frames.npy")])
    model = PackedModel(recipe, "codec", pipeline.fit_codec(session, recipe, prepared))
    with open_processes(2) as opened, ThreadPoolExecutor(2) as executor:
        for pool_workers, sent in ((opened, False), (Workers(executor, 2), True)):
            done = pools._map_elsewhere(pool_workers, Tools(session.registry), look_into, iter([(model,)] * 9), 9)
            assert set(done) == {(sent, 8)}
        lent = [path for path in opened.folder.rglob("*") if path.is_file()]
        assert {path.name: path.read_bytes() for path in lent} == model.files
    assert not opened.folder.exists()


def test_less_than_one_job_is_refused(tmp_path):
    with pytest.raises(OptionError, match="jobs: expected 1 or more, got 0"):
        Session.open(tmp_path, jobs=0)


def test_an_evaluation_is_the_same_to_the_last_bit_whoever_measured(tmp_path, silhouettes):
    settings = {"codec": {"name": "pca", "latent_dim": 8}, "sequence": "ridge", "fps": 10, "frames": 5}
    made = deepdance.run(np.tile(silhouettes, (3, 1, 1)), workspace=tmp_path, name="one", **settings)
    tables = {}
    for jobs in (None, 1, 2):
        run = deepdance.open_run("one", workspace=tmp_path, jobs=jobs)
        run.evaluate(frames=150, seeds=2, fresh="codec_table")
        tables[jobs] = (made.folder / "evaluation.json").read_bytes()
    assert tables[None] == tables[1] == tables[2]
    assert json.loads(tables[2])["long"]["rows"]
