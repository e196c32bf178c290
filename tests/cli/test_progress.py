"""The bars and the forecast, told by events at times that the tests set."""

import io
import json
import logging

import pytest
from rich.console import Console

from deepdance.events import (
    ArtifactReady,
    EpochFinished,
    Progress,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
)
from deepdance.plugins import discover
from deepdance.recipe import Recipe
from deepdance.session import WAITING, Session
from deepdance.workspace import Workspace
from deepdance_cli.forecast import Forecast, foretell, format_time, read_times
from deepdance_cli.progress import StageBars, make_bars

PAPER = {"preset": "paper", "codec": "conv-ae", "sequence": "lstm4"}


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def forecast(tmp_path, clock):
    return Forecast(Workspace(tmp_path), discover(), clock)


@pytest.fixture
def told(caplog, log):
    caplog.set_level(logging.INFO, logger="deepdance")
    return lambda: [record.getMessage() for record in caplog.records]


def begin(forecast, folder, frames=1000, frames_of_dance=300, **fields):
    """A run whose silhouettes are ready and whose codec begins."""
    fields |= {"frames": frames_of_dance}
    forecast(RunStarted("run", folder, Recipe.model_validate({**PAPER, **fields}).table()))
    make_artifact(folder, "silhouettes", "a", {"frames": frames, "picture": [720, 1280]})
    forecast(ArtifactReady("silhouettes", "a", folder / "artifacts/silhouettes-a", False))
    forecast(StageStarted("codec", "conv-ae"))


OLD = "0123456789abcdef"


def make_artifact(root, stage, key, manifest):
    folder = root / "artifacts" / f"{stage}-{key}"
    folder.mkdir(parents=True)
    known = {"stage": stage, "key": key, "source_name": "a.mp4", "inputs": {"size": [120, 200], "remover": None}}
    (folder / "manifest.json").write_text(json.dumps({**known, **manifest}))


def test_before_anything_is_learned_the_table_says_what_it_will_take(forecast, tmp_path, told):
    begin(forecast, tmp_path)
    codec, sequence = (
        format_time(read_times()["epoch"][name]["paper"] * n) for name, n in (("conv-ae", 27), ("lstm4", 853))
    )
    assert told() == [f"conv-ae 27 epochs about {codec}, lstm4 853 epochs about {sequence}, about 30 min in all"]
    forecast(StageFinished("codec", False, "conv-ae"))
    forecast(StageStarted("sequence", "lstm4"))
    assert len(told()) == 1


def test_what_takes_less_than_a_minute_is_not_told(forecast, tmp_path, told):
    begin(forecast, tmp_path, frames=10, codec={"name": "conv-ae", "epochs": 1})
    forecast(StageFinished("codec", False, "conv-ae"))
    forecast(StageStarted("sequence", "lstm4"))
    assert not told()


def test_what_comes_before_the_second_epoch_is_not_multiplied(forecast, tmp_path, told, clock):
    begin(forecast, tmp_path, codec="sdf-ae", sequence="motion-field")
    for epoch, clock.now in ((1, 35.0), (2, 37.0), (3, 39.0)):  # the prior is looked at, the network is built
        forecast(EpochFinished("codec", epoch, 80))
    assert not told()
    for epoch, clock.now in ((10, 53.0), (11, 55.0)):
        forecast(EpochFinished("codec", epoch, 80))
    assert told() == ["sdf-ae about 3 min, about 3 min in all"]
    assert forecast.rest() == pytest.approx(69 * 2 + 2.0 + 0.05 + 300 * 1280 * 720 / 1e6 * 0.015, abs=1)


def test_a_forecast_that_is_far_off_is_corrected_once(forecast, tmp_path, told, clock):
    begin(forecast, tmp_path, sequence="ridge")
    for epoch in range(1, 8):
        clock.now += 3
        forecast(EpochFinished("codec", epoch, 27))
    assert told() == [
        "conv-ae 27 epochs about 14 min, about 15 min in all",
        "conv-ae 27 epochs about 81 s, not 14 min, about 2 min in all, not 15 min",
    ]


def test_a_training_that_may_end_early_is_not_foretold_by_an_earlier_one(forecast, tmp_path, told):
    options = discover().options("codec", "sdf-ae", "paper", {}).model_dump(mode="json")
    make_artifact(tmp_path, "silhouettes", OLD, {"frames": 1000})
    inputs = {"codec": {"name": "sdf-ae", "options": options}, "silhouettes": [OLD]}
    notes = {"inputs": inputs, "seconds": 180.0, "history": [{}] * 80, "created": "2026"}
    make_artifact(tmp_path, "codec", OLD, notes)
    begin(forecast, tmp_path, codec="sdf-ae", sequence="motion-field")
    assert not told()
    assert forecast.rest() is None


