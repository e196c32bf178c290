"""Work in other processes: what comes back, in which order, and what is left when it ends badly."""

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from threading import Event, active_count

import numpy as np
import pytest
from clusters import kill_who_waits_for_a_worker
from conftest import demo_frames, registry_of, write_video

from deepdance import delegation, pipeline
from deepdance.delegation import map_blocks, repeat_lost, run_task
from deepdance.errors import ClusterLostError, InputError, OptionError, WorkerError
from deepdance.events import ArtifactReady, Progress, StageStarted
from deepdance.plugins import Registry, discover, requirements
from deepdance.preparation import prepare, prepare_all
from deepdance.recipe import Recipe
from deepdance.remover_selection import decide_remover
from deepdance.session import Session
from deepdance.tasks import Tools
from deepdance.workers import Workers, _Process, open_processes

CODE = discover().describe_code()
RECIPE = Recipe(size=(24, 40), fps=10, remover="threshold")


def count_up(tools, count, size):
    for number in range(count):
        tools.listen(Progress("silhouettes", number, count))
        tools.emit(np.full(size, number, np.uint8))
        logging.getLogger("deepdance").warning("%s is done", number)
    return os.getpid()


def find_name(tools, kind, name):
    return tools.registry.find(kind, name).spec.name


def collect_answers(tools, questions):
    return [tools.ask(question) for question in questions]


def ask_about_itself(tools):
    return tools.ask(os.getpid())


def fail(tools, error):
    raise error


def die(tools, after):
    for number in range(after):
        tools.emit(number)
    os.kill(os.getpid(), signal.SIGKILL)


def find_name_by(registry, workers):
    return run_task(workers, Tools(registry), find_name, "codec", "pca")


def count_arguments(tools):
    return len(sys.argv)


def die_with_a_file(tools):
    Path(tempfile.mkdtemp(), "large").write_bytes(bytes(1000))
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(tools, note):
    if not note.exists():
        note.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def sleep(tools, seconds):
    tools.emit(os.getpid())
    time.sleep(seconds)


def square(tools, number):
    time.sleep(0.05 * (number % 2))
    if number == 3:
        logging.getLogger("deepdance").warning("three")
    return number**2


@pytest.fixture(scope="module")
def workers():
    with open_processes(2) as opened:
        yield opened


def test_what_a_task_emits_tells_and_returns_comes_in_its_order(workers, log, caplog):
    told = []
    tools = Tools(discover(), told.append, lambda chunk: told.append((chunk.shape, int(chunk.max()))))
    assert run_task(workers, tools, count_up, 3, (2, 5)) != os.getpid()
    assert told == [each for n in range(3) for each in (Progress("silhouettes", n, 3), ((2, 5), n))]
    assert [record.getMessage() for record in caplog.records] == ["0 is done", "1 is done", "2 is done"]


def test_it_is_the_same_here_and_by_threads(log):
    for workers in (None, Workers(ThreadPoolExecutor(1), 1)):
        emitted = []
        assert run_task(workers, Tools(discover(), emit=emitted.append), count_up, 3, (2,)) == os.getpid()
        np.testing.assert_array_equal(emitted, [[0, 0], [1, 1], [2, 2]])


def test_workers_find_the_same_components(workers):
    assert run_task(workers, Tools(discover()), find_name, "codec", "pca") == "pca"


def test_a_task_asks_and_is_answered(workers):
    answered = Tools(discover(), ask=lambda question: question * 2)
    assert run_task(workers, answered, collect_answers, "ab") == run_task(None, answered, collect_answers, "ab")
    assert run_task(workers, answered, collect_answers, "ab") == ["aa", "bb"]


def test_who_cannot_answer_says_so(workers):
    def refuse(question):
        raise InputError("what is asked is not there")

    with pytest.raises(InputError, match="is not there"):
        run_task(workers, Tools(discover(), ask=refuse), collect_answers, "a")
    assert run_task(workers, Tools(discover()), find_name, "codec", "pca") == "pca"


