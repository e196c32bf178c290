import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from deepdance.errors import WorkspaceError
from deepdance.recipe import Recipe
from deepdance.runs import _make_name
from deepdance.workspace import LONGEST_NAME, Workspace, locate_run, write_atomically


def test_the_same_inputs_are_made_once(tmp_path):
    made = []

    def make(folder):
        made.append(folder)
        (folder / "data").write_text("x")
        return {"note": 1}

    workspace = Workspace(tmp_path)
    first = workspace.build("codec", {"a": 1}, make)
    again = workspace.build("codec", {"a": 1}, make)
    other = workspace.build("codec", {"a": 2}, make)
    assert len(made) == 2
    assert (first.reused, again.reused, other.reused) == (False, True, False)
    assert first.folder == again.folder != other.folder
    assert first.manifest()["note"] == 1
    assert (again.folder / "data").read_text() == "x"


@pytest.mark.parametrize("resumable", [False, True])
def test_a_failure_leaves_nothing_under_the_final_name_and_only_resumable_work_is_kept(tmp_path, resumable):
    def fail(folder):
        (folder / "checkpoint").write_text("half")
        raise KeyboardInterrupt

    workspace = Workspace(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        workspace.build("codec", {}, fail, resumable=resumable)
    left = [path.name for path in (tmp_path / "artifacts").iterdir() if path.name != ".locks"]
    assert all(name.startswith(".unfinished-") for name in left)
    assert len(left) == int(resumable)
    again = workspace.build("codec", {}, lambda folder: {"left": (folder / "checkpoint").exists()}, resumable=resumable)
    assert again.manifest()["left"] == resumable


def now():
    return datetime.now().astimezone()


def test_what_is_made_anew_is_found_from_then_on_and_the_old_one_stays(tmp_path):
    workspace = Workspace(tmp_path)
    old = workspace.build("codec", {}, lambda folder: {"made": "old"})
    since = now()
    new = workspace.build("codec", {}, lambda folder: {"made": "new"}, since=since)
    again = workspace.build("codec", {}, lambda folder: {"made": "never"}, since=since)
    assert (new.reused, again.reused, again.folder) == (False, True, new.folder)
    later = workspace.build("codec", {}, lambda folder: {"made": "never"})
    assert (later.manifest()["made"], later.key) == ("new", new.key)
    assert new.key != old.key
    assert workspace.artifact(old.folder.name).manifest()["made"] == "old"
    third = workspace.build("codec", {}, lambda folder: {"made": "third"}, since=now())
    assert workspace.build("codec", {}, lambda folder: {}).folder == third.folder


@pytest.mark.parametrize("there", [True, False])
def test_what_is_made_anew_begins_at_the_beginning_and_loses_nothing_if_it_fails(tmp_path, there):
    def fail(folder):
        (folder / "checkpoint").write_text("half")
        raise KeyboardInterrupt

    workspace, found = Workspace(tmp_path), []
    if there:
        workspace.build("codec", {}, lambda folder: {"made": "old"})
    else:
        with pytest.raises(KeyboardInterrupt):
            workspace.build("codec", {}, fail, resumable=True)
    with pytest.raises(KeyboardInterrupt):
        workspace.build("codec", {}, lambda folder: found.extend(folder.iterdir()) or fail(folder), since=now())
    assert not found
    kept = workspace.build("codec", {}, lambda folder: found.extend(folder.iterdir()) or {"made": "new"})
    assert (kept.reused, kept.manifest()["made"]) == (there, "old" if there else "new")
    assert not found


def test_two_at_once_make_it_once_and_the_second_waits(tmp_path):
    made, waited = [], []

    def make(folder):
        made.append(folder)
        time.sleep(0.3)
        return {}

    def work(_):
        Workspace(tmp_path).build("codec", {}, make, waiting=lambda: waited.append(1))

    with ThreadPoolExecutor() as threads:
        list(threads.map(work, range(2)))
    assert (len(made), len(waited)) == (1, 1)


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    target = tmp_path / "deep" / "dance.mp4"
    with pytest.raises(OSError, match="full"), write_atomically(target) as temporary:
        temporary.write_text("half")
        assert temporary.suffix == ".mp4"
        raise OSError("full")
    assert list(target.parent.iterdir()) == []
    with write_atomically(target) as temporary:
        temporary.write_text("whole")
    assert [path.name for path in target.parent.iterdir()] == ["dance.mp4"]


def test_a_folder_appears_only_when_it_is_whole_and_replaces_the_one_before(tmp_path):
    target = tmp_path / "dance"

    def write(*names):
        with write_atomically(target) as temporary:
            temporary.mkdir()
            for name in names:
                (temporary / name).touch()
            if not names:
                raise OSError("full")

    for _ in range(2):
        with pytest.raises(OSError, match="full"):
            write()
        write("1.png", "2.png")
        write("1.png")
        assert [path.name for path in tmp_path.rglob("*")] == ["dance", "1.png"]


def test_the_same_recipe_continues_its_run_and_another_gets_its_own(tmp_path):
    workspace, recipe = Workspace(tmp_path), Recipe()
    first = workspace.claim("x", exact=False, inputs=["a"], recipe=recipe)
    first.status = "finished"
    workspace.record(first, recipe)
    assert workspace.claim("x", exact=False, inputs=["a"], recipe=recipe).name == first.name
    assert workspace.claim("x", exact=False, inputs=["b"], recipe=recipe).name == "x-2"
    with pytest.raises(WorkspaceError, match="holds another recipe"):
        workspace.claim("x", exact=True, inputs=["a"], recipe=recipe.changed({"seed": 1}))
    assert [run.name for run in workspace.runs()] == ["x", "x-2"]


def test_a_run_is_found_by_name_and_by_folder(tmp_path):
    workspace = Workspace(tmp_path / "w")
    workspace.claim("x", exact=True, inputs=["a"], recipe=Recipe())
    assert locate_run("x", tmp_path / "w")[1] == "x"
    place, name = locate_run(str(workspace.run_folder("x")), tmp_path / "elsewhere")
    assert (place.root.resolve(), name) == ((tmp_path / "w").resolve(), "x")
    with pytest.raises(WorkspaceError, match="there are: x"):
        workspace.open_run("y")
    workspace.claim("dance-sdf-ae", exact=True, inputs=["a"], recipe=Recipe())
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
        Workspace(tmp_path).claim(name, exact=True, inputs=[], recipe=Recipe())
    if "--name" in told:
        Workspace(tmp_path).claim(told.partition("--name ")[2], exact=True, inputs=[], recipe=Recipe())


def test_a_workspace_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="choose another folder with --workspace"):
        Workspace(tmp_path / "file" / "w").build("codec", {}, lambda folder: {})


@pytest.mark.parametrize("name", ["a" * 300, "ü" * 200, "con", "NUL.txt", "Com1"])
def test_a_run_name_that_a_file_system_refuses_is_told(tmp_path, name):
    with pytest.raises(WorkspaceError, match="expected at most 60 characters, and no name that Windows keeps"):
        Workspace(tmp_path).claim(name, exact=True, inputs=[], recipe=Recipe())
    Workspace(tmp_path).claim("ü" * 60, exact=True, inputs=[], recipe=Recipe())


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
    names = [Workspace(tmp_path).claim(made, exact=False, inputs=[str(n)], recipe=recipe) for n in range(1)]
    assert names[0].name == name
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
    run = workspace.claim("a", exact=True, inputs=[], recipe=recipe)
    assert workspace.open_run(run.name)[1] == recipe