def test_a_run_is_told_as_soon_as_nothing_of_it_is_unknown(forecast, tmp_path, told, clock):
    begin(forecast, tmp_path, codec="sdf-ae", sequence="motion-field", frames_of_dance=9000)
    clock.now = 20.0
    forecast(StageFinished("codec", False, "sdf-ae"))
    assert told() == ["render about 2 min"]
    forecast(StageStarted("latents"))
    assert told() == ["render about 2 min", "about 2 min in all"]


def test_a_dance_from_models_that_are_there_has_no_trainings_to_come(forecast, tmp_path, clock):
    forecast(RunStarted("run", tmp_path, Recipe.model_validate(PAPER).table()))
    forecast(StageStarted("render", "dance.mp4"))
    for clock.now in (1.0, 2.0):
        forecast(Progress("render", int(clock.now), 4))
    assert forecast.rest() == pytest.approx(2)


def test_the_networks_that_a_first_remover_loads_are_not_multiplied(forecast, told, clock):
    forecast(StageStarted("removers", "a.mp4"))
    for done, clock.now in ((1, 12.0), (2, 14.0), (5, 20.0), (6, 23.0), (7, 27.0)):
        forecast(Progress("removers", done, 7))
    assert not told()


def test_a_long_reading_is_told_by_its_frames(forecast, told, clock):
    forecast(StageStarted("silhouettes", "a.mp4"))
    for clock.now in (2.0, 12.0, 13.0):
        forecast(Progress("silhouettes", int(10 * clock.now), 6000))
    assert told() == ["silhouettes about 10 min"]


def test_a_sweep_is_not_measured_by_the_runs_that_were_there(forecast, told, clock):
    forecast(StageStarted("sweep", "models"))
    for done, clock.now in ((1, 1.0), (9, 20.0), (10, 600.0)):
        forecast(Progress("sweep", done, 21))
    assert not told()


def test_an_earlier_run_knows_better_than_the_table(forecast, tmp_path, told):
    registry = discover()
    options = registry.options("codec", "conv-ae", "paper", {"epochs": 2}).model_dump(mode="json")
    make_artifact(tmp_path, "silhouettes", OLD, {"frames": 500})
    inputs = {"codec": {"name": "conv-ae", "options": options}, "silhouettes": [OLD]}
    notes = {"inputs": inputs, "seconds": 10.0, "history": [{}, {}], "created": "2026"}
    make_artifact(tmp_path, "codec", OLD, notes)
    begin(forecast, tmp_path, sequence="ridge")
    assert told() == [
        "conv-ae 27 epochs about 4 min, about 5 min in all"
    ]  # 10 s for 2 epochs of 500 frames, here 27 of 1000


def test_an_earlier_run_whose_silhouettes_are_gone_does_not_count(forecast, tmp_path, told):
    options = discover().options("codec", "conv-ae", "paper", {}).model_dump(mode="json")
    inputs = {"codec": {"name": "conv-ae", "options": options}, "silhouettes": ["ffffffffffffffff"]}
    make_artifact(tmp_path, "codec", OLD, {"inputs": inputs, "seconds": 1.0, "history": [{}], "created": "2026"})
    begin(forecast, tmp_path, sequence="ridge")
    assert told() == ["conv-ae 27 epochs about 14 min, about 15 min in all"]


def test_the_rest_of_the_run_is_that_of_all_that_is_to_come(forecast, tmp_path, clock):
    begin(forecast, tmp_path)
    for epoch in (1, 2, 3):
        clock.now += 10
        forecast(EpochFinished("codec", epoch, 27))
    later = foretell("lstm4", "paper", {"epochs": 853}, 1000)
    rendering = 300 * 1280 * 720 / 1e6 * read_times()["pixels"]["other"]
    latents = read_times()["latents"]["conv-ae"]
    assert forecast.rest() == pytest.approx(240 + latents + later + rendering)
    forecast(StageFinished("codec", False, "conv-ae"))
    assert forecast.rest() is None
    forecast(StageStarted("sequence", "lstm4"))
    assert forecast.rest() == pytest.approx(later + rendering)


def test_a_training_that_is_gone_on_with_is_measured_by_its_own_epochs(forecast, tmp_path, clock):
    begin(forecast, tmp_path, sequence="lstm4")
    at_first = forecast.rest()
    clock.now = 10.0
    forecast(EpochFinished("codec", 25, 27))
    clock.now = 15.0
    forecast(EpochFinished("codec", 26, 27))
    whole = foretell("conv-ae", "paper", {"epochs": 27}, 1000)
    assert at_first - forecast.rest() == pytest.approx(whole - 5)


def test_a_stage_notes_its_seconds_unless_it_was_gone_on_with(tmp_path):
    session = Session(Workspace(tmp_path), discover())
    assert session.make("codec", {}, lambda folder: {}).manifest()["seconds"] >= 0

    def stop(folder):
        (folder / "checkpoint").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.make("codec", {"other": 1}, stop, resumable=True)
    assert "seconds" not in session.make("codec", {"other": 1}, lambda folder: {}, resumable=True).manifest()


