"""Ray and Dask as workers: two nodes on this machine, one of which is lost."""

import os
import signal
import socket
import sys
import time
from collections import Counter
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
from cluster_tasks import die, fail, find_environment, find_pid, make_array, read_slowly, sleep
from clusters import kill_who_waits_for_a_worker, open_two_nodes
from conftest import demo_frames, write_video

from deepdance import pipeline, preparation
from deepdance.delegation import map_blocks, repeat_lost, run_task
from deepdance.errors import ClusterLostError, InputError, OptionError, PluginError, WorkerError
from deepdance.events import ArtifactReady
from deepdance.plugins import Registry, discover
from deepdance.preparation import prepare_all
from deepdance.recipe import Recipe
from deepdance.session import Session
from deepdance.tasks import Tools
from deepdance.workers import Workers, open_processes
from deepdance_plugins import clusters

CODE = discover().describe_code()
RECIPE = Recipe(size=(24, 40), fps=10, remover="threshold", codec="sdf-ae")


@pytest.fixture(scope="module")
def ray():
    return pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster(ray):
    """Two nodes, which are reached by Ray's client too."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open_two_nodes(ray_client_server_port=port) as opened:
        opened.client_port = port
        yield opened


@contextmanager
def open_dask(count):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=":0") as opened:
        yield opened.scheduler_address.replace("tcp://", "dask://")


@pytest.fixture(scope="module")
def dask():
    with open_dask(2) as address:
        yield address


@pytest.fixture(params=["ray", "ray client", "dask"])
def engine(request):
    if request.param == "dask":
        return request.getfixturevalue("dask")
    cluster = request.getfixturevalue("cluster")
    return "ray" if request.param == "ray" else f"ray://127.0.0.1:{cluster.client_port}"


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return [str(write_video(folder / f"{n}.mp4", demo_frames(2, 10, (60, 100), n), 10)) for n in range(4)]


def make_all(session, inputs):
    """The keys and files of silhouettes and latents."""
    prepared = prepare_all(session, [RECIPE] * len(inputs), inputs)
    latents = pipeline.encode(session, RECIPE, pipeline.fit_codec(session, RECIPE, prepared), prepared)
    return [(made.key, made.manifest()["files"], made.manifest().get("warnings")) for made in (*prepared, latents)]


@pytest.fixture(scope="module")
def made_here(videos, silhouettes, tmp_path_factory):
    """Inputs, and what is made of them in this process."""
    folder = tmp_path_factory.mktemp("here")
    np.save(folder / "long.npy", np.tile(silhouettes, (5, 1, 1))[:520])
    inputs = [*videos, str(folder / "long.npy")]
    return inputs, make_all(Session.open(folder / "workspace"), inputs)


def test_artifacts_are_the_same(engine, made_here, tmp_path, log):
    inputs, expected = made_here
    assert make_all(replace(Session.open(tmp_path), engine=engine), inputs) == expected


def test_work_is_done_there_and_fast(engine):
    with discover().open_workers(engine, None) as workers:
        assert workers.count == 2
        assert run_task(workers, Tools(discover()), find_pid) not in [os.getpid()]
        list(map_blocks(workers, Tools(discover()), find_pid, ((n,) for n in range(50))))  # all of them have begun
        start = time.monotonic()
        assert len(list(map_blocks(workers, Tools(discover()), find_pid, ((n,) for n in range(50))))) == 50
        assert time.monotonic() - start < 5


def test_an_array_that_comes_back_can_be_written(engine):
    with discover().open_workers(engine, 1) as workers:
        for made in (
            run_task(workers, Tools(discover()), make_array),
            *map_blocks(workers, Tools(discover()), make_array, [()]),
        ):
            made[0] = 1


@pytest.mark.parametrize("error", [InputError("it is torn; mend it"), ValueError("what nobody expects")], ids=repr)
def test_an_error_is_the_same(engine, error):
    told = []
    for opened in (open_processes(1), discover().open_workers(engine, 1)):
        with opened as workers:
            for call in (run_task, lambda w, tools, *task: list(map_blocks(w, tools, task[0], [task[1:]]))):
                with pytest.raises(type(error)) as raised:
                    call(workers, Tools(discover()), fail, error)
                told.append((type(raised.value), raised.value.args, raised.value.__notes__, vars(raised.value)))
    assert all(each == told[0] for each in told), told


def test_the_same_plugins_are_left_out(engine, monkeypatch):
    monkeypatch.setenv("DEEPDANCE_PLUGINS", "")
    monkeypatch.delenv("DEEPDANCE_NO_PLUGINS", raising=False)
    with discover().open_workers(engine, 1) as workers:
        for value in ("", None):
            if value is None:
                monkeypatch.delenv("DEEPDANCE_PLUGINS")
            assert run_task(workers, Tools(discover()), find_environment, "DEEPDANCE_PLUGINS") == value
            assert list(map_blocks(workers, Tools(discover()), find_environment, [("DEEPDANCE_PLUGINS",)])) == [value]


def test_other_code_is_refused(engine, monkeypatch):
    with discover().open_workers(engine, 1) as workers:
        monkeypatch.setattr(Registry, "describe_code", lambda self: {**CODE, "deepdance": "deepdance 9.9"})
        with pytest.raises(WorkerError, match=f"^expected deepdance 9.9 .*got deepdance .* on {socket.gethostname()}"):
            run_task(workers, Tools(discover()), find_pid)


def test_a_task_that_kills_its_worker_is_begun_four_times(engine, tmp_path):
    with discover().open_workers(engine, 1) as workers:
        calls = (
            lambda *task: repeat_lost(workers, partial(run_task, workers, Tools(discover()), *task)),
            lambda task, *block: list(map_blocks(workers, Tools(discover()), task, [block])),
        )
        for number, call in enumerate(calls):
            with pytest.raises(WorkerError, match="perhaps for want of memory.*--jobs 1$"):
                call(die, tmp_path / str(number))
            assert len((tmp_path / str(number)).read_text()) == 4
        if not engine.startswith("dask"):  # whose nannies begin another worker when they like
            assert run_task(workers, Tools(discover()), find_pid)


def test_a_lost_node_costs_only_what_it_was_doing(cluster, videos, tmp_path, monkeypatch, log):
    places = [str(tmp_path / f"{n}.mp4") for n in range(6)]
    for n, place in enumerate(places):
        Path(place).write_bytes(Path(videos[n % 4]).read_bytes() + b"\0" * n)
    expected = [a.manifest()["files"] for a in prepare_all(Session.open(tmp_path / "here"), [RECIPE] * 6, places)]
    monkeypatch.setattr(preparation, "_open_and_read", read_slowly)
    ready = []

    def follow(event):
        if isinstance(event, ArtifactReady):
            ready.append(event)
            if len(ready) == 2:
                cluster.remove_node(cluster.second, allow_graceful=False)

    session = replace(Session.open(tmp_path / "there", [follow]), engine="ray", jobs=2)
    made = prepare_all(session, [RECIPE] * 6, places)
    assert [artifact.manifest()["files"] for artifact in made] == expected
    begun = Counter({place: len(Path(f"{place}.begun").read_text().split()) for place in places})
    assert begun.total() <= 7, begun
    assert len(ready) == 6


def test_no_worker_outlives_a_killed_command(cluster):
    program = (
        "from cluster_tasks import *\nfrom deepdance.delegation import run_task\n"
        "from deepdance.plugins import discover\nfrom deepdance.tasks import Tools\n"
        "with discover().open_workers('ray', 1) as workers:\n"
        "    run_task(workers, Tools(discover(), emit=lambda pid: print(pid, flush=True)), sleep, 300)\n"
    )
    kill_who_waits_for_a_worker(program)


def test_a_cluster_of_its_own_ends_with_the_command(ray, monkeypatch, capfd):
    monkeypatch.setenv("RAY_ADDRESS", "local")
    handler = signal.getsignal(signal.SIGTERM)
    before = set(psutil.Process().children(recursive=True))

    def stop(pid):
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), discover().open_workers("ray", 1) as workers:
        assert signal.getsignal(signal.SIGTERM) == handler
        run_task(workers, Tools(discover(), emit=stop), sleep, 300)
    assert time.monotonic() - start < 60
    left = psutil.wait_procs(set(psutil.Process().children(recursive=True)) - before, timeout=10)[1]
    assert not left
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["ray", "dask"])
def test_a_cluster_that_is_not_there_is_told_in_a_line(kind, dd, video, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 2)
    pytest.importorskip("distributed" if kind == "dask" else kind)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        start = time.monotonic()
        for address in (f"{kind}://127.0.0.1:1", f"{kind}://127.0.0.1:{port}", f"{kind}://127.0.0.1"):
            result = dd("prepare", video, video, "--remover", "threshold", "--executor", address)
            assert result.code == 2
            assert result.err.count("\n") == 1, result.err
            assert "--executor: expected" in result.err
            assert ("RAY_AUTH_MODE" in result.err) == (kind == "ray" and ":" in address[6:])
        assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("module", "address"),
    [("distributed", "dask"), ("distributed", "dask://localhost"), ("ray", "ray://"), ("ray", "ray://localhost")],
)
def test_an_address_without_a_place_is_told_what_one_looks_like(module, address):
    pytest.importorskip(module)
    told = f"such as 'dask://localhost:8786' or 'ray://localhost:10001', got '{address}'"
    with pytest.raises(OptionError, match=f"{told}$"), discover().open_workers(address, 1):
        pass


@pytest.mark.parametrize(("module", "address"), [("ray", "ray"), ("distributed", "dask://127.0.0.1:8786")])
def test_without_the_extra_it_is_told_what_to_install(module, address, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    extra = address.partition(":")[0]
    with pytest.raises(PluginError, match=rf"pip install 'deepdance\[{extra}\]'$"), discover().open_workers(address, 1):
        pass


def test_workers_of_several_threads_are_refused():
    distributed = pytest.importorskip("distributed")
    options = {"threads_per_worker": 2, "processes": False, "protocol": "tcp", "dashboard_address": ":0"}
    with distributed.LocalCluster(n_workers=1, **options) as opened:
        address = opened.scheduler_address.replace("tcp://", "dask://")
        with pytest.raises(OptionError, match="--nthreads 1$"), discover().open_workers(address, None):
            pass


def test_a_head_that_is_too_busy_is_asked_again(monkeypatch):
    from types import SimpleNamespace

    from deepdance_plugins import clusters

    def refuse(times):
        asked = []

        def init(address, **options):
            asked.append(address)
            if len(asked) <= times:
                raise ConnectionAbortedError("Initialization failure from server")

        return SimpleNamespace(init=init, shutdown=lambda: None), asked

    ray, asked = refuse(2)
    clusters._init_ray(ray, "ray://head:1", None)
    assert len(asked) == 3
    ray, asked = refuse(9)
    with pytest.raises(OptionError, match="Initialization failure"):
        clusters._init_ray(ray, "ray://head:1", None)
    assert len(asked) == 3


def make_silent_ray(answers):
    """What `_Ray` needs of a Ray whose head answers until `answers` ends, and whose tasks do not."""
    from types import SimpleNamespace

    task = SimpleNamespace(remote=lambda *_: SimpleNamespace(future=Future))
    errors = SimpleNamespace(RayError=OSError, LocalRayletDiedError=ChildProcessError, RayTaskError=ValueError)
    return SimpleNamespace(
        remote=lambda **_: lambda function: task,
        nodes=lambda: next(answers, None) or time.sleep(1),
        is_initialized=lambda: True,
        exceptions=errors,
    )


def test_a_head_that_does_not_answer_any_more_is_given_up(monkeypatch, log):
    monkeypatch.setattr(clusters, "SILENCE", 0.3)
    monkeypatch.setattr(clusters, "PAUSE", 0.05)
    start = time.monotonic()
    with clusters._Ray(make_silent_ray(iter([1] * 5))) as executor:
        workers = Workers(executor, 1, lasting=True)
        for call in (run_task, lambda w, tools, task: list(map_blocks(w, tools, task, [()]))):
            with pytest.raises(ClusterLostError, match=r"has not answered for .* leave out --executor"):
                repeat_lost(workers, lambda call=call: call(workers, Tools(discover()), find_pid))
    assert 0.4 < time.monotonic() - start < 5


def test_what_is_sent_while_the_head_is_given_up_ends_too(monkeypatch):
    monkeypatch.setattr(clusters, "SILENCE", 0.1)
    monkeypatch.setattr(clusters, "PAUSE", 0.05)
    ray = make_silent_ray(iter(()))
    ray.nodes = lambda: time.sleep(10)
    with clusters._Ray(ray) as executor:
        send = executor._remote.remote
        executor._remote.remote = lambda *arguments: time.sleep(0.6) or send(*arguments)
        assert "has not answered" in str(executor.submit(find_pid).exception(timeout=5))


def test_a_cluster_whose_own_node_is_lost_is_not_asked_again():
    executor = clusters._Ray(make_silent_ray(iter([1] * 99)))
    with executor, pytest.raises(BrokenExecutor, match="no raylet"):
        assert isinstance(executor._translate(ChildProcessError("no raylet")), BrokenExecutor)
        executor.submit(find_pid)


def test_a_ray_that_was_left_joins_no_other_cluster(cluster):
    import ray

    with discover().open_workers("ray", 1) as workers:
        ray.shutdown()
        with pytest.raises(ClusterLostError, match="connection has ended"):
            run_task(workers, Tools(discover()), find_pid)
        assert not ray.is_initialized()


def test_a_scheduler_that_is_gone_is_told():
    with open_dask(1) as address, discover().open_workers(address, 1) as workers:
        workers.executor._executor._client.close()
        with pytest.raises(ClusterLostError, match="scheduler of Dask does not answer"):
            run_task(workers, Tools(discover()), find_pid)
