"""What `import deepdance` offers: runs from videos or arrays, and components that work on arrays alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from html import escape
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

import numpy as np
import numpy.typing as npt

from deepdance import dances, opened_runs, runs
from deepdance.arrays import Float32, UInt8
from deepdance.errors import OptionError, WorkspaceError
from deepdance.events import Listener
from deepdance.frames import Silhouettes
from deepdance.given_arrays import keep_frames, lay_out_latents, lay_out_silhouettes
from deepdance.html import TrainingHistories, encode_address
from deepdance.inputs import source_for
from deepdance.interfaces import BackgroundRemover, FrameCodec, FrameSource, History, Renderer, SequenceModel
from deepdance.plugins import discover
from deepdance.plugins.unregistered import adopt
from deepdance.progress import ProgressLine, is_watched
from deepdance.recipe import DEMO_RECIPE, Recipe, check_entries
from deepdance.remote import fetch_input, fetch_inputs
from deepdance.session import Session
from deepdance.splits import split_frames, split_latents
from deepdance.validation import validate
from deepdance.workspace import locate_run

if TYPE_CHECKING:
    from deepdance.evaluation.report import Evaluation
    from deepdance.evaluation.tables import PaperTable, Tables
    from deepdance.sweeps import Swept

Video = str | Path | npt.NDArray[Any]
"""A path, or frames as the source `array` reads them: RGB `(n, h, w, 3)`, or silhouettes or masks `(n, h, w)`."""
AnyComponent = FrameSource[Any] | BackgroundRemover[Any] | FrameCodec[Any] | SequenceModel[Any] | Renderer[Any]
Component = str | Mapping[str, Any] | type[AnyComponent] | AnyComponent
"""A component's name, or `{"name": …}` with its options beside it, as in a recipe file; or its class, or an instance.

A class need not be a plugin's. Of an instance it is the class and the options that count: runs make their own."""


class DanceFields(TypedDict, total=False):
    """The fields of a `Recipe` that another dance from the same models may change; `seconds` stands for `frames`."""

    start: str | int | Path
    temperature: float
    frames: int
    seconds: float
    loop: float
    music: str | Path
    beats: Sequence[float]
    curve: str
    render_fps: float
    seed: int


class FileFields(DanceFields, total=False):
    """What another dance that becomes a file may change besides."""

    render_size: str | tuple[int, int]
    renderer: Component


class ModelFields(FileFields, total=False):
    """What another dance may change of its models too: options that a sequence model reads when it dances."""

    sequence: Mapping[str, Any]


class ComponentFields(TypedDict, total=False):
    """The components of a `Recipe`."""

    source: Component
    remover: Component
    codec: Component
    sequence: Component
    renderer: Component


class RecipeFields(DanceFields, ComponentFields, total=False):
    """The fields of a `Recipe`, which says what they mean."""

    render_size: str | tuple[int, int]
    preset: str
    fps: float
    size: tuple[int, int]
    validation: float


MOST_SHOWN = 256 << 20
"""Bytes of a video that a notebook takes in."""


