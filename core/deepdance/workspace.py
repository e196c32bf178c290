"""A workspace: artifacts, and the runs that are made of them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from deepdance.artifacts import LOCKS, NAME, NEWEST, ArtifactStore
from deepdance.errors import DeepDanceError, WorkspaceError
from deepdance.folders import FOLDER, describe_kind, show_path
from deepdance.locks import hold_lock
from deepdance.recipe import Recipe
from deepdance.storage import hash_file, make_folder, now, read_json, set_aside, write_json, write_text
from deepdance.validation import nearest

log = logging.getLogger("deepdance")

RECORD, RECIPE = "run.json", "recipe.toml"
LONGEST_NAME = 60
"""Characters of a run's name: they may have four bytes each, a folder's name has 255, and a number may follow."""
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)
"""The names that Windows keeps for devices."""
RUN_STAGES = ("silhouettes", "codec", "latents", "sequence")
"""What a run is made of, in the order that it is made in."""


class _TakenError(Exception):
    """Another process works under this name, on another run."""


@dataclass
class RunRecord:
    """A run's record. Artifacts are names of folders under `artifacts/` of the same workspace."""

    name: str
    inputs: list[str]
    artifacts: dict[str, list[str]] = field(default_factory=dict)
    status: str = "unfinished"
    created: str = ""
    finished: str = ""
    """When its video was last written, or found to be there."""
    video: str = ""
    version: str = ""
    recipe: str = ""
    """The hash of its recipe's file; records of 0.1.0 have none."""
    looks: str = ""
    """How its dance looks, in a sentence."""
    music: str = ""
    """How well its dance keeps to the beats, in a sentence; nothing without any."""
    warnings: list[str] = field(default_factory=list)
    """What was warned of while it was made."""

    @property
    def is_trained(self) -> bool:
        """Whether it has all that it dances with."""
        return all(self.artifacts.get(stage) for stage in RUN_STAGES)


