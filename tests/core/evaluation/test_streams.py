import numpy as np
import pytest

from deepdance.evaluation.streams import ProgressMeter, StreamMeasures, measure_stream
from deepdance.metrics.features import FEATURES, PrincipalComponents, compute_signed_distances
from deepdance.metrics.motion import measure_motion


def drawn(count: int, seed: int = 0) -> np.ndarray:
    """`(count, 30, 48)` squares that jump about."""
    frames = np.full((count, 30, 48), 255, np.uint8)
    for frame, (y, x) in zip(frames, np.random.default_rng(seed).integers(0, 18, (count, 2)), strict=True):
        frame[y : y + 12, x : x + 12] = 0
    return frames


@pytest.fixture(scope="module")
def components():
    return PrincipalComponents.fit(compute_signed_distances(drawn(100, seed=9)), 80)


def test_a_stream_is_measured_alike_however_it_is_cut_into_chunks(components):
    frames = drawn(20)
    whole, cut = (
        measure_stream(chunks, components, [0, 12])
        for chunks in ([frames], [frames[:7], frames[7:7], frames[7:8], frames[8:]])
    )
    assert len(whole) == len(cut) == 20
    assert cut.coordinates == pytest.approx(whole.coordinates, abs=1e-3)
    for name, values in whole.frames.items():
        assert cut.frames[name] == pytest.approx(values, nan_ok=True)


def test_nothing_moves_from_clip_to_clip(components):
    frames = drawn(20)
    stream = measure_stream([frames], components, [0, 12])
    assert np.flatnonzero(np.isnan(stream.frames["motion"])).tolist() == [0, 12]
    assert stream.motion == pytest.approx(np.concatenate([measure_motion(frames[:12]), measure_motion(frames[12:])]))
    assert stream.features.shape == (20, FEATURES)


def test_streams_are_joined_with_their_clips(components):
    frames = drawn(20)
    parts = [measure_stream([frames[:8]], components, [0, 5]), measure_stream([frames[8:]], components, [0, 4])]
    joined = StreamMeasures.join(parts)
    assert list(joined.starts) == [0, 5, 8, 12]
    assert len(joined) == 20
    assert np.array_equal(StreamMeasures.join(parts[:1]).coordinates, parts[0].coordinates)
    for name, values in measure_stream([frames], components, [0, 5, 8, 12]).frames.items():
        assert joined.frames[name] == pytest.approx(values, nan_ok=True)


def test_frames_of_several_streams_are_counted_together_when_they_have_been_used():
    told = []
    meter = ProgressMeter(10, lambda done, total: told.append((done, total)))
    chunks = meter.track([np.zeros((3, 2, 2), np.uint8), np.zeros((4, 2, 2), np.uint8)])
    next(chunks)
    assert told == []
    assert len(list(chunks)) == 1
    meter.advance(3)
    assert told == [(3, 10), (7, 10), (10, 10)]
