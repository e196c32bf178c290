"""A clock that is bent brings rests to beats, and nowhere leaves its bounds."""

import numpy as np
import pytest

from deepdance.music.alignment import (
    DRIFT,
    FASTEST,
    SLOWEST,
    BeatAlignment,
    BentDance,
    Clock,
    align,
    find_rests,
    score_alignment,
    score_random,
)


def wave(rests: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """A movement `(n, 1)` that is slowest at each rest."""
    phase = np.interp((np.arange(seconds * fps) - 0.5) / fps, rests, np.arange(len(rests)))
    return np.cumsum(1.1 - np.cos(2 * np.pi * phase))[:, None].astype(np.float32)


def measure_steps(latents: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(latents.astype(np.float64), axis=0), axis=1)


def test_rests_are_found_where_a_movement_is_slowest():
    put = np.arange(0, 11, 0.5)
    rests, depths = find_rests(measure_steps(wave(put, 60, 10)), np.zeros(600, bool), 60)
    assert np.abs(rests[:, None] - put[1:-2]).min(axis=0).max() < 0.01
    assert (depths > 0.5).all()


def test_rests_between_two_frames_are_found_there():
    put = np.arange(0.013, 11, 0.47)
    rests, _ = find_rests(measure_steps(wave(put, 30, 10)), np.zeros(300, bool), 30)
    assert np.abs(rests[:, None] - put[1:-3]).min(axis=0).max() < 0.004


def test_a_rest_is_as_deep_as_the_movement_right_around_it():
    still, wild = (np.diff(wave(np.arange(0, 11, 0.5), 60, 10), axis=0) for _ in range(2))
    moved = np.concatenate([still[:300], 10 * wild[300:]])
    rests, depths = find_rests(measure_steps(np.cumsum(moved, axis=0)), np.zeros(len(moved), bool), 60)
    np.testing.assert_allclose(depths[rests < 4.6], depths[rests > 5.4].mean() / 10, rtol=0.02)


def test_a_cut_is_no_movement():
    moved = wave(np.arange(0, 11, 0.5), 60, 10)
    cut = moved + 100 * (np.arange(600) >= 300)[:, None]
    found, _ = find_rests(measure_steps(cut), np.arange(600) == 300, 60)
    np.testing.assert_allclose(found, find_rests(measure_steps(moved), np.zeros(600, bool), 60)[0], atol=0.03)


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_what_hardly_moves_has_no_rests(frames):
    assert not len(find_rests(np.zeros(max(frames - 1, 0)), np.zeros(frames, bool), 30)[0])


@pytest.mark.parametrize("seed", range(20))
def test_no_moment_leaves_the_bounds_of_the_speed(seed):
    rng = np.random.default_rng(seed)
    rests, beats = np.sort(rng.uniform(0, 62, 150)), np.cumsum(rng.uniform(0.05, 0.9, 100))
    clock = align(rests, rng.uniform(0, 2, 150), beats)
    times = np.linspace(0, beats[-1] + 3, 40_000)
    moments = clock.read(times)
    speed = np.diff(moments) / np.diff(times)
    assert speed.min() > SLOWEST - 1e-6
    assert speed.max() < FASTEST + 1e-6
    assert moments[0] == 0
    assert np.abs(moments - times).max() < DRIFT + 0.5
    assert speed[-1] == pytest.approx(1)


def test_a_clock_goes_through_its_places():
    clock = Clock(np.array([0, 1, 2, 3.0]), np.array([0, 0.8, 2.05, 3.05]))
    np.testing.assert_allclose(clock.read(clock.times), clock.places)


def test_rests_come_to_the_beats():
    rng = np.random.default_rng(0)
    rests, beats = np.cumsum(rng.uniform(0.35, 0.65, 120)), np.arange(0.4, 50, 0.5)
    clock = align(rests, np.ones(120), beats)
    times = np.arange(0, 55, 0.001)
    bent = np.interp(rests, clock.read(times), times)
    assert score_alignment(bent, beats) > 0.85
    assert score_alignment(rests, beats) < 0.4


@pytest.mark.parametrize("spacing", [0.45, 0.55])
def test_a_dance_may_fall_behind_its_own_clock_or_run_ahead(spacing):
    beats, times = np.arange(1, 31) * spacing, np.arange(0, 20, 0.001)
    clock = align(np.arange(60) * 0.5, np.ones(60), beats)
    assert score_alignment(np.interp(np.arange(30) * 0.5, clock.read(times), times), beats) > 0.95
    assert abs(clock.read(beats)[-1] - beats[-1]) > 1


def test_without_a_rest_the_clock_is_the_dances_own():
    times = np.linspace(0, 10, 100)
    np.testing.assert_allclose(align(np.empty(0), np.empty(0), np.arange(1, 9.0)).read(times), times)


def test_the_score_is_bailandos():
    beats = np.array([1.0, 2.0])
    assert score_alignment(beats, beats) == 1
    assert score_alignment(beats + 3 / 60, beats) == pytest.approx(np.exp(-0.5))
    assert score_alignment(np.array([1.0]), beats) == pytest.approx(0.5)
    assert score_alignment(np.empty(0), beats) == 0
    # of rests at random, n a second, the nearest one's distance is exponential: 2 n exp(-2 n d)
    assert score_random(120, 60, np.arange(0.5, 60, 0.6)) == pytest.approx(0.217, abs=0.03)


def bend(rests, beats, fps=30.0):
    """A movement with such rests, bent to the beats."""
    moved = wave(rests, 60, rests[-1]).astype(np.float64)[:, 0]
    clock = align(rests, np.ones(len(rests)), beats)
    moments = clock.read(np.arange(0, beats[-1] + 0.5, 1 / fps))
    latents = np.interp(moments, np.arange(len(moved)) / 60, moved)[:, None].astype(np.float32)
    return BentDance(latents, np.zeros(len(latents), bool), moments, beats, fps)


def test_what_is_told_is_told_of_the_pictures():
    rests, beats = np.cumsum(np.random.default_rng(0).uniform(0.35, 0.65, 120)), np.arange(0.4, 50, 0.5)
    dance = bend(rests, beats)
    told = dance.measure(measure_steps(dance.latents))
    assert told.score > 0.7
    assert told.before == pytest.approx(score_alignment(rests, beats), abs=0.05)  # found without drawing it
    assert told.beats == len(beats)
    pictures = np.random.default_rng(1).uniform(size=len(dance.latents) - 1)  # which do not do what latents do
    unmoved = dance.measure(pictures)
    assert unmoved.score == pytest.approx(unmoved.random, abs=0.1)


def test_a_cut_is_no_rest_of_the_pictures():
    dance = bend(np.arange(0, 31, 0.4), np.arange(0.4, 25, 0.5))
    steps = measure_steps(dance.latents)
    told = dance.measure(steps)
    cuts = np.arange(len(dance.latents)) % 100 == 99
    cut = BentDance(dance.latents, cuts, dance.moments, dance.beats, dance.fps)
    assert cut.measure(np.where(cuts[1:], 50.0, steps)).score == pytest.approx(told.score, abs=0.05)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_dance_of_a_few_frames_keeps_no_beat(count):
    dance = BentDance(np.zeros((count, 2), np.float32), np.zeros(count, bool), np.arange(count) / 30, np.ones(1), 30)
    assert dance.measure(np.zeros(count - 1)).score == 0


def test_a_missed_beat_is_told():
    assert "keeps time" in BeatAlignment(0.6, 0.3, 0.3, 9).sentence
    assert "often off the beat" in BeatAlignment(0.59, 0.3, 0.3, 9).sentence