class Workspace:
    """A folder with `artifacts/` and `runs/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.artifacts = ArtifactStore(root / "artifacts")

    def _refuse_links(self) -> None:
        names = ("runs", f"runs/{LOCKS}", "artifacts", f"artifacts/{LOCKS}", f"artifacts/{NEWEST}")
        _refuse_links(self.root / name for name in names)

    def run_folder(self, name: str) -> Path:
        """Where a run keeps its recipe, its record and its video."""
        return self.root / "runs" / name

    @contextmanager
    def claim(
        self,
        name: str,
        *,
        exact: bool,
        inputs: list[str],
        recipe: Recipe,
        waiting: Callable[[], None] = lambda: None,
    ) -> Iterator[RunRecord]:
        """The run for these inputs and this recipe, continued if it exists, else new; nobody else has it meanwhile.

        A run that came to nothing gives its name away. A name that another recipe has, or that another process works
        under with one, is an error when it was asked for (`exact`), else a number is appended. Where another process
        makes the same run, it is waited for, and `waiting` called again and again. Raises WorkspaceError.
        """
        _check_name(name)
        self._refuse_links()
        for candidate in _number(name):
            with self._hold(candidate, inputs, recipe, waiting) as held:
                run = self._take_over(candidate, inputs, recipe) if held else None
                if run:
                    yield run
                    return
            if exact:
                raise WorkspaceError(
                    f"expected a new run name, got {name!r}, which holds another recipe; choose --name"
                )

    @contextmanager
    def _hold(self, name: str, inputs: list[str], recipe: Recipe, waiting: Callable[[], None]) -> Iterator[bool]:
        """Whether this process has a run for itself while the block runs; not if another makes another one of it."""
        locks = self.root / "runs" / LOCKS
        self.make_folder(locks)
        told: list[str] = []

        def look() -> None:
            found = self._find_run(name)
            if found and (found[0].inputs, found[1]) != (inputs, recipe):
                raise _TakenError
            if found and not told:
                told.append(name)
                log.warning("%s: another process is making this run; waiting for it", name)
            waiting()

        with ExitStack() as held:
            try:
                held.enter_context(hold_lock(locks / f"{name}.lock", look))
            except _TakenError:
                yield False
            else:
                yield True

    def _take_over(self, name: str, inputs: list[str], recipe: Recipe) -> RunRecord | None:
        """The run as it is, or a new one in its place, which a damaged one is moved from; None for another recipe."""
        found = self._find_run(name)
        if found is None:
            self._set_aside(self.run_folder(name))
        if found and (found[0].inputs, found[1]) == (inputs, recipe):
            return found[0]
        if found and (found[0].is_trained or found[0].status == "finished"):
            return None
        self.make_folder(self.run_folder(name))
        (self.run_folder(name) / RECORD).unlink(missing_ok=True)  # the next recipe is not that of this record
        run = RunRecord(name, inputs, created=found[0].created if found else now())
        self.record(run, recipe)
        return run

    def _set_aside(self, folder: Path) -> None:
        """Rename a run's folder that nobody can read, and tell; one that was only begun may be written over."""
        if folder.is_symlink() or (folder.is_dir() and {path.name for path in folder.glob("[!.]*")} - {RECIPE}):
            aside = set_aside(folder)
            log.warning(
                "%s has no record and recipe that can be read; it is set aside as %s and made anew",
                show_path(folder),
                show_path(aside.name),
            )

    def _find_run(self, name: str) -> tuple[RunRecord, Recipe] | None:
        """A run, if there is one that can be read."""
        try:
            return self.open_run(name)
        except DeepDanceError:
            return None

    def make_folder(self, folder: Path) -> None:
        """Make a folder of the workspace where there is none. Raises WorkspaceError where it cannot be written."""
        try:
            make_folder(folder)
        except OSError as error:
            raise WorkspaceError(
                f"expected a workspace that can be written, got {self.root}: {error.strerror}; "
                "choose another folder with --workspace"
            ) from None

    def record(self, run: RunRecord, recipe: Recipe) -> None:
        """Write the run's record and recipe."""
        folder = self.run_folder(run.name)
        write_text(folder / RECIPE, recipe.to_toml())
        run.recipe = hash_file(folder / RECIPE)
        write_json(folder / RECORD, asdict(run))

    def open_run(self, name: str) -> tuple[RunRecord, Recipe]:
        """A run's record and recipe. Raises OptionError, WorkspaceError."""
        folder = self.run_folder(name)
        if not is_plain_name(name) or not (folder / RECORD).is_file():
            known = [run.name for run in reversed(self.runs())]
            told = ", ".join(known) or "none yet"
            raise WorkspaceError(
                f"expected a run in {self.root / 'runs'}, got {name!r}{nearest(name, known)}; there are: {told}"
            )
        record, recipe = self._read_record(folder), Recipe.read(folder / RECIPE)
        if record.recipe not in ("", hash_file(folder / RECIPE)):
            raise WorkspaceError(
                f"expected the recipe that {record.name!r} was made by, got another in {show_path(folder / RECIPE)}; "
                "make the run again"
            )
        return record, recipe

    def _read_record(self, folder: Path) -> RunRecord:
        """A run's record, whoever wrote it: all that it names lies in its workspace. Raises WorkspaceError."""
        self._refuse_links()
        _refuse_links([folder, *folder.iterdir()])
        value = read_json(folder / RECORD)
        try:
            record = RunRecord(**{**value, "name": folder.name})
            _check_record(record)
        except (TypeError, ValueError) as error:
            raise WorkspaceError(
                f"expected a run's record, got {show_path(folder / RECORD)}: {error}; make the run again"
            ) from None
        return record

    def find_run(self, name: str, inputs: list[str], recipe: Recipe) -> RunRecord | None:
        """The run that `claim` would go on with under this name or a number of it, if there is one."""
        taken = map(self._find_run, _number(name))
        found = next(each for each in taken if each is None or (each[0].inputs, each[1]) == (inputs, recipe))
        return found[0] if found else None

    def runs(self) -> list[RunRecord]:
        """All runs, oldest first; what is no run's record is told of and passed over."""
        found, unreadable = self.read_records()
        for path, error in unreadable.items():
            log.warning("%s is passed over, it is no run's record: %s", show_path(path), error)
        return sorted(found, key=lambda run: run.created)

    def read_records(self) -> tuple[list[RunRecord], dict[Path, str]]:
        """The records of all runs, and why others cannot be read, by their files."""
        found, unreadable = [], {}
        for path in sorted((self.root / "runs").glob(f"[!.]*/{RECORD}")):
            try:
                found.append(self._read_record(path.parent))
            except WorkspaceError as error:
                unreadable[path] = str(error)
        return found, unreadable

    def find_latest(self) -> str:
        """The name of the run that was finished last. Raises WorkspaceError."""
        done = [run for run in self.runs() if run.status == "finished"]
        if not done:
            raise WorkspaceError(f"expected a finished run in {self.root}, got none; make one: dd run my-video.mp4")
        return max(done, key=lambda run: run.finished or run.created).name


