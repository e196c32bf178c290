import json
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deepdance.artifacts import ArtifactStore, _write_manifest
from deepdance.errors import WorkspaceError


def test_the_same_inputs_are_made_once(tmp_path):
    made = []

    def make(folder):
        made.append(folder)
        (folder / "data").write_text("x")
        return {"note": 1}

    store = ArtifactStore(tmp_path)
    first = store.build("codec", {"a": 1}, make)
    again = store.build("codec", {"a": 1}, make)
    other = store.build("codec", {"a": 2}, make)
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

    store = ArtifactStore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        store.build("codec", {}, fail, resumable=resumable)
    left = [path.name for path in (tmp_path).iterdir() if path.name != ".locks"]
    assert all(name.startswith(".unfinished-") for name in left)
    assert len(left) == int(resumable)
    again = store.build("codec", {}, lambda folder: {"left": (folder / "checkpoint").exists()}, resumable=resumable)
    assert again.manifest()["left"] == resumable


def now():
    return datetime.now().astimezone()


def test_what_is_made_anew_is_found_from_then_on_and_the_old_one_stays(tmp_path):
    store = ArtifactStore(tmp_path)
    old = store.build("codec", {}, lambda folder: {"made": "old"})
    since = now()
    new = store.build("codec", {}, lambda folder: {"made": "new"}, since=since)
    again = store.build("codec", {}, lambda folder: {"made": "never"}, since=since)
    assert (new.reused, again.reused, again.folder) == (False, True, new.folder)
    later = store.build("codec", {}, lambda folder: {"made": "never"})
    assert (later.manifest()["made"], later.key) == ("new", new.key)
    assert new.key != old.key
    assert store.open(old.folder.name).manifest()["made"] == "old"
    third = store.build("codec", {}, lambda folder: {"made": "third"}, since=now())
    assert store.build("codec", {}, lambda folder: {}).folder == third.folder


@pytest.mark.parametrize("there", [True, False])
def test_what_is_made_anew_begins_at_the_beginning_and_loses_nothing_if_it_fails(tmp_path, there):
    def fail(folder):
        (folder / "checkpoint").write_text("half")
        raise KeyboardInterrupt

    store, found = ArtifactStore(tmp_path), []
    if there:
        store.build("codec", {}, lambda folder: {"made": "old"})
    else:
        with pytest.raises(KeyboardInterrupt):
            store.build("codec", {}, fail, resumable=True)
    with pytest.raises(KeyboardInterrupt):
        store.build("codec", {}, lambda folder: found.extend(folder.iterdir()) or fail(folder), since=now())
    assert not found
    kept = store.build("codec", {}, lambda folder: found.extend(folder.iterdir()) or {"made": "new"})
    assert (kept.reused, kept.manifest()["made"]) == (there, "old" if there else "new")
    assert not found


def test_two_at_once_make_it_once_and_the_second_waits(tmp_path):
    made, waited = [], []

    def make(folder):
        made.append(folder)
        time.sleep(0.3)
        return {}

    def work(_):
        ArtifactStore(tmp_path).build("codec", {}, make, waiting=lambda: waited.append(1))

    with ThreadPoolExecutor() as threads:
        list(threads.map(work, range(2)))
    assert (len(made), len(waited)) == (1, 1)


def test_a_workspace_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="choose another folder with --workspace"):
        ArtifactStore(tmp_path / "file" / "w").build("codec", {}, lambda folder: {})


def make(folder: Path) -> dict[str, object]:
    """Two files, one of them in a folder."""
    (folder / "deep").mkdir()
    (folder / "data.npy").write_bytes(bytes(range(200)))
    (folder / "deep" / "more").write_text("more")
    return {"history": [{"loss": 0.1, 1: 2}], "size": (3, 4)}


def _copy_other(folder: Path) -> None:
    """Another artifact, whole, under this one's name."""
    other = ArtifactStore(folder.parent).build("codec", {"b": 2}, make).folder
    shutil.rmtree(folder)
    shutil.copytree(other, folder)


def _change_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace("0.1", "0.2"))


