import json
import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from deepdance.errors import WorkspaceError
from deepdance.recipe import Recipe
from deepdance.runs import _make_name
from deepdance.workspace import LONGEST_NAME, RunRecord, Workspace, locate_run


def claim(workspace: Workspace, name: str, inputs: list[str], recipe: Recipe, *, exact: bool = True) -> RunRecord:
    """A run that is given back at once."""
    with workspace.claim(name, exact=exact, inputs=inputs, recipe=recipe) as run:
        return run


def test_the_same_recipe_continues_its_run_and_another_gets_its_own(tmp_path):
    workspace, recipe = Workspace(tmp_path), Recipe()
    with workspace.claim("x", exact=False, inputs=["a"], recipe=recipe) as first:
        first.status = "finished"
        workspace.record(first, recipe)
    assert claim(workspace, "x", ["a"], recipe, exact=False) == first
    assert claim(workspace, "x", ["b"], recipe, exact=False).name == "x-2"
    with pytest.raises(WorkspaceError, match="holds another recipe"):
        claim(workspace, "x", ["a"], recipe.changed({"seed": 1}))
    assert [run.name for run in workspace.runs()] == ["x", "x-2"]


def test_a_run_is_found_by_name_and_by_folder(tmp_path):
    workspace = Workspace(tmp_path / "w")
    claim(workspace, "x", ["a"], Recipe())
    assert locate_run("x", tmp_path / "w")[1] == "x"
    place, name = locate_run(str(workspace.run_folder("x")), tmp_path / "elsewhere")
    assert (place.root.resolve(), name) == ((tmp_path / "w").resolve(), "x")
    with pytest.raises(WorkspaceError, match="there are: x"):
        workspace.open_run("y")
    claim(workspace, "dance-sdf-ae", ["a"], Recipe())
    with pytest.raises(WorkspaceError, match="got 'dance'; did you mean 'dance-sdf-ae'.; there are: dance-sdf-ae, x"):
        workspace.open_run("dance")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("duo all", "got 'duo all', with a space; try --name duo-all"),
        ("a/b c", "with '/'; try --name a-b-c"),
        (".duo", "with '.'; try --name duo"),
        ("", "got '', with nothing; choose another"),
    ],
)
def test_a_name_that_no_run_can_have_says_why(tmp_path, name, told):
    with pytest.raises(WorkspaceError, match=re.escape(told)):
        claim(Workspace(tmp_path), name, [], Recipe())
    if "--name" in told:
        claim(Workspace(tmp_path), told.partition("--name ")[2], [], Recipe())


@pytest.mark.parametrize("name", ["a" * 300, "ü" * 200, "con", "NUL.txt", "Com1"])
def test_a_run_name_that_a_file_system_refuses_is_told(tmp_path, name):
    with pytest.raises(WorkspaceError, match="expected at most 60 characters, and no name that Windows keeps"):
        claim(Workspace(tmp_path), name, [], Recipe())
    claim(Workspace(tmp_path), "ü" * 60, [], Recipe())


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("my dance (1)", "my_dance_1-pca-ridge"),
        ("a" * 220, "a" * 50 + "-pca-ridge"),
        ("踊" * 80, "踊" * 50 + "-pca-ridge"),
        ("cafe\u0301", "caf\u00e9-pca-ridge"),
        ("!!! ???", "run-pca-ridge"),
        ("caf\udce9", "caf-pca-ridge"),
        ("con.final", "con_final-pca-ridge"),
        ("...", "run-pca-ridge"),
        ("v1.2", "v1.2-pca-ridge"),
    ],
)
def test_a_run_is_named_by_its_video_as_far_as_a_file_system_allows(tmp_path, title, name):
    recipe = Recipe(codec="pca", sequence="ridge")
    made = _make_name([f"/videos/{title}.mp4"], recipe)
    assert made == name
    assert len(made) <= LONGEST_NAME
    assert claim(Workspace(tmp_path), made, ["1"], recipe, exact=False).name == name
    assert len(made.encode()) < 245


@pytest.mark.parametrize(
    ("codec", "name"),
    [("silly-dance-codec", f"{'a' * 29}-silly-dance-codec-motion-field"), ("c" * 80, f"{'a' * 10}-{'c' * 49}")],
)
def test_the_models_of_a_run_are_named_whole_as_far_as_there_is_room(codec, name):
    recipe = Recipe(codec=codec, sequence="motion-field")
    assert _make_name([f"/videos/{'a' * 80}.mp4"], recipe) == name
    assert len(name) == LONGEST_NAME