class Frail(ThreadPoolExecutor):
    """Loses the first `losses` of its workers when they have done their work."""

    def __init__(self, losses):
        super().__init__(2)
        self.losses = losses

    def submit(self, fn, /, *args, **kwargs):
        self.losses -= 1
        return super().submit(lose, fn, *args, **kwargs) if self.losses >= 0 else super().submit(fn, *args, **kwargs)


def lose(function, *arguments):
    function(*arguments)
    raise BrokenExecutor("the power has failed")


def test_what_a_lost_worker_did_is_done_by_another(tmp_path, log):
    video = str(write_video(tmp_path / "a.mp4", demo_frames(2, 10, (60, 100), 0), 10))
    expected = prepare(Session.open(tmp_path / "alone"), RECIPE, video)
    lasting = Workers(Frail(2), 2, lasting=True)
    made = prepare(Session.open(tmp_path / "frail"), RECIPE, video, workers=lasting)
    assert made.manifest()["files"] == expected.manifest()["files"]
    assert list(map_blocks(Workers(Frail(3), 2, lasting=True), Tools(discover()), square, [(1,), (2,)])) == [1, 4]


class Silent(ThreadPoolExecutor):
    """Never tells what came of the first task: the network has lost its node."""

    def __init__(self):
        super().__init__(1)
        self.lost = []

    def submit(self, fn, /, *args, **kwargs):
        future = super().submit(fn, *args, **kwargs)
        if self.lost:
            return future
        self.lost.append(future)
        return Future()


def test_a_worker_that_nothing_is_heard_of_is_given_up(monkeypatch, log):
    monkeypatch.setattr(delegation, "AFTERWARDS", 0.2)
    workers, emitted = Workers(Silent(), 1, lasting=True), []
    tools = Tools(discover(), emit=emitted.append)
    assert repeat_lost(workers, lambda: run_task(workers, tools, count_up, 1, (2,))) == os.getpid()
    assert len(emitted) == 2


def test_who_waits_for_a_busy_cluster_is_told_once(monkeypatch, log, caplog):
    monkeypatch.setattr(delegation, "WAIT", 0.1)
    caplog.set_level(logging.INFO, "deepdance")
    with ThreadPoolExecutor(1) as busy:
        busy.submit(time.sleep, 0.5)
        for _ in range(2):
            run_task(Workers(busy, 1, lasting=True), Tools(discover()), find_name, "codec", "pca")
            busy.submit(time.sleep, 0.5)
    told = [record.getMessage() for record in caplog.records]
    assert told == ["no worker has begun yet, perhaps others keep them busy; waiting for one"]


def test_a_worker_that_is_killed_while_it_is_asked_is_told_in_a_line():
    killed = Tools(discover(), ask=lambda pid: os.kill(pid, signal.SIGKILL) or time.sleep(0.3) or b"0" * (8 << 20))
    with pytest.raises(WorkerError, match="--jobs 1$"), open_processes(1) as workers:
        run_task(workers, killed, ask_about_itself)


@pytest.mark.parametrize(
    ("workers", "kind"),
    [(Workers(Frail(1), 2), ClusterLostError), (Workers(Frail(9), 2, lasting=True), WorkerError)],
)
def test_workers_that_do_not_last_are_told_of(workers, kind, tmp_path, log):
    video = str(write_video(tmp_path / "a.mp4", demo_frames(2, 10, (60, 100), 0), 10))
    with pytest.raises(WorkerError) as error:
        prepare(Session.open(tmp_path / "frail"), RECIPE, video, workers=workers)
    assert error.type is kind


