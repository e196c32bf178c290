"""Beats of a track: spectral flux, a few candidate tempi, and dynamic programming for each.

The onset curve is that of Böck and Widmer (2013), log-mel flux against the loudest neighbouring band, with the flux of
the lowest octaves beside it, where the bass drum is. The beats are Ellis' (2007): the path of near-equal steps through
the most onset. Several tempi are tried, and the path that meets the most onset wins, as the strongest period alone is
often half or twice the beat.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deepdance.arrays import Float32, Float64

RATE = 22050
"""Samples a second that `find_beats` takes."""
HOP, WINDOW = 256, 1024
FPS = RATE / HOP
BLOCK = 4096
"""Spectra that are held at once."""
BANDS = 40
LOWEST, HIGHEST = 30.0, 11000.0
"""Hertz of the mel bands."""
BASS = (25.0, 160.0)
COMPRESSION = 1000.0
"""Before the logarithm: what lies 60 dB under full scale still counts."""
LAG = 2
"""Hops between the spectra that are compared."""
DELAY = 0.9
"""Hops by which an onset is found early, as a window hears it before its middle does: 10 ms, measured on clicks."""
MEAN_SECONDS = 0.5
"""Onset is what stands out from its surroundings of so long."""
TEMPI = (55.0, 220.0)
USUAL_TEMPO = 115.0
CANDIDATES = 5
TIGHTNESS = 100.0
"""Ellis' weight of an even step against onset."""
FAINT = 0.1
"""Of the beats' usual onset: what is less, at the beginning or the end of a track, is silence."""
LEAST_BEATS = 4
LEAST_PULSE, CHANCE = 0.1, 5.0
"""Autocorrelation of the onset curve at a tempo, below which nothing pulses: two songs have .50 and .58. By chance that
of noise is up to 4 / √n of n hops."""
SILENCE = 1e-4
"""Of full scale, −80 dB: a track that is never louder is silent."""


def find_beats(samples: Float32) -> Float64:
    """The beats of mono `samples` at `RATE`, in seconds, rising; empty where nothing pulses."""
    if len(samples) < LEAST_BEATS * WINDOW or np.abs(samples).max() < SILENCE:
        return np.empty(0)
    onset = compute_onset(samples)
    periods = _find_periods(onset)
    paths = [_track(onset, period) for period in periods]
    if not paths:
        return np.empty(0)
    scores = [_rate_path(onset, path, period) for path, period in zip(paths, periods, strict=True)]
    best = _drop_faint_ends(onset, paths[int(np.argmax(scores))])
    return (best + DELAY) / FPS if len(best) >= LEAST_BEATS else np.empty(0)


