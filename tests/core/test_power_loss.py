"""A machine loses its power: what was never flushed is gone, and the same call goes on from what is there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import deepdance
from deepdance.events import ArtifactReady
from deepdance.storage import hash_file

Names = dict[str, tuple[int, bool]]
"""What is in a folder: the inode of each name, and whether it is a folder too."""


class PowerLoss(BaseException):
    """No code of ours catches it."""


class Disk:
    """What lies on a disk below `root`: each file and each folder as it was when it was last flushed.

    Only what `os.fsync` was called for is there. With `names_last`, the other half of what a file system may do: all
    names are there, and the files that were never flushed are empty.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.flushed = 0
        self.stops_at: int | None = None
        self._kept: dict[int, bytes | Names] = {}
        self._open: list[int] = []
        self._synchronize = os.fsync

    def fsync(self, number: int) -> None:
        """In place of `os.fsync`: note what is there now, or stop for ever."""
        self.flushed += 1
        if self.flushed == self.stops_at:
            raise PowerLoss
        path = Path(f"/proc/self/fd/{number}").readlink()
        if path.is_relative_to(self.root):
            self._open.append(os.dup(number))  # no other file gets its inode
            inode = os.fstat(number).st_ino
            self._kept[inode] = self._list(path) if path.is_dir() else path.read_bytes()

    def _list(self, folder: Path) -> Names:
        return {path.name: (path.lstat().st_ino, path.is_dir()) for path in folder.iterdir()}

    def restore(self, place: Path, *, names_last: bool) -> None:
        """Write what is on the disk to `place`."""
        live = {path.lstat().st_ino: path for path in [self.root, *self.root.rglob("*")]}
        folders = {inode: self._list(path) for inode, path in live.items() if path.is_dir()}
        entries = folders if names_last else {i: kept for i, kept in self._kept.items() if isinstance(kept, dict)}

        def write(inode: int, is_folder: bool, path: Path) -> None:
            if is_folder:
                path.mkdir()
                for name, below in entries.get(inode, {}).items():
                    write(*below, path / name)
            else:
                kept = self._kept.get(inode)
                path.write_bytes(kept if isinstance(kept, bytes) else b"")

        write(self.root.stat().st_ino, True, place)

    def close(self) -> None:
        """Let go of the files that are held."""
        for number in self._open:
            os.close(number)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """The disk of the folder `home`."""
    made = Disk(tmp_path / "home")
    made.root.mkdir()
    monkeypatch.setattr(os, "fsync", made.fsync)
    yield made
    made.close()


@pytest.fixture(scope="module")
def dance(tmp_path_factory: pytest.TempPathFactory, silhouettes: np.ndarray) -> Path:
    """A video's silhouettes as a file; what was typed lies on another disk."""
    path = tmp_path_factory.mktemp("input") / "dance.npy"
    np.save(path, silhouettes)
    return path


def run(dance: Path, home: Path) -> list[ArtifactReady]:
    """`dd run`, and the artifacts that it has used."""
    used: list[object] = []
    models = {"codec": "pca", "sequence": "ridge", "size": (24, 40)}
    deepdance.run(dance, workspace=home / "w", name="x", frames=20, listen=[used.append], **models)
    return [event for event in used if isinstance(event, ArtifactReady)]


def hash_all(home: Path) -> dict[str, str]:
    """The content of artifacts and of the video."""
    files = [*(home / "w/artifacts").glob("[a-z]*/*"), home / "w/runs/x/dance.mp4"]
    return {str(path.relative_to(home)): hash_file(path) for path in files if path.name != "manifest.json"}


@pytest.mark.parametrize("names_last", [False, True])
def test_after_a_run_all_of_it_is_on_the_disk(disk, dance, tmp_path, caplog, names_last):
    run(dance, disk.root)
    disk.restore(tmp_path / "after", names_last=names_last)
    assert hash_all(tmp_path / "after") == hash_all(disk.root)
    assert (tmp_path / "after/w/runs/x/run.json").read_bytes() == (disk.root / "w/runs/x/run.json").read_bytes()
    assert all(event.reused for event in run(dance, tmp_path / "after"))
    assert not caplog.records


@pytest.mark.parametrize("names_last", [False, True])
def test_whenever_the_power_goes_the_same_call_goes_on(disk, dance, tmp_path, caplog, names_last):
    run(dance, disk.root)
    whole, flushes = hash_all(disk.root), disk.flushed
    for number, moment in enumerate(range(1, flushes, max(1, flushes // 5))):
        shutil.rmtree(disk.root / "w")
        disk.flushed, disk.stops_at = 0, moment
        with suppress(PowerLoss):
            run(dance, disk.root)
        disk.stops_at = None
        after = tmp_path / f"after-{number}"
        disk.restore(after, names_last=names_last)
        finished = {path.name for path in (after / "w").glob("artifacts/[a-z]*")}
        used = run(dance, after)
        assert finished <= {event.folder.name for event in used if event.reused}
        assert hash_all(after) == whole
        assert not list(after.rglob(".*-part*"))
    assert flushes > 30
    assert not caplog.records