@pytest.mark.parametrize("size", [(60, 100), None])
@pytest.mark.parametrize(
    ("work", "remover", "kept"), [(prepare, "threshold", "silhouettes"), (decide_remover, "auto", "remover")]
)
def test_a_video_that_is_another_one_there_is_refused(workers, work, remover, kept, size, tmp_path, log):
    """What is made of it would get the key of the one that is here."""
    video = write_video(tmp_path / "a.mp4", demo_frames(1, 10, (60, 100), 0), 10)

    def change(event):
        if isinstance(event, StageStarted):
            video.unlink()
            if size:
                write_video(video, demo_frames(1, 10, size, 1), 10)

    session = Session.open(tmp_path / "workspace", [change])
    with pytest.raises(InputError, match=f"^expected {video} on {socket.gethostname()} as .*; share its folder"):
        work(session, RECIPE.changed({"remover": remover}), str(video), workers=workers)
    assert not list((tmp_path / "workspace" / "artifacts").glob(f"{kept}-*"))


@pytest.mark.parametrize("error", [InputError("it is torn; mend it"), ValueError("what nobody expects")])
def test_an_error_is_the_same_here(workers, error):
    with pytest.raises(type(error), match=f"^{error}$"):
        run_task(workers, Tools(discover()), fail, error)


def fail_oddly(tools, kind):
    raise {"holds": HoldingError, "two": TwoWordsError, "exit": SystemExit}[kind](3, "what")


class HoldingError(Exception):
    """One that cannot be pickled."""

    def __init__(self, *words):
        super().__init__(*words)
        self.held = lambda: words


class TwoWordsError(Exception):
    """One that can be pickled, but not be read."""

    def __init__(self, code, text):
        super().__init__(f"{code} {text}")


@pytest.mark.parametrize(
    ("kind", "told"),
    [("holds", r"HoldingError: \(3, 'what'\)$"), ("two", "TwoWordsError: 3 what$"), ("exit", "^SystemExit: ")],
)
def test_an_error_that_cannot_travel_is_told_and_ends_no_worker(workers, kind, told):
    for call in (run_task, lambda w, tools, *task: list(map_blocks(w, tools, task[0], [task[1:]]))):
        with pytest.raises(RuntimeError, match=told) as raised:
            call(workers, Tools(discover()), fail_oddly, kind)
        assert "in fail_oddly" in str(raised.value.__cause__)
    assert run_task(workers, Tools(discover()), find_name, "codec", "pca") == "pca"


class Empty(ThreadPoolExecutor):
    """Workers that lack what a task is made of."""

    def submit(self, fn, /, *args, **kwargs):
        return super().submit(__import__, "nothing\nof_that_name")


def test_workers_that_cannot_begin_are_told_of_in_a_line():
    told = "^expected workers with the same .*No module named 'nothing.*of_that_name'; install .* anew$"
    with pytest.raises(WorkerError, match=told):
        run_task(Workers(Empty(1), 1), Tools(discover()), find_name, "codec", "pca")


@pytest.mark.parametrize("after", [0, 2])
def test_a_killed_worker_is_told_in_a_line(after):
    emitted = []
    with pytest.raises(WorkerError, match="--jobs 1$"), open_processes(1) as workers:
        run_task(workers, Tools(discover(), emit=emitted.append), die, after)
    assert emitted == list(range(after))


def test_a_process_that_is_lost_takes_no_other_task_along_and_is_replaced(tmp_path, log):
    released = Event()
    waits = Tools(discover(), ask=lambda pid: released.wait(300))
    with open_processes(2) as workers, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(run_task, workers, waits, ask_about_itself)
        try:
            with pytest.raises(WorkerError, match=r"for want of memory; what is finished is kept"):
                run_task(workers, Tools(discover()), die, 0)
            once = partial(run_task, workers, Tools(discover()), die_once, tmp_path / "0")
            assert repeat_lost(workers, once) != os.getpid()
            blocks = [(tmp_path / f"{number}",) for number in range(1, 3)]
            assert len(list(map_blocks(workers, Tools(discover()), die_once, blocks))) == 2
        finally:
            released.set()
        assert waiting.result() is True
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]


def test_what_a_lost_process_had_in_temporary_files_goes_with_it():
    before = active_count()
    with open_processes(1) as workers:
        with pytest.raises(WorkerError):
            run_task(workers, Tools(discover()), die_with_a_file)
        assert not list(workers.folder.rglob("*"))
        assert run_task(workers, Tools(discover()), find_name, "codec", "pca") == "pca"
    assert active_count() <= before