def test_a_recipe_keeps_a_file_name_that_is_no_unicode(tmp_path):
    recipe = Recipe(start="caf\udce9.mp4")
    workspace = Workspace(tmp_path)
    run = claim(workspace, "a", [], recipe)
    assert workspace.open_run(run.name)[1] == recipe


def change_record(workspace: Workspace, **changes: object) -> None:
    """Write what no run of ours would into the record of x."""
    claim(workspace, "x", ["a"], Recipe())
    path = workspace.run_folder("x") / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"artifacts": {"codec": ["../../secret"]}},
        {"artifacts": {"codec": ["/etc"]}},
        {"artifacts": {"codec": "codec-0123456789abcdef"}},
        {"artifacts": {"codec": [5]}},
        {"artifacts": []},
        {"video": "../dance.mp4"},
        {"video": "/etc/passwd"},
        {"video": ".."},
        {"created": 5},
        {"inputs": [None]},
        {"inputs": "a"},
        {"unknown": 1},
    ],
)
def test_a_record_that_names_what_lies_elsewhere_is_refused_and_the_other_runs_are_listed(tmp_path, changes):
    workspace = Workspace(tmp_path)
    claim(workspace, "good", ["b"], Recipe())
    change_record(workspace, **changes)
    with pytest.raises(WorkspaceError, match="expected a run's record, got .*x.run.json: .*; make the run again"):
        workspace.open_run("x")
    assert [run.name for run in workspace.runs()] == ["good"]


def test_a_run_is_called_as_its_folder_whatever_its_record_says(tmp_path):
    workspace = Workspace(tmp_path / "w")
    change_record(workspace, name="../../../outside")
    run, recipe = workspace.open_run("x")
    workspace.record(run, recipe)
    assert run.name == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


@pytest.mark.parametrize("name", ["../x", "..", "/etc", "a/b", "a\\b", ""])
def test_a_run_is_never_sought_outside_of_the_workspace(tmp_path, name):
    with pytest.raises(WorkspaceError, match="expected a run in"):
        Workspace(tmp_path).open_run(name)


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 100, b"[1]", b"5", b"[" * 100_000, b"\xff\xfe"])
def test_a_damaged_record_is_told_passed_over_set_aside_and_never_written_over(tmp_path, content, caplog):
    workspace = Workspace(tmp_path)
    claim(workspace, "x", ["a"], Recipe())
    path = workspace.run_folder("x") / "run.json"
    path.write_bytes(content)
    with pytest.raises(WorkspaceError, match="expected JSON in .*run.json, got"):
        workspace.open_run("x")
    assert workspace.runs() == []
    assert claim(workspace, "x", ["a"], Recipe()).name == "x"
    assert "is set aside as .damaged-x and made anew" in caplog.messages[-1]
    assert (tmp_path / "runs/.damaged-x/run.json").read_bytes() == content
    assert workspace.open_run("x")[1] == Recipe()


def test_a_dance_without_a_record_is_set_aside_too(tmp_path):
    workspace = Workspace(tmp_path)
    claim(workspace, "x", ["a"], Recipe())
    for number in range(2):
        (workspace.run_folder("x") / "run.json").unlink()
        (workspace.run_folder("x") / "dance.mp4").write_text(str(number))
        claim(workspace, "x", ["a"], Recipe())
    kept = [tmp_path / f"runs/{name}/dance.mp4" for name in (".damaged-x", ".damaged-x-2")]
    assert [path.read_text() for path in kept] == ["0", "1"]


@pytest.mark.parametrize("content", ["", "fps = 20.0\n"])
def test_a_recipe_that_lost_its_end_is_no_other_recipe(tmp_path, content):
    workspace = Workspace(tmp_path)
    claim(workspace, "x", ["a"], Recipe(fps=20))
    (workspace.run_folder("x") / "recipe.toml").write_text(content)
    with pytest.raises(WorkspaceError, match="expected the recipe that 'x' was made by, got another in .*; make the"):
        workspace.open_run("x")
    assert claim(workspace, "x", ["a"], Recipe(fps=20)).name == "x"
    assert (tmp_path / "runs/.damaged-x/recipe.toml").read_text() == content