def _number(name: str) -> Iterator[str]:
    """`dance`, `dance-2`, `dance-3` and so on."""
    return (name if number == 1 else f"{name}-{number}" for number in count(1))


def _refuse_links(paths: Iterable[Path]) -> None:
    """Raise WorkspaceError where something leads out of a workspace: what is there would be read, or written over."""
    for path in paths:
        if path.is_symlink() or (path.exists() and describe_kind(path) not in ("", FOLDER)):
            kind = "link" if path.is_symlink() else describe_kind(path)
            raise WorkspaceError(f"expected a run's own, got {show_path(path)}, a {kind}; move what it leads to there")


def is_plain_name(name: str) -> bool:
    """Whether a name is that of something in a folder, and leads nowhere else."""
    return name not in ("", ".", "..") and not re.search(r"[/\\\0]", name)


def _check_record(record: RunRecord) -> None:
    """Raise ValueError for what no run writes."""
    dates = (record.created, record.finished)
    texts = (record.status, record.video, record.version, record.recipe, record.looks, record.music, *dates)
    lists = (*_as_list(record.inputs), *_as_list(record.warnings))
    if not all(isinstance(text, str) for text in (*texts, *lists)):
        raise ValueError("something else where text is wanted")
    if record.video and not is_plain_name(record.video):
        raise ValueError(f"a video outside of its folder, {show_path(record.video)}")
    if not isinstance(record.artifacts, Mapping):
        raise ValueError("something else where artifacts are wanted")
    for stage, name in ((stage, name) for stage, names in record.artifacts.items() for name in _as_list(names)):
        if not isinstance(name, str) or not NAME.fullmatch(name) or name.rpartition("-")[0] != stage:
            raise ValueError(f"{show_path(str(name))!r}, which is no artifact's name of {show_path(stage)}")


def _as_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("something else where a list is wanted")
    return value


def _check_name(name: str) -> None:
    """Raise WorkspaceError where no run can have a name."""
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise WorkspaceError(f"--name: expected letters, digits, '.', '_' and '-', got {_describe_name(name)}")
    if len(name.encode()) > 4 * LONGEST_NAME or RESERVED.match(name):
        raise WorkspaceError(
            f"--name: expected at most {LONGEST_NAME} characters, and no name that Windows keeps for devices, "
            f"got {name!r}; choose another"
        )


def _describe_name(name: str) -> str:
    """A name that no run can have, with the first sign that is wrong, and one that it could have."""
    wrong = re.search(r"^[.-]|[^\w.-]", name)
    sign = "nothing" if wrong is None else "a space" if wrong[0] == " " else repr(wrong[0])
    fitting = re.sub(r"[^\w.-]+", "-", name).strip(".-")
    return f"{name!r}, with {sign}; " + (f"try --name {fitting}" if fitting else "choose another")


def locate_run(text: str, root: Path) -> tuple[Workspace, str]:
    """A run given by its name in the workspace `root`, or by its folder anywhere."""
    folder = Path(text)
    if (folder / RECORD).is_file():
        folder = folder.resolve()
        return Workspace(folder.parent.parent), folder.name
    return Workspace(root), text
