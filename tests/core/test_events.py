import logging
import subprocess
import sys
from dataclasses import FrozenInstanceError, is_dataclass
from threading import Thread
from typing import get_args

import pytest
from conftest import registry_of

from deepdance.events import Event, Failed, Listeners, Progress, StageStarted, Warned, collect_warnings, follow
from deepdance.plugins import hookimpl

STARTED = StageStarted("codec", "pca")


class Follower:
    def __init__(self):
        self.heard = []

    @hookimpl
    def deepdance_event(self, event):
        self.heard.append(event)


class Raiser:
    def __init__(self, error):
        self.error, self.calls = error, 0

    @hookimpl
    def deepdance_event(self, event):
        self.calls += 1
        raise self.error


@pytest.mark.parametrize("event", get_args(Event), ids=lambda event: event.__name__)
def test_every_event_is_frozen_and_says_what_it_means(event):
    assert is_dataclass(event)
    assert not event.__doc__.startswith(f"{event.__name__}(")
    with pytest.raises(FrozenInstanceError):
        Progress("codec", 1, 2).done = 3


def test_a_plugin_may_follow_and_offer_nothing(monkeypatch):
    follower = Follower()
    registry = registry_of(monkeypatch, follower=follower)
    assert (registry.problems, registry.entries) == ([], [])
    Listeners(registry.listeners)(STARTED)
    assert follower.heard == [STARTED]


@pytest.mark.parametrize("error", [ValueError("no disk"), SystemExit(3)], ids=lambda error: type(error).__name__)
def test_a_listener_that_raises_is_told_of_once_and_the_others_go_on(monkeypatch, caplog, log, error):
    before, bad, after = Follower(), Raiser(error), Follower()
    registry = registry_of(monkeypatch, before=before, bad=bad, after=after)
    listen = Listeners(registry.listeners)
    for _ in range(3):
        listen(STARTED)
    assert bad.calls == 1
    assert before.heard == after.heard == [STARTED] * 3
    (record,) = caplog.records
    assert record.getMessage() == (
        f"the plugin bad of dance-bad 1.0 failed at StageStarted and is switched off: {type(error).__name__}: {error}"
    )


def test_a_listener_cannot_hold_back_ctrl_c():
    def interrupt(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Listeners([("interrupt", interrupt)])(STARTED)


def test_two_listeners_that_raise_are_both_told_of_to_the_one_that_stays():
    heard = []
    bad = [(name, Raiser(ValueError("no")).deepdance_event) for name in ("one", "two")]
    listen = Listeners([*bad, ("good", heard.append)])
    with follow(listen):
        listen(STARTED)
        listen(STARTED)
    messages = [event.message for event in heard if isinstance(event, Warned)]
    assert sorted(message.split()[0] for message in messages) == ["one", "two"]
    assert heard.count(STARTED) == 2


@pytest.mark.parametrize("error", [ValueError("expected a dancer"), KeyboardInterrupt()], ids=["error", "ctrl-c"])
def test_the_last_event_is_the_error_and_it_is_raised_on(error):
    heard = []
    with pytest.raises(type(error)), follow(heard.append):
        heard.append(STARTED)
        raise error
    assert heard == [STARTED, Failed(type(error).__name__, str(error))]


def test_warnings_become_events_and_are_kept_from_nobody_else(caplog, log):
    heard = []
    with follow(heard.append):
        logging.getLogger("deepdance.more").warning("%d%% is dancer", 3)
        log.info("nothing")
    log.warning("after")
    assert [record.getMessage() for record in caplog.records] == ["3% is dancer", "after"]
    assert heard == [Warned("3% is dancer")]
    assert log.handlers == []


def test_a_warning_is_told_once_while_followed_and_collected_whenever_it_is_given(caplog, log):
    heard = []
    with follow(heard.append):
        for _ in range(2):
            with collect_warnings() as collected:
                log.warning("%d%% is dancer", 3)
                log.info("nothing")
                thread = Thread(target=log.warning, args=("of another input",))
                thread.start()
                thread.join()
            assert collected == ["3% is dancer"]
    assert heard == [Warned("3% is dancer"), Warned("of another input")]
    assert caplog.messages == ["3% is dancer", "of another input"]
    assert log.filters == []


def test_warnings_reach_standard_error_where_nobody_has_set_up_logging():
    code = (
        "import logging; from deepdance.events import follow, ignore\n"
        "with follow(ignore): logging.getLogger('deepdance').warning('one')\n"
        "logging.getLogger('deepdance').warning('two')"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert said.stderr == "one\ntwo\n"
