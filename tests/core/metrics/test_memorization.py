import numpy as np
import pytest

from deepdance.metrics.memorization import TrainingIndex


def walk(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 8)).cumsum(axis=0).astype(np.float32)


def test_a_replay_is_found_at_any_speed_of_up_to_two():
    train = walk(400)
    index = TrainingIndex.build(train, [0, 200])
    nearest, longest = index.find_copies(train[50:110] + np.float32(0.01), 0.1)
    assert nearest == pytest.approx(np.full(60, 0.01 * 8**0.5), abs=5e-3)
    assert longest == 59
    assert index.find_copies(train[50:150:2], 0.1)[1] == 98
    assert index.find_copies(np.repeat(train[50:80], 3, axis=0), 0.1)[1] == 29
    assert index.find_copies(train[50:150:3], 0.1)[1] == 0
    assert index.find_copies(train[110:50:-1], 0.1)[1] == 0


def test_a_replay_ends_at_a_cut_and_a_still_frame_replays_nothing():
    train = walk(400)
    index = TrainingIndex.build(train, [0, 200])
    assert index.find_copies(train[190:215], 0.1)[1] == 14
    assert index.find_copies(np.repeat(train[5:6], 300, axis=0), 0.1)[1] == 0
    assert index.find_copies(walk(400, seed=1) + 100, 0.1)[1] == 0
    assert index.find_copies(np.concatenate([train[20:40], train[100:110], train[40:60]]), 0.1)[1] == 19


def test_a_copy_is_as_near_as_the_threshold_at_most():
    train = np.array([[0, 0], [90, 0], [180, 0]], np.float32)
    index = TrainingIndex.build(train, [0])
    nearby = train + np.array([3, 4], np.float32)
    distances, longest = index.find_copies(nearby, 5)
    assert distances.tolist() == [5, 5, 5]
    assert longest == 2
    assert index.find_copies(nearby, 4.9)[1] == 0


def test_a_replay_goes_on_from_chunk_to_chunk():
    train = walk(600)
    assert TrainingIndex.build(train, [0]).find_copies(train[100:500], 0.1)[1] == 399
