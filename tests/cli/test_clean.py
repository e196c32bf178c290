"""What `dd clean` lists and removes, and what `dd doctor --deep` finds."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deepdance.recipe import Recipe
from deepdance.workspace import RunRecord, Workspace


def make_artifact(workspace: Workspace, stage: str, size: int = 10_000) -> Path:
    """An artifact of so many bytes and its manifest."""

    def work(folder: Path) -> dict[str, object]:
        (folder / "data.npy").write_bytes(bytes(size))
        return {}

    return workspace.artifacts.build(stage, {"size": size}, work).folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """One with a run and an artifact that it does not need."""
    made = Workspace(tmp_path / "workspace")
    kept = make_artifact(made, "codec", 5)
    made.run_folder("x").mkdir(parents=True)
    made.record(RunRecord("x", ["a.mp4"], {"codec": [kept.name], "sequence": []}, "finished"), Recipe())
    make_artifact(made, "latents")
    return made


def test_a_script_gets_a_list_and_nothing_is_removed(dd, workspace):
    result = dd("clean")
    assert result.code == 0
    assert re.search(r"artifacts/latents-\w+ +no run needs it +10\.\d kB\n", result.out)
    assert re.search(r"in all +10\.\d kB\n", result.out)
    assert result.out.endswith("nothing is removed yet; to remove it: dd clean --yes\n")
    assert len(workspace.artifacts.names()) == 2


def test_yes_removes_it(dd, workspace):
    result = dd("clean", "--yes")
    assert (result.code, result.err) == (0, "")
    assert re.search(r"removed 10\.\d kB\n$", result.out)
    assert [name[:5] for name in workspace.artifacts.names()] == ["codec"]
    assert dd("clean").out == "nothing to remove in workspace\n"


@pytest.mark.parametrize("yes", [True, False])
def test_json_tells_what_is_removed(dd, workspace, yes):
    told = json.loads(dd("clean", "--json", *["--yes"] * yes).out)
    [waste] = told["waste"]
    assert (waste["reason"], waste["removed"], waste["size"]) == ("no run needs it", yes, told["size"])
    assert Path(waste["path"]).exists() != yes


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 1), (b"n\n", 2), (b"\n", 2)])
def test_somebody_at_a_terminal_is_asked(workspace, answer, left):
    leader, follower = pty.openpty()
    os.write(leader, answer)
    command = [sys.executable, "-m", "deepdance", "clean", "--workspace", str(workspace.root)]
    done = subprocess.run(command, stdin=follower, capture_output=True, text=True)
    os.close(leader)
    os.close(follower)
    assert done.returncode == 0, done.stderr
    assert "remove these 10" in done.stdout + done.stderr
    assert len(workspace.artifacts.names()) == left


def test_many_small_ones_of_a_kind_share_a_line(dd, workspace):
    for number in range(40):
        (workspace.root / "artifacts" / ".locks" / f"codec-{number:016x}.lock").touch()
    lines = dd("clean").out.splitlines()
    assert len(lines) == 5
    assert any(re.match(r"40 small ones +a lock of nothing +0 B", line) for line in lines)


def test_what_is_not_removed_says_why(dd, workspace):
    path = workspace.run_folder("x") / "run.json"
    path.write_text("{")
    result = dd("clean", "--yes")
    assert result.code == 0
    assert "run.json cannot be read; what could be its is left" in result.err
    assert len(workspace.artifacts.names()) == 2


def test_no_workspace_is_told(dd):
    result = dd("clean")
    assert result.code == 2
    assert result.err == "dd: expected a workspace, got workspace; name yours: dd clean --workspace FOLDER\n"


def find_deep(dd) -> tuple[int, dict[str, tuple[bool, str]]]:
    result = dd("doctor", "--deep", "--json")
    found = {row["check"]: (row["ok"], row["found"]) for row in json.loads(result.out)}
    return result.code, {name: found[name] for name in ("artifacts", "runs", "leftovers")}


def read_tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_doctor_finds_a_whole_workspace_whole_and_tells_what_could_go(dd, workspace):
    before = read_tree(workspace.root)
    code, found = find_deep(dd)
    assert code == 0
    assert found["artifacts"] == (True, "2 whole")
    assert found["runs"] == (True, "1 whole")
    assert re.fullmatch(r"10\.\d kB that nothing needs; dd clean tells of what, and removes it", found["leftovers"][1])
    assert read_tree(workspace.root) == before


def test_the_doctor_names_what_is_damaged_and_changes_nothing(dd, workspace):
    name = make_artifact(workspace, "sequence").name
    (workspace.root / "artifacts" / name / "data.npy").write_bytes(b"\1" + bytes(9_999))
    (workspace.run_folder("x") / "recipe.toml").write_text("codec = 5")
    before = read_tree(workspace.root)
    code, found = find_deep(dd)
    assert code == 2
    assert found["artifacts"] == (
        False,
        f"{name} has other content in data.npy than was written; the command that needs one sets it aside and makes "
        "it anew",
    )
    assert found["runs"][0] is False
    assert found["runs"][1].startswith("x: ")
    assert read_tree(workspace.root) == before
    assert dd("doctor", "--json").code == 0


@pytest.mark.parametrize("lost", ["codec", "dance.mp4"])
def test_the_doctor_names_what_a_run_lacks(dd, workspace, lost):
    record, recipe = workspace.open_run("x")
    if lost == "codec":
        (workspace.root / "artifacts" / record.artifacts["codec"][0]).rename(workspace.root / "away")
    else:
        record.video = lost
        workspace.record(record, recipe)
    code, found = find_deep(dd)
    assert (code, found["runs"][0]) == (2, False)
    assert found["runs"][1].startswith(f"x lacks {lost}")


def test_artifacts_from_before_there_were_hashes_are_counted(dd, workspace):
    path = workspace.root / "artifacts" / workspace.artifacts.names()[0] / "manifest.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k not in ("files", "digest")}))
    code, found = find_deep(dd)
    assert (code, found["artifacts"][1]) == (0, "2 whole, 1 of them from before there were hashes: only readable")


def test_a_machine_without_a_workspace_is_well(dd):
    assert find_deep(dd) == (
        0,
        {"artifacts": (True, "0 whole"), "runs": (True, "0 whole"), "leftovers": (True, "none")},
    )