def test_where_there_is_no_room_for_another_process_it_is_told_and_the_next_call_tries_again(monkeypatch, log, caplog):
    caplog.set_level(logging.INFO, "deepdance")
    find = partial(find_name_by, discover())
    with open_processes(1) as workers:
        with monkeypatch.context() as full:
            full.setattr(_Process, "start", lambda process: os.open("/dev/null/nothing", os.O_RDONLY))
            with pytest.raises(WorkerError, match=r"Not a directory.*--jobs 1$"):
                repeat_lost(workers, lambda: find(workers))
        assert find(workers) == "pca"
    assert not caplog.records


def test_a_process_that_is_killed_while_it_is_idle_is_replaced(log, children):
    find = partial(find_name_by, discover())
    with open_processes(1) as workers:
        before = set(children())
        assert find(workers) == "pca"
        (idle,) = (each for each in set(children()) - before if "resource_tracker" not in " ".join(each.cmdline()))
        idle.kill()
        idle.wait(10)
        assert repeat_lost(workers, lambda: find(workers)) == "pca"


def test_there_are_no_more_processes_than_open_files_allow(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    with open_processes(500) as workers:
        assert workers.count == 25


def test_a_long_command_line_does_not_travel(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["dd", *("clip.mp4",) * 20_000])
    with open_processes(1) as workers:
        assert run_task(workers, Tools(discover()), count_arguments) == 1
    assert len(sys.argv) == 20_001


def test_what_is_ended_on_purpose_is_not_begun_again(log, caplog):
    caplog.set_level(logging.INFO, "deepdance")
    begun = Event()
    tools = Tools(discover(), emit=lambda pid: begun.set())
    with ThreadPoolExecutor(1) as threads:
        with pytest.raises(KeyboardInterrupt), open_processes(1) as workers:
            call = partial(run_task, workers, tools, sleep, 300)
            waiting = threads.submit(repeat_lost, workers, call)
            assert begun.wait(60)
            raise KeyboardInterrupt
        assert isinstance(waiting.exception(10), WorkerError)
        with pytest.raises(WorkerError, match="have been ended"):
            call()
    assert not caplog.records


def test_who_leaves_ends_a_busy_worker_at_once(children):
    def stop(pid):
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), open_processes(1) as workers:
        run_task(workers, Tools(discover(), emit=stop), sleep, 300)
    assert time.monotonic() - start < 60
    assert not [child for child in children() if "resource_tracker" not in " ".join(child.cmdline())]


def test_workers_end_when_their_parent_is_killed():
    program = (
        f"from {__name__} import *\n"
        "with open_processes(1) as workers:\n"
        "    run_task(workers, Tools(discover(), emit=lambda pid: print(pid, flush=True)), sleep, 300)\n"
    )
    kill_who_waits_for_a_worker(program)


def test_a_script_needs_no_guard_for_its_workers(tmp_path):
    """They do not do it again, each waiting for what the first has begun."""
    for number in range(2):
        write_video(tmp_path / f"{number}.mp4", demo_frames(2, 10, (60, 100), number), 10)
    (tmp_path / "script.py").write_text(
        "import deepdance\nprint('begun')\n"
        "deepdance.run(['0.mp4', '1.mp4'], remover='threshold', size=(24, 40), codec='pca', sequence='ridge', jobs=2)\n"
    )
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "begun\n"), done.stderr
    assert len(list((tmp_path / "workspace/artifacts").glob("silhouettes-*"))) == 2


PICKLES = """
import pickle, threading
from deepdance.workers import open_processes

class Own:
    pass

def pickle_all_the_time():
    while not ended.is_set():
        pickle.dumps(Own())

ended = threading.Event()
threading.Thread(target=pickle_all_the_time).start()
with open_processes(2) as workers:
    list(workers.executor.map(abs, range(4)))
ended.set()
"""


