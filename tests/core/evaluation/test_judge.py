import cv2
import numpy as np
import pytest
from dancers import FPS, draw_dancer

from deepdance.evaluation.judge import KINDS, LEAST, RealParts, _number_blocks, describe_verdict
from deepdance.evaluation.reference import Reference
from deepdance.evaluation.streams import Stream
from deepdance.frames import Clip, Silhouettes
from deepdance.metrics.bootstrap import Estimate

LENGTH = 240


def film(seeds: range, fps: float = FPS) -> Silhouettes:
    clips = [Clip(i * LENGTH, (i + 1) * LENGTH, "dancer", fps) for i in range(len(seeds))]
    return Silhouettes([np.concatenate([draw_dancer(LENGTH, seed) for seed in seeds])], clips)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference.fit(film(range(8)), film(range(20, 25)))


@pytest.fixture(scope="module")
def told(reference):
    """What the judge says of five dances, changed as asked."""

    def judge(change=lambda frames: frames):
        streams = [change(draw_dancer(LENGTH, seed)) for seed in range(30, 35)]
        return reference.judge.judge(reference.measure([Stream(frames) for frames in streams]))

    return judge


def slow_down(frames: np.ndarray) -> np.ndarray:
    return frames[np.arange(0, len(frames), 1 / 1.3).round().astype(int).clip(max=len(frames) - 1)]


def shake(frames: np.ndarray) -> np.ndarray:
    shifts = np.random.default_rng(0).integers(-1, 2, (len(frames), 2))
    return np.stack([np.roll(frame, shift, (0, 1)) for frame, shift in zip(frames, shifts, strict=True)])


def change_each(change):
    return lambda frames: np.stack([change(frame) for frame in frames])


def punch_hole(frame: np.ndarray) -> np.ndarray:
    y, x = np.argwhere(frame == 0).mean(axis=0).astype(int)
    return cv2.circle(frame.copy(), (int(x), int(y)), 2, 255, -1)


PLANTED = {
    "frozen": (lambda frames: np.repeat(frames[::12], 12, axis=0), "speed"),
    "slow": (slow_down, "speed"),
    "shaken": (shake, "travel"),
    "grey": (change_each(lambda frame: cv2.GaussianBlur(frame, (0, 0), 0.7)), "grey"),
    "thin": (change_each(lambda frame: cv2.dilate(frame, np.ones((2, 2)))), "outline"),
    "holed": (change_each(punch_hole), "pieces"),
    "elsewhere": (lambda frames: np.roll(frames, -12, axis=1), "place"),
}


def test_another_dance_and_a_mirrored_one_are_not_told_from_real_ones(told):
    for other in (told(), told(lambda frames: frames[:, :, ::-1])):
        assert 0.3 < other["all"].value < 0.6
        assert other["all"].low <= other["all"].value <= other["all"].high


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_difference_is_found_and_named(told, reference, name):
    change, kind = PLANTED[name]
    figures = told(change)
    assert figures["all"].value > 0.75
    assert figures[kind].value > 0.7
    line = describe_verdict(name, figures, reference.judge.floor)
    assert line.startswith(f"{name} is told from real frames ")
    assert f"{kind} {figures[kind].value:.0%}" in line.partition(", by: ")[2]


def test_what_is_not_changed_is_not_named(told, reference):
    blurred = told(PLANTED["grey"][0])
    line = describe_verdict("grey", blurred, reference.judge.floor)
    assert not any(kind in line.partition(", by: ")[2] for kind in ("speed", "place", "pose", "travel"))


def test_the_floor_is_real_frames_against_real_ones(reference):
    assert set(reference.judge.floor) == {"all", *KINDS}
    assert 0.3 < reference.judge.floor["all"].value < 0.65


def test_the_answers_are_the_same_each_time(told):
    assert told() == told()