def compute_onset(samples: Float32) -> Float64:
    """How much begins at each hop, `(n,)`, in its own standard deviations."""
    mel, bass = (np.concatenate(parts) for parts in zip(*_list_bands(samples), strict=True))
    louder = np.maximum(mel[LAG:] - _spread(mel[:-LAG]), 0).mean(axis=1)
    rise = np.maximum(np.diff(bass, prepend=bass[0]), 0)[LAG // 2 : len(louder) + LAG // 2]
    return np.pad(_stand_out(louder) + _stand_out(rise), (LAG // 2, LAG - LAG // 2))


def _list_bands(samples: Float32) -> Iterator[tuple[Float32, Float32]]:
    """Log loudness of the mel bands `(n, BANDS)` and of the bass `(n,)`, block by block."""
    frequencies = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    filters, low = _make_filters(frequencies), (frequencies > BASS[0]) & (frequencies < BASS[1])
    padded = np.pad(samples, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    taper = (np.hanning(WINDOW) / (WINDOW / 2)).astype(np.float32)
    for start in range(0, len(frames), BLOCK):
        spectra = np.abs(np.fft.rfft(frames[start : start + BLOCK] * taper)).astype(np.float32)
        yield np.log1p(COMPRESSION * spectra @ filters), np.log1p(COMPRESSION * spectra[:, low]).mean(axis=1)


def _make_filters(frequencies: Float64) -> Float32:
    """Triangles that are equally wide in mel: `(frequencies, BANDS)`."""
    mels = np.linspace(2595 * np.log10(1 + LOWEST / 700), 2595 * np.log10(1 + HIGHEST / 700), BANDS + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    rising = (frequencies[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - frequencies[:, None]) / np.diff(edges)[1:]
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _spread(bands: Float32) -> Float32:
    """The loudest of each band and its neighbours: a note that glides or wavers is no onset."""
    padded = np.pad(bands, ((0, 0), (1, 1)), mode="edge")
    return np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])


def _stand_out(curve: Float32) -> Float64:
    from scipy.ndimage import gaussian_filter1d

    above: Float64 = np.maximum(curve - gaussian_filter1d(curve.astype(np.float64), MEAN_SECONDS * FPS), 0)
    return above / max(float(above.std()), 1e-9)


def _find_periods(onset: Float64) -> list[float]:
    """Hops of the beats that the onset curve may have, the likeliest first; none where nothing repeats."""
    from scipy.signal import argrelmax

    likeness = _autocorrelate(onset)
    periods = np.arange(60 * FPS / TEMPI[1], min(60 * FPS / TEMPI[0], len(onset) / LEAST_BEATS), 0.1)
    if len(periods) < 3:
        return []
    lags = np.arange(len(likeness))
    pulse = sum(weight * np.interp(periods * n, lags, likeness) for n, weight in ((1, 1.0), (2, 0.5), (4, 0.25)))
    pulse = pulse * _weigh_tempo(periods, 0.9)
    peaks = argrelmax(pulse, order=20)[0]
    peaks = peaks[np.interp(periods[peaks], lags, likeness) >= max(LEAST_PULSE, CHANCE / np.sqrt(len(onset)))]
    return [float(period) for period in periods[peaks[np.argsort(-pulse[peaks])][:CANDIDATES]]]


def _autocorrelate(curve: Float64) -> Float64:
    """Of a curve `(n,)`, at lags of 0 to n - 1, each a mean; 1 at 0."""
    count = len(curve)
    power = np.abs(np.fft.rfft(curve - curve.mean(), 2 * count)) ** 2
    sums: Float64 = np.fft.irfft(power)[:count] / (count - np.arange(count))
    return sums / max(float(sums[0]), 1e-9)


def _weigh_tempo(periods: Float64, octaves: float) -> Float64:
    """A bell over the logarithm of the tempo: people tap near `USUAL_TEMPO`."""
    weights: Float64 = np.exp(-0.5 * (np.log2(60 * FPS / periods / USUAL_TEMPO) / octaves) ** 2)
    return weights


def _track(onset: Float64, period: float) -> Float64:
    """The hops of beats about a `period` apart that meet the most onset (Ellis 2007)."""
    from scipy.ndimage import gaussian_filter1d

    local = gaussian_filter1d(onset, period / 32)
    local /= max(float(local.std()), 1e-9)
    lags = np.arange(round(2 * period), round(period / 2) - 1, -1)
    price = TIGHTNESS * np.log(lags / period) ** 2
    score, before = np.full(lags[0] + len(local), -np.inf), np.full(len(local), -1)
    for hop, strength in enumerate(local):
        options = score[hop : hop + len(lags)] - price
        best = int(options.argmax())
        score[lags[0] + hop] = strength + max(float(options[best]), 0.0)
        before[hop] = hop - lags[best] if options[best] > 0 else -1
    score = score[lags[0] :]
    return _trace_back(score, before, round(period))


def _trace_back(score: Float64, before: np.ndarray, period: int) -> Float64:
    """From the best of the last `period` hops to the first beat."""
    path = [len(score) - period + int(score[-period:].argmax())]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    return np.array(path[::-1], np.float64)


def _drop_faint_ends(onset: Float64, path: Float64) -> Float64:
    """Without the beats before the music begins and after it has ended (Ellis 2007); a quiet passage keeps its own."""
    met = _meet(onset, path)
    loud = np.flatnonzero(met > FAINT * np.sqrt(np.square(met).mean()))
    return path[loud[0] : loud[-1] + 1] if len(loud) else path[:0]


def _meet(onset: Float64, path: Float64) -> Float64:
    """The onset that each beat meets within two hops."""
    from scipy.ndimage import maximum_filter1d

    met: Float64 = maximum_filter1d(onset, 5)[path.astype(int)]
    return met


def _rate_path(onset: Float64, path: Float64, period: float) -> float:
    """How much onset beats meet; the root lets many weak ones count for more than few strong ones."""
    return float(np.sqrt(_meet(onset, path)).mean() * _weigh_tempo(np.array([period]), 1.2)[0])
