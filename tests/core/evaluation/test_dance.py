import json
from collections.abc import Iterator
from dataclasses import asdict, replace

import numpy as np
import pytest

from deepdance.errors import InputError
from deepdance.evaluation.dance import Reference
from deepdance.frames import Clip, Silhouettes, UInt8

FPS = 10.0
SIZE = (60, 100)


def dancer(count: int, seed: int, arms: int = 2) -> UInt8:
    """A body that wanders and turns its arms without repeating itself."""
    import cv2

    rng = np.random.default_rng(seed)
    speed = np.convolve(rng.normal(size=count), np.hanning(15) / 2, "same")
    angles = rng.uniform(0, 6, arms) + np.cumsum(0.03 + 0.2 * speed)[:, None] * (1 + 0.3 * np.arange(arms))
    across = 50 + 12 * np.sin(np.cumsum(0.05 + 0.05 * speed) + seed)
    frames = np.full((count, *SIZE), 255, np.uint8)
    for frame, turn, x in zip(frames, angles, across, strict=True):
        cv2.ellipse(frame, (int(x), 32), (7, 15), 0, 0, 360, 0, -1, cv2.LINE_AA)
        for angle in turn:
            tip = int(x + 20 * np.cos(angle)), int(30 + 20 * np.sin(angle))
            cv2.line(frame, (int(x), 30), tip, 0, 3, cv2.LINE_AA)
    return frames


def chunked(frames: UInt8, length: int = 64) -> Iterator[UInt8]:
    return (frames[start : start + length] for start in range(0, len(frames), length))


def clips(seeds: range, length: int = 200) -> Silhouettes:
    table = [Clip(i * length, (i + 1) * length, "dancer", FPS) for i in range(len(seeds))]
    return Silhouettes([np.concatenate([dancer(length, seed) for seed in seeds])], table)


@pytest.fixture(scope="module")
def train() -> Silhouettes:
    return clips(range(4))


@pytest.fixture(scope="module")
def reference(train) -> Reference:
    return Reference.fit(train, clips(range(10, 12)), FPS)


def test_held_out_frames_are_the_floor(reference):
    real = reference.real()
    assert (real.frames, real.streams, real.fps) == (400, 1, FPS)
    assert real.frechet_frames == real.frechet_motion == real.nearest_ratio == 1
    assert (real.density, real.coverage) == (real.floor_density, real.floor_coverage)
    assert real.motion_ratio == pytest.approx(1, abs=0.2)
    assert real.grey_ratio == pytest.approx(1, abs=0.05)
    assert real.several_bodies == 0
    assert real.area_outside < 0.1
    assert real.motion_ks < 0.2


def test_another_dance_of_the_same_kind_is_as_good(reference):
    report = reference.report([chunked(dancer(200, seed)) for seed in (20, 21)])
    assert (report.frames, report.streams) == (400, 2)
    assert 0.3 < report.frechet_frames < 3
    assert 0.5 < report.nearest_ratio < 2
    assert report.replay_seconds < 3
    assert report.coverage > 0.5 * report.floor_coverage


def test_how_a_stream_is_cut_into_chunks_changes_nothing(reference):
    frames = dancer(120, 20)
    reports = [asdict(reference.report([chunked(frames, length)])) for length in (7, 50, 120)]
    for other in reports[1:]:
        for name in ("motion", "freeze_seconds", "several_bodies", "frechet_motion", "nearest_ratio", "replay_seconds"):
            assert other[name] == pytest.approx(reports[0][name], rel=1e-3)


def test_a_held_frame_is_frozen(reference):
    report = reference.copy_last(200)
    assert report.motion == report.motion_ratio == report.loop == 0
    assert report.freeze_seconds == 19.9 > report.real_freeze_seconds
    assert report.replay_seconds == 0
    assert report.coverage < 0.1 * report.floor_coverage
    assert report.frechet_motion > 1.5


def test_a_replay_of_the_training_is_caught(reference, train):
    report = reference.report([chunked(train[200:400])])
    assert report.replay_seconds == pytest.approx(19.9)
    assert report.nearest_ratio < 0.05


def test_a_shuffled_dance_has_the_right_frames_and_the_wrong_motion(reference):
    frames = dancer(300, 20)
    order = np.random.default_rng(0).permutation(300)
    whole, shuffled = (reference.report([chunked(x)]) for x in (frames, frames[order]))
    assert shuffled.frechet_frames == pytest.approx(whole.frechet_frames, rel=1e-3)
    assert shuffled.motion_ratio > 2 * whole.motion_ratio


def test_a_loop_is_told(reference):
    report = reference.report([chunked(np.tile(dancer(30, 20), (10, 1, 1)))])
    assert report.loop > 1.2 > 2 * report.real_loop


def test_several_bodies_blur_and_size_are_told(reference):
    import cv2

    frames = dancer(200, 20)
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in frames])
    assert reference.report([chunked(blurred)]).grey_ratio > 2
    frames[:50, 2:12, 2:12] = 0
    frames[150:, :, 30:70] = 0
    report = reference.report([chunked(frames)])
    assert report.several_bodies == pytest.approx(0.25)
    assert report.area_outside >= 0.25


def test_a_bad_opening_is_told(reference):
    import cv2

    frames = dancer(120, 20)
    frames[:10] = [cv2.GaussianBlur(frame, (0, 0), 4) for frame in frames[:10]]
    frames[:10, 2:22, 2:22] = 0
    report = reference.report([chunked(frames)])
    assert report.first.grey_ratio > 2 * report.hundredth.grey_ratio
    assert report.first.several_bodies == 1 > report.hundredth.several_bodies == 0
    assert report.first.nearest_ratio > 1.5 * report.hundredth.nearest_ratio
    assert reference.report([chunked(frames[:60])]).hundredth is None


def test_a_slow_shrinking_shows_in_curve_and_slope(reference, monkeypatch):
    import cv2

    monkeypatch.setattr("deepdance.metrics.trends.BLOCK", 50)
    frames = np.tile(dancer(50, 20), (4, 1, 1))
    thinner = frames.copy()
    for block in range(1, 4):
        for frame in thinner[50 * block :]:
            frame[:] = cv2.dilate(frame, np.ones((2, 2)))
    report = reference.report([chunked(thinner)])
    assert len(report.curves["area"][0]) == 4
    assert report.slopes["area"].high < 0
    assert not report.slopes["area"].flat
    assert reference.report([chunked(frames)]).slopes["area"].flat


def test_a_report_is_plain_json_even_of_a_few_empty_frames(reference):
    report = reference.report([[np.full((3, *SIZE), 255, np.uint8)]])
    assert report.grey_per_perimeter is None
    assert report.frechet_frames is None
    assert report.slopes["area"] is None
    assert json.loads(json.dumps(asdict(report), allow_nan=False)) == asdict(report)


def test_clips_too_short_for_a_motion_leave_that_figure_out(train):
    short = replace(train.clips[0], stop=10)
    few = Silhouettes([train[:10]], [short])
    report = Reference.fit(few, few, FPS).real()
    assert report.frechet_motion is None
    assert report.motion_ratio == pytest.approx(1)


def test_other_sizes_and_nothing_at_all_are_refused(reference, train):
    with pytest.raises(InputError, match=r"\(60, 100\).*\(30, 50\)"):
        reference.report([[np.zeros((2, 30, 50), np.uint8)]])
    for streams in ([], [[]], [[np.zeros((0, *SIZE), np.uint8)]]):
        with pytest.raises(InputError, match="none"):
            reference.report(streams)
    with pytest.raises(InputError, match="held-out"):
        Reference.fit(train, train.between(0, 0), FPS)
