import numpy as np
import pytest

from deepdance.metrics.motion import find_longest_run, measure_loop_strength, measure_motion


def test_motion_energy_is_what_two_frames_do_not_share():
    frames = np.full((5, 4, 8), 255, np.uint8)
    frames[0, :, :4] = 0
    frames[1, :, :4] = 0
    frames[2, :, 2:6] = 0
    assert measure_motion(frames).tolist() == pytest.approx([0, 2 / 3, 1, 0])


def test_the_longest_run():
    assert find_longest_run(np.array([1, 1, 0, 1, 1, 1, 0, 1], bool)) == 3
    assert find_longest_run(np.zeros(4, bool)) == 0
    assert find_longest_run(np.ones(4, bool)) == 4


def test_a_loop_comes_back_and_a_walk_does_not():
    t = np.arange(1000)
    walk = np.random.default_rng(0).normal(size=(100, 8)).cumsum(axis=0).astype(np.float32)
    circle = np.stack([np.cos(t / 20 * 2 * np.pi), np.sin(t / 20 * 2 * np.pi)], axis=1).astype(np.float32) + 5
    assert measure_loop_strength(circle, [0], fps=10) == pytest.approx(2, abs=0.05)
    assert measure_loop_strength(np.tile(walk, (10, 1)), [0], fps=10) > 0.9
    assert measure_loop_strength(np.random.default_rng(0).normal(size=(1000, 64)).astype(np.float32), [0], fps=10) < 0.2
    for still in (np.ones((1000, 4), np.float32), np.zeros((1000, 4), np.float32)):
        assert measure_loop_strength(still, [0], fps=10) == 0
    assert measure_loop_strength(circle[:3], [0], fps=10) == 0


def test_a_loop_is_looked_for_within_clips():
    jumps = np.repeat(np.tile([[0.0], [9.0]], (10, 1)), 50, axis=0).astype(np.float32)
    assert measure_loop_strength(jumps, [0], fps=10) > 1
    assert measure_loop_strength(jumps, list(range(0, 1000, 50)), fps=10) == 0


def test_a_loop_takes_half_a_second_at_least_and_half_the_block_at_most():
    beat = np.sin(np.arange(16) / 6 * 2 * np.pi).astype(np.float32)[:, None]
    assert measure_loop_strength(beat, [0], fps=10) > 1
    assert measure_loop_strength(beat[:10], [0], fps=10) == 0
    trembling = np.tile(np.array([[0], [9]], np.float32), (4, 1))
    assert measure_loop_strength(trembling, [0], fps=10) == 0
