"""The remover is decided once, told, kept and used: with networks that see people by their colour."""

import json
import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from dancers import draw_dancer
from people import OTHER, STATUE, add_noise, draw_scene, find_body, measure_iou, paint, use_colours

import deepdance
from deepdance.errors import InputError, MissingModelError, OptionError, PluginError
from deepdance.events import ArtifactReady, Progress, StageFinished, StageStarted, collect_warnings
from deepdance.frames import Silhouettes, shrink
from deepdance.inputs import resolve
from deepdance.plausibility import Doubt
from deepdance.plugins import discover
from deepdance.preparation import (
    Made,
    _advise,
    check_dancer,
    prepare,
    prepare_all,
)
from deepdance.recipe import Choice, Recipe
from deepdance.remover_selection import decide_remover, decide_removers, find_box
from deepdance.session import Session
from deepdance.workers import Workers
from deepdance_plugins.removers.person import model
from deepdance_plugins.sources.array import ArraySource

COUNT = 24
RECIPE = Recipe(size=(60, 100), fps=10)
VASE = find_body(60, 120, 200)
FAST = {"codec": "pca", "sequence": "ridge", "frames": 20, "fps": 10, "size": (60, 100), "validation": 0}
REASON = "the ground is not plain, and a person is seen in 100% of the frames"


