"""The demo source: endless, seeded, random access, and easy to tell from its background."""

import cv2
import numpy as np
import pytest

from deepdance.interfaces import SourceInfo
from deepdance_plugins.sources.demo.source import NATIVE_SIZE, DemoOptions, DemoSource

SMALL = (120, 200)


def demo(seed: int = 0, seconds: float = 12.0) -> DemoSource:
    return DemoSource("demo", DemoOptions(seed=seed, seconds=seconds))


def read(source: DemoSource, fps: float = 3.0, size: tuple[int, int] = SMALL) -> np.ndarray:
    return np.concatenate(list(source.frames(fps, size)))


def is_background(frames: np.ndarray) -> np.ndarray:
    """The paper's rule."""
    return frames.sum(axis=-1, dtype=int) > 230


@pytest.fixture(scope="module")
def minute():
    """Frames of a minute at the paper's rate."""
    return read(demo(seconds=60))


@pytest.fixture(scope="module", params=[0, 1, 2])
def native(request):
    """A few frames at the native size, spread over two minutes."""
    source = demo(request.param)
    return np.stack([source.draw(seconds) for seconds in np.arange(0.4, 120, 9.7)])


def test_another_seed_gives_another_video():
    first, second = read(demo(0, 3)), read(demo(1, 3))
    assert not np.array_equal(is_background(first), is_background(second))
    assert demo(0).fingerprint() != demo(1).fingerprint()


def test_another_length_changes_the_fingerprint_but_no_frame():
    short, long = demo(seconds=2), demo(seconds=4)
    assert short.fingerprint() != long.fingerprint()
    assert np.array_equal(read(short), read(long)[:6])


def test_a_frame_depends_on_its_time_only():
    fast, slow = read(demo(seconds=3), fps=30), read(demo(seconds=3), fps=3)
    assert np.array_equal(fast[::10], slow)
    assert np.array_equal(demo().draw(4 / 3, SMALL), slow[4])


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((2000, 2000), NATIVE_SIZE),
        ((120, 1000), SMALL),
        ((1000, 100), (60, 100)),
        ((37, 64), (37, 62)),
        ((1, 1), (1, 1)),
    ],
)
def test_frames_fit_the_box_and_are_never_enlarged(box, expected):
    assert read(demo(seconds=0.5), size=box).shape == (2, *expected, 3)


@pytest.mark.parametrize(("seconds", "fps", "count"), [(1, 3, 3), (0.1, 30, 3), (0.01, 3, 1), (2.5, 3, 8), (10, 3, 30)])
def test_the_length_is_what_was_asked_for(seconds, fps, count):
    assert len(read(demo(seconds=seconds), fps, (12, 20))) == count


def test_info_tells_the_native_video():
    assert demo(seconds=7).info() == SourceInfo(720, 1200, 30, 7)


def test_shots_are_long_enough_to_learn_from_and_short_enough_to_vary():
    source = demo(seconds=60)
    read(source, fps=3, size=(6, 10))
    starts = source.shot_starts()
    lengths = np.diff([0, *starts]) / 3
    assert 0 not in starts
    assert 7.5 <= lengths.min() <= lengths.max() <= 17


def test_shot_starts_follow_the_rate_of_the_last_call():
    source = demo(seconds=40)
    read(source, fps=2, size=(6, 10))
    slow = source.shot_starts()
    read(source, fps=6, size=(6, 10))
    assert len(slow) >= 2
    assert [-(-start // 3) for start in source.shot_starts()] == list(slow)


def test_the_background_changes_where_the_camera_cuts():
    source = demo(seconds=40)
    frames = read(source, fps=6, size=(60, 100)).astype(float)
    change = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    cuts = [start - 1 for start in source.shot_starts()]
    assert change[cuts].min() > np.delete(change, cuts).max()


def test_the_papers_rule_tells_the_dancer_from_the_background(native):
    brightness = native.sum(axis=-1, dtype=int)
    dancer = np.stack([_largest_piece(frame < 60) for frame in brightness])
    around = ~np.stack([cv2.dilate(mask.astype(np.uint8), np.ones((5, 5))) for mask in dancer]).astype(bool)
    right = [background[outside].mean() for background, outside in zip(is_background(native), around, strict=True)]
    assert np.median(right) >= 0.98
    assert min(right) >= 0.95
    assert 0.03 < dancer.mean(axis=(1, 2)).min() <= dancer.mean(axis=(1, 2)).max() < 0.45


def test_the_dancer_is_in_one_piece(native):
    dark = native.sum(axis=-1, dtype=int) < 60
    whole = [_largest_piece(mask).sum() / mask.sum() for mask in dark]
    assert np.mean(np.array(whole) > 0.98) > 0.8


def test_the_outline_is_anti_aliased():
    frame = demo().draw(7.3).sum(axis=-1, dtype=int)
    edge = cv2.Canny((frame < 60).astype(np.uint8) * 255, 50, 150) > 0
    beside = cv2.dilate(edge.astype(np.uint8), np.ones((3, 3))) > 0
    assert ((frame > 60) & (frame < 300))[beside].mean() > 0.1


def test_the_dancer_moves_all_the_time(minute):
    background = is_background(minute)
    change = (background[1:] != background[:-1]).mean(axis=(1, 2))
    assert np.median(change) > 0.02
    assert (change > 0.002).mean() > 0.95


def test_the_poses_vary(minute):
    poses = is_background(minute)[:, ::4, ::4].reshape(len(minute), -1).astype(float)
    apart = np.linalg.norm(poses[:, None] - poses[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    assert np.median(apart.min(axis=1)) > 3


def _largest_piece(mask: np.ndarray) -> np.ndarray:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])


@pytest.mark.parametrize("seed", range(4))
def test_a_video_begins_with_the_whole_dancer(seed):
    frames = np.concatenate(list(DemoSource("demo", DemoOptions(seed=seed, seconds=4)).frames(5, (120, 200))))
    dancer = frames.sum(axis=3, dtype=int) < 60
    assert dancer.any(axis=(1, 2)).all()
    assert dancer[:, -2:].mean() < 0.001
