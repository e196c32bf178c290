import numpy as np
import pytest

from deepdance.frames import Clip, Silhouettes
from deepdance.splits import Split, number_blocks, split_frames, split_latents

LATENTS = np.arange(30, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
CLIPS = [Clip(0, 18, "a", 3), Clip(18, 26, "a", 3), Clip(26, 30, "a", 3)]


def test_the_split_is_one_cut_in_time_and_lends_only_lead_in():
    train, held_out = split_latents(LATENTS, CLIPS, 0.5, context=4)
    assert [clip[:, 0].tolist() for clip in train] == [list(range(14))]
    assert [(clip[0, 0], clip[-1, 0]) for clip in held_out] == [(11, 17), (18, 25), (26, 29)]
    assert sum(len(clip) for clip in split_latents(LATENTS, CLIPS, 0, context=4)[0]) == 30
    assert split_latents(LATENTS, CLIPS, 0, context=4)[1] == []


def test_a_clip_that_begins_where_the_training_ends_is_not_trained_on():
    train, held_out = split_latents(LATENTS, [Clip(0, 14, "a", 3), Clip(14, 30, "a", 3)], 0.5, context=0)
    assert [clip[:, 0].tolist() for clip in train] == [list(range(14))]
    assert [clip[:, 0].tolist() for clip in held_out] == [list(range(15, 30))]


def test_frames_are_split_where_latents_are():
    train, held_out = split_frames(Silhouettes([np.arange(30, dtype=np.uint8)[:, None, None]], CLIPS), 0.5)
    assert train[:].ravel().tolist() == list(range(14))
    assert held_out[:].ravel().tolist() == list(range(15, 30))
    assert [len(clip) for clip in held_out.clips] == [3, 8, 4]


@pytest.mark.parametrize(
    ("frames", "fps", "validation", "stop"), [(1000, 10.0, 0.1, 880), (30, 10.0, 0.5, 14), (1000, 10.0, 0.0, 1000)]
)
def test_two_seconds_before_the_held_out_frames_are_not_trained_on(frames, fps, validation, stop):
    assert Split.of([Clip(0, frames, "a", fps)], validation).train_stop == stop


def test_figures_are_taken_from_what_is_held_out_or_from_all_where_nothing_is():
    assert Split.of(CLIPS, 0.5).evaluated_from == 15
    assert Split.of(CLIPS, 0).evaluated_from == 0


def clips(*lengths, fps=3.0):
    ends = np.cumsum(lengths).tolist()
    return [Clip(end - length, end, "a", fps) for length, end in zip(lengths, ends, strict=True)]


def test_blocks_never_cross_a_clip_and_last_ten_seconds_at_most():
    blocks = number_blocks(clips(400, 25, *[200] * 3))
    assert len(blocks) == 1025
    assert np.bincount(blocks)[:14].tolist() == [30] * 13 + [10]  # 400 = 13 × 30 + 10
    assert blocks[399] != blocks[400]
    assert blocks[400] == blocks[424] != blocks[425]


def test_little_material_is_cut_into_ten_blocks_anyhow():
    assert np.bincount(number_blocks(clips(40))).tolist() == [4] * 10
    assert np.bincount(number_blocks(clips(3))).tolist() == [1, 1, 1]
    assert len(number_blocks([])) == 0
