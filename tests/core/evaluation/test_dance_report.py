import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from dancers import FPS, SIZE, draw_dancer

from deepdance.errors import InputError
from deepdance.evaluation import dance_report, streams
from deepdance.evaluation.dance_report import report_copy, report_dances, report_real
from deepdance.evaluation.reference import Reference
from deepdance.evaluation.streams import Stream
from deepdance.frames import Clip, Silhouettes


def measure(reference: Reference, frames: np.ndarray) -> dict[str, float | None]:
    return report_dances(reference, [Stream(frames)]).figures


def clips(seeds: range, length: int = 200) -> Silhouettes:
    table = [Clip(i * length, (i + 1) * length, "dancer", FPS) for i in range(len(seeds))]
    return Silhouettes([np.concatenate([draw_dancer(length, seed) for seed in seeds])], table)


@pytest.fixture(scope="module")
def train() -> Silhouettes:
    return clips(range(4))


@pytest.fixture(scope="module")
def reference(train) -> Reference:
    return Reference.fit(train, clips(range(10, 12)))


def test_held_out_frames_are_the_floor(reference):
    real = report_real(reference)
    figures = real.figures
    assert (real.frames, real.dances, real.fps) == (400, 1, FPS)
    assert figures["frechet_frames"] == figures["frechet_motion"] == figures["nearest_ratio"] == 1
    assert figures["density"] == figures["floor_density"]
    assert figures["coverage"] == figures["floor_coverage"]
    assert figures["motion_ratio"] == pytest.approx(1, abs=0.2)
    assert figures["grey_ratio"] == pytest.approx(1, abs=0.05)
    assert figures["several_bodies"] == 0
    assert figures["area_outside"] < 0.1
    assert figures["motion_ks"] < 0.2


def test_another_dance_of_the_same_kind_is_as_good(reference):
    report = report_dances(reference, [Stream(draw_dancer(200, seed)) for seed in (20, 21)])
    figures = report.figures
    assert (report.frames, report.dances) == (400, 2)
    assert 0.3 < figures["frechet_frames"] < 3
    assert 0.5 < figures["nearest_ratio"] < 2
    assert figures["replay_seconds"] < 3
    assert figures["coverage"] > 0.5 * figures["floor_coverage"]


def test_how_a_stream_is_cut_into_chunks_changes_nothing(reference, monkeypatch):
    frames = draw_dancer(120, 20)
    reports = []
    for length in (7, 50, 120):
        monkeypatch.setattr(streams, "READ", length)
        reports.append(measure(reference, frames))
    for other in reports[1:]:
        for name in ("motion", "freeze_seconds", "several_bodies", "frechet_motion", "nearest_ratio", "replay_seconds"):
            assert other[name] == pytest.approx(reports[0][name], rel=1e-3)


def test_a_held_frame_is_frozen(reference):
    figures = report_copy(reference, 200).figures
    assert figures["motion"] == figures["motion_ratio"] == figures["loop"] == 0
    assert figures["freeze_seconds"] == 19.9 > figures["real_freeze_seconds"]
    assert figures["replay_seconds"] == 0
    assert figures["coverage"] < 0.1 * figures["floor_coverage"]
    assert figures["frechet_motion"] > 1.5


def test_a_replay_of_the_training_is_caught(reference, train):
    figures = measure(reference, train[200:400])
    assert figures["replay_seconds"] == pytest.approx(19.9)
    assert figures["nearest_ratio"] < 0.05


def test_a_shuffled_dance_has_the_right_frames_and_the_wrong_motion(reference):
    frames = draw_dancer(300, 20)
    shuffled = measure(reference, np.random.default_rng(0).permutation(frames))
    whole = measure(reference, frames)
    assert shuffled["frechet_frames"] == pytest.approx(whole["frechet_frames"], rel=1e-3)
    assert shuffled["motion_ratio"] > 2 * whole["motion_ratio"]


def test_a_loop_is_told(reference):
    figures = measure(reference, np.tile(draw_dancer(30, 20), (10, 1, 1)))
    assert figures["loop"] > 1.2 > 2 * figures["real_loop"]


