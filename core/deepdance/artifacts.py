"""What stages leave behind: folders named by all that went into them, whole, locked while they are made, and checked
before they are used."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from deepdance.errors import WorkspaceError
from deepdance.locks import hold_lock, try_lock
from deepdance.storage import (
    digest,
    find_link,
    flush,
    flush_names,
    hash_file,
    make_folder,
    now,
    read_as,
    read_json,
    read_text,
    remove_leftovers,
    set_aside,
    write_atomically,
    write_json,
    write_text,
)
from deepdance.strict_json import make_plain

MANIFEST = "manifest.json"
NAME = re.compile(r"[a-z_]+-[0-9a-f]{16}")
"""A stage and a key."""
LOCKS, NEWEST = ".locks", ".newest"
"""Folders of an artifact store that are no artifacts."""
UNFINISHED = ".unfinished-"
"""Before the name of what is being made."""

T = TypeVar("T")

log = logging.getLogger("deepdance")


@dataclass(frozen=True)
class Artifact:
    """A finished stage: a folder whose name is the stage and the key of all that went into it."""

    folder: Path
    key: str
    reused: bool

    def manifest(self) -> dict[str, Any]:
        """What went into it, and what its maker noted."""
        return read_json(self.folder / MANIFEST)

    def read_notes(self, kind: type[T]) -> T:
        """The same as a stage's own model of it. Raises WorkspaceError for what no stage notes."""
        return read_as(self.folder / MANIFEST, kind)


def name_artifact(stage: str, inputs: Mapping[str, Any]) -> str:
    """What the artifact of a stage is called that is made of these inputs."""
    return f"{stage}-{digest({'stage': stage, **inputs})}"


