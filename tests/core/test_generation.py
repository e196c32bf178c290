import numpy as np
import pytest

from deepdance import generation, pipeline
from deepdance.errors import OptionError
from deepdance.frames import Clip
from deepdance.generation import close_loop, count_keyframes, interpolate_loop, take_opening
from deepdance.interfaces import SequenceModel
from deepdance.recipe import Opening, Recipe

LATENTS = np.arange(30, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
CLIPS = [Clip(0, 18, "a", 3), Clip(18, 26, "a", 3), Clip(26, 30, "a", 3)]


def interpolate(keys, key_fps, fps, frames, *, curve="smooth", cuts=None, at=()):
    """All frames `(frames, d)` of all keys `(k, d)`, which come in parts that end before those `at` an index."""
    cuts = np.zeros(len(keys), bool) if cuts is None else cuts
    parts = zip(np.split(keys, at), np.split(cuts, at), strict=True)
    return np.concatenate(list(generation.interpolate(parts, key_fps, fps, frames, curve=curve)))


def dance(*given):
    """All latents of a dance, `(frames, d)`."""
    return np.concatenate(list(pipeline.dance(*given)))


def test_ten_steps_lie_between_two_keys_and_the_first_frame_is_the_first_key():
    keys = np.array([[1.0], [2.0], [0.0]], np.float32)
    frames = interpolate(keys, 3, 30, 21, curve="linear")[:, 0]
    assert frames[0] == 1
    assert frames[[10, 20]] == pytest.approx([2, 0], abs=1e-6)
    assert frames[:11] == pytest.approx(np.linspace(1, 2, 11), abs=1e-6)


def test_a_smooth_curve_goes_through_the_keys_and_follows_a_turn_where_lines_cut_the_corner():
    keys = np.stack([np.sin(np.arange(12) * 0.8), np.cos(np.arange(12) * 0.8)], axis=1).astype(np.float32)
    truth = np.stack([np.sin(np.arange(111) * 0.08), np.cos(np.arange(111) * 0.08)], axis=1)
    smooth, linear = (interpolate(keys, 1, 10, 111, curve=curve) for curve in ("smooth", "linear"))
    assert smooth[::10] == pytest.approx(keys, abs=1e-6)
    assert np.abs(smooth - truth)[10:-10].max() < 0.2 * np.abs(linear - truth)[10:-10].max()


@pytest.mark.parametrize("curve", ["smooth", "linear"])
def test_past_the_last_key_it_stands_still(curve):
    keys = np.arange(3, dtype=np.float32)[:, None]
    frames = interpolate(keys, 1, 4, 20, curve=curve)[:, 0]
    assert frames == pytest.approx(np.minimum(np.arange(20) / 4, 2), abs=1e-6)


def test_a_smooth_curve_between_four_keys_is_the_splines():
    keys = np.array([[0], [3], [1], [7]], np.float32)
    # Catmull and Rom in the middle of two keys: nine sixteenths of both, less one of those beside them.
    middle = interpolate(keys, 1, 2, 7)[3, 0]
    assert middle == pytest.approx((9 * (3 + 1) - (0 + 7)) / 16)
    # At an end the curve goes on as it was going: the key before the first is 2 · 0 - 3.
    assert interpolate(keys, 1, 2, 7)[1, 0] == pytest.approx((9 * (0 + 3) - (-3 + 1)) / 16)
    assert interpolate(keys, 1, 2, 7)[5, 0] == pytest.approx((9 * (1 + 7) - (3 + 13)) / 16)


def test_a_single_key_stands_still():
    assert (interpolate(np.ones((1, 3), np.float32), 3, 30, 5) == 1).all()


@pytest.mark.parametrize("curve", ["smooth", "linear"])
def test_nothing_lies_between_two_shots_and_each_goes_on_as_it_was_going(curve):
    keys = np.array([0, 1, 2, 3, 50, 49, 48, 90], np.float32)[:, None]
    cuts = np.array([0, 0, 0, 0, 1, 0, 0, 1], bool)
    frames = interpolate(keys, 1, 4, 29, curve=curve, cuts=cuts)[:, 0]
    up, down, still = np.split(frames, [14, 26])
    assert up == pytest.approx(np.arange(14) / 4, abs=1e-5)
    assert down == pytest.approx(50.5 - np.arange(12) / 4, abs=1e-4)
    assert (still == 90).all()


def test_a_dance_without_cuts_is_one_curve():
    keys = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    uncut = interpolate(keys, 3, 30, 81)
    assert np.array_equal(interpolate(keys, 3, 30, 81, cuts=np.zeros(9, bool)), uncut)
    assert np.array_equal(interpolate(keys, 3, 30, 81, cuts=np.eye(9, dtype=bool)[0]), uncut)


@pytest.mark.parametrize("curve", ["smooth", "linear"])
@pytest.mark.parametrize(("key_fps", "fps"), [(3, 30), (10, 29.97), (12.5, 4), (10, 10)])
@pytest.mark.parametrize("cut", [0, 0.1, 0.6, 1])
def test_keys_that_come_in_parts_give_the_same_numbers_as_all_at_once(curve, key_fps, fps, cut):
    rng = np.random.default_rng(0)
    keys, cuts = rng.normal(size=(40, 2)).astype(np.float32), rng.random(40) < cut
    for frames in (1, 30, int(39 * fps / key_fps), int(50 * fps / key_fps)):
        whole = interpolate(keys, key_fps, fps, frames, curve=curve, cuts=cuts)
        for at in (range(1, 40), range(7, 40, 7), [1, 2, 30]):
            assert np.array_equal(interpolate(keys, key_fps, fps, frames, curve=curve, cuts=cuts, at=at), whole)


def test_frames_come_as_soon_as_their_keys_are_there():
    asked = []

    def keys():
        for number in range(1000):
            asked.append(number)
            yield np.full((1, 2), number, np.float32), np.zeros(1, bool)

    frames = generation.interpolate(keys(), 1, 10, 5000)
    assert next(frames)[0, 0] == 0
    assert len(asked) <= 4


def wander(count: int) -> np.ndarray:
    """A smooth walk `(count, 3)` that comes near to where it was every 20 keys or so, and never quite there."""
    time = np.arange(count)[:, None] * np.array([0.31, 0.173, 0.0911])
    return (np.sin(time) * [1, 0.2, 0.2]).astype(np.float32)


def median_step(latents: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(np.diff(latents, axis=0), axis=1)))


