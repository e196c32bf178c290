"""Many runs from one file: each stage that several have in common is made once, and all are measured side by side."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Condition
from urllib.parse import quote

from deepdance import opened_runs, report
from deepdance.delegation import repeat_lost
from deepdance.errors import ClusterLostError, DeepDanceError
from deepdance.evaluation.report import Evaluation, compare
from deepdance.evaluation.report import evaluate as measure
from deepdance.evaluation.tables import Tables
from deepdance.events import Event, Progress, StageFinished, StageStarted, ignore
from deepdance.locks import WAITING_SECONDS
from deepdance.plugins.culprits import find_culprit
from deepdance.plugins.isolation import one_line
from deepdance.runs import settle_run
from deepdance.session import Session
from deepdance.storage import read_as, write_json
from deepdance.sweeps.driver import KeptWorkspace, MissingError, make_elsewhere
from deepdance.sweeps.plan import PlannedRun, Sweep
from deepdance.workers import Workers, count_processes

__all__ = ["PlannedRun", "Result", "Sweep", "Swept", "find_first_missing", "list_results", "locate_sweep", "run_sweep"]

STAGE = "sweep"
SHOWN = 4
"""Runs that the report shows in full: each takes up to 8 MB."""
RESULT = "sweep.json"
MEMORY_EACH = 3 << 29
"""Bytes that a process needs which trains and measures: 1.2 GiB with TensorFlow, 0.4 without, were measured."""

log = logging.getLogger("deepdance")


@dataclass(frozen=True)
class Result:
    """What came of a run: `finished`, or `failed` with what went wrong; `unfinished` while its sweep works.

    Without a name of its own it has the plan's.
    """

    run: str
    status: str
    folder: str = ""
    video: str = ""
    error: str = ""


Done = tuple[Result, Evaluation | None]
"""What came of a run; nothing is measured of one that failed."""


@dataclass(frozen=True)
class Swept:
    """What came of a sweep. Tables and report are of the runs that were finished, and not there if none was."""

    results: list[Result]
    evaluations: list[Evaluation]
    folder: Path
    tables: Tables | None = None
    report: Path | None = None

    @property
    def failed(self) -> list[Result]:
        """The runs that were not finished."""
        return [result for result in self.results if result.status != "finished"]


def locate_sweep(workspace: Path, name: str) -> Path:
    """The folder of what came of a sweep: its report, and which runs it has."""
    return workspace / "sweeps" / name


def list_results(workspace: Path, name: str) -> list[Result]:
    """What came of the runs of a sweep, or has come so far. Raises WorkspaceError."""
    return read_as(locate_sweep(workspace, name) / RESULT, dict[str, list[Result]])["runs"]


def run_sweep(session: Session, sweep: Sweep) -> Swept:
    """Make and measure all runs of a sweep, by the session's workers if it has any; a run that fails stops no other.

    Where it `spawns`, and no jobs are set, they are as many as this machine has room for. Of a run that a worker makes
    listeners are told, once it has ended, what has come of it, in its order: no `StageStarted`, no `Progress`.

    What an earlier call has finished is not done again. Raises InputError, OptionError, PluginError, WorkspaceError for
    a sweep that could not even begin, ClusterLostError where nobody is left to go on.
    """
    planned = sweep.plan(session.registry)
    folder = locate_sweep(session.workspace.root, sweep.name)
    session.workspace.make_folder(folder)
    session = _share_out(session, len(planned))
    jobs = _Jobs(session, sweep, planned, folder)
    session.listen(StageStarted(STAGE, sweep.name))
    # The workers end before the threads that wait for them: by a worker that is ended a thread is freed.
    with ThreadPoolExecutor(len(planned)) as threads, session.open_workers(len(planned)) as workers:
        jobs.do_all(workers, threads)
    session.listen(StageFinished(STAGE, False, sweep.name))
    evaluations = [each for run in planned if (each := jobs.done[run.name][1])]
    return _sum_up(session, sweep, folder, jobs.list_results(), evaluations)


def _share_out(session: Session, runs: int) -> Session:
    """The session with as many jobs as this machine has room for, where nobody said how many."""
    if session.jobs or session.engine or not session.spawns or runs == 1:
        return session
    jobs = count_processes(MEMORY_EACH)
    return replace(session, jobs=jobs) if jobs > 1 else session


def find_first_missing(session: Session, sweep: Sweep, planned: PlannedRun) -> str:
    """The stage that a run would begin with; nothing where all of it is there. Raises InputError, OptionError."""
    try:
        _find_finished(session, sweep, planned)
    except MissingError as error:
        return error.stage
    return ""


def _find_finished(session: Session, sweep: Sweep, planned: PlannedRun) -> tuple[Result, Evaluation]:
    """What came of a run that is as today's code would make it. Raises MissingError."""
    kept = replace(session, workspace=KeptWorkspace(session.workspace), listen=ignore, jobs=1, engine="")
    inputs, recipe, _ = settle_run(kept, planned.recipe, planned.inputs)
    artifacts = opened_runs.train(kept, recipe, inputs, force=False)
    record = kept.workspace.find_run(planned.name, inputs, recipe)
    if record is None or record.status != "finished" or record.artifacts != artifacts:
        raise MissingError("render")
    if not (kept.workspace.run_folder(record.name) / record.video).exists():
        raise MissingError("render")
    return _describe(kept, record.name, measure(kept, record.name, sweep.evaluate.frames, sweep.evaluate.seeds))