def test_what_a_script_has_is_found_while_workers_begin(tmp_path):
    (tmp_path / "script.py").write_text(PICKLES)
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


FORKS = """
import multiprocessing, time
from deepdance.workers import open_processes

forked = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
try:
    with open_processes(1) as workers:
        workers.executor.submit(time.sleep, 60)
        forked.start()
        raise KeyboardInterrupt
except KeyboardInterrupt:
    print("left", flush=True)
    forked.kill()
"""


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_workers_end_at_once_though_another_process_was_forked():
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("left\n", "")


def call_in_two_processes(function, value):
    with open_processes(2) as opened:
        return opened.executor.submit(function, value).result()


def test_who_may_not_begin_processes_is_told_what_else_there_is():
    context = get_context("spawn")
    with context.Pool(1) as pool, pytest.raises(OptionError, match="ProcessPoolExecutor in place of the pool"):
        pool.apply(call_in_two_processes, (abs, -1))
    with ProcessPoolExecutor(1, context) as executor:
        assert executor.submit(call_in_two_processes, abs, -1).result() == 1


def test_blocks_come_in_their_order_and_few_are_held(workers, log, caplog):
    begun = []

    def give():
        for number in range(6):
            begun.append(number)
            yield (number,)

    results = map_blocks(workers, Tools(discover()), square, give())
    assert next(results) == 0
    assert begun == [0, 1, 2]
    assert list(results) == [1, 4, 9, 16, 25]
    assert [record.getMessage() for record in caplog.records] == ["three"]


def test_artifacts_are_the_same_whoever_made_them(tmp_path, log):
    places = [str(write_video(tmp_path / f"{n}.mp4", demo_frames(2, 10, (60, 100), n), 10)) for n in range(3)]
    made, told = {}, {}
    for jobs in (None, 1, 2, 3):
        told[jobs] = []
        session = replace(Session.open(tmp_path / f"{jobs}", [told[jobs].append]), jobs=jobs)
        made[jobs] = [
            (artifact.key, artifact.manifest()["files"], artifact.manifest()["warnings"])
            for artifact in prepare_all(session, [RECIPE] * 3, places)
        ]
        assert sum(isinstance(event, ArtifactReady) for event in told[jobs]) == 3
        assert [event.done for event in told[jobs] if isinstance(event, Progress)][-1] == 60
    assert made[None] == made[1] == made[2] == made[3]


def test_a_class_that_was_given_stays_in_this_process(tmp_path):
    from deepdance.plugins.unregistered import adopt
    from deepdance_plugins.removers.threshold import Threshold

    class Mine(Threshold):
        """A remover that only this test has."""

    session = replace(Session.open(tmp_path), jobs=2)
    registry, _ = adopt(session.registry, {"remover": Mine})
    with session.open_workers(2) as processes, replace(session, registry=registry).open_workers(2) as here:
        assert processes is not None
        assert here is None
    with session.open_workers(1) as alone:
        assert alone is None


def test_latents_are_the_same_whoever_encoded_them(tmp_path, silhouettes, log):
    source = tmp_path / "silhouettes.npy"
    np.save(source, np.tile(silhouettes, (5, 1, 1)))
    recipe = Recipe(size=silhouettes.shape[1:], fps=10, codec="pca", preset="quick")
    files, progress = {}, {}
    for jobs in (None, 2, 3):
        told = []
        session = replace(Session.open(tmp_path / f"{jobs}", [told.append]), jobs=jobs)
        prepared = prepare_all(session, [recipe], [str(source)])
        codec = pipeline.fit_codec(session, recipe, prepared)
        files[jobs] = pipeline.encode(session, recipe, codec, prepared).manifest()["files"]
        progress[jobs] = [e.done for e in told if isinstance(e, Progress) and e.stage == "latents"]
    assert files[None] == files[2] == files[3]
    assert progress[2] == progress[3] == [256, 512, 600]