@pytest.mark.parametrize(("length", "frames"), [(80, 240), (40, 121), (20, 50)])
def test_a_loop_goes_on_at_its_end_as_it_does_anywhere(length, frames):
    dance = wander(3000)
    keys, cuts, gap = close_loop(dance, np.zeros(3000, bool), length)
    assert abs(len(keys) - length) <= 0.05 * length
    assert gap < 2
    assert not cuts.any()
    shown = interpolate_loop(keys, cuts, frames)
    assert len(shown) == frames
    steps = np.linalg.norm(shown - np.roll(shown, 1, axis=0), axis=1)
    assert steps[0] < 1.3 * max(steps[-1], steps[1])
    turns = np.linalg.norm(np.roll(shown, -1, axis=0) - 2 * shown + np.roll(shown, 1, axis=0), axis=1)
    assert max(turns[0], turns[-1]) <= 1.5 * turns[1:-1].max()


def test_the_gap_of_a_loop_is_told_and_spread():
    straight = np.arange(100, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
    keys, _, gap = close_loop(straight, np.zeros(100, bool), 10)
    assert gap == pytest.approx(10, rel=0.01)
    assert np.ptp(np.diff(keys[:, 0])) < 1e-4


def test_the_nearest_return_in_pose_and_movement_is_taken():
    time = np.arange(60)
    dance = np.stack([np.cos(2 * np.pi * time / 20.2), np.sin(2 * np.pi * time / 20.2), 0.02 * time], axis=1)
    keys, _, gap = close_loop(dance.astype(np.float32), np.zeros(60, bool), 20)
    assert len(keys) == 20
    step = np.hypot(2 * np.sin(np.pi / 20.2), 0.02)
    closed = np.hypot(2 * np.sin(np.pi * 20 / 20.2), 0.02 * 20)
    assert gap == pytest.approx(closed / step, rel=1e-3)
    # A dance that stands still is a loop, and one that only cuts has no step to measure the gap in.
    still, _, none = close_loop(np.ones((60, 3), np.float32), np.ones(60, bool), 20)
    assert (len(still), none) == (19, 0)


def test_two_keys_more_than_a_loop_has_are_enough():
    assert len(close_loop(wander(12), np.zeros(12, bool), 10)[0]) == 10


def test_a_pose_that_comes_again_in_the_other_direction_is_no_return():
    dance = 100 * np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    there_and_back, again = dance[5].copy(), dance[25].copy()
    step = np.float32([30, 20])
    dance[[4, 5, 14, 15]] = there_and_back + np.outer([-1, 0, 1, 0], step)
    dance[[24, 25, 34, 35]] = again + np.outer([-1, 0, -1, 0], step) + np.array([[0], [0], [3], [3]], np.float32)
    keys, _, _ = close_loop(dance, np.zeros(40, bool), 10)
    assert keys[0] == pytest.approx(again)


def test_a_loop_may_cut_but_not_at_its_join():
    dance = wander(400)
    best, _, _ = close_loop(dance, np.zeros(400, bool), 20)
    begin = int(np.abs(dance - best[0]).sum(axis=1).argmin())
    cuts = np.zeros(400, bool)
    cuts[begin] = cuts[begin + 19 : begin + 22] = True
    other, inside, _ = close_loop(dance, cuts, 20)
    assert not np.array_equal(other, best)
    assert not inside[0]
    number = np.arange(len(other))
    two_shots = other + np.float32(100) * (number >= 5)[:, None]
    shown = interpolate_loop(two_shots, (number == 0) | (number == 5), 60)[:, 0]
    assert not ((shown > 3) & (shown < 97)).any()


@pytest.mark.parametrize(("frames", "key_fps", "fps"), [(300, 3, 30), (1, 3, 30), (11, 3, 30), (12, 3, 30), (7, 10, 4)])
def test_enough_keys_are_made_and_not_one_more(frames, key_fps, fps):
    needed = count_keyframes(frames, key_fps, fps)
    last = (frames - 1) * key_fps / fps
    assert needed - 1 >= last > needed - 2
    keys = np.arange(needed, dtype=np.float32)[:, None]
    assert interpolate(keys, key_fps, fps, frames)[-1, 0] == pytest.approx(last, abs=1e-4)


def start(value, seed_clip=None, context=8, seed=3):
    return take_opening(Opening.parse(value), context, LATENTS, CLIPS, seed, seed_clip)


def test_last_takes_the_last_clip_that_is_long_enough():
    assert start("last")[:, 0].tolist() == list(range(18, 26))


def test_a_frame_number_takes_the_latents_from_there_on_within_one_clip():
    assert start("5")[:, 0].tolist() == list(range(5, 13))
    with pytest.raises(OptionError, match="expected 8 frames in a row from frame 12"):
        start("12")


def test_noise_is_uniform_and_depends_on_the_seed():
    opening = start("noise")
    assert opening.shape == (8, 2)
    assert opening.min() >= 0 and opening.max() < 1
    assert np.array_equal(opening, start("noise"))
    assert not np.array_equal(opening, start("noise", seed=4))


def test_random_is_any_real_place_within_a_clip_and_the_seed_picks_it():
    firsts = {int(start("random", seed=seed)[0, 0]) for seed in range(200)}
    assert firsts == {*range(11), 18}
    opening = start("random")
    assert opening[:, 0].tolist() == list(range(int(opening[0, 0]), int(opening[0, 0]) + 8))
    assert np.array_equal(opening, start("random"))


class Recorder:
    """A sequence model that notes what it was asked for and answers with -1."""

    context = 8
    is_deterministic = False

    def generate(self, seed, steps, **asked):
        self.seed, self.asked = seed, asked
        return np.full((1, steps, 2), -1, np.float32)

    generate_shots = SequenceModel.generate_shots
    stream = SequenceModel.stream


@pytest.mark.parametrize(("begin", "shown"), [("5", 12), ("noise", -1)])
def test_a_dance_shows_the_real_frame_it_starts_from_but_no_noise(begin, shown):
    model = Recorder()
    frames = dance(Recipe(start=begin, temperature=0.5, seed=7), model, LATENTS, CLIPS)
    assert frames[0, 0] == shown
    assert model.asked == {"temperature": 0.5, "rng": 7}


@pytest.mark.parametrize(("temperature", "deterministic", "told"), [(0.5, True, 1), (1.0, True, 0), (0.5, False, 0)])
def test_a_temperature_that_changes_nothing_is_told(temperature, deterministic, told, caplog):
    model = Recorder()
    model.is_deterministic = deterministic
    dance(Recipe(sequence="lstm4", temperature=temperature), model, LATENTS, CLIPS)
    assert caplog.text.count("lstm4 knows no --temperature") == told


def test_another_video_gives_its_last_latents():
    assert start("x.mp4", LATENTS[:9])[:, 0].tolist() == list(range(1, 9))


class Walker(SequenceModel):
    """A sequence model that wanders or, unless it `returns` or is drawn otherwise, goes straight on."""

    context = 8

    def __init__(self, returns: bool) -> None:
        self.returns = returns

    def generate(self, seed, steps, **asked):
        straight_on = np.arange(steps, dtype=np.float32)[:, None] * np.ones(3, np.float32)
        return (wander(steps) if self.returns or asked["rng"] else straight_on)[None]

    fit = save = load = None


def test_a_dance_of_loop_seconds_is_a_loop_and_one_that_jumps_is_warned_of(caplog):
    recipe = Recipe(loop=4, fps=10, render_fps=25, start="0")
    latents = np.zeros((30, 3), np.float32)
    frames = dance(recipe, Walker(True), latents, CLIPS)
    assert frames.shape == (100, 3)
    assert np.linalg.norm(frames[-1] - frames[0]) < 2 * median_step(frames)
    assert "median steps" not in caplog.text
    dance(recipe, Walker(False), latents, CLIPS)
    assert "median steps apart, more than 2: it may slide; try another --seed" in caplog.text
    dance(recipe.changed({"seed": 1}), Walker(False), latents, CLIPS)
    assert caplog.text.count("median steps") == 1