@pytest.fixture
def draw(forecast, clock):
    """What the bars show on a terminal of some width."""

    def show(width, tell):
        console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, get_time=clock)
        bars = make_bars(console)
        tell(StageBars(bars, forecast))
        with console.capture() as captured:
            console.print(bars.get_renderable())
        return captured.get()

    return show


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_the_note_gives_way_and_never_the_time(draw, width, tmp_path, clock):
    def tell(listen):
        begin(listen, tmp_path)
        for epoch in (1, 2, 3):
            for done in range(0, 1001, 100):
                clock.now += 10
                listen(Progress("codec", done, 1000))
            listen(EpochFinished("codec", epoch, 27, {"loss": 0.0123, "val_loss": 0.0456}))
        clock.now += 1
        listen(Progress("codec", 10, 1000))

    text = draw(width, tell)
    assert max(map(len, text.splitlines())) <= width
    (line,) = text.splitlines()
    assert "run 60 min" in line
    assert any(part.count(":") and part[0].isdigit() for part in line.split()), line
    assert ("3/27 loss 0.0123 val 0.0456" in line) == (width >= 80)


@pytest.mark.parametrize("reused", [True, False])
def test_a_video_that_is_ready_leaves_the_others_at_work(draw, reused):
    def tell(listen):
        listen(StageStarted("silhouettes", "a.mp4"))
        listen(StageStarted("silhouettes", WAITING))
        if not reused:
            listen(StageStarted("silhouettes", "b.mp4"))
        listen(StageFinished("silhouettes", reused, "b.mp4"))

    (line,) = draw(80, tell).splitlines()
    assert line.split()[-1] == "a.mp4"
    assert "100%" not in line


def test_a_stage_ends_whatever_its_last_detail_is(draw):
    def tell(listen):
        listen(StageStarted("render", "dance.mp4"))
        listen(StageFinished("render", False, "folder/dance.mp4"))

    assert "100%" in draw(80, tell)


def test_videos_that_are_read_at_once_are_named(draw):
    def tell(listen):
        for name in ("a.mp4", "b.mp4", "c.mp4"):
            listen(StageStarted("silhouettes", name))
        listen(Progress("silhouettes", 5, 60))
        listen(StageFinished("silhouettes", False, "b.mp4"))

    (line,) = draw(80, tell).splitlines()
    assert "a.mp4, c.mp4" in line
    assert "100%" not in line


def test_the_rest_of_the_run_stands_there_before_the_first_epoch_is_done(draw, tmp_path):
    text = draw(80, lambda listen: begin(listen, tmp_path))
    assert "run 30 min" in text


def test_a_run_of_which_something_is_unknown_has_no_rest(draw, tmp_path):
    assert "run" not in draw(80, lambda listen: begin(listen, tmp_path, codec="sdf-ae"))


def test_tables_have_titles(draw):
    text = draw(80, lambda listen: listen(StageStarted("next_frame_table")))
    assert "next frame's table" in text
    assert "next_frame" not in text


def test_losses_are_whole_at_80_columns_beside_other_stages(draw, tmp_path, clock):
    def tell(listen):
        listen(StageStarted("silhouettes", "a.mp4"))
        listen(Progress("silhouettes", 900, 1000))
        listen(StageFinished("silhouettes", False, "a.mp4"))
        begin(listen, tmp_path)
        for epoch in (851, 852):
            clock.now += 3600
            listen(EpochFinished("codec", epoch, 853, {"loss": 0.01234, "val_loss": 0.04567}))

    assert "852/853 loss 0.0123 val 0.0457" in draw(80, tell)


def test_what_a_training_does_before_its_epochs_stands_beside_the_bar(draw):
    def tell(listen):
        listen(StageStarted("codec", "sdf-ae"))
        listen(Progress("codec", 0, None, "looking whether the body prior does"))

    assert "looking whether the body prior" in draw(80, tell)


def test_a_sweep_says_which_run_it_makes_and_how_long_all_will_take(draw, tmp_path, clock):
    def tell(listen):
        listen(StageStarted("sweep", "models"))
        listen(Progress("sweep", 1, 5))  # it was there already
        for done, run in enumerate(("models-pca", "models-flow"), 2):
            listen(RunStarted(run, tmp_path))
            clock.now += 3600
            listen(RunFinished(run, tmp_path / "dance.mp4"))
            listen(Progress("sweep", done, 5))
        listen(RunStarted("models-gru", tmp_path))

    (line,) = draw(80, tell).splitlines()
    assert "60%" in line
    assert "all 2.0 h" in line
    assert line.split()[-1] == "models-gru"
