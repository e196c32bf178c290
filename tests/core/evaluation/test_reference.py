import numpy as np
import pytest
from dancers import SIZE, draw_dancer

from deepdance.errors import InputError
from deepdance.evaluation.reference import REPLAY_PERCENTILE, Reference
from deepdance.evaluation.streams import ProgressMeter, Stream
from deepdance.frames import Clip, Silhouettes
from deepdance.metrics.distributions import NEIGHBOURS
from deepdance.metrics.features import COORDINATES, FEATURES

COUNT, HELD_OUT_FROM = 240, 180


FRAMES = draw_dancer(COUNT, seed=0)
WHOLE = Silhouettes([FRAMES], [Clip(0, 100, "a", 10), Clip(100, COUNT, "b", 10)])


@pytest.fixture(scope="module")
def reference():
    return Reference.fit(WHOLE.between(0, HELD_OUT_FROM), WHOLE.between(HELD_OUT_FROM, COUNT))


def test_a_copy_is_at_no_distance_and_replays_as_many_frames_as_it_takes_over(reference):
    copied, other = reference.compare([Stream(FRAMES[110:150]), Stream(draw_dancer(40, seed=5))])
    assert copied.distances == pytest.approx(0, abs=0.2)
    assert copied.replay >= 39
    assert other.replay < 20


def test_a_tenth_of_the_real_new_frames_is_near_enough_to_be_a_copy(reference):
    assert (reference.held_out.distances <= reference.threshold).mean() == pytest.approx(0.1, abs=0.03)
    assert REPLAY_PERCENTILE == 10


def test_motions_lie_within_a_shot(reference):
    # Windows of 16 frames, every 4th: 100 frames have 22 of them.
    streams = [Stream(FRAMES[:100]), Stream(FRAMES[:100], [0, 50]), Stream(FRAMES[:10])]
    assert [len(each.motions) for each in reference.compare(streams)] == [22, 2 * 9, 0]
    assert len(reference.training_motions) == 22 + 17
    assert len(reference.held_out.motions) == 12


def test_frames_are_described_by_components_of_their_field(reference):
    assert len(reference.training) == HELD_OUT_FROM
    assert reference.training.coordinates.shape[1] == COORDINATES
    assert reference.index.features.shape == (HELD_OUT_FROM, FEATURES)
    assert np.array_equal(reference.last_frame, FRAMES[HELD_OUT_FROM - 1 : HELD_OUT_FROM])
    assert (reference.fps, reference.size) == (10, SIZE)


def test_every_frame_of_both_parts_is_read_once():
    read = []
    meter = ProgressMeter(COUNT, lambda done, total: read.append((done, total)))
    Reference.fit(WHOLE.between(0, HELD_OUT_FROM), WHOLE.between(HELD_OUT_FROM, COUNT), meter)
    assert read == [(HELD_OUT_FROM, COUNT), (COUNT, COUNT)]
    Reference.fit(WHOLE, WHOLE, ProgressMeter(COUNT, lambda done, total: read.append((done, total))))
    assert read[2:] == [(COUNT, COUNT)]


def test_too_little_to_compare_with_is_told():
    with pytest.raises(InputError, match=f"expected training and held-out frames .*, got {NEIGHBOURS} and 20; give a"):
        Reference.fit(WHOLE.between(0, NEIGHBOURS), WHOLE.between(100, 120))
    with pytest.raises(InputError, match="got 100 and 0"):
        Reference.fit(WHOLE.between(0, 100), WHOLE.between(100, 100))
    short = Reference.fit(WHOLE.between(0, NEIGHBOURS + 1), WHOLE.between(100, 101))
    assert short.motion_components is None
    assert short.compare([Stream(FRAMES[:40])])[0].motions.shape == (0, 1)


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        (FRAMES[:, :20], r"uint8 frames of \(60, 100\) like the training frames, got uint8 of \(20, 100\); scale them"),
        (FRAMES.astype(np.int16), "got int16"),
        (FRAMES[:0], "expected frames to measure, got none"),
    ],
)
def test_frames_that_cannot_be_compared_are_refused(reference, frames, told):
    with pytest.raises(InputError, match=told):
        reference.compare([Stream(frames)])
