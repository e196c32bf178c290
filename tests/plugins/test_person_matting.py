"""From a coarse probability to clean edges."""

import numpy as np
import pytest
from people import DANCER, draw_scene, find_body, measure_iou, paint

from deepdance_plugins.removers.person import matting
from deepdance_plugins.removers.person.matting import fill_up, refine_edges, tidy

BODY = find_body(200, 120, 180)


def spoil(body, shift):
    """A probability that is right in the middle, and off by `shift` pixels."""
    return np.where(np.roll(body, shift, axis=1), 0.9, 0.1).astype(np.float32)


@pytest.mark.parametrize(("shift", "least"), [(-2, 0.97), (-1, 0.999), (1, 0.999), (2, 0.97)])
def test_edges_are_moved_to_the_pictures(shift, least):
    ground = np.full((*BODY.shape, 3), (40, 90, 140), np.uint8)
    rough = spoil(BODY, shift)
    refined = refine_edges(paint(ground, BODY), rough)
    assert refined.dtype == np.float32
    assert refined.shape == BODY.shape
    assert measure_iou(rough > 0.5, BODY) < 0.96
    assert measure_iou(refined > 0.5, BODY) > least
    assert np.array_equal(rough, spoil(BODY, shift))


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_an_edge_in_any_channel_counts(channel):
    ground = np.full((*BODY.shape, 3), 128, np.uint8)
    colour = [128, 128, 128]
    colour[channel] = 20
    refined = refine_edges(paint(ground, BODY, tuple(colour)), spoil(BODY, 1))
    assert measure_iou(refined > 0.5, BODY) > 0.999


def test_edges_stay_where_the_picture_has_none():
    plain = np.full((*BODY.shape, 3), 77, np.uint8)
    refined = refine_edges(plain, spoil(BODY, 2))
    assert measure_iou(refined > 0.5, np.roll(BODY, 2, axis=1)) > 0.97
    textured = refine_edges(paint(draw_scene(), BODY), spoil(BODY, 0))
    assert measure_iou(textured > 0.5, BODY) > 0.97


def test_probabilities_stay_between_0_and_1_up_to_the_frames_border():
    at_the_border = np.roll(BODY, 200, axis=1)
    refined = refine_edges(paint(draw_scene(), at_the_border), np.where(at_the_border, 1, 0).astype(np.float32))
    assert refined.min() >= 0
    assert refined.max() <= 1
    assert measure_iou(refined > 0.5, at_the_border) > 0.97


@pytest.mark.parametrize("likelihood", [0, 0.04])
def test_where_nobody_is_likely_nothing_is_changed(likelihood):
    nobody = np.full(BODY.shape, likelihood, np.float32)
    assert np.array_equal(refine_edges(draw_scene(), nobody), nobody)


def test_a_body_of_a_pixel_is_no_error():
    frame, probability = np.zeros((1, 1, 3), np.uint8), np.ones((1, 1), np.float32)
    assert refine_edges(frame, probability).shape == (1, 1)


def draw_boxes(*boxes):
    mask = np.zeros((100, 100), bool)
    for top, left, height, width in boxes:
        mask[top : top + height, left : left + width] = True
    return mask


BIG = (10, 10, 50, 40)


def test_small_parts_and_small_holes_go():
    limb, crumb = (70, 10, 10, 13), (70, 40, 10, 11)  # .065 and .055 of 2,000 pixels
    mask = draw_boxes(BIG, limb, crumb)
    mask[20, 20:23] = False  # below .002 of the body
    mask[40:42, 20:25] = False
    expected = draw_boxes(BIG, limb)
    expected[40:42, 20:25] = False
    assert np.array_equal(tidy(mask), expected)


def test_parts_that_touch_at_a_corner_are_one_and_a_hole_that_only_does_is_closed():
    mask = draw_boxes(BIG, (60, 50, 5, 5))
    assert np.array_equal(tidy(mask), mask)


def test_a_part_that_nobody_has_seen_goes_however_large():
    limb = (70, 10, 20, 50)
    mask, seen = draw_boxes(BIG, limb), draw_boxes((10, 10, 50, 9), (70, 10, 20, 9))
    assert np.array_equal(tidy(mask, seen), draw_boxes(BIG))  # .225 and .18 of them
    assert not tidy(mask, np.zeros_like(mask)).any()


@pytest.mark.parametrize("value", [False, True])
def test_a_plain_mask_stays(value):
    mask = np.full((20, 30), value)
    assert np.array_equal(tidy(mask), mask)
    assert np.array_equal(tidy(mask, mask), mask)


def test_the_probability_follows_the_mask():
    probability = np.array([[0.2, 0.4, 0.6, 0.8]], np.float32)
    filled = fill_up(probability, np.array([[True, False, True, False]]))
    assert filled.dtype == np.float32
    assert filled.ravel() == pytest.approx([0.51, 0.4, 0.6, 0.49])
    assert (filled > 0.5).tolist() == [[True, False, True, False]]


def test_the_dancers_colour_is_no_scenes():
    assert not (draw_scene() == np.array(DANCER)).all(axis=2).any()


def test_the_system_of_every_pixel_is_solved():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 4, 3, 3))
    systems, right = root @ np.swapaxes(root, -1, -2) + np.eye(3), rng.normal(size=(5, 4, 3))
    upper = {(i, j): systems[..., i, j] for i in range(3) for j in range(i, 3)}
    solved = matting._solve(upper, [right[..., channel] for channel in range(3)])
    assert np.allclose(np.stack(solved, axis=-1), np.linalg.solve(systems, right[..., None])[..., 0])


def test_a_refined_probability_is_one():
    """The filter is linear, and overshoots at an edge."""
    ground = np.full((*BODY.shape, 3), (40, 90, 140), np.uint8)
    sure = spoil(BODY, 3) > 0.5
    refined = refine_edges(paint(ground, BODY), sure.astype(np.float32))
    assert (refined.min(), refined.max()) == (0, 1)