def _describe(session: Session, name: str, evaluation: Evaluation) -> tuple[Result, Evaluation]:
    record, folder = session.workspace.open_run(name)[0], session.workspace.run_folder(name)
    return Result(name, record.status, str(folder), str(folder / record.video)), evaluation


@dataclass
class _Jobs:
    """The runs of a sweep, and how far they are; several threads work on them."""

    session: Session
    sweep: Sweep
    planned: Sequence[PlannedRun]
    folder: Path
    done: dict[str, Done] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._changed = Condition()
        self._stopped = False
        self._left: list[PlannedRun] = list(self.planned)
        self._awaited: dict[str, str] = {}
        """By run, the artifact that it needs and another one is making."""
        self._working: dict[str, str] = {}
        """By run, its stage."""
        self._heard: dict[str, list[Event]] = {run.name: [] for run in self.planned}
        """By run, what a worker has told of it and nobody was told yet."""

    def do_all(self, workers: Workers | None, threads: ThreadPoolExecutor) -> None:
        """Do all runs: here, or as many at once as there are workers."""
        self._write_results()
        if workers is None:
            self._work(None)
            return
        # Neighbours differ in their videos and their codecs, so each has something of its own to make.
        self._left.sort(key=lambda run: run.place[::-1])
        pending = [threads.submit(self._work, workers) for _ in range(min(workers.count, len(self._left)))]
        try:
            for future in wait(pending, return_when=FIRST_EXCEPTION).done:
                future.result()
        except BaseException:
            self._stop()
            raise

    def list_results(self) -> list[Result]:
        """What came of each run so far, as they are planned."""
        return [self.done.get(run.name, (Result(run.name, "unfinished"), None))[0] for run in self.planned]

    def _write_results(self) -> None:
        """For whoever asks meanwhile: no terminal shows how far a sweep is that works on a server."""
        write_json(self.folder / RESULT, {"runs": [asdict(result) for result in self.list_results()]})

    def _stop(self) -> None:
        with self._changed:
            self._left.clear()
            self._stopped = True
            self._changed.notify_all()

    def _work(self, workers: Workers | None) -> None:
        while planned := self._take():
            self._do(planned, workers)

    def _take(self) -> PlannedRun | None:
        """The next run that need not wait, once there is one; None after the last."""
        with self._changed:
            while self._left:
                for planned in self._left:
                    if not self._must_wait(planned):
                        self._left.remove(planned)
                        return planned
                self._changed.wait(WAITING_SECONDS)
        return None

    def _must_wait(self, planned: PlannedRun) -> bool:
        awaited = self._awaited.get(planned.name)
        return awaited is not None and self.session.workspace.artifacts.is_reserved(awaited)

    def _do(self, planned: PlannedRun, workers: Workers | None) -> None:
        try:
            done: Done | None = self._find(planned) or self._make(planned, workers)
        except Exception as error:
            if self._stopped or isinstance(error, ClusterLostError):
                raise
            done = self._fail(planned, error), None
        with self._changed:
            self._working.pop(planned.name, None)
            if done:
                self.done[planned.name] = done
                self._write_results()
                self._tell_what_came(planned)
                self._tell()
            else:
                self._left.append(planned)
            self._changed.notify_all()

    def _find(self, planned: PlannedRun) -> tuple[Result, Evaluation] | None:
        try:
            return _find_finished(self.session, self.sweep, planned)
        except MissingError:
            return None

    def _make(self, planned: PlannedRun, workers: Workers | None) -> tuple[Result, Evaluation] | None:
        """What came of a run; None where it has to wait for another one."""
        measured = self.sweep.evaluate
        if workers is None:
            name = report.run(self.session, planned.recipe, planned.inputs, planned.name, numbered=True).run.name
            made = report.evaluate(self.session, name, measured.frames, measured.seeds)
            return _describe(self.session, name, made)
        session = replace(self.session, listen=partial(self._follow, planned))

        def make() -> str:
            self._heard[planned.name].clear()  # of an attempt whose worker was lost
            return make_elsewhere(session, workers, planned, measured)

        awaited = repeat_lost(workers, make)
        if awaited:
            self._awaited[planned.name] = awaited
            return None
        return _find_finished(self.session, self.sweep, planned)

    def _fail(self, planned: PlannedRun, error: Exception) -> Result:
        told = _describe_error(self.session, error)
        log.error("%s failed: %s", planned.name, told)
        return Result(planned.name, "failed", error=told)

    def _follow(self, planned: PlannedRun, event: Event) -> None:
        """Of runs that are made at once it is told which stages they are at, and later what came of each."""
        with self._changed:
            if self._stopped:
                raise CancelledError  # this thread hears of no signal
            if isinstance(event, StageStarted):
                self._working[planned.name] = event.stage
                self._tell()
            elif not isinstance(event, Progress):
                self._heard[planned.name].append(event)

    def _tell_what_came(self, planned: PlannedRun) -> None:
        for event in self._heard.pop(planned.name):
            self.session.listen(event)

    def _tell(self) -> None:
        self.session.listen(Progress(STAGE, len(self.done), len(self.planned)))
        if self._working:
            note = ", ".join(f"{name}: {stage}" for name, stage in self._working.items())
            self.session.listen(Progress(STAGE, 0, None, note))


def _describe_error(session: Session, error: Exception) -> str:
    """Why a run failed, in one line."""
    if isinstance(error, DeepDanceError):
        return str(error)
    culprit = find_culprit(error, session.registry)
    return f"{culprit}: {one_line(error)}" if culprit else one_line(error)


def _sum_up(
    session: Session, sweep: Sweep, folder: Path, results: list[Result], evaluations: list[Evaluation]
) -> Swept:
    swept = Swept(results, evaluations, folder)
    if not evaluations:
        return swept
    tables, page = compare(evaluations), folder / report.REPORT
    session.listen(StageStarted("report", page.name))
    shown = [report.collect(session, each.run) for each in evaluations[:SHOWN]]
    others = {each.run: f"../../runs/{quote(each.run)}/{report.REPORT}" for each in evaluations[SHOWN:]}
    failed = {result.run: result.error for result in swept.failed}
    report.write_page(shown, page, tables, others, sweep.name, failed)
    session.listen(StageFinished("report", False, str(page)))
    return replace(swept, tables=tables, report=page)