class ArtifactStore:
    """A folder of artifacts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._checked: dict[Path, tuple[int, ...]] = {}
        """The files that were found to be whole, each as it was then: none is read twice by one process."""

    def build(
        self,
        stage: str,
        inputs: Mapping[str, Any],
        make: Callable[[Path], Mapping[str, Any]],
        *,
        resumable: bool = False,
        waiting: Callable[[], None] = lambda: None,
        since: datetime | None = None,
    ) -> Artifact:
        """The artifact of `stage` for these inputs: found, or made by `make(folder)`, whose notes join its manifest.

        A resumable stage finds in `folder` what an interrupted attempt left there. `waiting` is called again and again
        while another process is making the same artifact. What was made before `since` is made anew, from its
        beginning; so is, with a warning, what is not as it was made.
        """
        name = name_artifact(stage, inputs)
        found = self.find(name, since)
        if found:
            return found
        with self._lock(name, waiting):
            found = self.find(name, since)
            if found:
                return found
            taken = self._choose_name(name)
            made = self._make(taken, inputs, make, resumable and since is None)
            if taken != name:
                write_text(self._newest(name), taken)
            return made

    def open(self, name: str) -> Artifact | None:
        """An artifact by its folder's name, if it is there; one that is damaged is set aside, with a warning."""
        if not NAME.fullmatch(name):
            raise WorkspaceError(f"expected an artifact's name, such as codec-0123456789abcdef, got {name!r}")
        if not (self.root / name).exists():
            return None
        if self.find_damage(name):
            with self._lock(name, lambda: None):
                self._set_aside(name)
            return None
        return Artifact(self.root / name, _read_key(name), reused=True)

    @contextmanager
    def reserve(self, name: str) -> Iterator[str | None]:
        """What an artifact is called that nobody else makes while the block runs; None where somebody does already."""
        with try_lock(self._locate_lock(name)) as free:
            yield self._choose_name(name) if free else None

    def is_reserved(self, name: str) -> bool:
        """Whether somebody is making an artifact."""
        with try_lock(self._locate_lock(name)) as free:
            return not free

    @contextmanager
    def receive(self, name: str) -> Iterator[Path]:
        """A folder for all files of an artifact that was made elsewhere, and is reserved here.

        It has its name once the block has ended well. Raises WorkspaceError where it is not as it was made.
        """
        with write_atomically(self.root / name) as folder:
            make_folder(folder)
            yield folder
            damage = self._find_damage(folder, name)
            if damage:
                raise WorkspaceError(f"expected {name} as a worker made it, got one that {damage}; run again")
        shutil.rmtree(self._locate_unfinished(name), ignore_errors=True)

    def receive_unfinished(self, name: str) -> AbstractContextManager[Path]:
        """A folder for all that an attempt elsewhere has so far at an artifact which is reserved here.

        Once the block has ended well it is what the next attempt at it goes on from.
        """
        return write_atomically(self._locate_unfinished(name))

    def list_unfinished(self, name: str) -> list[str]:
        """The files that an attempt at an artifact left to go on from; none of what leads out of its folder."""
        folder = self._settle_unfinished(name)
        if folder.is_symlink() or not folder.is_dir() or find_link(folder):
            return []
        return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]

    def _settle_unfinished(self, name: str) -> Path:
        """Where attempts at an artifact work; what a process that died was putting there is gone, or back."""
        folder = self._locate_unfinished(name)
        remove_leftovers(self.root, folder)
        return folder

    def _locate_unfinished(self, name: str) -> Path:
        return self.root / f"{UNFINISHED}{name}"

    def names(self) -> list[str]:
        """Of all artifacts, as they are: no matter whether any is damaged."""
        return sorted(path.name for path in self.root.glob("*") if NAME.fullmatch(path.name))

    def list_notes(self, stage: str, kind: type[T]) -> Iterator[T]:
        """What the artifacts of a stage tell of themselves, but for those whose manifest is damaged."""
        for name in self.names():
            if name.rpartition("-")[0] == stage:
                with suppress(WorkspaceError):
                    yield read_as(self.root / name / MANIFEST, kind)

    def find_damage(self, name: str) -> str:
        """What is wrong with an artifact that is there, in a few words; nothing if it is as it was made."""
        return self._find_damage(self.root / name, name)

    def _find_damage(self, folder: Path, name: str) -> str:
        if folder.is_symlink() or not folder.is_dir():
            return "is no folder"
        try:
            manifest = read_json(folder / MANIFEST)
        except WorkspaceError:
            return f"has no {MANIFEST} that can be read"
        if not _is_whole(manifest, name):
            return f"has a {MANIFEST} that is not as it was written"
        link = find_link(folder)
        if link:
            return f"has {link.name}, which is no file of its own"
        damaged = (self._check_file(folder, *entry) for entry in manifest.get("files", {}).items())
        return next(filter(None, damaged), "")

    def has_hashes(self, name: str) -> bool:
        """Whether more is known of an artifact than that it can be read: it is not from before files were hashed."""
        return "files" in read_json(self.root / name / MANIFEST)

    def _check_file(self, folder: Path, name: str, noted: Mapping[str, Any]) -> str:
        """What is wrong with a file of an artifact, if anything is."""
        path = folder / name
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            return f"names {name}, which lies outside of it"
        if path.is_symlink() or not path.is_file():
            return f"lacks {name}"
        status = path.stat()
        if status.st_size != noted["bytes"]:
            return f"has {status.st_size} bytes in {name}, where there were {noted['bytes']}"
        seen = _sign(status)
        if self._checked.get(path) != seen and hash_file(path) != noted.get("blake2b"):
            return f"has other content in {name} than was written"
        self._checked[path] = seen
        return ""

    def find(self, name: str, since: datetime | None = None) -> Artifact | None:
        """The newest artifact that was made under this name, or anew; None if it is older than `since` or damaged."""
        current = self.find_newest(name)
        if not (self.root / current).exists() or self.find_damage(current):
            return None
        if since and _read_time(self.root / current) < since:
            return None
        return Artifact(self.root / current, _read_key(current), reused=True)

    def _newest(self, name: str) -> Path:
        """The file that says which artifact took the place of `name`."""
        return self.root / NEWEST / name

    def find_newest(self, name: str) -> str:
        """The artifact that took the place of `name`, or `name`."""
        pointer = self._newest(name)
        if not pointer.exists():
            return name
        try:
            newest = read_text(pointer, 1000)
        except (OSError, ValueError):
            newest = ""
        if NAME.fullmatch(newest):
            return newest
        log.warning("%s: expected which artifact took its place, got %.40r; the one before is used", pointer, newest)
        return name

    def _choose_name(self, name: str) -> str:
        """What an artifact is called that is to be made: `name`, or another where an older one stays under it.

        That one stays because other runs have models that learned from it, and they fit no other. The new one's key is
        another too, so whatever is made of it is made anew.
        """
        current = self.find_newest(name)
        if (self.root / current).exists() and self.find_damage(current):
            self._set_aside(current)
        if not (self.root / current).exists():
            return current
        return f"{name.rpartition('-')[0]}-{digest({'anew': name, 'time': now()})}"

    def _set_aside(self, name: str) -> None:
        """Rename a damaged artifact, and tell; another process may have done so."""
        folder = self.root / name
        damage = self.find_damage(name) if folder.exists() else ""
        if damage:
            log.warning("%s %s; it is set aside as %s and made anew", name, damage, set_aside(folder).name)

    def _make(
        self,
        name: str,
        inputs: Mapping[str, Any],
        make: Callable[[Path], Mapping[str, Any]],
        resumable: bool,
    ) -> Artifact:
        final = self.root / name
        unfinished = self._settle_unfinished(name)
        if unfinished.is_symlink() or unfinished.is_file():
            unfinished.unlink()
        if not resumable or find_link(unfinished):
            shutil.rmtree(unfinished, ignore_errors=True)
        make_folder(unfinished)
        try:
            notes = make(unfinished)
            remove_leftovers(unfinished)
            told = {"stage": name.rpartition("-")[0], "key": _read_key(name), "inputs": dict(inputs), "created": now()}
            files = _list_files(unfinished)
            _write_manifest(unfinished, {**told, **notes, "files": files})
            flush(unfinished)
            unfinished.rename(final)
            flush_names(self.root)
        except BaseException:
            if not resumable or (unfinished.exists() and not any(unfinished.iterdir())):
                shutil.rmtree(unfinished, ignore_errors=True)
            raise
        self._checked.update({final / each: _sign((final / each).stat()) for each in files})  # hashed a moment ago
        return Artifact(final, _read_key(name), reused=False)

    @contextmanager
    def _lock(self, name: str, waiting: Callable[[], None]) -> Iterator[None]:
        with hold_lock(self._locate_lock(name), waiting):
            yield

    def _locate_lock(self, name: str) -> Path:
        folder = self.root / LOCKS
        try:
            make_folder(folder)
        except OSError as error:
            raise WorkspaceError(
                f"expected a workspace that can be written, got {self.root.parent}: {error.strerror}; "
                "choose another folder with --workspace"
            ) from None
        return folder / f"{name}.lock"


