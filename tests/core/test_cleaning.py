import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from deepdance.artifacts import ArtifactStore
from deepdance.cleaning import find_waste, remove_waste
from deepdance.errors import WorkspaceError
from deepdance.recipe import Recipe
from deepdance.workspace import RunRecord, Workspace

CHAIN = ("silhouettes", "codec", "latents", "sequence")


def make_artifact(workspace: Workspace, stage: str, **inputs: object) -> str:
    """An artifact of a thousand bytes and its manifest."""

    def work(folder: Path) -> dict[str, object]:
        (folder / "data").write_bytes(bytes(1000))
        return {}

    return workspace.artifacts.build(stage, inputs, work).folder.name


def make_run(workspace: Workspace, name: str, stages: tuple[str, ...] = CHAIN, status: str = "finished") -> RunRecord:
    """A run with an artifact for each of these stages."""
    made = {stage: [make_artifact(workspace, stage, video=name)] for stage in stages}
    run = RunRecord(name, [f"/videos/{name}.mp4"], made, status, created="2026-11-26")
    workspace.run_folder(name).mkdir(parents=True)
    workspace.record(run, Recipe())
    return run


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """One with a finished run, and nothing else."""
    made = Workspace(tmp_path / "w")
    make_run(made, "kept")
    return made


def list_waste(workspace: Workspace) -> dict[str, str]:
    return {each.path.relative_to(workspace.root).as_posix(): each.reason for each in find_waste(workspace).waste}


def clean(workspace: Workspace) -> None:
    assert list(remove_waste(workspace, find_waste(workspace).waste))


def read_tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_workspace_in_use_has_no_waste(workspace):
    assert list_waste(workspace) == {}


def test_what_no_run_needs_goes_and_all_else_stays_as_it_is(workspace):
    before = read_tree(workspace.root)
    run = make_run(workspace, "gone")
    assert list_waste(workspace) == {}
    shutil.rmtree(workspace.run_folder("gone"))
    names = {name for names in run.artifacts.values() for name in names}
    assert list_waste(workspace) == {f"artifacts/{name}": "no run needs it" for name in names}
    assert all(each.size > 1000 for each in find_waste(workspace).waste)
    clean(workspace)
    assert read_tree(workspace.root) == before
    assert list_waste(workspace) == {}


def test_finding_waste_changes_nothing(workspace):
    shutil.rmtree(workspace.run_folder("kept"))
    before = read_tree(workspace.root)
    find_waste(workspace)
    assert read_tree(workspace.root) == before


def test_what_was_measured_of_a_run_stays_with_it(workspace):
    kept = {stage: [name.rpartition("-")[2] for name in names] for stage, names in open_kept(workspace).items()}
    make_artifact(workspace, "codec_table", artifacts={"codec": kept["codec"]}, code=[])
    make_artifact(workspace, "remover", video="kept")
    lost = make_artifact(workspace, "evaluation", artifacts={"codec": kept["codec"], "silhouettes": ["0" * 16]})
    make_artifact(workspace, "silhouettes", video="other")
    assert list_waste(workspace).keys() & {f"artifacts/{lost}"} == set()  # a key that nothing here has tells nothing
    table = make_artifact(workspace, "long_table", artifacts={"codec": [make_artifact(workspace, "codec", a=1)[-16:]]})
    other = make_artifact(workspace, "remover", video="other")
    assert {f"artifacts/{table}", f"artifacts/{other}"} <= list_waste(workspace).keys()
    clean(workspace)
    assert sorted(name.rpartition("-")[0] for name in workspace.artifacts.names()) == sorted(
        [*CHAIN, "codec_table", "remover", "evaluation"]
    )


def open_kept(workspace: Workspace) -> dict[str, list[str]]:
    return workspace.open_run("kept")[0].artifacts


def test_what_took_a_needed_artifact_s_place_stays_and_other_pointers_go(workspace):
    old = open_kept(workspace)["codec"][0]
    newest = workspace.root / "artifacts" / ".newest"
    newest.mkdir()
    new = make_artifact(workspace, "codec", anew=1)
    (newest / old).write_text(new)
    assert list_waste(workspace) == {}
    (newest / "codec-0123456789abcdef").write_text("codec-0000000000000000")
    assert list_waste(workspace) == {"artifacts/.newest/codec-0123456789abcdef": "leads to nothing"}
    clean(workspace)
    assert [path.name for path in newest.iterdir()] == [old]


def test_one_unreadable_record_keeps_all_artifacts(workspace):
    run = make_run(workspace, "broken")
    path = workspace.run_folder("broken") / "run.json"
    path.write_bytes(b"\0" * 100)
    assert list_waste(workspace) == {}
    assert find_waste(workspace).left == [f"{path} cannot be read; what could be its is left"]
    assert all((workspace.root / "artifacts" / name).is_dir() for [name] in run.artifacts.values())


def test_what_an_interrupted_training_goes_on_from_stays(workspace):
    make_run(workspace, "stopped", ("silhouettes",), status="unfinished")
    for stage in ("codec", "sequence", "silhouettes"):
        (workspace.root / "artifacts" / f".unfinished-{stage}-0123456789abcdef").mkdir()
    assert [*list_waste(workspace)] == ["artifacts/.unfinished-silhouettes-0123456789abcdef"]
    [told] = find_waste(workspace).left
    assert told.startswith("stopped was interrupted and may go on; to give it up, remove ")
    shutil.rmtree(told.rpartition("remove ")[2])
    assert sum(name.startswith("artifacts/.unfinished-") for name in list_waste(workspace)) == 3


