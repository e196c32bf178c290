import numpy as np
import pytest

from deepdance_plugins.codecs.sdf_ae.distance_field import (
    compute_fields,
    draw_silhouettes,
    measure_placements,
    measure_smallest_piece,
)

SCALE = np.log([6, 12]).astype(np.float32)


def ellipse(size=(60, 100), centre=(30, 50), radii=(24, 12), lean=0.0) -> np.ndarray:
    """One anti-aliased silhouette `(1, h, w)` of an ellipse, its rows shifted by `lean` columns a row."""
    rows, columns = (np.arange(4 * side) / 4 - 0.375 for side in size)
    y, x = (rows - centre[0])[:, None], (columns - centre[1])[None]
    inside = (y / radii[0]) ** 2 + ((x - lean * y) / radii[1]) ** 2 <= 1
    share = inside.reshape(size[0], 4, size[1], 4).mean(axis=(1, 3))
    return np.rint(255 * (1 - share)).astype(np.uint8)[None]


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return ((one < 128) & (other < 128)).sum() / ((one < 128) | (other < 128)).sum()


def count_grey(frames: np.ndarray) -> int:
    """The pixels of a soft outline."""
    return ((frames > 25) & (frames < 230)).sum()


def test_a_placement_is_the_dancers_moments():
    column, row, lean, width, height = measure_placements(ellipse(centre=(28, 41), lean=0.3))[0]
    assert (column, row) == pytest.approx((41, 28), abs=0.05)
    assert lean == pytest.approx(0.3, abs=0.01)
    assert np.exp([width, height]) == pytest.approx([6, 12], rel=0.02)  # an ellipse's deviation is half its radius


def test_an_empty_picture_has_a_placement():
    empty = np.full((1, 60, 100), 255, np.uint8)
    assert measure_placements(empty)[0, :3] == pytest.approx([49.5, 29.5, 0], abs=0.01)
    assert compute_fields(empty, measure_placements(empty), SCALE, 8.0).max() == -8


def test_a_field_is_the_same_wherever_the_dancer_stands_however_large_and_leaning():
    here, there = ellipse(), ellipse(centre=(26, 38), radii=(18, 9), lean=0.25)
    fields = [compute_fields(frames, measure_placements(frames), SCALE, 8.0) > 0 for frames in (here, there)]
    assert iou(*(np.where(field, 0, 255) for field in fields)) > 0.96


@pytest.mark.parametrize("frames", [ellipse(), ellipse(centre=(26, 38), radii=(18, 9), lean=0.25)])
def test_there_and_back(frames):
    placement = measure_placements(frames)
    back = draw_silhouettes(compute_fields(frames, placement, SCALE, 8.0), placement, SCALE, frames.shape[1:])
    assert iou(frames, back) > 0.98
    assert count_grey(back) < 1.4 * count_grey(frames)


def test_distances_are_pixels_positive_inside():
    frames = np.full((1, 60, 100), 255, np.uint8)
    frames[:, 20:40, 40:60] = 0
    placement = measure_placements(frames)
    field = compute_fields(frames, placement, placement[0, 3:], 8.0)[0]  # no zoom
    assert field[15, 25] == pytest.approx(8)
    assert field[15, 21] == pytest.approx(42.5 - 39.5, abs=0.6)
    assert field[15, 18] == pytest.approx(36.5 - 39.5, abs=0.6)
    assert field[0, 0] == -8


def test_a_mix_of_two_fields_is_a_body_between_them():
    low, high = ellipse(radii=(20, 10)), ellipse(radii=(28, 14))
    placement = measure_placements(ellipse(radii=(24, 12)))
    natural = placement[0, 3:]
    mixed = sum(compute_fields(frames, placement, natural, 8.0) for frames in (low, high)) / 2
    middle = draw_silhouettes(mixed, placement, natural, (60, 100))
    assert iou(middle, ellipse(radii=(24, 12))) > 0.93


def test_a_blurred_field_still_has_a_sharp_outline():
    frames = ellipse()
    placement = measure_placements(frames)
    fields = compute_fields(frames, placement, SCALE, 8.0)
    assert count_grey(draw_silhouettes(0.5 * fields, placement, SCALE, (60, 100))) < 1.4 * count_grey(frames)


def with_a_hand(radius: int) -> np.ndarray:
    """An ellipse with a disc beside it that belongs to nothing."""
    return np.minimum(ellipse(), ellipse(centre=(30, 80), radii=(radius, radius)))


def test_the_smallest_piece_is_what_the_silhouettes_show():
    whole = np.concatenate([ellipse()] * 20)
    assert measure_smallest_piece(whole) == 1.0
    assert measure_smallest_piece(np.concatenate([with_a_hand(6)] * 20)) == pytest.approx(36 / (24 * 12), rel=0.1)


@pytest.mark.parametrize(("smallest", "hand"), [(0.0, True), (0.05, True), (0.5, False)])
def test_pieces_below_the_smallest_are_left_out(smallest, hand):
    frames = with_a_hand(6)
    placement = measure_placements(frames)
    natural = placement[0, 3:]
    fields = compute_fields(frames, placement, natural, 8.0)
    back = draw_silhouettes(fields, placement, natural, (60, 100), smallest)
    assert (back[:, :, 72:] < 255).any() == hand
    assert (back[:, :, :65] < 128).sum() > 700
