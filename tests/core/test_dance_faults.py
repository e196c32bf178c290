"""What is told of a dance that is none, and that nothing is told of what real dancers do."""

import numpy as np
import pytest

from deepdance.dance_faults import FARTHEST, FaultFinder
from deepdance.frames import Clip

FPS = 10


def walk(count, seed, dim=16):
    """Latents `(n, d)` that wander smoothly round a mean."""
    noise = np.random.default_rng(seed).standard_normal((count + 20, dim))
    return np.stack([np.convolve(axis, np.hanning(20), "valid")[:count] for axis in noise.T], 1).astype(np.float32)


VIDEO = walk(600, 0)
CLIPS = [Clip(0, 300, "a", FPS), Clip(300, 600, "b", FPS)]


def tell(dance, learned=VIDEO):
    """What is told of a dance, which is the same in whatever parts it comes."""
    whole = list(FaultFinder(learned, CLIPS, FPS).look(dance))
    for length in (1, 7, 64):
        finder = FaultFinder(learned, CLIPS, FPS)
        parts = [
            fault for start in range(0, len(dance), length) for fault in finder.look(dance[start : start + length])
        ]
        assert sorted(parts) == sorted(whole)
    return whole


def test_a_dance_that_freezes_is_told_with_its_second():
    dance = walk(300, 1)
    dance[123:] = dance[123]
    assert tell(dance) == ["the dance stands still from 12.3 s on"]


def test_one_that_comes_to_rest_is_told_though_it_never_quite_stands():
    dance = walk(300, 1)
    dance[100:] = dance[100] + 0.9 ** np.arange(200)[:, None]
    (fault,) = tell(dance)
    assert 12 < float(fault.split()[-3]) < 16


@pytest.mark.parametrize("growth", [np.float32(1.05), np.float32(1.5)])
def test_a_dance_that_blows_up_is_told_with_its_second(growth):
    dance = walk(300, 1)
    dance[41:] = dance[40] * growth ** np.arange(1, 260, dtype=np.float32)[:, None].clip(max=200)
    first, *_ = tell(dance)
    lengths = np.linalg.norm((dance - VIDEO.mean(axis=0)).astype(float), axis=1)
    beyond = (lengths > FARTHEST * np.linalg.norm(VIDEO - VIDEO.mean(axis=0), axis=1).max()).argmax()
    assert first == f"the dance leaves what was learned from at {beyond / FPS:.1f} s"


@pytest.mark.parametrize("seed", range(5))
def test_another_dance_of_the_kind_is_told_nothing_of(seed):
    assert tell(walk(3000, seed + 1)) == []


def test_what_was_learned_from_is_told_nothing_of_whatever_its_pauses():
    paused = VIDEO.copy()
    paused[50:110] = paused[50]
    assert tell(paused, paused) == []
    assert tell(np.concatenate([paused[40:110], paused[80:130]]), paused) == []


def test_a_short_pause_is_no_freeze():
    dance = walk(300, 1)
    dance[100:118] = dance[100]
    assert tell(dance) == []


@pytest.mark.parametrize("count", [1, 2, 5])
def test_short_dances_and_videos_that_stand_still_are_told_nothing_of(count):
    assert tell(VIDEO[:count]) == []
    still = np.ones((600, 4), np.float32)
    assert tell(still[:100], still) == []


TURN = 60
"""Latents of a whole round, all of them 1 from the mean and one step apart."""


def circle(count, radius=1.0):
    angles = 2 * np.pi * np.arange(count) / TURN
    return (radius * np.stack([np.cos(angles), np.sin(angles)], 1)).astype(np.float32)


def stand(dance, start, count):
    """The dance, which takes `count` steps of no length from `start` on, and then goes on."""
    return np.concatenate([dance[:start], np.repeat(dance[start : start + 1], count, axis=0), dance[start:]])


def tell_of_circle(dance, learned=None):
    learned = circle(10 * TURN) if learned is None else learned
    return list(FaultFinder(learned, [Clip(0, len(learned), "a", FPS)], FPS).look(dance))


def test_more_than_four_times_as_far_as_anything_learned_is_too_far():
    corners = np.tile(np.float32([[1, 0], [0, 1], [-1, 0], [0, -1]]), (20, 1))
    assert tell_of_circle(4 * corners, corners) == []
    dance = circle(100)
    dance[42] *= 4.01
    assert tell_of_circle(dance) == ["the dance leaves what was learned from at 4.2 s"]


@pytest.mark.parametrize(("share", "is_told"), [(0.009, True), (0.02, False)])
def test_a_step_is_none_below_a_hundredth_of_the_usual_one(share, is_told):
    dance = circle(100)
    usual = np.linalg.norm(dance[1] - dance[0])
    dance[50:] = dance[49] + share * usual * np.arange(50)[:, None] * np.float32([1, 0])
    assert bool(tell_of_circle(dance)) == is_told


def test_two_seconds_of_standing_are_none_too_many():
    dance = circle(100)
    assert tell_of_circle(stand(dance, 30, 2 * FPS)) == []
    assert tell_of_circle(stand(dance, 30, 2 * FPS + 1)) == ["the dance stands still from 3.0 s on"]


def test_the_first_rest_that_is_too_long_is_told_whatever_pauses_were_before():
    dance = stand(stand(stand(circle(200), 100, 30), 60, 5), 20, 5)
    assert tell_of_circle(dance) == ["the dance stands still from 11.0 s on"]


def test_a_dance_may_stand_twice_as_long_as_its_video():
    learned = stand(circle(10 * TURN), 100, 30)
    assert tell_of_circle(stand(circle(200), 30, 60), learned) == []
    assert tell_of_circle(stand(circle(200), 30, 61), learned) == ["the dance stands still from 3.0 s on"]


def test_a_cut_of_the_video_is_no_step():
    """Two clips that meet at the same latent are two, and the one's rest is not gone on with in the other."""
    half = stand(circle(TURN), TURN - 1, 15)
    clips = [Clip(0, len(half), "a", FPS), Clip(len(half), 2 * len(half), "b", FPS)]
    learned = np.concatenate([half, half[::-1]])
    (fault,) = FaultFinder(learned, clips, FPS).look(stand(circle(100), 30, 31))
    assert fault == "the dance stands still from 3.0 s on"
