"""Beats are found where they were put, and nowhere else."""

import numpy as np
import pytest
from tracks import RATE, make_track

from deepdance.music import beats


def f_measure(found: np.ndarray, beats: np.ndarray, tolerance: float = 0.07) -> float:
    hits = (np.abs(beats[:, None] - found).min(axis=1) <= tolerance).sum() if len(found) else 0
    return float(2 * hits / (len(found) + len(beats)))


@pytest.mark.parametrize("tempo", [70, 96, 104, 118, 128, 140])
def test_beats_are_found_to_ten_milliseconds(tempo):
    samples, put = make_track(tempo, seed=tempo)
    found = beats.find_beats(samples)
    assert f_measure(found, put) >= 0.9
    assert np.median(np.abs(put[:, None] - found).min(axis=1)) < 0.01


def test_a_tempo_that_changes_is_followed():
    put = 0.4 + np.cumsum(60 / np.linspace(100, 112, 50))
    samples, _ = make_track(put, put[-1] + 1)
    assert f_measure(beats.find_beats(samples), put) >= 0.9


def test_a_long_track_is_the_same_in_blocks(monkeypatch):
    samples, _ = make_track(120, 10)
    whole = beats.compute_onset(samples)
    monkeypatch.setattr(beats, "BLOCK", 100)
    np.testing.assert_allclose(beats.compute_onset(samples), whole, atol=1e-4)


@pytest.mark.parametrize("kind", ["silence", "noise", "tone", "short", "empty"])
def test_what_does_not_pulse_has_no_beats(kind):
    time = np.arange(10 * RATE) / RATE
    samples = {
        "silence": np.zeros(10 * RATE),
        "noise": 0.3 * np.random.default_rng(0).standard_normal(10 * RATE),
        "tone": np.sin(2 * np.pi * 220 * time),
        "short": make_track(120)[0][: RATE // 2],
        "empty": np.empty(0),
    }[kind]
    assert not len(beats.find_beats(samples.astype(np.float32)))


def test_silence_around_the_music_has_no_beats():
    samples, put = make_track(120, 12)
    silence = np.zeros(20 * RATE, np.float32)
    found = beats.find_beats(np.concatenate([silence, samples, silence]))
    assert f_measure(found, put + 20) >= 0.9
    assert (found[0], found[-1]) == pytest.approx((20 + put[0], 20 + put[-1]), abs=0.6)
