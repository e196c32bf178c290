"""What a report shows of a run: collected from its folder and its artifacts, with nothing trained."""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from itertools import chain, islice
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydantic import BaseModel

from deepdance import dances, opened_runs, pipeline
from deepdance.arrays import Float32, Int64, UInt8, sample_evenly
from deepdance.artifacts import Artifact
from deepdance.errors import DeepDanceError, WorkspaceError
from deepdance.evaluation.tables import PaperTable, Table
from deepdance.folders import show_path
from deepdance.frames import Clip, Silhouettes, fit_size
from deepdance.html import encode_address
from deepdance.inputs import open_source, show_location
from deepdance.metrics.distributions import squared_distances
from deepdance.metrics.shapes import iou
from deepdance.opened_runs import OpenedRun
from deepdance.plugins import BUILT_IN, KINDS
from deepdance.preparation import SilhouetteNotes, list_warnings
from deepdance.recipe import AUTO
from deepdance.report.charts import Chart, PathPlot, draw_paths, list_curves
from deepdance.report.pictures import (
    BOX,
    Sprite,
    build_sprite,
    draw_difference,
    encode_small,
)
from deepdance.runs import Finished
from deepdance.session import Session
from deepdance.soundtrack import has_same_track
from deepdance.storage import read_as
from deepdance.workspace import RUN_STAGES, RunRecord

SHOWN_SECONDS = 30
"""Of a dance that must be drawn anew for the page, and of the video beside it."""
MOST_EMBEDDED = 3 << 20
"""Bytes of a dance that the page takes as it is: base64 makes four of three."""
STRIP_FRAMES, STRIP_FPS = 150, 10
"""Of the video beside the dance: so many frames at most, and so many a second."""
VIDEO_BOX = (240, 400)
"""Height and width that a dance is drawn for."""
COMPARED = 48
"""Held-out frames that the best, median and worst reconstruction are chosen from."""
MARKED = 8
"""Frames of the dance whose nearest real frame is shown."""

log = logging.getLogger("deepdance")


class StageNotes(BaseModel):
    """What the manifest of any stage tells; one that went on from what was there has no `seconds`."""

    created: datetime
    seconds: float | None = None


@dataclass(frozen=True)
class Player:
    """What is played in step: the dance, and the beginning of the first video as silhouettes and as it was filmed."""

    dance: str
    silhouettes: Sprite
    photos: Sprite | None
    source: str
    is_redrawn: bool


@dataclass(frozen=True)
class Reconstruction:
    """A frame as it was, as its codec shows it, and where the two differ."""

    rank: str
    iou: float
    frame: int
    truth: str
    decoded: str
    difference: str


@dataclass(frozen=True)
class Reconstructions:
    """The best, the median and the worst of `count` frames, which were held out or learned from."""

    count: int
    held_out: bool
    chosen: Sequence[Reconstruction]


@dataclass(frozen=True)
class Pair:
    """A frame of the dance above the real frame whose latent is nearest."""

    seconds: float
    new: str
    real: str
    source: str
    real_seconds: float
    distance: float


@dataclass(frozen=True)
class LatentPaths:
    """Real and new latents, and pairs of the nearest.

    `nearest` is the median distance of a frame of the dance to its nearest real one, `step` the mean distance of
    neighbours in the video.
    """

    plot: PathPlot
    pairs: Sequence[Pair]
    nearest: float
    step: float


@dataclass(frozen=True)
class Input:
    """What was read of a video."""

    name: str
    frames: int
    shots: int
    seconds: float
    picture: str
    remover: str


@dataclass(frozen=True)
class StageTime:
    """When a stage was made and how long it took, if that is known."""

    stage: str
    component: str
    seconds: float | None
    created: datetime


@dataclass(frozen=True)
class Contents:
    """All that a report shows of one run."""

    record: RunRecord
    components: Mapping[str, str]
    player: Player
    reconstructions: Reconstructions
    curves: Mapping[str, Sequence[Chart]]
    paper_table: PaperTable
    evaluation: Mapping[str, Table]
    paths: LatentPaths
    inputs: Sequence[Input]
    warnings: Sequence[str]
    times: Sequence[StageTime]
    versions: Mapping[str, str]
    recipe: str


def collect(session: Session, name: str, finished: Finished | None = None) -> Contents:
    """What a trained run's report shows; `finished` is the run where it has just been made.

    Raises InputError for a run that has not trained, WorkspaceError for one that is not there, or damaged.
    """
    record, recipe = session.workspace.open_run(name)
    run = finished.opened if finished else opened_runs.open_run(session, recipe, record)
    table = finished.table if finished else opened_runs.measure_paper_table(run, name)
    with run.translate_misfit():
        return _collect(run, record, PaperTable(table))


