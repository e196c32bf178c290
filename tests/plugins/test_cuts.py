"""Camera cuts: found where the dancer jumps, not where the light flashes or the dancer is fast."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from deepdance.testing.subject import measure_memory
from deepdance_plugins._ffmpeg import process as ffmpeg_process
from deepdance_plugins.sources.demo.source import DemoOptions, DemoSource
from deepdance_plugins.sources.ffmpeg import cuts
from deepdance_plugins.sources.ffmpeg.cuts import (
    GRID,
    LEAST,
    SIDE,
    _find_distinct,
    _find_peaks,
    find_cut_frames,
    find_cuts,
)
from deepdance_plugins.sources.ffmpeg.source import FfmpegOptions, FfmpegSource

VIDEOS = Path(__file__).parents[2].parent / "shared/data/shadowdance"
SIZE = (120, 200)


def body(x: float, y: float = 10.0, height: int = 40) -> np.ndarray:
    """A standing body, True, whose left edge is at column `x`."""
    picture = np.zeros(GRID, bool)
    picture[round(y) : round(y) + height, round(x) : round(x) + 14] = True
    return picture


def packed(pictures: Iterable[np.ndarray]) -> np.ndarray:
    return np.packbits(~np.array(list(pictures)).reshape(-1, GRID[0] * GRID[1]), axis=1).view(np.uint64)


def swaying(count: int, x: float = 30.0) -> list[np.ndarray]:
    return [body(x + 6 * np.sin(t / 4), 10 + 3 * np.sin(t / 3)) for t in range(count)]


def test_a_jump_between_two_calm_shots_is_a_cut():
    assert find_cut_frames(packed(swaying(40) + swaying(40, x=44))) == [40]


def test_a_long_video_is_looked_at_in_blocks(monkeypatch):
    shots = packed([picture for start in (30, 44, 20, 50) for picture in swaying(40, x=start)])
    for block in (1, 7, 37, 40):
        monkeypatch.setattr(cuts, "BLOCK", block)
        assert find_cut_frames(shots) == [40, 80, 120]


def test_a_long_video_takes_few_bytes_a_frame():
    shots = packed(swaying(100) + swaying(100, x=60))
    peaks = [measure_memory(lambda n=n: find_cut_frames(np.tile(shots, (n, 1))))[0] for n in (50, 200)]
    assert peaks[1] - peaks[0] < (shots.nbytes / len(shots) + 40) * 150 * len(shots)


def test_a_dance_without_a_cut_has_none():
    assert find_cut_frames(packed(swaying(200))) == []


def test_a_fast_move_is_no_cut():
    before, after = ([body(x + k % 2) for k in range(20)] for x in (20, 66))
    leap = [body(20 + 5 * t) for t in range(10)]
    assert find_cut_frames(packed(before + leap + after)) == []


@pytest.mark.parametrize("flash", [np.zeros(GRID, bool), np.ones(GRID, bool)])
def test_a_flash_of_two_frames_is_no_cut(flash):
    dance = swaying(80)
    for start in range(20, 60, 8):
        dance[start : start + 2] = [flash, flash]
    assert find_cut_frames(packed(dance)) == []


def test_repeated_frames_do_not_look_like_rest():
    slow = [picture for picture in swaying(60) for _ in range(3)]
    assert find_cut_frames(packed(slow)) == []
    assert find_cut_frames(packed([*slow, *(np.roll(p, 40, axis=1) for p in slow)])) == [len(slow)]


@pytest.fixture
def points(tmp_path):
    with (tmp_path / "points").open("w+b") as file:
        yield file


def test_a_cut_is_told_as_the_first_sample_at_or_after_it(points):
    packed(swaying(41) + swaying(40, x=60)).tofile(points)
    assert [find_cuts(points, range(81), fps) for fps in (3, 10, 30)] == [[5], [14], [41]]


def test_frames_without_a_dancer_that_fill_the_last_stack_add_no_cut(points):
    packed(swaying(41) + swaying(40, x=60) + [np.zeros(GRID, bool)] * 9).tofile(points)
    assert find_cuts(points, range(90), 30) == [41]


def test_too_little_to_judge_has_no_cut(points):
    assert find_cut_frames(packed(swaying(3))) == []
    assert find_cuts(points, [], 3) == []


@pytest.fixture(scope="module")
def demo_video(tmp_path_factory):
    """Four seconds of the demo dancer around its first cut, which is just before 2 s, with a flash twice a second."""
    import av

    path = tmp_path_factory.mktemp("cuts") / "demo.mp4"
    source = DemoSource("demo", DemoOptions(seconds=20))
    for _ in source.frames(10, (6, 10)):
        if source.shot_starts():
            break
    first = 3 * source.shot_starts()[0] - 60
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "18"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(120):
            picture = source.draw((first + number) / 30, SIZE)
            lit = np.where(picture.max(axis=2, keepdims=True) > 60, 255, picture) if number % 15 < 2 else picture
            container.mux(stream.encode(av.VideoFrame.from_ndarray(lit.astype(np.uint8), format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("fps", "cut"), [(3, 6), (10, 20)])
def test_the_cut_of_a_video_is_found_in_spite_of_strobes(demo_video, fps, cut):
    source = FfmpegSource(str(demo_video), FfmpegOptions())
    assert sum(len(chunk) for chunk in source.frames(fps, SIZE)) == 4 * fps
    assert list(source.shot_starts()) == [cut]


def test_the_points_of_a_video_vanish_with_the_reading(demo_video, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(ffmpeg_process, "CHUNK_BYTES", 1 << 18)
    whole, broken_off = (FfmpegSource(str(demo_video), FfmpegOptions()).frames(30, SIZE) for _ in range(2))
    for _ in whole:
        pass
    next(broken_off)
    broken_off.close()
    assert list(tmp_path.iterdir()) == []


def test_cuts_can_be_left_alone(demo_video):
    source = FfmpegSource(str(demo_video), FfmpegOptions(cuts=False))
    assert sum(len(chunk) for chunk in source.frames(3, SIZE)) == 12
    assert list(source.shot_starts()) == []


@pytest.mark.skipif(not VIDEOS.is_dir(), reason="needs shared/data")
def test_precision_and_recall_on_dances_before_changing_visuals():
    hits = found = known = 0
    for path in sorted(VIDEOS.glob("*.mp4")):
        source = FfmpegSource(str(path), FfmpegOptions())
        for _ in source.frames(3, SIZE):
            pass
        shots = json.loads(path.with_suffix(".json").read_text())["shots"]
        true = {-(-shot["start"] // 10) for shot in shots[1:]}
        hits += len(true & set(source.shot_starts()))
        found += len(source.shot_starts())
        known += len(true)
    assert hits / found >= 0.95
    assert hits / known >= 0.95


@pytest.mark.parametrize(
    ("jumps", "peaks"),
    [
        ({5: LEAST}, [5]),
        ({5: 0.99 * LEAST}, []),
        ({0: LEAST, 29: LEAST}, [0, 29]),
        ({10: 2 * LEAST, 10 + SIDE: 3 * LEAST}, [10 + SIDE]),
        ({10: 3 * LEAST, 10 + SIDE: 2 * LEAST}, [10]),
        ({10: 2 * LEAST, 11 + SIDE: 3 * LEAST}, [10, 11 + SIDE]),
        ({10: 3 * LEAST, 11 + SIDE: 2 * LEAST}, [10, 11 + SIDE]),
        ({10: LEAST, 11: LEAST}, [10]),  # of two alike the first
        ({0: LEAST, 1: 2 * LEAST}, [1]),
    ],
)
def test_a_cut_is_the_largest_jump_nearby(jumps, peaks):
    series = np.zeros(30)
    series[list(jumps)] = list(jumps.values())
    assert _find_peaks(series) == peaks


def test_frames_that_repeat_the_one_before_are_left_out_in_blocks_too(monkeypatch):
    monkeypatch.setattr(cuts, "BLOCK", 3)
    levels = np.uint64([0, 0, 1, 1, 1, 2, 3, 3, 4, 4])
    assert _find_distinct(levels[:, None] * np.ones((1, 2), np.uint64)).tolist() == [0, 2, 5, 6, 8]


def test_two_dancers_are_apart_by_what_they_do_not_share():
    """One smaller than a hundredth of the picture is measured as if it were that large."""
    words = np.zeros((3, 96), np.uint64)
    words[0, :4] = words[1, 2:6] = 2**64 - 1  # 256 points each, 128 of them in common
    words[2, 0] = 2**64 - 1
    assert cuts._measure_distances(words[:2], words[1:]) == pytest.approx([1 - 128 / 384, 1])
    assert cuts._measure_distances(words[:1], words[2:]) == pytest.approx([1 - 64 / 256])
    words[:2] = 0
    words[0, 0] = 2**32 - 1
    assert cuts._measure_distances(words[:1], words[1:2])[0] == pytest.approx(32 / (0.01 * 64 * 96))
