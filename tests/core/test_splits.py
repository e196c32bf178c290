import numpy as np
import pytest

from deepdance.frames import Clip
from deepdance.splits import Split, split_latents

LATENTS = np.arange(30, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
CLIPS = [Clip(0, 18, "a", 3), Clip(18, 26, "a", 3), Clip(26, 30, "a", 3)]


def test_the_split_is_one_cut_in_time_and_lends_only_lead_in():
    train, held_out = split_latents(LATENTS, CLIPS, 0.5, context=4)
    assert [clip[:, 0].tolist() for clip in train] == [list(range(14))]
    assert [(clip[0, 0], clip[-1, 0]) for clip in held_out] == [(11, 17), (18, 25), (26, 29)]
    assert sum(len(clip) for clip in split_latents(LATENTS, CLIPS, 0, context=4)[0]) == 30
    assert split_latents(LATENTS, CLIPS, 0, context=4)[1] == []


@pytest.mark.parametrize(
    ("frames", "fps", "validation", "stop"), [(1000, 10.0, 0.1, 880), (30, 10.0, 0.5, 14), (1000, 10.0, 0.0, 1000)]
)
def test_two_seconds_before_the_held_out_frames_are_not_trained_on(frames, fps, validation, stop):
    assert Split.of([Clip(0, frames, "a", fps)], validation).train_stop == stop


def test_figures_are_taken_from_what_is_held_out_or_from_all_where_nothing_is():
    assert Split.of(CLIPS, 0.5).measured == 15
    assert Split.of(CLIPS, 0).measured == 0
