"""Tracks with known beats: drums, bass and noise, made in the test."""

import wave
from pathlib import Path

import numpy as np

RATE = 22050


def make_track(tempo: float | np.ndarray, seconds: float = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Mono samples, float32, and their beats in seconds, at `tempo` a minute, or at the beats that it holds."""
    rng = np.random.default_rng(seed)
    beats = np.arange(0.35, seconds - 0.2, 60 / tempo) if np.isscalar(tempo) else np.asarray(tempo)
    samples = 0.01 * rng.standard_normal(int(seconds * RATE))
    time = np.arange(RATE // 5) / RATE
    kick = np.sin(2 * np.pi * (50 * time + 1 - np.exp(-40 * time))) * np.exp(-25 * time)
    hat = 0.2 * rng.standard_normal(len(time)) * np.exp(-90 * time)
    for number, (beat, length) in enumerate(zip(beats, np.diff(beats, append=beats[-1] + 0.5), strict=True)):
        bass = 0.3 * np.sin(2 * np.pi * 55 * 2 ** (number % 5 / 12) * time) * np.exp(-6 * time)
        _add(samples, beat, kick + hat + bass)
        _add(samples, beat + length / 2, hat)
    return (samples / np.abs(samples).max()).astype(np.float32), beats


def _add(samples: np.ndarray, second: float, sound: np.ndarray) -> None:
    place = samples[int(second * RATE) :][: len(sound)]
    place += sound[: len(place)]


def write_track(path: Path, samples: np.ndarray) -> Path:
    """As WAV."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((32000 * samples).astype("<i2").tobytes())
    return path
