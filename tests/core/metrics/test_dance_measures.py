import numpy as np
import pytest

from deepdance.metrics.copying import Memory
from deepdance.metrics.distributions import density_coverage, frechet_distance
from deepdance.metrics.features import Components, motion_windows, signed_distance
from deepdance.metrics.motion import longest_run, loop_strength, motion_energy
from deepdance.metrics.shapes import measure_frames
from deepdance.metrics.trends import blocks, slope


def blank(count: int, size: tuple[int, int] = (120, 200)) -> np.ndarray:
    return np.full((count, *size), 255, np.uint8)


def test_a_frame_is_measured():
    frames = blank(4)
    frames[1, 10:30, 10:40] = 0
    frames[2, 10:30, 10:40] = 0
    frames[2, 50:53, 50:53] = 0
    frames[2, 10:30, 40] = 128
    frames[3, 10:30, 10:40] = 0
    frames[3, 30:34, 40:44] = 0
    frames[3, 60:70, 60:70] = 0
    figures = measure_frames(frames)
    assert figures["area"] * 24000 == pytest.approx([0, 600, 609, 716])
    assert figures["bodies"].tolist() == [0, 1, 1, 2]
    assert figures["grey"].tolist() == [0, 0, 20, 0]
    assert figures["perimeter"][:3] == pytest.approx([0, 2 * (19 + 29), 2 * (19 + 29) + 8])


def test_the_smallest_body_grows_with_the_frame():
    frames = blank(1, (240, 400))
    frames[0, 10:15, 10:15] = 0
    assert measure_frames(frames)["bodies"] == 0
    frames[0, 10:20, 10:15] = 0
    assert measure_frames(frames)["bodies"] == 1


def test_motion_energy_is_what_two_frames_do_not_share():
    frames = blank(5, (4, 8))
    frames[0, :, :4] = 0
    frames[1, :, :4] = 0
    frames[2, :, 2:6] = 0
    assert motion_energy(frames).tolist() == pytest.approx([0, 2 / 3, 1, 0])


def test_the_distance_field_is_signed_and_cut():
    frames = blank(3)
    frames[1] = 0
    frames[2, :, 99:] = 0
    field = signed_distance(frames).reshape(3, 40, 67)
    assert field[0] == pytest.approx(np.full((40, 67), -8))
    assert field[1] == pytest.approx(np.full((40, 67), 8))
    assert field[2, 0, 0] == pytest.approx(-8)
    assert field[2, 0, 66] == pytest.approx(8)
    assert (np.diff(field[2, 20]) > -1e-5).all()
    assert np.abs(field[2, 20, 32:34]).max() < 3


def test_components_are_the_directions_of_largest_variance():
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(500, 3)) * [1, 5, 0.1] + [7, 8, 9]).astype(np.float32)
    components = Components.fit(rows, 2)
    assert np.abs(components.basis) == pytest.approx(np.array([[0, 1], [1, 0], [0, 0]]), abs=0.05)
    assert components(rows).mean(axis=0) == pytest.approx([0, 0], abs=1e-3)
    assert Components.fit(rows, 9).basis.shape == (3, 3)


def test_components_of_few_rows_are_those_of_the_same_rows_many_times():
    rows = (np.random.default_rng(0).normal(size=(6, 20)) * np.linspace(1, 9, 20)).astype(np.float32)
    few, many = (Components.fit(x, 4) for x in (rows, np.tile(rows, (10, 1))))
    assert few.basis.T @ few.basis == pytest.approx(np.eye(4), abs=1e-5)
    assert np.abs(np.sum(few.basis * many.basis, axis=0)) == pytest.approx(np.ones(4), abs=1e-4)


def test_a_motion_never_crosses_a_cut():
    coordinates = np.arange(60, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
    coordinates[20:] += 1000
    windows = motion_windows(coordinates, [0, 20])
    assert windows.shape == (2 + 7, 30)
    assert (windows == 1).all()
    assert motion_windows(coordinates[:15], [0]).shape == (0, 30)


def test_the_frechet_distance_of_known_normal_distributions():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200_000, 2)).astype(np.float32)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a + np.float32(3)) == pytest.approx(18, rel=1e-3)
    assert frechet_distance(a, a * np.array([4, 1], np.float32)) == pytest.approx((4 - 1) ** 2, rel=0.02)