def test_several_bodies_blur_and_size_are_told(reference):
    frames = draw_dancer(200, 20)
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in frames])
    assert measure(reference, blurred)["grey_ratio"] > 2
    frames[:50, 2:12, 2:12] = 0
    frames[150:, :, 30:70] = 0
    figures = measure(reference, frames)
    assert figures["several_bodies"] == pytest.approx(0.25)
    assert figures["area_outside"] >= 0.25


def test_a_bad_opening_is_told(reference):
    frames = draw_dancer(120, 20)
    frames[:10] = [cv2.GaussianBlur(frame, (0, 0), 4) for frame in frames[:10]]
    frames[:10, 2:22, 2:22] = 0
    figures = measure(reference, frames)
    assert figures["first.grey_ratio"] > 2 * figures["hundredth.grey_ratio"]
    assert figures["first.several_bodies"] == 1 > figures["hundredth.several_bodies"] == 0
    assert figures["first.nearest_ratio"] > 1.5 * figures["hundredth.nearest_ratio"]
    assert measure(reference, frames[:60])["hundredth.grey_ratio"] is None


def test_a_slow_shrinking_shows_in_curve_and_slope(reference, monkeypatch):
    monkeypatch.setattr("deepdance.metrics.trends.BLOCK", 50)
    frames = np.tile(draw_dancer(50, 20), (4, 1, 1))
    thinner = frames.copy()
    for block in range(1, 4):
        for frame in thinner[50 * block :]:
            frame[:] = cv2.dilate(frame, np.ones((2, 2)))
    report = report_dances(reference, [Stream(thinner)])
    assert len(report.curves["area"][0]) == 4
    assert report.slopes["area"].high < 0
    same = report_dances(reference, [Stream(frames)]).slopes["area"]
    assert same.low <= 0 <= same.high


def test_a_report_is_plain_json_even_of_a_few_empty_frames(reference):
    report = report_dances(reference, [Stream(np.full((3, *SIZE), 255, np.uint8))])
    assert report.figures["grey_per_perimeter"] is None
    assert report.figures["frechet_frames"] is None
    assert report.slopes["area"] is None
    assert json.loads(json.dumps(asdict(report), allow_nan=False)) == asdict(report)


def test_clips_too_short_for_a_motion_leave_that_figure_out(train):
    short = replace(train.clips[0], stop=10)
    few = Silhouettes([train[:10]], [short])
    figures = report_real(Reference.fit(few, few)).figures
    assert figures["frechet_motion"] is None
    assert figures["motion_ratio"] == pytest.approx(1)


def test_other_sizes_and_nothing_at_all_are_refused(reference, train):
    with pytest.raises(InputError, match=r"\(60, 100\).*\(30, 50\)"):
        report_dances(reference, [Stream(np.zeros((2, 30, 50), np.uint8))])
    for nothing in ([], [Stream(np.zeros((0, *SIZE), np.uint8))]):
        with pytest.raises(InputError, match="none"):
            report_dances(reference, nothing)
    with pytest.raises(InputError, match="held-out"):
        Reference.fit(train, train.between(0, 0))


def test_within_a_block_a_shot_begins_as_many_frames_after_the_blocks_first(monkeypatch):
    told = []
    monkeypatch.setattr(dance_report, "measure_loop_strength", lambda *given: told.append(given) or 0.5)
    stream = SimpleNamespace(features=np.arange(2000), starts=[0, 300, 1000, 1500])
    for block in (slice(0, 1000), slice(1000, 2000)):
        assert dance_report._measure_loop(stream, block, 10) == 0.5
    assert [(features[0], starts, fps) for features, starts, fps in told] == [(0, [0, 300], 10), (1000, [0, 500], 10)]


def test_what_there_is_nothing_of_has_no_ratio():
    assert dance_report._divide(1.0, 4.0) == 0.25
    assert dance_report._divide(0.0, 4.0) == 0
    assert [dance_report._divide(*pair) for pair in ((None, 4.0), (1.0, 0.0), (1.0, None))] == [None] * 3