def _collect(run: OpenedRun, record: RunRecord, table: PaperTable) -> Contents:
    components = {stage: getattr(run.recipe, stage).name for stage in ("codec", "sequence")}
    dance = dances.load_dance(run, record.name)
    compared = _choose_compared(run)
    marks = _choose_marks(len(dance))
    # A network's first call is dear: both sections share it.
    decoded = run.codec.decode(np.concatenate([run.latents[compared], dance[marks]]))
    histories = {stage: pipeline.load_history(run.artifacts[stage][0]) for stage in components}
    return Contents(
        record,
        components,
        _build_player(run, record, dance),
        _rank(run, compared, decoded[: len(compared)]),
        list_curves(components, histories),
        table,
        _read_evaluation(run, record),
        _trace(run, dance, marks, decoded[len(compared) :]),
        [_describe_input(*pair) for pair in zip(run.artifacts["silhouettes"], record.inputs, strict=True)],
        _list_warnings(run, record),
        [*_list_times(run)],
        _list_versions(run, record),
        run.recipe.to_toml(),
    )


def _choose_marks(frames: int) -> Int64:
    """Frames of the dance in the middle of parts of one length: its first frame is often an old one."""
    return np.unique(((np.arange(MARKED) + 0.5) / MARKED * frames).astype(np.int64))


def _build_player(run: OpenedRun, record: RunRecord, dance: Float32) -> Player:
    seconds = min(len(dance) / run.recipe.render_fps, SHOWN_SECONDS)
    artifact, location = run.artifacts["silhouettes"][0], record.inputs[0]
    frames = Silhouettes.load([artifact.folder])
    fps = run.recipe.fps
    count = max(1, min(len(frames), round(seconds * fps)))
    step = max(ceil(fps / STRIP_FPS), ceil(count / STRIP_FRAMES))
    strip = frames[:count:step]
    photos = _read_photos(run, artifact, location, len(strip), fps / step)
    whole = _read_whole_dance(run, record)
    return Player(
        encode_address(whole or _redraw_dance(run, dance), "video/mp4"),
        build_sprite(strip, fps / step),
        build_sprite(photos, fps / step, photo=True) if photos else None,
        show_location(location),
        whole is None,
    )


def _read_whole_dance(run: OpenedRun, record: RunRecord) -> bytes | None:
    """The dance's own file, where every browser plays it and the page has room for it."""
    entry = run.session.registry.find("renderer", run.recipe.renderer.name)
    video = run.session.workspace.run_folder(record.name) / record.video
    if (entry.distribution, entry.spec.name) != (BUILT_IN, "mp4") or not video.is_file():
        return None
    return video.read_bytes() if video.stat().st_size <= MOST_EMBEDDED else None


def _redraw_dance(run: OpenedRun, dance: Float32) -> bytes:
    """The first `SHOWN_SECONDS` as a small MP4, black on white, with its music while that is as it was."""
    registry, fps = run.session.registry, run.recipe.render_fps
    options = {"music": run.recipe.music} if has_same_track(run.recipe) else {}
    renderer = registry.component("renderer", "mp4")(registry.options("renderer", "mp4", run.recipe.preset, options))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "dance.mp4"
        size = fit_size(*run.frames.size, VIDEO_BOX)
        frames = pipeline.decode_frames(run.codec, [dance[: ceil(SHOWN_SECONDS * fps)]], size=size)
        renderer.render(frames, fps, path)
        return path.read_bytes()


def _read_photos(run: OpenedRun, artifact: Artifact, location: str, count: int, fps: float) -> list[UInt8]:
    """The first frames of a video as it was filmed; none where it is silhouettes, or not there any more."""
    try:
        _, source = open_source(run.recipe, run.session.registry, location)
        if source.info().silhouettes or source.fingerprint() != artifact.manifest()["inputs"].get("video"):
            return []
        frames = chain.from_iterable(source.frames(fps, BOX))
        return [frame.copy() for frame in islice(frames, count)]
    except (DeepDanceError, OSError) as error:
        log.info("%s: its frames are not in the report: %s", show_location(location), error)
        return []


def _choose_compared(run: OpenedRun) -> Int64:
    """Frames to judge the codec by, evenly chosen of those that figures are taken from."""
    return run.evaluated_from + sample_evenly(len(run.held_out), COMPARED)