def test_a_plugin_brings_workers_of_its_own(tmp_path, monkeypatch, log):
    from deepdance.plugins import hookimpl
    from deepdance_plugins import catalog

    submitted = []

    class Threads(ThreadPoolExecutor):
        def submit(self, fn, /, *arguments, **options):
            submitted.append(fn)
            return super().submit(fn, *arguments, **options)

    @contextmanager
    def open_threads(count):
        with Threads(count) as executor:
            yield Workers(executor, count)

    class Plugin:
        @hookimpl
        def deepdance_workers(self, address, jobs):
            return open_threads(jobs or 2) if address == "threads" else None

    videos = [str(write_video(tmp_path / f"{n}.mp4", demo_frames(1, 10, (60, 100), n), 10)) for n in range(2)]
    registry = registry_of(monkeypatch, catalog=catalog, threads=Plugin())
    registry = replace(registry, entries=discover().entries)
    session = replace(Session.open(tmp_path / "threads"), registry=registry, engine="threads")
    made = [artifact.manifest()["files"] for artifact in prepare_all(session, [RECIPE] * 2, videos)]
    assert len(submitted) == 2
    assert made == [a.manifest()["files"] for a in prepare_all(Session.open(tmp_path / "here"), [RECIPE] * 2, videos)]
    with pytest.raises(OptionError, match="^--executor: expected .*got 'thread'"):
        replace(session, engine="thread").open_workers(2)


def test_other_code_is_refused(workers, monkeypatch):
    monkeypatch.setattr(Registry, "describe_code", lambda self: {**CODE, "deepdance": "deepdance 9.9 0f"})
    with pytest.raises(
        WorkerError, match="^expected deepdance 9.9 0f on .* got deepdance .*; install the same there, "
    ):
        run_task(workers, Tools(discover()), find_name, "codec", "pca")
    monkeypatch.setattr(Registry, "describe_code", lambda self: {**CODE, "my-dist": "my-dist 1"})
    with pytest.raises(WorkerError, match="^expected my-dist 1 on all .* got no my-dist on "):
        list(map_blocks(workers, Tools(discover()), find_name, [("codec", "pca")]))


def test_other_versions_of_what_it_computes_with_are_refused(workers, monkeypatch):
    here = f"av {version('av')}, numpy {version('numpy')} on {socket.gethostname()}"
    versions = {"av": "15.0", "numpy": "2.0.1"}
    monkeypatch.setattr(requirements, "version", lambda name: versions.get(name) or version(name))
    requirements.find_versions.cache_clear()
    for call in (run_task, lambda w, tools, *task: list(map_blocks(w, tools, task[0], [task[1:]]))):
        with pytest.raises(WorkerError) as raised:
            call(workers, Tools(discover()), find_name, "codec", "pca")
        assert str(raised.value) == (
            f"expected av 15.0, numpy 2.0.1 on all machines, as where the command runs, got {here}; "
            "install the same there (pip install av==15.0 numpy==2.0.1), and start the cluster anew"
        )
    requirements.find_versions.cache_clear()


def test_a_worker_that_lacks_a_plugin_that_was_asked_for_says_so(workers, monkeypatch):
    registry = discover()
    monkeypatch.setenv("DEEPDANCE_PLUGINS", "of-the-command")
    told = f"^expected the same plugins .* got on {socket.gethostname()}: .*'of-the-command'.*; install the same there$"
    for call in (run_task, lambda w, tools, *task: list(map_blocks(w, tools, task[0], [task[1:]]))):
        with pytest.raises(WorkerError, match=told):
            call(workers, Tools(registry), find_name, "codec", "pca")


def test_a_worker_that_cannot_connect_says_where_to():
    class Deaf(ThreadPoolExecutor):
        def submit(self, fn, call, address, *arguments):
            with socket.create_server(("127.0.0.1", 0)) as closed:
                nobody = closed.getsockname()
            return super().submit(fn, call, nobody, *arguments)

    with pytest.raises(WorkerError, match="^expected a connection .* got ConnectionRefused.*open that"):
        run_task(Workers(Deaf(1), 1), Tools(discover()), find_name, "codec", "pca")