def test_a_record_without_its_recipes_hash_is_one_of_0_1_0(tmp_path):
    workspace = Workspace(tmp_path)
    change_record(workspace, recipe="")
    (workspace.run_folder("x") / "recipe.toml").write_text("fps = 20.0")
    assert workspace.open_run("x")[1] == Recipe(fps=20)


def test_a_run_that_is_begun_anew_by_another_recipe_is_never_half_of_each(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path)
    claim(workspace, "x", ["a"], Recipe())
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("deepdance.workspace.write_json", interrupt)
        claim(workspace, "x", ["a"], Recipe(seed=1))
    assert claim(workspace, "x", ["a"], Recipe(seed=1)).name == "x"
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [".locks", "x"]


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("linked", ["", "run.json", "recipe.toml"])
def test_links_out_of_a_workspace_are_not_followed(tmp_path, linked):
    workspace, other = Workspace(tmp_path / "w"), Workspace(tmp_path / "other")
    for place in (workspace, other):
        claim(place, "x", ["a"], Recipe())
    path = workspace.run_folder("x") / linked
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(other.run_folder("x") / linked)
    with pytest.raises(WorkspaceError):
        workspace.open_run("x")


def test_a_pipe_in_place_of_a_recipe_is_told_and_nobody_waits(tmp_path):
    workspace = Workspace(tmp_path)
    claim(workspace, "x", ["a"], Recipe())
    recipe = workspace.run_folder("x") / "recipe.toml"
    recipe.unlink()
    os.mkfifo(recipe)
    with pytest.raises(WorkspaceError, match="recipe.toml, a pipe"):
        workspace.open_run("x")


def test_two_with_one_name_and_other_recipes_get_two_runs_or_a_refusal(tmp_path):
    workspace, recipe = Workspace(tmp_path), Recipe()
    with workspace.claim("x", exact=True, inputs=["a"], recipe=recipe) as first:
        assert claim(Workspace(tmp_path), "x", ["b"], recipe, exact=False).name == "x-2"
        with pytest.raises(WorkspaceError, match="got 'x', which holds another recipe; choose --name"):
            claim(Workspace(tmp_path), "x", ["a"], recipe.changed({"seed": 1}))
        assert workspace.open_run("x")[0] == first
    assert claim(workspace, "x", ["b"], recipe).name == "x"  # it came to nothing, and nobody is at work on it


def test_of_two_with_one_recipe_the_second_waits(tmp_path, caplog):
    order = []

    def work():
        claim(Workspace(tmp_path), "x", ["a"], Recipe())
        order.append("second")

    with ThreadPoolExecutor() as threads:
        with Workspace(tmp_path).claim("x", exact=True, inputs=["a"], recipe=Recipe()):
            waiting = threads.submit(work)
            time.sleep(0.5)
            order.append("first")
        waiting.result()
    assert order == ["first", "second"]
    assert [record.getMessage() for record in caplog.records] == [
        "x: another process is making this run; waiting for it"
    ]


def test_ten_at_once_with_other_recipes_never_share_a_name(tmp_path):
    def work(number):
        with Workspace(tmp_path).claim("x", exact=False, inputs=[str(number)], recipe=Recipe()) as run:
            run.status = "finished"
            Workspace(tmp_path).record(run, Recipe())
            return run.name

    with ThreadPoolExecutor(10) as threads:
        names = list(threads.map(work, range(10)))
    assert len(set(names)) == 10
    assert sorted(run.inputs[0] for run in Workspace(tmp_path).runs()) == [str(number) for number in range(10)]


def test_the_latest_run_is_that_which_was_finished_last(tmp_path):
    """One of before has no time of its end, and counts as finished when it was begun."""
    place = Workspace(tmp_path)
    times = {"early": ("2026-01-01", "2026-01-09"), "late": ("2026-01-02", "2026-01-03"), "old": ("2026-01-05", "")}
    for name, (created, finished) in times.items():
        place.run_folder(name).mkdir(parents=True)
        place.record(RunRecord(name, ["a.mp4"], status="finished", created=created, finished=finished), Recipe())
    place.run_folder("open").mkdir(parents=True)
    place.record(RunRecord("open", ["a.mp4"], created="2026-02-01"), Recipe())
    assert place.find_latest() == "early"
    (place.run_folder("early") / "run.json").unlink()
    assert place.find_latest() == "old"
