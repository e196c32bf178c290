import numpy as np
import pytest

from deepdance.errors import InputError, OptionError
from deepdance.frames import Clip
from deepdance.generation import in_between, keyframes_needed, starting_latents
from deepdance.pipeline import dance, split_clips, training_stop
from deepdance.recipe import Recipe

LATENTS = np.arange(30, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
CLIPS = [Clip(0, 18, "a", 3), Clip(18, 26, "a", 3), Clip(26, 30, "a", 3)]


def test_ten_steps_lie_between_two_keys_and_the_first_frame_is_the_first_key():
    keys = np.array([[1.0], [2.0], [0.0]], np.float32)
    frames = in_between(keys, 3, 30, 21, curve="linear")[:, 0]
    assert frames[0] == 1
    assert frames[[10, 20]] == pytest.approx([2, 0], abs=1e-6)
    assert frames[:11] == pytest.approx(np.linspace(1, 2, 11), abs=1e-6)


def test_a_smooth_curve_goes_through_the_keys_and_follows_a_turn_where_lines_cut_the_corner():
    keys = np.stack([np.sin(np.arange(12) * 0.8), np.cos(np.arange(12) * 0.8)], axis=1).astype(np.float32)
    truth = np.stack([np.sin(np.arange(111) * 0.08), np.cos(np.arange(111) * 0.08)], axis=1)
    smooth, linear = (in_between(keys, 1, 10, 111, curve=curve) for curve in ("smooth", "linear"))
    assert smooth[::10] == pytest.approx(keys, abs=1e-6)
    assert np.abs(smooth - truth)[10:-10].max() < 0.2 * np.abs(linear - truth)[10:-10].max()


def test_a_single_key_stands_still():
    assert (in_between(np.ones((1, 3), np.float32), 3, 30, 5) == 1).all()


@pytest.mark.parametrize(("frames", "key_fps", "fps"), [(300, 3, 30), (1, 3, 30), (11, 3, 30), (12, 3, 30), (7, 10, 4)])
def test_enough_keys_are_made_and_not_one_more(frames, key_fps, fps):
    needed = keyframes_needed(frames, key_fps, fps)
    last = (frames - 1) * key_fps / fps
    assert needed - 1 >= last > needed - 2
    keys = np.arange(needed, dtype=np.float32)[:, None]
    assert in_between(keys, key_fps, fps, frames)[-1, 0] == pytest.approx(last, abs=1e-4)


def start(value, seed_clip=None, context=8, seed=3):
    return starting_latents(Recipe(start=value, seed=seed), context, LATENTS, CLIPS, seed_clip)


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

    def generate(self, seed, steps, **asked):
        self.seed, self.asked = seed, asked
        return np.full((1, steps, 2), -1, np.float32)


@pytest.mark.parametrize(("begin", "shown"), [("5", 12), ("noise", -1)])
def test_a_dance_shows_the_real_frame_it_starts_from_but_no_noise(begin, shown):
    model = Recorder()
    frames = dance(None, Recipe(start=begin, temperature=0.5, seed=7), model, LATENTS, CLIPS)
    assert frames[0, 0] == shown
    assert model.asked == {"temperature": 0.5, "rng": 7}


def test_another_video_gives_its_last_latents_or_is_too_short():
    assert start("x.mp4", LATENTS[:9])[:, 0].tolist() == list(range(1, 9))
    with pytest.raises(InputError, match="at least 8 frames in x.mp4"):
        start("x.mp4", LATENTS[:7])


def test_the_split_is_one_cut_in_time_and_lends_only_lead_in():
    train, held_out = split_clips(LATENTS, CLIPS, 0.5, context=4)
    assert [clip[:, 0].tolist() for clip in train] == [list(range(14))]
    assert [(clip[0, 0], clip[-1, 0]) for clip in held_out] == [(11, 17), (18, 25), (26, 29)]
    assert sum(len(clip) for clip in split_clips(LATENTS, CLIPS, 0, context=4)[0]) == 30
    assert split_clips(LATENTS, CLIPS, 0, context=4)[1] == []


@pytest.mark.parametrize(
    ("frames", "fps", "validation", "stop"), [(1000, 10.0, 0.1, 880), (30, 10.0, 0.5, 14), (1000, 10.0, 0.0, 1000)]
)
def test_two_seconds_before_the_held_out_frames_are_not_trained_on(frames, fps, validation, stop):
    assert training_stop([Clip(0, frames, "a", fps)], validation) == stop