def test_held_out_frames_stand_for_a_dance_where_they_are_enough():
    train = film(range(2))
    parts = RealParts.choose(train, film(range(2, 7)))
    assert parts.frames.tolist() == list(range(480, 480 + 1200))
    short = RealParts.choose(train, train.between(0, 60))
    assert not (parts.blocks[:-1] > parts.blocks[1:]).any()
    assert 0.3 < short.stands_for_dance.mean() < 0.7
    for block in np.unique(short.blocks):
        assert len(np.unique(short.stands_for_dance[short.blocks == block])) == 1
        frames = np.flatnonzero(short.blocks == block)
        assert len(frames) <= short.longest
        assert len({min(frame // LENGTH, 2) for frame in frames}) == 1  # no block crosses a cut


def test_where_nothing_is_held_out_every_other_block_stands_for_a_dance():
    real = film(range(4))
    parts = RealParts.choose(real, real)
    assert len(parts.blocks) == len(real)
    assert 0.4 < parts.stands_for_dance.mean() < 0.6
    assert 0.2 < Reference.fit(real, real).judge.floor["all"].value < 0.65


def test_three_frames_a_second_are_judged_too():
    train = film(range(4), fps=3.0)
    reference = Reference.fit(train, train.between(0, 60))
    frozen = np.repeat(draw_dancer(LENGTH, 9)[::6], 6, axis=0)
    assert reference.judge.length == 5
    told = reference.judge.judge(reference.measure([Stream(frozen)]))
    assert told["speed"].value > 0.8


def test_too_little_is_not_judged(told, reference):
    assert told(lambda frames: frames[:12]) == {}
    assert describe_verdict("short", {}, reference.judge.floor) == "short: too short to be judged."


def test_a_verdict_names_nothing_that_does_not_stand_out():
    floor = {kind: Estimate(0.55, 0.5, 0.6) for kind in ("all", *KINDS)}
    assert describe_verdict("same", floor, floor).endswith("of the time (floor 55%), by: nothing that stands out.")
    grey = floor | {"all": Estimate(0.71, 0.68, 0.74), "grey": Estimate(0.7, 0.65, 0.75)}
    assert describe_verdict("d", grey, floor) == "d is told from real frames 71% of the time (floor 55%), by: grey 70%."


def test_blocks_are_as_long_as_they_may_be_and_begin_anew_with_each_clip():
    assert _number_blocks([0, 10], 23, 4).tolist() == [0] * 4 + [1] * 4 + [2] * 2 + [3] * 4 + [4] * 4 + [5] * 4 + [6]


@pytest.mark.parametrize(("windows", "enough"), [(LEAST - 1, False), (LEAST, True)])
def test_a_hundred_held_out_windows_are_enough(windows, enough):
    blank = np.full((2000, 1, 1), 255, np.uint8)
    # Blocks of 100 frames hold 11 windows of 16, every 8; one of 16 + 8k frames holds k + 1.
    blocks, rest = divmod(windows, 11)
    held_out = Silhouettes([blank[: 100 * blocks + 8 + 8 * rest]], [Clip(0, 100 * blocks + 8 + 8 * rest, "a", 10.0)])
    train = Silhouettes([blank], [Clip(0, 2000, "a", 10.0)])
    parts = RealParts.choose(train, held_out)
    assert parts.longest == 100
    assert (parts.frames.tolist() == list(range(2000, 2000 + len(held_out)))) == enough
    assert parts.starts[:2] == [0, 100]


@pytest.mark.parametrize(("value", "low", "named"), [(0.61, 0.56, True), (0.59, 0.56, False), (0.61, 0.54, False)])
def test_a_kind_is_named_that_tells_more_than_the_floor_and_surely(value, low, named):
    floor = {kind: Estimate(0.55, 0.5, 0.6) for kind in ("all", *KINDS)}
    told = floor | {"speed": Estimate(value, low, 0.7)}
    assert ("by: speed" in describe_verdict("d", told, floor)) == named
    weak = {kind: Estimate(0.4, 0.3, 0.5) for kind in floor}
    assert "nothing" in describe_verdict("d", weak | {"speed": Estimate(0.52, 0.49, 0.55)}, weak)  # chance is a half


def test_what_tells_most_is_named_first():
    floor = {kind: Estimate(0.5, 0.4, 0.6) for kind in ("all", *KINDS)}
    told = floor | {"place": Estimate(0.7, 0.65, 0.75), "grey": Estimate(0.9, 0.85, 0.95)}
    assert describe_verdict("d", told, floor).endswith("by: grey 90%, place 70%.")