class Run:
    """A run of a workspace: what it was made of, and what came out. Shows its video in a notebook."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._record, self.recipe = session.workspace.open_run(name)
        self.name = name
        self.folder = session.workspace.run_folder(name)

    @property
    def video(self) -> Path:
        """The file of the dance, or the folder of its pictures. Raises WorkspaceError before the run is finished."""
        if not self._record.video:
            raise WorkspaceError(f"expected a finished run, got {self.name!r}, unfinished; run it again to go on")
        return self.folder / self._record.video

    @cached_property
    def frames(self) -> UInt8:
        """The dance as silhouettes `(frames, height, width)`, of the size that the recipe says."""
        return self.dance()

    @cached_property
    def table(self) -> PaperTable:
        """The paper's table: a row for the codec, a row for the sequence model."""
        from deepdance.evaluation.tables import PaperTable

        return PaperTable(opened_runs.measure_paper_table(self._opened, self.name))

    @property
    def history(self) -> TrainingHistories:
        """What the trainings of `"codec"` and `"sequence"` noted of each epoch.

        Each is a list of dicts: `loss`, `acc`, `val_loss`, `val_acc`, and what else a model measures. A model that is
        not trained by epochs has one.
        """
        return TrainingHistories(opened_runs.load_histories(self._session, self.name))

    @property
    def silhouettes(self) -> Silhouettes:
        """The silhouettes that were learned from, with their clips."""
        return self._opened.frames

    @property
    def latents(self) -> Float32:
        """The silhouettes' latents `(n, d)`."""
        return self._opened.latents

    @property
    def codec(self) -> FrameCodec[Any]:
        """The trained codec."""
        return self._opened.codec

    @property
    def sequence(self) -> SequenceModel[Any]:
        """The trained sequence model."""
        return self._opened.model

    @cached_property
    def _opened(self) -> opened_runs.OpenedRun:
        return opened_runs.open_run(self._session, self.recipe, self._record)

    def dance(self, **changes: Unpack[DanceFields]) -> UInt8:
        """Another dance from the same models, as silhouettes `(frames, height, width)`. Raises OptionError."""
        with self._session.follow():
            return np.concatenate(list(dances.generate_frames(self._opened, self.recipe.changed(changes))))

    def generate(self, out: str | Path, **changes: Unpack[ModelFields]) -> Path:
        """Another dance from the same models, as a file, or a folder where `out` has no ending. Raises OptionError.

        `renderer` is a name, or a dict of options with or without a name: without one, the ending decides. `sequence`
        is a dict of those options that its model reads when it dances, such as `{"cuts": "none"}`.
        """
        session, named = _adopt(self._session, changes)
        with session.follow():
            return runs.generate(session, self.name, Path(out), named).video

    def extend(
        self,
        video: str | Path,
        out: str | Path,
        seconds: float | None = None,
        *,
        render_size: str | tuple[int, int] | None = None,
        music: str | Path = "",
        beats: Sequence[float] = (),
        allow_remote: bool = False,
    ) -> Path:
        """The silhouettes of a video followed by their continuation, as a file. Raises InputError, OptionError.

        It dances on for 20 seconds, or to the end of `music`, which begins with the video. `allow_remote` is as that of
        `run`.
        """
        with self._session.follow():
            location = str(video)
            if allow_remote:
                location = fetch_input(self._session.registry, location, self._session.listen)
            return runs.extend(
                self._session, self.name, location, seconds, Path(out), render_size, music=music, beats=beats
            ).video

    def evaluate(self, frames: int = 1000, seeds: int = 5, *, fresh: str | None = None) -> Evaluation:
        """The tables of `dd evaluate`; `seeds` long dances of `frames` keyframes are measured.

        `fresh` names a table that is measured anew, with all after it. Raises OptionError.
        """
        from deepdance import report

        with self._session.follow():
            return report.evaluate(self._session, self.name, frames, seeds, fresh=fresh)

    def report(self) -> Path:
        """Make the run's page, `report.html`, anew: as `dd report` does. It holds frames of the first video.

        Raises InputError, WorkspaceError.
        """
        from deepdance import report

        with self._session.follow():
            return report.write_report(self._session, self.name)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {self._record.status})"

    def _repr_html_(self) -> str:
        media_type = guess_type(self._record.video)[0] or ""
        kind = media_type.partition("/")[0]
        if kind not in ("video", "image") or not self.video.is_file() or self.video.stat().st_size > MOST_SHOWN:
            return f"<code>{escape(repr(self))}</code>"
        data = encode_address(self.video.read_bytes(), media_type)
        tag = "video controls loop" if kind == "video" else "img"
        return f'<{tag} style="max-width: 100%" title="{escape(self.name)}" src="{data}">' + (
            "</video>" if kind == "video" else ""
        )


