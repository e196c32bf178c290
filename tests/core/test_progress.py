"""The line that a terminal or a notebook shows while something is learned in Python."""

import io
import re
import sys

import pytest

import deepdance
from deepdance import progress
from deepdance.events import EpochFinished, Progress, StageFinished, StageStarted
from deepdance.progress import WIDTH, ProgressLine, describe_epoch, is_watched

MODELS = {"codec": {"name": "pca", "latent_dim": 8}, "sequence": "ridge", "size": (24, 40), "frames": 10}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines(text):
    """What is left on each line of a terminal."""
    return [line.rpartition("\r")[2].rstrip() for line in text.split("\n")]


def test_a_training_leaves_one_line():
    stream = io.StringIO()
    show = ProgressLine(stream)
    show(StageStarted("codec", "conv-ae"))
    for epoch in (1, 2):
        show(Progress("codec", 5, 10))
        show(EpochFinished("codec", epoch, 2, {"loss": 0.25, "acc": 1.0, "val_loss": 0.5}))
    show(StageFinished("codec", False, "conv-ae"))
    show(StageFinished("latents", True))
    assert lines(stream.getvalue()) == [
        "codec conv-ae 2/2 loss 0.25 val 0.5 (0 s)",
        "latents (kept)",
        "",
    ]


def test_what_a_training_does_before_its_epochs_is_told_at_once():
    stream = io.StringIO()
    show = ProgressLine(stream)
    show(StageStarted("codec", "sdf-ae"))
    show(Progress("codec", 0, None, "looking whether the body prior does"))
    assert lines(stream.getvalue())[-1].rstrip() == "codec looking whether the body prior does"


def test_no_line_is_longer_than_a_terminal_and_none_is_written_too_often():
    stream = io.StringIO()
    show = ProgressLine(stream)
    show(StageStarted("silhouettes", "x" * 300))
    for done in range(1000):
        show(Progress("silhouettes", done, None))
    parts = re.split("[\r\n]", stream.getvalue())
    assert max(map(len, parts)) == WIDTH
    assert len(parts) < 100


def test_it_is_shown_where_somebody_looks_on_and_else_only_when_asked(silhouettes, tmp_path, monkeypatch, capsys):
    deepdance.run(silhouettes, **MODELS, workspace=tmp_path / "silent")
    assert capsys.readouterr().err == ""
    run = deepdance.run(silhouettes, **MODELS, workspace=tmp_path / "asked", progress=True)
    told = capsys.readouterr()
    assert told.out == ""
    assert [line for line in lines(told.err) if line.startswith("codec pca loss")]
    codec = deepdance.codec("pca", latent_dim=8)
    deepdance.fit(codec, silhouettes, progress=True)
    assert lines(capsys.readouterr().err)[-1] == ""
    monkeypatch.setattr(sys, "stderr", Terminal())
    deepdance.open_run(run.folder).dance(frames=10, seed=1)
    assert "render" in sys.stderr.getvalue()
    monkeypatch.setattr(sys, "stderr", Terminal())
    deepdance.open_run(run.folder, progress=False).dance(frames=10, seed=2)
    assert sys.stderr.getvalue() == ""


def test_a_notebook_is_watched(monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert not is_watched(io.StringIO())
    assert not is_watched(None)
    monkeypatch.setitem(sys.modules, "ipykernel", io)
    assert is_watched(io.StringIO())


@pytest.mark.parametrize(("stage", "seen"), [("codec", "codec 2/9 loss 0.25"), ("silhouettes", "silhouettes 5 of 10")])
def test_what_an_epoch_ended_with_stays_while_the_next_one_is_trained(monkeypatch, stage, seen):
    clock = iter(range(100))
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    stream = io.StringIO()
    show = ProgressLine(stream)
    show(StageStarted(stage))
    show(Progress(stage, 3, 10))
    assert lines(stream.getvalue()) == [f"{stage} 3 of 10"]
    if stage == "codec":
        show(EpochFinished(stage, 2, 9, {"loss": 0.25}))
    show(Progress(stage, 5, 10))
    assert lines(stream.getvalue()) == [seen]


def test_a_stage_ends_with_the_seconds_that_it_took(monkeypatch):
    times = iter([100.0, 100.0, 107.4, 107.4])
    monkeypatch.setattr(progress, "monotonic", lambda: next(times))
    stream = io.StringIO()
    show = ProgressLine(stream)
    show(StageStarted("long_table", "gru"))
    show(StageFinished("long_table", False, "gru"))
    assert lines(stream.getvalue()) == ["long dances' table gru (7 s)", ""]


def test_the_line_fits_80_columns_without_wrapping():
    assert WIDTH < 80


@pytest.mark.parametrize(
    ("epoch", "epochs", "shown"), [(3, 27, "3/27 loss 0.00754 val 0.5"), (1, 1, "loss 0.00754 val 0.5")]
)
def test_epochs_are_counted_where_there_is_more_than_one(epoch, epochs, shown):
    assert describe_epoch(epoch, epochs, {"loss": 0.0075434, "acc": 1.0, "val_loss": 0.5}) == shown


def test_what_is_told_of_a_stages_end_is_what_is_known():
    def tell(*events):
        stream = io.StringIO()
        show = ProgressLine(stream)
        for event in events:
            show(event)
        return lines(stream.getvalue())[0]

    assert tell(StageFinished("codec", False, "pca")) == "codec pca"
    assert tell(StageStarted("codec"), StageFinished("codec", True, "pca")) == "codec pca (kept)"
    epoch = EpochFinished("codec", 2, 9, {})
    assert tell(epoch, StageFinished("latents", False)) == "latents"
    assert tell(epoch, StageFinished("sequence", True)) == "sequence (kept)"