def walk() -> list[np.ndarray]:
    """A body that walks and jumps."""
    steps = np.arange(COUNT)
    return [find_body(150 + 7 * step, 115 + 12 * np.sin(step), 130 + 20 * np.sin(2 * step)) for step in steps]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Frames of a person before a picture, dark ones before white, bright ones before black, and silhouettes."""
    folder = tmp_path_factory.mktemp("inputs")
    scene = paint(draw_scene(), VASE, STATUE)
    drawn = draw_dancer(COUNT, 0)[..., None].repeat(3, axis=3)
    frames = {
        "scene": add_noise(paint(scene, body) for body in walk()),
        "other": add_noise(paint(draw_scene(seed=3), body, OTHER) for body in walk()),
        "dark": drawn,
        "bright": 255 - drawn,
        "silhouettes": draw_dancer(COUNT, 0),
    }
    for name, content in frames.items():
        np.save(folder / f"{name}.npy", content)
    return {name: str(folder / f"{name}.npy") for name in frames}


@pytest.fixture(autouse=True)
def networks(monkeypatch, tmp_path):
    use_colours(monkeypatch, tmp_path)


@pytest.fixture
def events():
    return []


@pytest.fixture
def session(tmp_path, events, log):
    return Session.open(tmp_path / "workspace", [events.append])


def list_artifacts(session, stage):
    return list((session.workspace.root / "artifacts").glob(f"{stage}-*"))


def find_told(caplog, name):
    return [(record.levelname, record.message) for record in caplog.records if record.message.startswith(f"{name}.npy")]


@pytest.mark.parametrize(
    ("name", "choice", "told"),
    [
        ("scene", Choice(name="person"), f"--remover person: {REASON}"),
        ("dark", Choice(name="threshold"), "--remover threshold: a dark figure before a plain bright ground"),
        (
            "bright",
            Choice(name="threshold", options={"invert": True}),
            "--remover threshold --set remover.invert=true: a bright figure before a plain dark ground",
        ),
    ],
)
def test_the_choice_is_made_once_kept_and_told_in_a_line(session, inputs, events, caplog, name, choice, told):
    caplog.set_level("INFO")
    for _ in range(2):
        caplog.clear()
        assert decide_remover(session, RECIPE, inputs[name]) == choice
        assert find_told(caplog, name) == [("INFO", f"{name}.npy: {told}")]
    assert [event.reused for event in events if isinstance(event, ArtifactReady)] == [False, True]
    assert len(list_artifacts(session, "remover")) == 1


def test_what_is_told_can_be_typed(session, inputs, dd):
    prepared = prepare(session, RECIPE, inputs["bright"]).manifest()["inputs"]
    typed = ("--remover", "threshold", "--set", "remover.invert=true", "--size", "60x100", "--fps", "10")
    assert dd("prepare", inputs["bright"], *typed, "--workspace", session.workspace.root).code == 0
    (folder,) = list_artifacts(session, "silhouettes")
    assert prepared["remover"]["options"] == {"level": 230, "invert": True}
    assert folder.is_dir()


def test_other_frames_and_another_size_are_looked_at_anew(session, inputs, tmp_path):
    def count(recipe, location):
        decide_remover(session, recipe, location)
        return len(list_artifacts(session, "remover"))

    assert count(RECIPE, inputs["scene"]) == 1
    assert count(RECIPE.changed({"fps": 3, "seed": 4, "codec": "pca"}), inputs["scene"]) == 1
    assert count(RECIPE.changed({"size": (96, 160)}), inputs["scene"]) == 2
    shutil.copy(inputs["other"], tmp_path / "scene.npy")
    assert count(RECIPE, str(tmp_path / "scene.npy")) == 3


def test_a_remover_that_was_named_is_not_looked_for(session, inputs, events):
    recipe = RECIPE.changed({"remover": "luma"})
    assert decide_remover(session, recipe, inputs["scene"]) == Choice(name="luma")
    assert decide_removers(session, recipe, [inputs["scene"]]) is recipe
    assert events == []


def test_silhouettes_need_none(session, inputs, events, caplog):
    caplog.set_level("INFO")
    for recipe in (RECIPE, RECIPE.changed({"remover": "luma"})):
        assert decide_remover(session, recipe, inputs["silhouettes"]) is None
    artifact = prepare(session, RECIPE, inputs["silhouettes"])
    assert artifact.manifest()["inputs"]["remover"] is None
    assert list_artifacts(session, "remover") == []
    assert find_told(caplog, "silhouettes") == []


@pytest.mark.parametrize(
    ("names", "remover"),
    [
        (["scene", "other"], Choice(name="person", options={"people": "one"})),
        (["bright"], Choice(name="threshold", options={"level": 230, "invert": True})),
        (["scene", "dark"], Choice(name="auto")),
        (["dark", "bright"], Choice(name="auto")),
        (["silhouettes"], Choice(name="auto")),
        (["silhouettes", "scene"], Choice(name="auto")),
    ],
)
def test_a_remover_that_suits_all_is_the_recipes(session, inputs, names, remover):
    assert decide_removers(session, RECIPE, [inputs[name] for name in names]).remover == remover


@pytest.mark.parametrize("jobs", [None, 1])
def test_several_are_looked_at_at_once_and_what_is_told_of_them_comes_in_their_order(
    session, inputs, missing, jobs, monkeypatch, caplog
):
    caplog.set_level("INFO")
    names, looked = ["scene", "dark", "other", "bright"], threading.Event()
    sample = ArraySource.sample

    def wait_for_second(self, *given):
        if "dark" in self.location:
            looked.set()
        elif "scene" in self.location and jobs is None:
            assert looked.wait(60)
        return sample(self, *given)

    monkeypatch.setattr(ArraySource, "sample", wait_for_second)
    monkeypatch.setattr("deepdance.session.count_cores", lambda: 2)
    with collect_warnings() as told:
        decide_removers(replace(session, jobs=jobs), RECIPE, [inputs[name] for name in names])
    assert [record.message.partition(".")[0] for record in caplog.records] == names
    assert [line.partition(":")[0] for line in told] == ["scene.npy", "other.npy"]


def test_processes_that_look_choose_what_this_one_does(session, inputs, tmp_path, caplog):
    caplog.set_level("INFO")
    chosen = {}
    for jobs in (1, 2):
        caplog.clear()
        here = replace(Session.open(tmp_path / f"{jobs}"), jobs=jobs)
        decide_removers(here, RECIPE, [inputs["bright"], inputs["dark"]])
        kept = {path.name: json.loads((path / "manifest.json").read_text()) for path in list_artifacts(here, "remover")}
        chosen[jobs] = [each.message for each in caplog.records], {key: each["reason"] for key, each in kept.items()}
    assert chosen[1] == chosen[2]
    assert len(chosen[1][0]) == len(chosen[1][1]) == 2


def test_of_those_that_cannot_be_looked_at_the_first_is_told(session, inputs, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    torn, sample = threading.Event(), ArraySource.sample

    def fail(self, *given):
        if "dark" in self.location:
            torn.wait(60)
            raise InputError("the first is torn")
        if "bright" in self.location:
            torn.set()
            raise InputError("the second is torn")
        return sample(self, *given)

    monkeypatch.setattr(ArraySource, "sample", fail)
    monkeypatch.setattr("deepdance.session.count_cores", lambda: 2)
    places = [inputs[name] for name in ("scene", "dark", "bright")]
    with pytest.raises(InputError, match="the first is torn"):
        decide_removers(session, RECIPE, places)
    assert [record.message.partition(".")[0] for record in caplog.records] == ["scene"]
    assert len(list_artifacts(session, "remover")) == 1


def test_each_input_is_prepared_with_the_remover_it_needs(session, inputs):
    recipe = decide_removers(session, RECIPE, list(inputs.values()))
    used = {name: prepare(session, recipe, path).manifest()["inputs"]["remover"] for name, path in inputs.items()}
    assert used.pop("silhouettes") is None
    assert {name: remover["name"] for name, remover in used.items()} == {
        **{"scene": "person", "other": "person", "dark": "threshold", "bright": "threshold"}
    }
    assert used["bright"]["options"]["invert"] is True
    assert used["dark"]["options"]["invert"] is False


def test_side_by_side_they_are_what_they_are_alone_and_come_in_order(session, inputs, tmp_path):
    places = [inputs[name] for name in ("scene", "dark", "silhouettes", "dark")]
    together = prepare_all(session, [RECIPE] * len(places), places)
    alone = Session.open(tmp_path / "alone")
    for place, artifact in zip(places, together, strict=True):
        apart = prepare(alone, RECIPE, place)
        assert artifact.key == apart.key
        frames = [Silhouettes.load([each.folder])[:] for each in (artifact, apart)]
        np.testing.assert_array_equal(*frames)


def test_progress_of_all_is_told_in_one_sum(session, inputs, events):
    prepare_all(session, [RECIPE] * 3, [inputs[name] for name in ("scene", "other", "bright")])
    told = [event for event in events if isinstance(event, Progress) and event.stage == "silhouettes"]
    assert told[-1].done == 3 * COUNT
    assert [each.done for each in told] == sorted(each.done for each in told)


def test_the_first_that_fails_stops_the_others(session, inputs, tmp_path, monkeypatch):
    shown = []
    begun = threading.Event()

    def crawl(self, fps, size):
        for _ in range(10_000):
            shown.append(None)
            begun.set()
            time.sleep(0.01)
            yield np.zeros((1, 60, 100, 3), np.uint8)

    def fail(self, fps, size):
        begun.wait(10)
        raise InputError("it is torn")
        yield

    monkeypatch.setattr(
        ArraySource, "frames", lambda self, *each: (fail if "dark" in self.location else crawl)(self, *each)
    )
    recipe = RECIPE.changed({"remover": "threshold"})
    with pytest.raises(InputError, match="it is torn"):
        prepare_all(session, [recipe] * 2, [inputs["scene"], inputs["dark"]])
    assert 0 < len(shown) < 100
    assert not list((session.workspace.root / "artifacts").glob("silhouettes-*"))


def test_the_silhouettes_are_those_of_who_moves_through_the_whole_clip(session, inputs):
    """The remover is shown the clip first: the vase, which is larger, stands still."""
    frames = Silhouettes.load([prepare(session, RECIPE, inputs["scene"]).folder])
    shown = np.asarray(frames[np.arange(COUNT)]) < 128
    expected = shrink(np.where(np.stack(walk()), 0, 255).astype(np.uint8), RECIPE.size) < 128
    assert min(measure_iou(one, other) for one, other in zip(shown, expected, strict=True)) > 0.8


def test_a_run_writes_the_remover_into_its_recipe(inputs, tmp_path, log):
    run = deepdance.run(inputs["bright"], name="one", workspace=tmp_path / "w", **FAST)
    assert run.recipe.remover == Choice(name="threshold", options={"level": 230, "invert": True})
    written = Recipe.read(tmp_path / "w/runs/one/recipe.toml").remover
    assert written == run.recipe.remover
    several = deepdance.run([inputs["dark"], inputs["bright"]], name="two", workspace=tmp_path / "w", **FAST)
    assert several.recipe.remover == Choice(name="auto")
    assert len(several.silhouettes) == 2 * COUNT
    assert Recipe.read(tmp_path / "w/runs/two/recipe.toml").remover == Choice(name="auto")


def test_its_recipe_repeats_a_run_and_a_start_that_is_not_there_is_told_before_any_look(inputs, tmp_path, log):
    def run(**fields):
        return deepdance.run(inputs["bright"], workspace=tmp_path / "w", **fields)

    first = run(**FAST)
    assert run(recipe=first.folder / "recipe.toml").folder == first.folder
    with pytest.raises(OptionError, match="--from"):
        deepdance.run(inputs["bright"], workspace=tmp_path / "other", start=str(tmp_path / "no.mp4"), **FAST)
    assert not (tmp_path / "other").exists()


@pytest.fixture
def missing(monkeypatch):
    def fetch(tell=None):
        raise MissingModelError("expected the person model, could not fetch it (no network); connect to the internet")

    monkeypatch.setattr(model.weights, "fetch_weights", fetch)


def test_without_the_model_the_threshold_is_used_and_the_choice_is_open(session, inputs, missing, caplog, tmp_path):
    for _ in range(2):
        caplog.clear()
        choice = decide_remover(session, RECIPE, inputs["scene"])
        assert choice == Choice(name="threshold", options={"level": "auto"})
        ((level, line),) = find_told(caplog, "scene")
        assert level == "WARNING"
        assert line.startswith("scene.npy: the threshold is used, since the person model is missing: expected the")
    assert list_artifacts(session, "remover") == []
    assert prepare(session, RECIPE, inputs["scene"]).manifest()["inputs"]["remover"]["name"] == "threshold"


def test_another_fault_is_not_taken_for_a_missing_model(session, inputs, monkeypatch):
    def fail(self, count, size):
        raise PluginError("the source gives floats")

    monkeypatch.setattr(ArraySource, "sample", fail)
    with pytest.raises(PluginError, match="the source gives floats"):
        decide_remover(session, RECIPE, inputs["scene"])


def test_once_the_model_is_there_the_choice_is_another(session, inputs, missing, monkeypatch, tmp_path):
    assert decide_remover(session, RECIPE, inputs["scene"]).name == "threshold"
    use_colours(monkeypatch, tmp_path)
    assert decide_remover(session, RECIPE, inputs["scene"]) == Choice(name="person")


def test_what_needs_no_model_is_not_warned_of(session, inputs, missing, caplog):
    assert decide_remover(session, RECIPE, inputs["dark"]) == Choice(name="threshold")
    assert caplog.records == []


def test_person_by_name_without_the_model_is_an_error(session, inputs, missing):
    with pytest.raises(PluginError, match=r"expected the person model, could not fetch it \(no network\)"):
        prepare(session, RECIPE.changed({"remover": "person"}), inputs["dark"])
    assert list_artifacts(session, "silhouettes") == []


def test_what_is_fetched_is_a_stage_of_its_own(session, inputs, events, monkeypatch, tmp_path):
    def fetch(tell=None):
        if tell:
            tell("the model, 2 MB, once", 0, 200)
            tell("the model, 2 MB, once", 150, 200)
        return tmp_path

    monkeypatch.setattr(model.weights, "fetch_weights", fetch)
    prepare(session, RECIPE.changed({"remover": "person"}), inputs["scene"])
    assert [event for event in events if getattr(event, "stage", "") == "download"] == [
        StageStarted("download", "fetching the model, 2 MB, once"),
        Progress("download", 0, 200),
        Progress("download", 150, 200),
        StageFinished("download", False, "the model, 2 MB, once"),
    ]


def test_nothing_is_told_of_what_is_there(session, inputs, events):
    prepare(session, RECIPE.changed({"remover": "person"}), inputs["scene"])
    assert "download" not in {getattr(event, "stage", "") for event in events}


def resolve_remover(locations: Sequence[str] = ("a.mp4",), **fields) -> tuple[str, dict]:
    remover = resolve(Recipe(**fields), discover(), locations).remover
    return remover.name, remover.options


def test_settings_tell_which_remover_is_meant():
    assert resolve_remover(remover={"name": "auto", "level": "auto"}) == (
        "threshold",
        {"level": "auto", "invert": False},
    )
    assert resolve_remover(remover={"name": "auto", "invert": True}) == ("threshold", {"level": 230, "invert": True})
    assert resolve_remover(remover={"name": "auto", "people": "all"}) == ("person", {"people": "all"})
    assert resolve_remover() == ("auto", {})


@pytest.mark.parametrize("options", [{"level": 9, "people": "all"}, {"radius": 3}])
def test_settings_of_no_one_remover_are_an_error(options):
    with pytest.raises(OptionError) as error:
        resolve_remover(remover={"name": "auto", **options})
    told = f"expected options of one of threshold, person, got {', '.join(options)}; choose --remover"
    assert str(error.value) == told


def test_the_paper_and_the_demo_keep_the_papers_remover():
    assert resolve_remover(preset="paper") == ("threshold", {"level": 230, "invert": False})
    assert resolve_remover(("demo",))[0] == "threshold"
    assert resolve_remover(("demo", "a.mp4")) == ("auto", {})
    assert resolve_remover(("demo",), remover="person") == ("person", {"people": "one"})


def advise(session, location, **remover):
    """What is told of an input that is no dancer."""
    recipe = RECIPE.changed({"remover": remover or "auto"})
    with pytest.raises(InputError) as error:
        check_dancer(session, recipe, location, prepare(session, recipe, location))
    return str(error.value)


@pytest.fixture
def nobody(tmp_path):
    np.save(tmp_path / "nobody.npy", add_noise([draw_scene()] * COUNT))
    return str(tmp_path / "nobody.npy")


def test_what_is_no_dancer_may_be_one_to_another_remover(session, nobody):
    assert advise(session, nobody, name="threshold").endswith("; try --remover person, or go on with --force")
    assert "try --remover person" not in advise(session, nobody, name="person")


def test_the_advice_works(session, inputs):
    assert advise(session, inputs["scene"], name="threshold", level=0).endswith(
        "try --remover person, or go on with --force"
    )
    recipe = RECIPE.changed({"remover": "person"})
    check_dancer(session, recipe, inputs["scene"], prepare(session, recipe, inputs["scene"]))


def test_the_command_tells_its_choice(dd, inputs):
    result = dd("prepare", inputs["scene"], inputs["bright"], "--size", "60x100")
    assert result.code == 0, result.err
    assert f"scene.npy: --remover person: {REASON}" in result.err
    assert "bright.npy: --remover threshold --set remover.invert=true: a bright figure" in result.err


def test_backgrounds_are_removed_at_four_times_the_size():
    assert find_box(Recipe(size=(120, 200))) == (480, 800)  # the paper's


@pytest.mark.parametrize(
    ("used", "inverted", "advice"),
    [
        (None, True, "save it with 0 for the dancer and 255 for the ground"),
        (None, False, "choose another input"),
        (("threshold", {"invert": False, "level": 230}), True, "try --set remover.invert=true"),
        (
            ("threshold", {"invert": False, "level": 90}),
            True,
            "try --set remover.invert=true --set remover.level=90",
        ),
        (("threshold", {"invert": True, "level": 90}), True, "try --remover person"),
        (("threshold", {"invert": False, "level": 90}), False, "try --remover person"),
        (("person", {}), False, "try --remover threshold"),
    ],
)
def test_what_may_give_a_dancer_instead_is_another_way_than_the_one_that_was_used(used, inverted, advice):
    remover = used and Made(name=used[0], options=used[1])
    assert _advise(remover, Doubt("a wall", inverted)) == advice


def test_the_next_input_is_opened_while_workers_are_busy(inputs, tmp_path, monkeypatch):
    second, asked, came = threading.Event(), [], []

    class Busy(ThreadPoolExecutor):
        """One worker, which ends its first task when the next one is there."""

        def submit(self, function, /, *arguments):
            asked.append(function)
            if len(asked) == 2:
                second.set()
            return super().submit(lambda: (came.append(second.wait(10)), function(*arguments))[1])

    session = Session.open(tmp_path)
    with Busy(1) as executor:
        monkeypatch.setattr(Session, "open_workers", lambda *_: nullcontext(Workers(executor, 1)))
        recipe = RECIPE.changed({"remover": "threshold"})
        prepare_all(session, [recipe] * 2, [inputs["dark"], inputs["bright"]])
    assert came == [True, True]
