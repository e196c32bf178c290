"""Sweeps: which runs a file is, and what is made of them, here and by other processes."""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from socket import gethostname

import pytest
from conftest import demo_frames, write_video

import deepdance
from deepdance import sweeps
from deepdance.artifacts import UNFINISHED, ArtifactStore
from deepdance.cleaning import find_waste
from deepdance.errors import ClusterLostError, InputError, OptionError, PluginError, WorkerError, WorkspaceError
from deepdance.events import ArtifactReady, EpochFinished, Progress, RunFinished, RunStarted, StageStarted, ignore
from deepdance.plugins import discover
from deepdance.session import Session
from deepdance.sweeps import Sweep, driver, find_first_missing, run_sweep, worker
from deepdance.sweeps.worker import Kept, Make, Save, Sent, Wanted, make_run
from deepdance.tasks import Tools
from deepdance.workers import GivenUpError, Workers
from deepdance.workspace import LONGEST_NAME, Workspace

SMALL = {"size": [24, 40], "fps": 10, "remover": "threshold", "frames": 30}
SHORT = {"frames": 20, "seeds": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two dancers, and what is no video."""
    folder = tmp_path_factory.mktemp("videos")
    for seed, name in enumerate(("anna", "ben")):
        write_video(folder / f"{name}.mp4", demo_frames(8.0, 10.0, (48, 80), seed), 10.0)
    (folder / "broken.mp4").write_bytes(b"no video" * 100)
    return folder


def make_sweep(folder, *videos, **changes):
    table = {"name": "try", "videos": list(videos), "recipe": SMALL, "evaluate": SHORT}
    return Sweep.parse(table | changes, folder)


def list_files(root):
    """The files of all artifacts, by their hashes."""
    manifests = sorted((root / "artifacts").glob("*/manifest.json"))
    return {path.parent.name: json.loads(path.read_text())["files"] for path in manifests}


def open_session(root, **changes):
    return replace(Session(Workspace(root), discover()), **changes)


TWO_MODELS = {"codec": ["pca"], "sequence": ["ridge", "texture"]}


@pytest.fixture(scope="module")
def swept(folder, tmp_path_factory):
    """The workspaces of one sweep that was done here, and of one by two processes, with what came of both."""
    roots = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("two")
    sweep = make_sweep(folder, "anna.mp4", "ben.mp4", vary=TWO_MODELS)
    return [(root, run_sweep(open_session(root, jobs=jobs), sweep)) for root, jobs in zip(roots, (1, 2), strict=True)]


def test_runs_are_named_by_what_varies(folder):
    codecs = ["pca", {"name": "pca", "latent_dim": 8}]
    vary = {"temperature": [0.5, 1.0], "sequence": [{"name": "texture", "hold": 4}], "codec": codecs}
    planned = make_sweep(folder, "anna.mp4", ["anna.mp4", "ben.mp4"], vary=vary, seeds=[3, 4]).plan(discover())
    names = [run.name for run in planned]
    assert names[:3] == ["try-anna-pca-temperature0.5-seed3", "try-anna-pca-temperature0.5-seed4", names[2]]
    assert names[-1] == "try-anna-and-1-pca-latent_dim8-temperature1.0-seed4"
    assert len(set(names)) == len(planned) == 16
    assert planned[-1].inputs == (str(folder / "anna.mp4"), str(folder / "ben.mp4"))
    recipe = planned[-1].recipe
    assert (recipe.seed, recipe.temperature, recipe.codec.options, recipe.fps) == (4, 1.0, {"latent_dim": 8}, 10)


def test_options_are_in_a_name_only_where_they_tell_two_apart(folder):
    vary = {"sequence": [{"name": "texture", "hold": 4}, "ridge"]}
    names = [run.name for run in make_sweep(folder, "anna.mp4", vary=vary).plan(discover())]
    assert names == ["try-texture", "try-ridge"]


def test_a_name_that_is_too_long_is_cut_and_stays_its_own(folder):
    sweep = make_sweep(folder, "anna.mp4", name="n" * 80, vary={"temperature": [0.5, 1.0]})
    names = [run.name for run in sweep.plan(discover())]
    assert len(set(names)) == 2
    assert max(map(len, names)) <= LONGEST_NAME
    assert names == [run.name for run in sweep.plan(discover())]


def test_videos_of_one_name_make_runs_of_two(folder, tmp_path):
    (tmp_path / "anna.mp4").write_bytes((folder / "anna.mp4").read_bytes())
    names = [run.name for run in make_sweep(folder, "anna.mp4", str(tmp_path / "anna.mp4")).plan(discover())]
    assert names == ["try-anna-1", "try-anna-2"]


def test_names_that_are_put_together_alike_stay_apart(folder, tmp_path):
    for name in ("a", "a-seed1", "a b", "a_b"):
        (tmp_path / f"{name}.mp4").write_bytes((folder / "anna.mp4").read_bytes())
    videos = [f"{tmp_path}/{name}.mp4" for name in ("a", "a-seed1", "a b", "a_b")]
    planned = make_sweep(folder, *videos, vary={"temperature": [1.0, 0.5]}, seeds=[1, 2]).plan(discover())
    assert len({run.name for run in planned}) == len(planned) == 16


def test_names_differ_in_more_than_their_case(folder, tmp_path):
    """On many file systems `A` and `a` are one."""
    (tmp_path / "ANNA.mp4").write_bytes((folder / "anna.mp4").read_bytes())
    names = [run.name for run in make_sweep(folder, "anna.mp4", f"{tmp_path}/ANNA.mp4").plan(discover())]
    assert names == ["try-anna-1", "try-ANNA-2"]


@pytest.mark.parametrize(
    ("entry", "values", "labels"),
    [
        ("size", [[24, 40], [48, 80]], ["size24x40", "size48x80"]),
        ("start", ["random", 3], ["start-random", "start3"]),
        ("start", ["anna.mp4", "ben.mp4"], ["start-anna", "start-ben"]),
        ("music", ["", "anna.mp4"], ["music-none", "music-anna"]),
    ],
)
def test_a_name_says_what_varies_and_not_where_it_lies(folder, entry, values, labels):
    planned = make_sweep(folder, "anna.mp4", vary={entry: values}).plan(discover())
    assert [run.name for run in planned] == [f"try-{label}" for label in labels]


@pytest.mark.parametrize(("name", "kept"), [("my dance: two", "my_dance_two"), ("n" * 300, "n" * 51), ("a\nb", "a_b")])
def test_the_name_of_a_sweep_is_one_that_a_folder_can_have(name, kept):
    sweep = Sweep.parse({"name": name})
    assert sweep.name.startswith(kept)
    assert len(sweep.name) <= LONGEST_NAME


@pytest.mark.parametrize("key", ['"codec.latent_dim"', "codec.latent_dim"])
def test_an_option_of_a_component_varies_on_its_own(folder, key):
    """With quotes it is an entry of the table, without it is a table in it."""
    text = (
        f'videos = ["anna.mp4"]\n[recipe]\ncodec = {{ name = "pca", power_iterations = 3 }}\n[vary]\n{key} = [4, 8]\n'
    )
    (folder / "option.toml").write_text(text)
    planned = Sweep.read(folder / "option.toml").plan(discover())
    assert [run.name for run in planned] == ["option-latent_dim4", "option-latent_dim8"]
    assert [run.recipe.codec.options for run in planned] == [{"power_iterations": 3, "latent_dim": n} for n in (4, 8)]


def test_an_option_is_of_the_component_that_is_there(folder):
    """Each of the options alone would be refused: the body prior has 128 numbers."""
    vary = {"codec.latent_dim": [8, 16], "codec.prior": ("none",), "codec": ["sdf-ae", {"name": "sdf-ae", "refine": 3}]}
    planned = make_sweep(folder, "anna.mp4", vary=vary).plan(discover())
    options = [{"latent_dim": n, "prior": "none"} | more for n in (8, 16) for more in ({}, {"refine": 3})]
    assert [run.recipe.codec.options for run in planned] == options


def test_a_component_that_varies_keeps_the_options_that_all_have(folder):
    sweep = make_sweep(
        folder, "anna.mp4", recipe=SMALL | {"codec": {"name": "pca", "latent_dim": 8}}, vary={"codec": ["pca"]}
    )
    assert sweep.plan(discover())[0].recipe.codec.options == {"latent_dim": 8}


def test_a_file_has_its_name_and_its_paths_from_where_it_is(folder, monkeypatch, tmp_path):
    (folder / "mine.toml").write_text('videos = ["anna.mp4"]\n[recipe]\nbase = "own.toml"\nstart = "ben.mp4"\n')
    (folder / "own.toml").write_text('temperature = 0.5\nsequence = "texture"\n')
    monkeypatch.chdir(tmp_path)
    (run,) = Sweep.read(folder / "mine.toml").plan(discover())
    assert (run.name, run.inputs, run.recipe.temperature) == ("mine", (str(folder / "anna.mp4"),), 0.5)
    assert run.recipe.start.video == str(folder / "ben.mp4")


def test_a_video_is_not_looked_for_where_the_command_is_called(folder, tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text('videos = ["anna.mp4"]\n')
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match=f"{tmp_path}/anna.mp4, which does not exist"):
        Sweep.read(tmp_path / "mine.toml").plan(discover())


def test_without_videos_it_is_the_demo():
    (run,) = Sweep.parse({}).plan(discover())
    assert (run.inputs, run.recipe.preset) == (("demo",), "quick")


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ({"vari": {}}, OptionError, "vari: the sweep has no such option; did you mean 'vary'"),
        ({"fps": 10}, OptionError, r"fps: expected an entry of a recipe under \[recipe\] or \[vary\]"),
        ({"videos": "a.mp4"}, OptionError, "videos: expected a list"),
        ({"videos": ["nowhere.mp4"]}, InputError, "nowhere.mp4, which does not exist; check the path"),
        ({"recipe": {"codecs": "pca"}}, OptionError, "codecs: recipe has no such option; did you mean 'codec'"),
        ({"videos": [""]}, OptionError, "videos: expected a list, such as"),
        ({"videos": [[]]}, OptionError, "videos: expected a list, such as"),
        ({"videos": [3]}, OptionError, r"videos: expected a list, such as .*, got \[3\]"),
        ({"seeds": 3}, OptionError, "seeds: expected a list, got 3"),
        ({"vary": [1]}, OptionError, r"vary: expected a table, got \[1\]"),
        ({"recipe": {"base": 3}}, OptionError, "recipe.base: expected a recipe's name or file, got 3"),
        ({"vary": {"codec": [{"refine": 3}]}}, OptionError, "codec: expected a component's name, alone or in a table"),
        ({"vary": {"codec": ["pca"], "codec.refine": [8]}}, OptionError, "codec.refine: pca has no such option"),
        ({"vary": {"codec.refine": 8}}, OptionError, "vary.codec.refine: expected a list, got 8"),
        ({"vary": {"model.refine": [8]}}, OptionError, "model.refine: recipe has no such option"),
        ({"name": "con"}, OptionError, "none that Windows keeps for devices, got 'con'"),
        ({"seeds": [*range(101)], "vary": {"fps": [*range(100)]}}, OptionError, "at most 10,000 runs, got 10,100"),
        ({"vary": {"codec": []}}, OptionError, "vary.codec: expected something to combine, got nothing; leave it out"),
        ({"name": "../up"}, OptionError, "name: expected a name without / "),
        (
            {"vary": {"codec": "pca"}},
            OptionError,
            r"vary.codec: expected a list, got 'pca'; put one value under \[recipe\]",
        ),
        ({"vary": {"codec": ["pcb"]}}, PluginError, "no codec is called 'pcb'; did you mean 'pca'"),
        ({"vary": {"refine": [1, 2]}}, OptionError, "refine: recipe has no such option; did you mean codec.refine"),
        ({"vary": {"temperature": [1, 1.0]}}, OptionError, "expected runs that differ, got .*, which are one"),
        ({"seeds": [1], "vary": {"seed": [2, 3]}}, OptionError, "seeds: expected them once"),
        ({"evaluate": {"frame": 10}}, OptionError, "evaluate has no such option; did you mean 'frames'"),
        ({"evaluate": {"seeds": 0}}, OptionError, "evaluate.seeds: expected greater than or equal to 1, got 0"),
    ],
)
def test_a_mistake_in_a_file_is_told_in_one_line(table, error, message):
    with pytest.raises(error, match=message) as raised:
        Sweep.parse(table).plan(discover())
    assert "\n" not in str(raised.value)


def test_every_run_is_made_and_measured(swept):
    _, done = swept[0]
    names = [f"try-{video}-{model}" for video in ("anna", "ben") for model in ("ridge", "texture")]
    assert [(result.run, result.status) for result in done.results] == [(name, "finished") for name in names]
    assert all(Path(result.video).is_file() for result in done.results)
    assert [row.name for row in done.tables["frames"].rows][:4] == names
    assert [each["run"] for each in json.loads((done.folder / "sweep.json").read_text())["runs"]] == names


def test_runs_share_their_stages(swept):
    stages = [name.rpartition("-")[0] for name in list_files(swept[0][0])]
    assert [stages.count(stage) for stage in ("silhouettes", "codec", "latents", "sequence")] == [2, 2, 2, 4]


def test_whoever_makes_them_the_files_are_the_same(swept):
    (alone, _), (two, done) = swept
    assert not done.failed
    assert list_files(alone) == list_files(two)
    files = [sorted(p.relative_to(root) for p in (root / "runs").glob("*/*")) for root in (alone, two)]
    assert files[0] == files[1]


def test_dd_run_finds_all_that_a_sweep_has_made(swept, folder):
    made = []
    root, done = swept[1]
    recipe = SMALL | {"codec": "pca", "sequence": "texture"}
    deepdance.run(folder / "anna.mp4", workspace=root, name=done.results[1].run, listen=[made.append], **recipe)
    assert all(event.reused for event in made if isinstance(event, ArtifactReady))


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_finished_is_not_done_again(swept, folder, jobs, monkeypatch):
    root, before = swept[jobs - 1]
    monkeypatch.setattr(sweeps._Jobs, "_make", lambda *_: pytest.fail("expected nothing to make"))
    sweep = make_sweep(folder, "anna.mp4", "ben.mp4", vary=TWO_MODELS)
    after = run_sweep(open_session(root, jobs=jobs), sweep)
    assert after.results == before.results
    assert str(after.tables) == str(before.tables)


def test_what_is_missing_is_told(swept, folder):
    session = open_session(swept[0][0])

    def begin(**changes):
        sweep = make_sweep(folder, "anna.mp4", **({"vary": TWO_MODELS} | changes))
        return find_first_missing(session, sweep, sweep.plan(session.registry)[0])

    assert begin(name="other") == "render"
    assert begin(evaluate={"frames": 21, "seeds": 1}, vary=TWO_MODELS) == "render"  # one video has other names
    assert begin(vary={"codec": ["pca"], "sequence": [{"name": "ridge", "penalty": 1.0}]}) == "sequence"
    assert begin(recipe=SMALL | {"fps": 9}) == "silhouettes"


def test_a_sweep_with_another_recipe_leaves_the_runs_of_the_one_before(folder, tmp_path):
    recipe = SMALL | {"codec": "pca", "sequence": "ridge"}
    for expected, frames in (("try", 30), ("try-2", 31), ("try", 30), ("try-2", 31)):
        sweep = make_sweep(folder, "anna.mp4", recipe=recipe | {"frames": frames})
        assert run_sweep(open_session(tmp_path), sweep).results[0].run == expected


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_fails_stops_no_other(folder, tmp_path, jobs, log, caplog):
    recipe = SMALL | {"codec": "pca", "sequence": "ridge"}
    sweep = make_sweep(folder, "broken.mp4", "anna.mp4", "ben.mp4", recipe=recipe)
    done = run_sweep(open_session(tmp_path, jobs=jobs), sweep)
    assert [result.status for result in done.results] == ["failed", "finished", "finished"]
    assert "broken.mp4: expected a video" in done.failed[0].error
    assert any(record.getMessage().startswith("try-broken failed: ") for record in caplog.records)
    assert [evaluation.run for evaluation in done.evaluations] == ["try-anna", "try-ben"]
    assert "<b>try-broken</b> failed, and is in no table: " in done.report.read_text()


def test_a_model_that_fails_in_another_process_fails_its_runs_alone(folder, tmp_path):
    vary = {"sequence": [{"name": "ridge", "context": 70}, "ridge"]}
    sweep = make_sweep(folder, "anna.mp4", recipe=SMALL | {"codec": "pca"}, vary=vary)
    done = run_sweep(open_session(tmp_path, jobs=2), sweep)
    assert [result.status for result in done.results] == ["failed", "finished"]
    assert "expected a clip of more than 70 frames" in done.failed[0].error


def test_if_all_fail_there_are_no_tables(folder, tmp_path):
    done = run_sweep(open_session(tmp_path), make_sweep(folder, "broken.mp4"))
    assert (done.tables, done.report, len(done.failed)) == (None, None, 1)


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_came_of_the_runs_so_far_is_in_a_file(folder, tmp_path, jobs):
    seen = []

    def look(event):
        if isinstance(event, Progress) and event.stage == "sweep":
            seen.append([result.status for result in sweeps.list_results(tmp_path, "try")])
            assert not event.total or event.done == 2 - seen[-1].count("unfinished")

    sweep = make_sweep(folder, "broken.mp4", "anna.mp4", recipe=SMALL | {"codec": "pca", "sequence": "ridge"})
    run_sweep(open_session(tmp_path, jobs=jobs, listen=look), sweep)
    assert ["failed", "unfinished"] in seen
    assert seen[-1] == ["failed", "finished"]


def test_progress_is_that_of_the_runs(folder, tmp_path):
    told = []
    recipe = SMALL | {"codec": "pca", "sequence": "ridge"}
    sweep = make_sweep(folder, "anna.mp4", "ben.mp4", recipe=recipe)
    run_sweep(open_session(tmp_path, jobs=2, listen=told.append), sweep)
    counts = [event.done for event in told if event.__class__ is Progress and event.stage == "sweep" and event.total]
    assert (counts[0], counts[-1]) == (0, 2)
    assert any("try-anna: silhouettes" in event.note for event in told if isinstance(event, Progress))


def test_what_came_of_a_run_is_told_in_its_order(folder, tmp_path):
    told = []
    sweep = make_sweep(folder, "anna.mp4", "ben.mp4", recipe=SMALL | {"codec": "pca", "sequence": "ridge"})
    done = run_sweep(open_session(tmp_path, jobs=2, listen=told.append), sweep)
    starts = [number for number, event in enumerate(told) if isinstance(event, RunStarted)]
    for run, start, stop in zip([told[at].run for at in starts], starts, [*starts[1:], len(told)], strict=True):
        events = told[start:stop]
        assert [event.run for event in events if isinstance(event, RunFinished)] == [run]
        ready = [event.stage for event in events if isinstance(event, ArtifactReady)]
        assert ready[:4] == ["silhouettes", "codec", "latents", "sequence"]
    assert {told[at].run for at in starts} == {result.run for result in done.results}
    places = [event.folder for event in told if isinstance(event, ArtifactReady | RunStarted)]
    places += [event.video for event in told if isinstance(event, RunFinished)]
    assert all(place.is_relative_to(tmp_path) and place.exists() for place in places)
    assert not [event for event in told if isinstance(event, StageStarted) and event.stage in ("codec", "render")]


@pytest.mark.parametrize(
    ("room", "changes", "expected"),
    [
        (3, {"spawns": True}, 3),
        (1, {"spawns": True}, None),
        (3, {}, None),
        (3, {"spawns": True, "jobs": 2}, 2),
        (3, {"spawns": True, "jobs": 1}, 1),
    ],
)
def test_from_a_command_runs_are_made_at_once_where_there_is_room(
    folder, tmp_path, monkeypatch, room, changes, expected
):
    asked = []
    monkeypatch.setattr(sweeps, "count_processes", lambda each: room)
    monkeypatch.setattr(Session, "open_workers", lambda session, tasks: [asked.append(session.jobs), nullcontext()][1])
    run_sweep(open_session(tmp_path, **changes), make_sweep(folder, "broken.mp4", seeds=[1, 2]))
    assert asked == [expected]


def test_a_workspace_that_cannot_be_written_is_told_before_any_run(folder, tmp_path):
    (tmp_path / "file").write_text("")
    told = []
    with pytest.raises(WorkspaceError, match="choose another folder with --workspace$"):
        run_sweep(open_session(tmp_path / "file", listen=told.append), make_sweep(folder, "anna.mp4"))
    assert told == []


@pytest.fixture
def one(folder):
    """A sweep of one run, and that run."""
    sweep = make_sweep(folder, "anna.mp4", recipe=SMALL | {"codec": "pca", "sequence": "ridge"})
    return sweep, *sweep.plan(discover())


@pytest.mark.parametrize("there", [demo_frames(2, 10, (60, 100), 1), None])
def test_a_run_of_other_videos_than_the_command_has_is_refused(tmp_path, there):
    video = write_video(tmp_path / "a.mp4", demo_frames(2, 10, (60, 100), 0), 10)
    sweep = make_sweep(tmp_path, "a.mp4", recipe=SMALL | {"codec": "pca", "sequence": "ridge"})
    (planned,) = sweep.plan(discover())
    expected = worker.fingerprint_inputs(discover(), planned)
    video.unlink()
    if there is not None:
        write_video(video, there, 10)
    with pytest.raises(InputError, match=f"^expected {video} on {gethostname()} as .*copy it there$"):
        make_run(Tools(discover()), planned, sweep.evaluate, expected, str(tmp_path), 1)


def make_by(attempt, sweep, planned, change=lambda answer: answer, listen=ignore):
    """Make a run with the tools of a worker, whose answers are changed."""
    tools = Tools(discover(), listen, attempt.write, lambda question: change(attempt.answer(question)))
    inputs = worker.fingerprint_inputs(tools.registry, planned)
    return make_run(tools, planned, sweep.evaluate, inputs, str(attempt._workspace.root), driver.count_threads())


def lose_after(epochs, told):
    """A listener that notes the sequence model's epochs, and is gone after so many."""

    def listen(event):
        if isinstance(event, EpochFinished) and event.stage == "sequence":
            told.append(event.epoch)
            if len(told) == epochs:
                raise WorkerError("lost")

    return listen


@pytest.fixture
def learning(folder, monkeypatch):
    """A sweep of one run that learns for four epochs, each of which is sent; and that run."""
    monkeypatch.setattr(worker, "SAVING_SECONDS", 0)
    monkeypatch.setattr(worker, "SAVING_SHARE", 1e9)
    model = {"name": "gru", "units": 4, "layers": 1, "epochs": 4, "context": 4}
    sweep = make_sweep(folder, "anna.mp4", recipe=SMALL | {"codec": "pca", "sequence": model})
    return sweep, *sweep.plan(discover())


@pytest.fixture
def learned(learning, tmp_path):
    """What a training is that nothing has interrupted."""
    run_sweep(open_session(tmp_path / "at-once"), learning[0])
    return list_files(tmp_path / "at-once")


@pytest.mark.parametrize("by", ["another", "alone"])
def test_a_training_that_is_lost_goes_on(learning, learned, tmp_path, by):
    sweep, planned = learning
    before, after = [], []
    with pytest.raises(WorkerError), ExitStack() as held:
        make_by(driver._Attempt(Workspace(tmp_path), held), sweep, planned, listen=lose_after(2, before))
    assert not list((tmp_path / "artifacts").glob(".*-part"))
    if by == "alone":
        run_sweep(open_session(tmp_path, listen=lose_after(9, after)), sweep)
    else:
        with ExitStack() as held:
            make_by(driver._Attempt(Workspace(tmp_path), held), sweep, planned, listen=lose_after(9, after))
    assert (before, after) == ([1, 2], [3, 4])
    assert list_files(tmp_path) == learned
    assert not list((tmp_path / "artifacts").glob(".unfinished-*"))


def test_what_is_sent_by_half_is_not_gone_on_from(learning, learned, tmp_path):
    sweep, planned = learning
    workspace, after = Workspace(tmp_path), []
    with pytest.raises(WorkerError), ExitStack() as held:
        attempt = driver._Attempt(workspace, held)
        write, saved = attempt.write, []

        def write_by_half(piece):
            if piece.name.startswith(f"{UNFINISHED}sequence"):
                saved.append(piece)
                write(replace(piece, content=piece.content if len(saved) == 1 else piece.content[:1000]))
                if len(saved) == 2:
                    raise WorkerError("lost")
            else:
                write(piece)

        attempt.write = write_by_half
        make_by(attempt, sweep, planned)
    with ExitStack() as held:
        make_by(driver._Attempt(workspace, held), sweep, planned, listen=lose_after(9, after))
    assert after == [2, 3, 4]
    assert list_files(tmp_path) == learned


def test_a_training_that_travels_slowly_is_sent_seldom(learning, tmp_path, monkeypatch):
    sweep, planned = learning
    monkeypatch.setattr(worker, "SAVING_SHARE", 1e-9)
    saved = []
    with ExitStack() as held:
        attempt = driver._Attempt(Workspace(tmp_path), held)
        tools = Tools(discover(), emit=attempt.write, ask=lambda each: [saved.append(each), attempt.answer(each)][1])
        make_run(tools, planned, sweep.evaluate, {}, str(tmp_path), 1)
    assert len([each for each in saved if isinstance(each, Save)]) == 1


def test_what_an_interrupted_run_has_is_known_as_its_own(learning, tmp_path):
    sweep, planned = learning
    workspace = Workspace(tmp_path)
    with pytest.raises(WorkerError), ExitStack() as held:
        make_by(driver._Attempt(workspace, held), sweep, planned, listen=lose_after(2, []))
    assert workspace.open_run("try")[0].artifacts.keys() == {"silhouettes", "codec", "latents"}
    assert [waste for waste in find_waste(workspace).waste if waste.path.parent.name == "artifacts"] == []


@pytest.mark.parametrize("process", [os.getpid(), 99_999_999], ids=["its number", "another"])
def test_what_a_killed_command_left_of_a_run_is_cleared_away(one, tmp_path, process):
    """In a container each command has the number of the one before."""
    left = tmp_path / f"runs/try/.incoming-{process}-part"
    left.mkdir(parents=True)
    (left / "dance.mp4").write_bytes(b"half")
    with ExitStack() as held:
        make_by(driver._Attempt(Workspace(tmp_path), held), *one)
    assert (tmp_path / "runs/try/dance.mp4").stat().st_size > 4
    assert not list((tmp_path / "runs/try").glob(".*"))


@pytest.mark.parametrize("kind", ["part", "old"])
def test_what_a_killed_command_left_of_a_training_is_cleared_away(learning, learned, tmp_path, kind):
    """It was putting what a worker had sent in the place of what it had sent before."""
    sweep, planned = learning
    after = []
    with pytest.raises(WorkerError), ExitStack() as held:
        make_by(driver._Attempt(Workspace(tmp_path), held), sweep, planned, listen=lose_after(2, []))
    (sent,) = (tmp_path / "artifacts").glob(f"{UNFINISHED}*")
    sent.rename(sent.with_name(f".{sent.name}-99999999-{kind}"))
    with ExitStack() as held:
        make_by(driver._Attempt(Workspace(tmp_path), held), sweep, planned, listen=lose_after(9, after))
    assert after == ([3, 4] if kind == "old" else [1, 2, 3, 4])
    assert list_files(tmp_path) == learned
    assert {path.name for path in (tmp_path / "artifacts").glob(".*")} == {".locks"}


def test_without_a_common_disk_what_is_kept_travels(one, swept, tmp_path, monkeypatch):
    sweep, planned = one
    answers = []

    def hide(answer):
        answers.append(type(answer))
        return replace(answer, folder="/nowhere") if isinstance(answer, Kept) else answer

    root = swept[0][0]
    monkeypatch.setattr(driver, "PIECE", 1000)
    with ExitStack() as held:
        attempt = driver._Attempt(Workspace(root), held)
        assert make_by(attempt, sweep, planned, hide) == ""
    assert Kept in answers
    assert bytes in answers
    assert Make not in answers
    assert (root / "runs/try/dance.mp4").is_file()


def test_what_another_one_makes_is_not_made_twice(one, tmp_path):
    sweep, planned = one
    with ExitStack() as held:
        attempt = driver._Attempt(Workspace(tmp_path), held)
        store, asked = attempt._store, []

        def reserve(answer):
            if isinstance(answer, Make) and answer.name.startswith("codec"):
                asked.append(answer.name)
                return None
            return answer

        awaited = make_by(attempt, sweep, planned, reserve)
        assert [awaited] == asked
        assert store.is_reserved(awaited)
    assert not store.is_reserved(awaited)
    assert {name.rpartition("-")[0] for name in store.names()} == {"silhouettes"}
    assert not list(store.root.glob(".codec-*"))
    assert not list((tmp_path / "runs/try").glob(".incoming*"))


def test_a_damaged_artifact_does_not_arrive(tmp_path):
    with ExitStack() as held:
        attempt = driver._Attempt(Workspace(tmp_path), held)
        made = attempt.answer(Wanted("codec-0123456789abcdef"))
        with pytest.raises(deepdance.DeepDanceError, match="as a worker made it, got one that has no manifest.json"):
            attempt.answer(Sent(made.name))
    assert not ArtifactStore(tmp_path / "artifacts").names()


def lose(monkeypatch, error, times):
    """Have workers whose first attempts end by an error; how often one is begun."""
    begun, executor = [], ThreadPoolExecutor(1)

    def make(session, workers, planned, measured):
        begun.append(planned.name)
        if len(begun) <= times:
            raise error
        with ExitStack() as held:
            attempt = driver._Attempt(session.workspace, held)
            tools = Tools(session.registry, emit=attempt.write, ask=attempt.answer)
            return make_run(tools, planned, measured, {}, str(session.workspace.root), 1)

    workers = Workers(executor, 1, lasting=True)
    monkeypatch.setattr(Session, "open_workers", lambda *_: nullcontext(workers))
    monkeypatch.setattr(sweeps, "make_elsewhere", make)
    return begun


def test_a_run_whose_worker_is_lost_is_begun_again_by_another(one, tmp_path, monkeypatch):
    begun = lose(monkeypatch, WorkerError("lost"), times=2)
    done = run_sweep(open_session(tmp_path, jobs=2), one[0])
    assert (len(begun), done.failed) == (3, [])


def test_where_no_other_is_left_the_sweep_ends(one, tmp_path, monkeypatch):
    lose(monkeypatch, ClusterLostError("lost"), times=1)
    with pytest.raises(ClusterLostError, match="lost"):
        run_sweep(open_session(tmp_path, jobs=2), one[0])


def test_a_run_that_a_cluster_has_given_up_fails_alone(one, tmp_path, monkeypatch):
    """So Dask does, once it has begun it anew itself."""
    given_up = WorkerError("killed")
    given_up.__cause__ = GivenUpError()
    begun = lose(monkeypatch, given_up, times=1)
    done = run_sweep(open_session(tmp_path, jobs=2), one[0])
    assert (len(begun), [result.error for result in done.failed]) == (1, ["killed"])


def test_a_page_of_many_runs_shows_the_first_and_names_the_others(folder, swept, monkeypatch):
    monkeypatch.setattr(sweeps, "SHOWN", 1)
    done = run_sweep(open_session(swept[0][0]), make_sweep(folder, "anna.mp4", "ben.mp4", vary=TWO_MODELS))
    page = done.report.read_text()
    assert "<h1>try</h1>" in page
    links = re.findall('href="(.*?)"', page)
    assert [(done.report.parent / link).resolve().parent.name for link in links] == [
        e.run for e in done.evaluations[1:]
    ]
    assert all((done.report.parent / link).is_file() for link in links)
    assert page.count("<video") == 1
    assert "1 of 4 runs are shown here" in page
    assert "<caption>Comparison</caption>" in page
    assert "try-ben-texture" in page


def test_a_table_tells_once_what_several_runs_have_in_common(swept):
    (_, done), _ = swept
    assert "try-anna-ridge, try-ben-ridge: pca × ridge.\n" in done.tables["frames"].legend


def test_a_sweep_in_python_is_a_table_or_a_file(folder, tmp_path):
    recipe = SMALL | {"codec": "pca", "sequence": "ridge"}
    done = deepdance.sweep(
        {"recipe": recipe, "videos": [str(folder / "anna.mp4")], "evaluate": SHORT}, workspace=tmp_path
    )
    assert [result.run for result in done.results] == ["sweep"]
