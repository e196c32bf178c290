"""What the numbers of an array mean: shares or levels, and which value of a mask is the dancer."""

import numpy as np
import pytest

from deepdance_plugins.sources.array_values import (
    PIECE,
    SAMPLED_FRAMES,
    UnfitError,
    convert_in_pieces,
    find_scale,
    find_tones,
    is_stacked_last,
    lay_on_white,
    sample_frames,
    to_grey_levels,
)


def draw(dancer: int, ground: int, wide: int = 4) -> np.ndarray:
    """Silhouettes `(3, 12, 20)` of a dancer in the middle."""
    frames = np.full((3, 12, 20), ground, np.uint8)
    frames[:, 3:9, 10 - wide : 10 + wide] = dancer
    return frames


def busy(count: int, *shape: int) -> np.ndarray:
    """Frames of numbers that rise from the first to the last."""
    return np.arange(count * np.prod(shape)).reshape(count, *shape)


def test_frames_of_a_single_value_are_no_sample_where_there_are_others():
    chunk = np.concatenate([np.zeros((2, 3, 4)), busy(3, 3, 4) + 1, np.ones((1, 3, 4))])
    assert np.array_equal(sample_frames([chunk]), chunk[2:5])
    assert np.array_equal(sample_frames([np.ones((2, 3, 4)), np.zeros((2, 3, 4))]), np.ones((1, 3, 4)))


def test_no_more_of_a_long_video_is_read_than_needed():
    chunks = iter([busy(16, 3, 4)] * 10)
    assert len(sample_frames(chunks)) == SAMPLED_FRAMES == 64
    assert len(list(chunks)) == 6


def test_of_a_large_frame_or_chunk_some_are_enough():
    assert sample_frames([busy(2, 3, 511)]).shape == (2, 3, 511)
    assert sample_frames([busy(2, 3, 512)]).shape == (2, 2, 256)
    assert sample_frames([busy(2, 768, 3)]).shape == (2, 256, 1)
    assert len(sample_frames([busy(31, 3, 4)])) == 31
    assert np.array_equal(sample_frames([busy(32, 3, 4)]), busy(32, 3, 4)[::2])


SHARES, LEVELS = 255, 1


@pytest.mark.parametrize(
    ("numbers", "dtype", "colour", "scale"),
    [
        ([0.0, 1.0], np.float32, False, SHARES),
        ([0.0, 1.0], np.float16, True, SHARES),
        ([0.2, 1.02], np.float64, False, SHARES),  # resized, and so beyond its range
        ([0.2, 1.03], np.float64, False, LEVELS),
        ([0.0, 255.0], np.float64, False, LEVELS),
        ([0, 1], np.uint8, True, SHARES),
        ([0, 0], np.uint8, True, LEVELS),  # black frames
        ([0, 2], np.uint8, True, LEVELS),
        ([0, 1], np.uint16, True, SHARES),
        ([0, 0], np.int64, True, SHARES),
        ([0, 1], np.uint8, False, LEVELS),  # labels
        ([0, 1], np.int64, False, LEVELS),
        ([0, 1], np.bool_, False, LEVELS),
    ],
)
def test_numbers_up_to_one_are_shares_but_for_labels(numbers, dtype, colour, scale):
    assert find_scale(np.array(numbers, dtype), colour=colour) == scale


@pytest.mark.parametrize("colour", [True, False])
def test_floats_of_one_value_may_be_anything(colour):
    with pytest.raises(UnfitError, match="float64 numbers that are all 0.5"):
        find_scale(np.array([0.5, 0.5]), colour=colour)


@pytest.mark.parametrize(
    ("numbers", "scale", "levels"),
    [
        ([0.0, 0.25, 0.5, 1.0], 255, [0, 64, 128, 255]),
        ([-0.02, 1.02], 255, [0, 255]),
        ([-5.0, 259.9], 1, [0, 255]),
        ([0, 7, 255], 1, [0, 7, 255]),
        ([0, 1], 255, [0, 255]),
    ],
)
def test_numbers_become_the_nearest_levels(numbers, scale, levels):
    assert to_grey_levels(np.array(numbers), scale).tolist() == levels


