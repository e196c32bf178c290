"""Where a pipeline works: what is made anew, what is told, and who listens."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import ModuleType

import pytest
from conftest import registry_of

from deepdance import session as sessions
from deepdance.errors import OptionError
from deepdance.events import ArtifactReady, EpochFinished, Progress, StageFinished, StageStarted
from deepdance.interfaces import Logger, Options
from deepdance.plugins import ComponentSpec, hookimpl
from deepdance.session import STAGES, TABLES, WAITING, Session, make_loggers
from deepdance.workspace import Workspace
from deepdance_plugins import catalog
from deepdance_plugins.catalog import NO_OPTIONS


@pytest.fixture
def told():
    return []


@pytest.fixture
def session(monkeypatch, tmp_path, told):
    return Session(Workspace(tmp_path), registry_of(monkeypatch, builtin=catalog), told.append)


def make(session, stage="codec", **options):
    return session.make(stage, {}, lambda folder: {"note": 1}, detail="pca", **options)


def test_a_stage_that_is_made_is_told_from_its_start_and_one_that_is_there_of_its_end(session, told):
    made, again = make(session), make(session)
    folder = session.workspace.root / "artifacts" / f"codec-{made.key}"
    assert told == [
        StageStarted("codec", "pca"),
        ArtifactReady("codec", made.key, folder, False),
        StageFinished("codec", False, "pca"),
        ArtifactReady("codec", made.key, folder, True),
        StageFinished("codec", True, "pca"),
    ]
    assert (made.reused, again.reused) == (False, True)


def test_the_seconds_of_a_stage_are_noted_unless_it_goes_on_from_an_earlier_attempt(session, monkeypatch):
    clock = iter([100.0, 103.456, 200.0, 203.0, 300.0])
    monkeypatch.setattr(sessions, "monotonic", lambda: next(clock))
    assert make(session).manifest()["seconds"] == 3.46

    def fail(folder):
        (folder / "checkpoint").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.make("sequence", {}, fail, resumable=True)
    assert "seconds" not in make(session, "sequence", resumable=True).manifest()


@pytest.mark.parametrize("stages", [STAGES, TABLES])
def test_what_is_made_anew_is_a_stage_and_all_after_it(session, stages):
    for number, stage in enumerate(stages):
        assert session.make_anew(stage, stages).fresh == set(stages[number:])
    assert session.make_anew(None) == session


def test_what_is_made_anew_is_made_once(session):
    old = make(session)
    session = session.make_anew("codec")
    new = make(session)
    assert (new.reused, make(session).key) == (False, new.key)
    assert new.key != old.key
    assert make(session, "silhouettes").key  # before the stage, and so kept
    assert session.opened - datetime.now().astimezone() < timedelta(0)


def test_a_stage_that_nobody_knows_is_told_with_the_nearest(session):
    with pytest.raises(OptionError, match=r"expected one of remover, silhouettes, .*, got 'codek'.*codec"):
        session.make_anew("codek")


def test_who_waits_is_told_to_be_waiting_again_and_again(session, told):
    tell = session._tell_waiting("codec")
    for _ in range(3):
        tell()
    assert told == [StageStarted("codec", WAITING), *[Progress("codec", 0, None, WAITING)] * 2]


def test_what_a_training_tells_is_its_stages(session, told, tmp_path):
    training = session.training("sequence", 7, tmp_path)
    training.on_epoch(3, 20, {"loss": 0.5})
    training.on_progress(5, 10)
    training.on_note("looking")
    assert (training.seed, training.folder) == (7, tmp_path)
    assert told == [
        EpochFinished("sequence", 3, 20, {"loss": 0.5}),
        Progress("sequence", 5, 10),
        Progress("sequence", 0, None, "looking"),
    ]


class Listening(Logger[Options]):
    def __call__(self, event):
        pass


def test_a_log_is_titled_with_its_distribution_where_it_is_a_plugins(monkeypatch):
    plugin = ModuleType("plugin_theirs")
    plugin.Listening = Listening
    spec = ComponentSpec("logger", "theirs", "plugin_theirs:Listening", NO_OPTIONS, "a logger")
    plugin.deepdance_components = hookimpl(lambda: [spec], specname="deepdance_components")
    registry = registry_of(monkeypatch, builtin=catalog, theirs=plugin)
    monkeypatch.setattr(sessions, "BUILT_IN", "dance-builtin")
    titles = [title for title, _ in make_loggers(registry, ["theirs", "jsonl", "theirs"])]
    assert titles == ["the log theirs of dance-theirs 1.0", "the log jsonl"]


@pytest.mark.parametrize(("error", "notes"), [(ValueError("x"), ["theirs.py"]), (OptionError("x"), [])])
def test_what_comes_out_of_a_plugins_code_gets_a_note_unless_it_is_an_answer(session, monkeypatch, error, notes):
    monkeypatch.setattr(sessions, "find_culprit", lambda raised, registry: "theirs.py")
    with pytest.raises(type(error)) as caught, session.follow():
        raise error
    assert getattr(caught.value, "__notes__", []) == notes


def test_an_error_that_is_nobodys_gets_no_note(session):
    with pytest.raises(ValueError, match="x") as caught, session.follow():
        raise ValueError("x")
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize("executor", [ThreadPoolExecutor(1), None, 3], ids=["an executor", "None", "a number"])
def test_an_executor_that_is_no_address_is_told(executor, tmp_path):
    with pytest.raises(OptionError, match="^executor: expected an address, .* deepdance_workers$"):
        Session.open(tmp_path, engine=executor)