def run(
    videos: Video | Sequence[Video] = (),
    *,
    recipe: Recipe | str | Path | None = None,
    name: str | None = None,
    workspace: str | Path = "workspace",
    listen: Sequence[Listener] = (),
    force: bool = False,
    fresh: str | None = None,
    progress: bool | None = None,
    allow_remote: bool = False,
    jobs: int | None = None,
    executor: str = "",
    **fields: Unpack[RecipeFields],
) -> Run:
    """Learn the moves of one or more videos, and dance on: `dd run`. Without a video, the demo dancer is used.

    `recipe` is one to begin with, its file, or `"paper"`; `fields` change it. Each frame of an array is one sample, at
    the recipe's `fps`; arrays are kept in the workspace, under `arrays/`. `listen` are told all events. `force` learns
    from what cannot be a dancer too. `fresh` names a stage that is made anew, with all after it, though it is there.
    `progress` is shown on standard error; unset, where that is a terminal or a notebook. With `allow_remote` videos may
    be addresses, such as `s3://bucket/clips/`, which are fetched into a cache (`deepdance.remote`).

    `jobs` processes work at once, for the run and for what is asked of it later; 1 is this process alone. `executor` is
    the address of what works in place of this machine, as that of `dd run`.

    Raises InputError, OptionError, PluginError, WorkspaceError.
    """
    from deepdance import report

    opened = Session.open(workspace, _add_progress(listen, progress), jobs=jobs, engine=executor)
    session, named = _adopt(opened, fields)
    with session.follow():
        given = [videos] if isinstance(videos, str | Path | np.ndarray) else list(videos)
        found = recipe if isinstance(recipe, Recipe) else Recipe.find(recipe) if recipe else None
        base = found or (Recipe() if given else DEMO_RECIPE)
        check_entries(base, session.registry, named)
        made = base.changed(named)
        arrays = session.workspace.root / "arrays"
        locations = [keep_frames(v, arrays) if isinstance(v, np.ndarray) else str(v) for v in given]
        locations = _fetch_allowed(session, locations, allow_remote)
        return Run(session, report.run(session, made, locations, name, force=force, fresh=fresh).run.name)


def open_run(
    run: str | Path,
    *,
    workspace: str | Path = "workspace",
    listen: Sequence[Listener] = (),
    progress: bool | None = None,
    jobs: int | None = None,
    executor: str = "",
    **components: Unpack[ComponentFields],
) -> Run:
    """A run by its name in the workspace, or by its folder anywhere. Raises OptionError, WorkspaceError.

    Of a run whose `components` were classes, and no plugin's, these are given again. `progress`, `jobs` and `executor`
    are as those of `run`.
    """
    place, name = locate_run(str(run), Path(workspace))
    told = _add_progress(listen, progress)
    session, named = _adopt(Session.open(place.root, told, jobs=jobs, engine=executor), components)
    opened = Run(session, name)
    for kind, choice in named.items():
        got = choice if isinstance(choice, str) else choice["name"]
        expected = getattr(opened.recipe, kind).name
        if got != expected:
            raise OptionError(f"{kind}: expected {expected}, as in the run {name!r}, got {got}; give that, or nothing")
    return opened


def compare(
    compared: Sequence[Run | str | Path],
    frames: int = 1000,
    seeds: int = 5,
    *,
    workspace: str | Path = "workspace",
    jobs: int | None = None,
    executor: str = "",
) -> Tables:
    """The tables of `dd compare`, `"frames"`, `"long"` and `"paper"`: a row each for runs, or their names or folders.

    What is given by its name is measured by `jobs` and `executor`, as by those of `run`.

    Raises InputError, OptionError, WorkspaceError.
    """
    from deepdance.evaluation import report

    if isinstance(compared, Run | str | Path) or not compared:
        raise OptionError(f"expected a list of runs, such as compare([first, second]), got {compared!r}")
    where: Any = {"workspace": workspace, "jobs": jobs, "executor": executor}
    opened = [run if isinstance(run, Run) else open_run(run, **where) for run in compared]
    for run in opened:
        opened_runs.check_trained(run._session.workspace, run.name)
    return report.compare([run.evaluate(frames, seeds) for run in opened])


def sweep(
    plan: str | Path | Mapping[str, Any],
    *,
    workspace: str | Path = "workspace",
    listen: Sequence[Listener] = (),
    jobs: int | None = None,
    executor: str = "",
    progress: bool | None = None,
) -> Swept:
    """All runs of a file as `dd sweep` has it, or of such a table, made and measured, `jobs` at once: its `tables`.

    What failed is in `failed`, and the rest is done. Raises InputError, OptionError, PluginError, WorkerError.
    """
    from deepdance.sweeps import Sweep, run_sweep

    session = replace(Session.open(workspace, _add_progress(listen, progress)), jobs=jobs, engine=executor)
    with session.follow():
        return run_sweep(session, Sweep.parse(plan) if isinstance(plan, Mapping) else Sweep.read(Path(plan)))