def test_a_run_that_came_to_nothing_goes(workspace):
    make_run(workspace, "nothing", (), status="unfinished")
    assert list_waste(workspace) == {"runs/nothing": "a run that came to nothing"}
    clean(workspace)
    assert not workspace.run_folder("nothing").exists()
    assert [run.name for run in workspace.runs()] == ["kept"]


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    return int(subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True).stdout)


def test_what_dead_processes_left_goes_and_what_living_ones_write_stays(workspace, dead):
    folders = (workspace.run_folder("kept"), workspace.root / "artifacts", workspace.root / "arrays")
    folders[2].mkdir()
    for folder in folders:
        (folder / f".dance-{dead}-part.mp4").write_bytes(bytes(10))
        (folder / f".dance-{os.getppid()}-part.mp4").write_bytes(bytes(10))
    (folders[0] / f".frames-{dead}-old").mkdir()  # the only one there is: it goes back when frames are written
    assert set(list_waste(workspace)) == {
        str(folder.relative_to(workspace.root) / f".dance-{dead}-part.mp4") for folder in folders
    }
    clean(workspace)
    assert list_waste(workspace) == {}
    assert all((folder / f".dance-{os.getppid()}-part.mp4").exists() for folder in folders)


def test_damaged_artifacts_sheets_arrays_and_locks_of_nothing_go(workspace):
    for name in ("arrays", "sheets"):
        (workspace.root / name).mkdir()
    (workspace.root / "artifacts" / ".damaged-codec-0123456789abcdef-2").mkdir()
    (workspace.root / "artifacts" / ".locks" / "codec-0123456789abcdef.lock").touch()
    (workspace.root / "sheets" / "video-012345.png").touch()
    (workspace.root / "sheets" / "my own.png").touch()
    for name in ("array-0.npy", "array-1.npy"):
        (workspace.root / "arrays" / name).touch()
    run = RunRecord("array", ["/elsewhere/w/arrays/array-0.npy"], status="finished")
    workspace.run_folder("array").mkdir()
    workspace.record(run, Recipe())
    assert set(list_waste(workspace)) == {
        "artifacts/.damaged-codec-0123456789abcdef-2",
        "artifacts/.locks/codec-0123456789abcdef.lock",
        "arrays/array-1.npy",
        "sheets/video-012345.png",
    }
    clean(workspace)
    assert list_waste(workspace) == {}


def test_nothing_goes_that_somebody_holds_the_lock_of(workspace):
    name = make_artifact(workspace, "codec", a=1)
    found = find_waste(workspace).waste
    with FileLock(workspace.root / "artifacts" / ".locks" / f"{name}.lock"):
        assert list_waste(workspace) == {}
        assert list(remove_waste(workspace, found)) == []
    assert len(list_waste(workspace)) == 1


def test_while_a_run_is_made_artifacts_stay(workspace):
    make_artifact(workspace, "codec", a=1)
    found = find_waste(workspace).waste
    with workspace.claim("new", exact=True, inputs=["a"], recipe=Recipe()):
        assert find_waste(workspace).left == ["new is being made; what could be its is left"]
        assert list_waste(workspace) == {}
        assert list(remove_waste(workspace, found)) == []


def test_what_is_needed_by_now_stays(workspace):
    name = make_artifact(workspace, "codec", a=1)
    found = find_waste(workspace).waste
    record = workspace.open_run("kept")[0]
    record.artifacts["codec"] = [name]
    workspace.record(record, Recipe())
    assert list(remove_waste(workspace, found)) == []


@pytest.mark.parametrize("linked", ["artifacts", "runs", "arrays", "sheets"])
def test_what_links_lead_to_stays(workspace, tmp_path, linked):
    other = Workspace(tmp_path / "other")
    make_artifact(other, "codec", a=1)
    folder = workspace.root / linked
    shutil.rmtree(folder, ignore_errors=True)
    folder.symlink_to(other.root / "artifacts")
    with pytest.raises(WorkspaceError, match="a link; clean the workspace that it leads to"):
        find_waste(workspace)


def test_a_folder_that_is_no_workspace_is_told(tmp_path):
    with pytest.raises(WorkspaceError, match="expected a workspace, got"):
        find_waste(Workspace(tmp_path))


def test_an_artifact_without_a_manifest_is_no_hindrance(workspace):
    name = make_artifact(workspace, "codec", a=1)
    (workspace.root / "artifacts" / name / "manifest.json").write_text(json.dumps({"inputs": [1]}))
    assert [*list_waste(workspace)] == [f"artifacts/{name}"]


def test_the_store_makes_again_what_was_removed(workspace):
    name = make_artifact(workspace, "codec", a=1)
    clean(workspace)
    assert make_artifact(workspace, "codec", a=1) == name
    assert ArtifactStore(workspace.root / "artifacts").find_damage(name) == ""


@pytest.mark.parametrize("place", ["runs/.damaged-x", "artifacts/.damaged-codec-0123456789abcdef"])
def test_what_was_set_aside_can_go(workspace, place):
    (workspace.root / place).mkdir()
    (workspace.root / place / "data").write_bytes(bytes(10))
    assert list_waste(workspace) == {place: "damaged, and set aside"}
    clean(workspace)
    assert not (workspace.root / place).exists()