def test_density_and_coverage_of_real_collapsed_and_far_rows():
    rng = np.random.default_rng(0)
    real, again = rng.normal(size=(2, 600, 2)).astype(np.float32)
    density, coverage = density_coverage(real, again)
    assert density == pytest.approx(1, abs=0.15)
    assert coverage == pytest.approx(1 - 2**-5, abs=0.03)
    assert density_coverage(real, np.zeros((600, 2), np.float32))[1] < 0.05
    assert density_coverage(real, again + np.float32(50)) == (0, 0)


def walk(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 8)).cumsum(axis=0).astype(np.float32)


def test_a_replay_is_found_at_any_speed_of_up_to_two():
    train = walk(400)
    memory = Memory.of(train, [0, 200])
    nearest, longest = memory.compare(train[50:110] + np.float32(0.01), 0.1)
    assert nearest == pytest.approx(np.full(60, 0.01 * 8**0.5), abs=5e-3)
    assert longest == 59
    assert memory.compare(train[50:150:2], 0.1)[1] == 98
    assert memory.compare(np.repeat(train[50:80], 3, axis=0), 0.1)[1] == 29
    assert memory.compare(train[50:150:3], 0.1)[1] == 0
    assert memory.compare(train[110:50:-1], 0.1)[1] == 0


def test_a_replay_ends_at_a_cut_and_a_still_frame_replays_nothing():
    train = walk(400)
    memory = Memory.of(train, [0, 200])
    assert memory.compare(train[190:215], 0.1)[1] == 14
    assert memory.compare(np.repeat(train[5:6], 300, axis=0), 0.1)[1] == 0
    assert memory.compare(walk(400, seed=1) + 100, 0.1)[1] == 0
    assert memory.compare(np.concatenate([train[20:40], train[100:110], train[40:60]]), 0.1)[1] == 19


def test_blocks_of_a_thousand():
    assert blocks(300) == [slice(0, 300)]
    assert blocks(2400) == [slice(0, 1000), slice(1000, 2000)]
    assert blocks(2600)[-1] == slice(2000, 2600)


def test_a_slope_is_told_from_none():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(5, 10)) * 0.1
    found = slope(list(noise + 0.05 * np.arange(10) + rng.normal(size=(5, 1)) * 10))
    assert found.value == pytest.approx(0.05, abs=0.015)
    assert not found.flat
    assert found.low < 0.05 < found.high
    assert slope(list(noise)).flat
    assert slope([np.ones(10)]).flat
    assert slope([np.ones(2)]) is None
    assert slope([]) is None


def test_slopes_hold_what_their_intervals_promise():
    rng = np.random.default_rng(1)
    assert np.mean([slope(list(rng.normal(size=(5, 10)))).flat for _ in range(400)]) == pytest.approx(0.95, abs=0.03)


def test_the_longest_run():
    assert longest_run(np.array([1, 1, 0, 1, 1, 1, 0, 1], bool)) == 3
    assert longest_run(np.zeros(4, bool)) == 0
    assert longest_run(np.ones(4, bool)) == 4


def test_a_loop_comes_back_and_a_walk_does_not():
    t = np.arange(1000)
    circle = np.stack([np.cos(t / 20 * 2 * np.pi), np.sin(t / 20 * 2 * np.pi)], axis=1).astype(np.float32) + 5
    assert loop_strength(circle, [0], fps=10) == pytest.approx(2, abs=0.05)
    assert loop_strength(np.tile(walk(100), (10, 1)), [0], fps=10) > 0.9
    assert loop_strength(np.random.default_rng(0).normal(size=(1000, 64)).astype(np.float32), [0], fps=10) < 0.2
    assert loop_strength(np.ones((1000, 4), np.float32), [0], fps=10) == 0
    assert loop_strength(circle[:3], [0], fps=10) == 0


def test_a_loop_is_looked_for_within_clips():
    jumps = np.repeat(np.tile([[0.0], [9.0]], (10, 1)), 50, axis=0).astype(np.float32)
    assert loop_strength(jumps, [0], fps=10) > 1
    assert loop_strength(jumps, list(range(0, 1000, 50)), fps=10) == 0