def _fetch_allowed(session: Session, locations: list[str], allow_remote: bool) -> list[str]:
    return fetch_inputs(session.registry, locations, session.listen) if allow_remote else locations


def _add_progress(listen: Sequence[Listener], progress: bool | None) -> list[Listener]:
    shown = is_watched(sys.stderr) if progress is None else progress
    return [*listen, ProgressLine()] if shown else [*listen]


def _adopt(session: Session, fields: Mapping[str, Any]) -> tuple[Session, dict[str, Any]]:
    """A session that knows the classes among a recipe's fields, and these fields with names. Raises OptionError."""
    registry, named = adopt(session.registry, fields)
    return replace(session, registry=registry), named


def source(location: str | Path, name: str | None = None, /, **options: Any) -> FrameSource[Any]:
    """A source that reads `location`, chosen by its suffix if not by `name`. Raises OptionError, PluginError."""
    registry = discover()
    name = name or source_for(registry, str(location))
    checked = registry.options("source", name, "standard", options)
    made: FrameSource[Any] = registry.component("source", name)(str(location), checked)
    return made


def remover(name: str, /, **options: Any) -> BackgroundRemover[Any]:
    """A background remover. Raises OptionError, PluginError."""
    made: BackgroundRemover[Any] = _component("remover", name, options)
    return made


def codec(name: str, /, **options: Any) -> FrameCodec[Any]:
    """An untrained codec: `fit` trains it. Raises OptionError, PluginError."""
    made: FrameCodec[Any] = _component("codec", name, options)
    return made


def sequence(name: str, /, **options: Any) -> SequenceModel[Any]:
    """An untrained sequence model: `fit` trains it. Raises OptionError, PluginError."""
    made: SequenceModel[Any] = _component("sequence", name, options)
    return made


def renderer(name: str, /, **options: Any) -> Renderer[Any]:
    """A renderer. Raises OptionError, PluginError."""
    made: Renderer[Any] = _component("renderer", name, options)
    return made


def _component(kind: str, name: str, options: dict[str, Any]) -> Any:
    registry = discover()
    return registry.component(kind, name)(registry.options(kind, name, "standard", options))


@overload
def fit(
    component: FrameCodec[Any],
    data: Silhouettes | UInt8 | Sequence[UInt8],
    *,
    fps: float = 10.0,
    validation: float = 0.1,
    seed: int = 0,
    listen: Sequence[Listener] = (),
    progress: bool | None = None,
) -> History: ...


@overload
def fit(
    component: SequenceModel[Any],
    data: Float32 | Sequence[Float32],
    *,
    fps: float = 10.0,
    validation: float = 0.1,
    seed: int = 0,
    listen: Sequence[Listener] = (),
    progress: bool | None = None,
) -> History: ...


def fit(
    component: FrameCodec[Any] | SequenceModel[Any],
    data: Any,
    *,
    fps: float = 10.0,
    validation: float = 0.1,
    seed: int = 0,
    listen: Sequence[Listener] = (),
    progress: bool | None = None,
) -> History:
    """Train a codec on silhouettes `(n, height, width)`, uint8, or a sequence model on latents `(n, d)`, float32.

    A list of arrays is one clip each. As in a run, the last `validation` share of all frames is held out, with a gap
    before it, whose length depends on `fps`, the frames a second. The history has an entry an epoch: `loss`, `acc`,
    `val_loss`, `val_acc`. `progress` is as that of `run`. Raises InputError, OptionError.
    """
    validate(Recipe, {"validation": validation, "fps": fps, "seed": seed})
    session = Session.open(listen=_add_progress(listen, progress))
    with session.follow():
        if isinstance(component, FrameCodec):
            frames = data if isinstance(data, Silhouettes) else lay_out_silhouettes(data, fps)
            learned, held_out = split_frames(frames, validation)
            return component.fit(learned, held_out, session.training("codec", seed))
        latents, clips = lay_out_latents(data, fps)
        train, validation_clips = split_latents(latents, clips, validation, component.context)
        return component.fit(train, validation_clips, session.training("sequence", seed))
