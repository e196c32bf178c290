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