def _rank(run: OpenedRun, compared: Int64, decoded: UInt8) -> Reconstructions:
    truth = run.frames[compared]
    likeness = iou(truth, decoded)
    order = np.argsort(likeness, kind="stable")
    places = {"best": order[-1], "median": order[len(order) // 2], "worst": order[0]}
    chosen = [
        Reconstruction(
            rank,
            float(likeness[at]),
            int(compared[at]),
            encode_small(truth[at]),
            encode_small(decoded[at]),
            encode_small(draw_difference(truth[at], decoded[at])),
        )
        for rank, at in places.items()
    ]
    return Reconstructions(len(compared), run.evaluated_from > 0, chosen)


def _read_evaluation(run: OpenedRun, record: RunRecord) -> dict[str, Table]:
    """The tables of the last `dd evaluate`; none where they are damaged, or of what has been made anew since."""
    path = run.session.workspace.run_folder(record.name) / "evaluation.json"
    newest = max(a.read_notes(StageNotes).created.timestamp() for made in run.artifacts.values() for a in made)
    if not path.is_file() or path.stat().st_mtime < newest:
        return {}
    try:
        return read_as(path, dict[str, Table])
    except WorkspaceError:
        log.warning("%s cannot be read; measure again: dd evaluate %s", show_path(path), record.name)
        return {}


def _trace(run: OpenedRun, dance: Float32, marks: Int64, shown: UInt8) -> LatentPaths:
    clips = run.frames.clips
    squares = squared_distances(dance[marks], run.latents)
    nearest = squares.argmin(axis=1)
    distances = np.sqrt(squares[np.arange(len(marks)), nearest])
    pairs = [
        Pair(
            float(mark / run.recipe.render_fps),
            encode_small(new),
            encode_small(real),
            show_location(clip.source),
            real_at,
            float(distance),
        )
        for mark, new, real, (clip, real_at), distance in zip(
            marks, shown, run.frames[nearest], [_locate(clips, at) for at in nearest], distances, strict=True
        )
    ]
    plot = draw_paths(run.latents, [clip.start for clip in clips], dance, marks.tolist())
    return LatentPaths(plot, pairs, float(np.median(distances)), _measure_step(run.latents, clips))


def _locate(clips: Sequence[Clip], frame: int) -> tuple[Clip, float]:
    """The clip that a frame is of, and the seconds of its video, all its shots one after the other, before it."""
    clip = next(clip for clip in clips if clip.start <= frame < clip.stop)
    first = next(each.start for each in clips if each.source == clip.source)
    return clip, (frame - first) / clip.fps


def _measure_step(latents: Float32, clips: Sequence[Clip]) -> float:
    """The mean distance of neighbours in a clip; 0 where there are none."""
    steps = [np.linalg.norm(np.diff(latents[clip.start : clip.stop], axis=0), axis=1) for clip in clips]
    joined = np.concatenate(steps)
    return float(joined.mean()) if len(joined) else 0.0


def _describe_input(artifact: Artifact, location: str) -> Input:
    notes = artifact.read_notes(SilhouetteNotes)
    clips = Silhouettes.load([artifact.folder]).clips
    made = notes.inputs.remover
    return Input(
        show_location(location),
        notes.frames,
        len(clips),
        notes.frames / clips[0].fps,
        f"{notes.picture[1]} × {notes.picture[0]}" if notes.picture else "",
        made.name if made else "none: silhouettes already",
    )


def _list_warnings(run: OpenedRun, record: RunRecord) -> list[str]:
    """What was warned of in reading the videos, then in making the run; nothing twice."""
    pairs = zip(run.artifacts["silhouettes"], record.inputs, strict=True)
    return list(dict.fromkeys([*chain.from_iterable(list_warnings(*pair) for pair in pairs), *record.warnings]))


def _list_times(run: OpenedRun) -> Iterator[StageTime]:
    for stage in RUN_STAGES:
        for artifact in run.artifacts[stage]:
            notes = artifact.read_notes(StageNotes)
            component = getattr(run.recipe, stage).name if stage in KINDS else ""
            yield StageTime(stage, component, notes.seconds, notes.created)


def _list_versions(run: OpenedRun, record: RunRecord) -> dict[str, str]:
    """What made the run, as far as it is noted, and what made this page."""
    names = [getattr(run.recipe, kind).name for kind in KINDS]
    entries = [run.session.registry.find(kind, name) for kind, name in zip(KINDS, names, strict=True) if name != AUTO]
    others = {entry.distribution: entry.version for entry in entries if entry.distribution != BUILT_IN}
    packages = {package: version(package) for package in ("numpy", "keras", "tensorflow")}
    return {
        "deepdance": record.version or opened_runs.VERSION,
        **others,
        "Python": platform.python_version(),
        **packages,
    }
