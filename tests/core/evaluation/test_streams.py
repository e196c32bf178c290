import numpy as np
import pytest

from deepdance.evaluation import streams
from deepdance.evaluation.streams import ProgressMeter, Stream, StreamMeasures, measure_streams
from deepdance.metrics.features import FEATURES, PrincipalComponents, compute_signed_distances
from deepdance.metrics.motion import measure_motion

SIZE = (30, 48)


def drawn(count: int, seed: int = 0) -> np.ndarray:
    """`(count, 30, 48)` squares that jump about."""
    frames = np.full((count, *SIZE), 255, np.uint8)
    for frame, (y, x) in zip(frames, np.random.default_rng(seed).integers(0, 18, (count, 2)), strict=True):
        frame[y : y + 12, x : x + 12] = 0
    return frames


@pytest.fixture(scope="module")
def components():
    return PrincipalComponents.fit(compute_signed_distances(drawn(100, seed=9)), 80)


@pytest.fixture
def measure(components):
    def call(frames, starts=(0,)):
        return measure_streams([Stream(frames, starts)], components, SIZE, ProgressMeter())[0]

    return call


def test_a_stream_is_measured_alike_however_it_is_cut_into_blocks(measure, monkeypatch):
    frames = drawn(20)
    whole = measure(frames, [0, 12])
    monkeypatch.setattr(streams, "READ", 7)
    cut = measure(frames, [0, 12])
    assert len(whole) == len(cut) == 20
    assert cut.coordinates == pytest.approx(whole.coordinates, abs=1e-3)
    for name, values in whole.frames.items():
        assert np.array_equal(cut.frames[name], values, equal_nan=True)


def test_nothing_moves_from_clip_to_clip(measure):
    frames = drawn(20)
    stream = measure(frames, [0, 12])
    assert np.flatnonzero(np.isnan(stream.frames["motion"])).tolist() == [0, 12]
    assert stream.motion == pytest.approx(np.concatenate([measure_motion(frames[:12]), measure_motion(frames[12:])]))
    assert stream.features.shape == (20, FEATURES)


def test_streams_are_joined_with_their_clips(measure):
    frames = drawn(20)
    parts = [measure(frames[:8], [0, 5]), measure(frames[8:], [0, 4])]
    joined = StreamMeasures.join(parts)
    assert list(joined.starts) == [0, 5, 8, 12]
    assert len(joined) == 20
    assert np.array_equal(StreamMeasures.join(parts[:1]).coordinates, parts[0].coordinates)
    for name, values in measure(frames, [0, 5, 8, 12]).frames.items():
        assert joined.frames[name] == pytest.approx(values, nan_ok=True)


def test_a_frame_that_is_held_is_a_stream_of_it(measure):
    frame = drawn(1)
    held, written = measure(frame).hold(9), measure(np.repeat(frame, 9, axis=0))
    assert held.coordinates == pytest.approx(written.coordinates, abs=1e-3)
    assert list(held.starts) == list(written.starts)
    for name, values in written.frames.items():
        assert np.array_equal(held.frames[name], values, equal_nan=True)


def test_frames_of_several_streams_are_counted_together_when_they_have_been_measured(components, monkeypatch):
    monkeypatch.setattr(streams, "READ", 4)
    told = []
    meter = ProgressMeter(9, lambda done, total: told.append((done, total)))
    measured = measure_streams([Stream(drawn(7)), Stream(drawn(2))], components, SIZE, meter)
    assert [len(stream) for stream in measured] == [7, 2]
    assert told == [(4, 9), (7, 9), (9, 9)]