def _sign(status: os.stat_result) -> tuple[int, ...]:
    """What changes when a file does."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def _list_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and hash of each file that a stage has left."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / MANIFEST)
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "blake2b": hash_file(path)}
        for path in files
    }


def _write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write a manifest that tells by a hash of its own whether it is whole."""
    plain = make_plain(manifest)
    write_json(folder / MANIFEST, {**plain, "digest": digest(plain)})


def _is_whole(manifest: Mapping[str, Any], name: str) -> bool:
    """Whether a manifest is as it was written, and for the artifact `name`.

    One from before files were hashed has no `files`, and no digest.
    """
    content = {key: value for key, value in manifest.items() if key != "digest"}
    try:
        datetime.fromisoformat(content["created"])
        sizes = [entry["bytes"] for entry in content.get("files", {}).values()]
        own = f"{content['stage']}-{content['key']}" == name and isinstance(content["inputs"], dict)
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    written = not {"files", "digest"} & manifest.keys() or manifest.get("digest") == digest(content)
    return own and written and all(isinstance(size, int) for size in sizes)


def _read_key(name: str) -> str:
    return name.rpartition("-")[2]


def _read_time(folder: Path) -> datetime:
    """When an artifact was made."""
    return datetime.fromisoformat(read_json(folder / MANIFEST)["created"])