@pytest.mark.parametrize(
    ("numbers", "scale"),
    [
        ([-0.03, 1.0], 255),
        ([0.0, 1.03], 255),
        ([0.0, np.nan], 255),
        ([0, 2], 255),
        ([-5.2, 9.0], 1),
        ([0.0, 260.2], 1),
        ([-1, 9], 1),
        ([0, 256], 1),
    ],
)
def test_numbers_beyond_their_range_are_refused(numbers, scale):
    with pytest.raises(UnfitError, match="where 0 to 1, or 0 to 255, is wanted"):
        to_grey_levels(np.array(numbers), scale)


def test_levels_and_bools_are_not_copied():
    for frames in (np.arange(256, dtype=np.uint8), np.array([False, True])):
        assert np.shares_memory(to_grey_levels(frames, 1), frames)
    assert to_grey_levels(np.array([0, 1], np.uint8), 255).tolist() == [0, 255]


def test_a_large_array_is_converted_whole():
    numbers = np.arange(2 * PIECE + 3) % 256
    assert np.array_equal(convert_in_pieces(numbers, lambda piece: 255 - piece), 255 - numbers)


def test_every_colour_and_opacity_is_laid_on_white_as_light_is():
    colour, alpha = np.meshgrid(np.arange(256), np.arange(256))
    frames = np.stack([colour, 255 - colour, colour // 2, alpha], 2).astype(np.uint8)
    laid = lay_on_white(frames[None])[0].astype(float)
    share = alpha[..., None] / 255
    assert np.abs(laid - (frames[..., :3] * share + 255 * (1 - share))).max() <= 0.5
    assert np.array_equal(lay_on_white(frames), laid)


def test_many_large_frames_are_laid_on_white_whole():
    frames = np.zeros((3, 300, 300, 4), np.uint8)
    frames[..., 3] = np.arange(300)[:, None] % 256
    assert np.array_equal(lay_on_white(frames), np.repeat(255 - frames[..., 3:], 3, axis=3))


def read_masks(frames: np.ndarray, dancer: str = "auto", boolean: bool = False) -> tuple[np.ndarray, str]:
    tones = find_tones(frames, dancer, boolean=boolean)
    return tones.table[frames], tones.told


@pytest.mark.parametrize(("dancer", "ground"), [(1, 0), (0, 1), (63, 0), (0, 63), (255, 0), (128, 0), (0, 100)])
def test_the_ground_is_what_lies_along_the_border(dancer, ground):
    frames, told = read_masks(draw(dancer, ground))
    assert np.array_equal(frames, draw(0, 255))
    assert f"{ground} is the ground" in told


@pytest.mark.parametrize(("dancer", "ground"), [(0, 255), (20, 200), (0, 129)])
def test_dark_on_bright_stays_as_it_is_and_needs_no_word(dancer, ground):
    frames = draw(dancer, ground)
    read, told = read_masks(frames)
    assert np.array_equal(read, frames)
    assert not told


def test_a_faint_picture_is_spread_and_half_of_the_range_is_enough():
    assert read_masks(draw(100, 0))[0].min() == 0
    ramp = find_tones(draw(0, 128), "auto", boolean=False).table
    assert (ramp[0], ramp[64], ramp[128]) == (0, 128, 255)
    faint = find_tones(draw(200, 100), "auto", boolean=False).table
    assert (faint[50], faint[100], faint[125], faint[200]) == (255, 255, 191, 0)
    bright = find_tones(draw(200, 20), "auto", boolean=False).table
    assert np.array_equal(bright, 255 - np.arange(256))


@pytest.mark.parametrize(("count", "are_labels"), [(16, True), (17, False)])
def test_labels_are_few(count, are_labels):
    frames = draw(0, 0)
    frames[0, 5, 1 : count + 1] = np.arange(count)
    assert ("any other value the dancer" in read_masks(frames)[1]) == are_labels


@pytest.mark.parametrize(("highest", "are_labels"), [(63, True), (64, False)])
def test_labels_are_low(highest, are_labels):
    assert ("any other value the dancer" in read_masks(draw(highest, 0))[1]) == are_labels


def test_every_label_but_the_ground_is_a_dancer():
    frames = draw(1, 0)
    frames[1, 4:6, 9:11] = 5
    assert np.array_equal(read_masks(frames)[0], draw(0, 255))


def test_who_fills_the_picture_is_told_by_what_masks_mean():
    """Neither value has both the border and the picture, so a label is the dancer, and so is 0 beside 255."""
    close = draw(1, 0, wide=10)
    close[:, 1:11] = 1
    assert np.array_equal(read_masks(close)[0], 255 * (1 - close))
    assert np.array_equal(read_masks(255 * close)[0], 255 * close)


def test_what_is_said_of_the_dancer_is_believed():
    for dancer, ground in ((1, 0), (0, 1)):
        frames = draw(dancer, ground)
        assert np.array_equal(read_masks(frames, "bright")[0], np.where(frames, 0, 255))
        assert np.array_equal(read_masks(frames, "dark")[0], np.where(frames, 255, 0))
    assert np.array_equal(read_masks(draw(255, 0), "dark")[0], draw(255, 0))
    assert np.array_equal(read_masks(draw(0, 255), "bright")[0], draw(255, 0))


def test_grey_levels_are_no_masks():
    frames = np.tile(np.linspace(0, 255, 20).astype(np.uint8), (3, 12, 1))
    assert np.array_equal(read_masks(frames)[0], frames)


@pytest.mark.parametrize(("outline", "is_mask"), [(1, True), (8, False)])
def test_masks_have_little_between_their_two_tones(outline, is_mask):
    """Less than twice what the smaller tone fills."""
    frames = np.full((1, 10, 40), 0, np.uint8)
    frames[:, 2:8, 16:24] = 255
    frames[:, 2:8, 16 - outline : 16] = frames[:, 2:8, 24 : 24 + outline] = 128
    assert (read_masks(frames)[0][0, 0, 0] == 255) == is_mask


@pytest.mark.parametrize(("tone", "is_mask"), [(25, True), (26, False), (225, True), (224, False)])
def test_a_tone_within_a_tenth_of_the_darkest_or_the_brightest_is_as_that(tone, is_mask):
    frames = np.full((1, 10, 40), 0, np.uint8)
    frames[:, 2:8, 16:24] = 250
    frames[:, 2:8, 8:16] = frames[:, 2:8, 24:32] = tone
    assert (read_masks(frames)[0][0, 0, 0] == 255) == is_mask


@pytest.mark.parametrize("turns", range(4))
def test_the_border_is_the_outermost_pixels(turns):
    """Here all within three sides of it and a line beside the fourth is the dancer's; labels mean that 0 is not."""
    mask = np.ones((10, 10), np.uint8)
    mask[0] = mask[8] = 0
    frames = np.rot90(mask, turns)[None]
    assert np.array_equal(read_masks(frames)[0], 255 * frames)


def test_a_mask_of_nobody_is_all_ground():
    assert (read_masks(np.zeros((2, 3, 4), np.uint8), boolean=True)[0] == 255).all()
    assert (read_masks(np.zeros((2, 3, 4), np.uint8))[0] == 0).all()


def test_true_is_the_dancer_without_a_word():
    assert read_masks(draw(1, 0), boolean=True)[1] == ""
    assert read_masks(draw(0, 1), boolean=True)[1]


def test_a_block_whose_sides_are_blank_along_the_first_two_axes_is_stacked_last():
    frames = draw(0, 255)
    assert not is_stacked_last(frames)
    assert is_stacked_last(np.moveaxis(frames, 0, -1))
    for place in ((0, 5), (-1, 5), (5, 0), (5, -1)):
        touching = np.moveaxis(frames, 0, -1).copy()
        touching[place] = 0
        assert not is_stacked_last(touching)
    without = np.moveaxis(frames, 0, -1).copy()
    without[..., 1] = 255
    assert not is_stacked_last(without)