def _replace_by_link(folder: Path) -> None:
    target = folder / "data.npy"
    copy = folder.parent / "copy"
    target.rename(copy)
    target.symlink_to(copy)


DAMAGE = {
    "zeroed half": lambda folder: (folder / "data.npy").write_bytes(bytes(range(100)) + bytes(100)),
    "one bit": lambda folder: (folder / "data.npy").write_bytes(b"\1" + bytes(range(1, 200))),
    "cut": lambda folder: (folder / "data.npy").write_bytes(bytes(range(100))),
    "longer": lambda folder: (folder / "data.npy").write_bytes(bytes(range(201))),
    "empty": lambda folder: (folder / "data.npy").write_bytes(b""),
    "gone": lambda folder: (folder / "data.npy").unlink(),
    "gone below": lambda folder: (folder / "deep" / "more").unlink(),
    "a folder": lambda folder: ((folder / "data.npy").unlink(), (folder / "data.npy").mkdir()),
    "a link": _replace_by_link,
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "empty manifest": lambda folder: (folder / "manifest.json").write_bytes(b""),
    "zeroed manifest": lambda folder: (folder / "manifest.json").write_bytes(bytes(200)),
    "another number in the manifest": _change_manifest,
    "a list for a manifest": lambda folder: (folder / "manifest.json").write_text("[]"),
    "nothing noted": lambda folder: (folder / "manifest.json").write_text("{}"),
    "another artifact": _copy_other,
    "no folder": lambda folder: (shutil.rmtree(folder), folder.write_text("")),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_artifact_is_named_set_aside_and_made_anew(tmp_path, caplog, damage):
    first = ArtifactStore(tmp_path).build("codec", {"a": 1}, make)
    whole = read_all(first.folder)
    damage(first.folder)
    again = ArtifactStore(tmp_path).build("codec", {"a": 1}, make)
    assert (again.folder, again.reused) == (first.folder, False)
    assert read_all(again.folder) == whole
    [told] = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(rf"{first.folder.name} .*; it is set aside as .damaged-{first.folder.name} and made anew", told)
    assert (tmp_path / f".damaged-{first.folder.name}").exists()
    assert ArtifactStore(tmp_path).build("codec", {"a": 1}, make).reused


def read_all(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.name in ("data.npy", "more")
    }


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_artifact_is_never_opened(tmp_path, damage):
    first = ArtifactStore(tmp_path).build("codec", {"a": 1}, make)
    store = ArtifactStore(tmp_path)
    assert store.open(first.folder.name).folder == first.folder
    damage(first.folder)
    assert store.open(first.folder.name) is None
    assert store.open(first.folder.name) is None
    assert not first.folder.exists()


def test_damage_is_seen_by_the_process_that_has_checked_the_file_before(tmp_path):
    store = ArtifactStore(tmp_path)
    first = store.build("codec", {"a": 1}, make)
    assert store.build("codec", {"a": 1}, make).reused
    time.sleep(0.01)  # a file that changes within the clock's tick, at the same size, is the disk's secret
    DAMAGE["one bit"](first.folder)
    assert not store.build("codec", {"a": 1}, make).reused


def test_what_was_made_anew_and_is_damaged_is_made_anew_in_its_place(tmp_path):
    store = ArtifactStore(tmp_path)
    old = store.build("codec", {}, make)
    new = store.build("codec", {}, make, since=now())
    DAMAGE["cut"](new.folder)
    again = store.build("codec", {}, make)
    assert (again.folder, again.reused) == (new.folder, False)
    assert store.open(old.folder.name)


def test_two_damaged_ones_of_a_name_are_both_kept(tmp_path):
    for _ in range(2):
        DAMAGE["cut"](ArtifactStore(tmp_path).build("codec", {}, make).folder)
    name = ArtifactStore(tmp_path).build("codec", {}, make).folder.name
    aside = sorted(path.name for path in tmp_path.glob(".damaged-*"))
    assert aside == [f".damaged-{name}", f".damaged-{name}-2"]


@pytest.mark.parametrize("pointer", ["", "../../elsewhere", "codec", "codec-0123456789abcdef/.."])
def test_a_damaged_pointer_is_told_and_leads_nowhere_else(tmp_path, caplog, pointer):
    store = ArtifactStore(tmp_path)
    old = store.build("codec", {}, make)
    store.build("codec", {}, make, since=now())
    (tmp_path / ".newest" / old.folder.name).write_text(pointer)
    assert store.build("codec", {}, make).folder == old.folder
    assert "expected which artifact took its place" in caplog.text


@pytest.mark.parametrize("name", ["../codec-0123456789abcdef", "codec", ".damaged-codec-0123456789abcdef", ""])
def test_no_artifact_is_sought_elsewhere(tmp_path, name):
    with pytest.raises(WorkspaceError, match="expected an artifact's name"):
        ArtifactStore(tmp_path).open(name)


def test_files_that_a_stranger_s_manifest_names_are_not_read_elsewhere(tmp_path):
    first = ArtifactStore(tmp_path).build("codec", {}, make)
    manifest = first.manifest()
    manifest["files"] = {"../../outside": {"bytes": 1, "blake2b": ""}}
    _write_manifest(first.folder, {key: value for key, value in manifest.items() if key != "digest"})
    assert ArtifactStore(tmp_path).find_damage(first.folder.name) == "names ../../outside, which lies outside of it"


def test_an_artifact_from_before_files_were_hashed_is_used(tmp_path):
    first = ArtifactStore(tmp_path).build("codec", {}, make)
    old = {key: value for key, value in first.manifest().items() if key not in ("files", "digest")}
    (first.folder / "manifest.json").write_text(json.dumps(old))
    assert ArtifactStore(tmp_path).build("codec", {}, make).reused


def test_what_a_dead_process_was_writing_is_no_part_of_an_artifact(tmp_path):
    def leave(folder):
        (folder / ".checkpoint-999999999-part.npz").touch()
        return make(folder)

    made = ArtifactStore(tmp_path).build("codec", {}, leave, resumable=True)
    assert set(made.manifest()["files"]) == {"data.npy", "deep/more"}
    assert not list(made.folder.glob(".*"))


def test_what_was_made_at_the_very_time_is_not_made_again(tmp_path):
    store = ArtifactStore(tmp_path)
    made = store.build("codec", {}, lambda folder: {})
    at = datetime.fromisoformat(made.manifest()["created"])
    assert store.build("codec", {}, lambda folder: {}, since=at).reused
    assert not store.build("codec", {}, lambda folder: {}, since=at + timedelta(microseconds=1)).reused


def test_the_manifests_of_a_stage_are_its_own_and_whole(tmp_path):
    store = ArtifactStore(tmp_path)
    for stage in ("codec", "codec_table", "latents"):
        for number in range(2):
            store.build(stage, {"number": number}, lambda folder: {})
    damaged = store.build("codec", {"number": 2}, lambda folder: {})
    (damaged.folder / "manifest.json").write_text("{")
    assert sorted(each["inputs"]["number"] for each in store.list_notes("codec", dict[str, Any])) == [0, 1]
    assert {each["stage"] for each in store.list_notes("codec_table", dict[str, Any])} == {"codec_table"}
    assert not list(store.list_notes("sequence", dict[str, Any]))


def test_a_file_in_place_of_what_is_unfinished_gives_way(tmp_path):
    store = ArtifactStore(tmp_path)
    name = store.build("codec", {}, make).folder.name
    (tmp_path / name).rename(tmp_path / "elsewhere")
    (tmp_path / f".unfinished-{name}").touch()
    assert store.build("codec", {}, make, resumable=True).folder.name == name


def test_a_manifest_that_lost_its_files_is_not_one_from_before_there_were_hashes(tmp_path):
    store = ArtifactStore(tmp_path)
    made = store.build("codec", {}, make)
    manifest = {key: value for key, value in made.manifest().items() if key != "files"}
    (made.folder / "manifest.json").write_text(json.dumps(manifest))
    assert store.find_damage(made.folder.name) == "has a manifest.json that is not as it was written"
