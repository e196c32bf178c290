import numpy as np
import pytest

from deepdance_plugins.codecs.sdf_ae.distance_field import (
    Canvas,
    compute_fields,
    draw_silhouettes,
    measure_placements,
    measure_smallest_piece,
)

CANVAS = Canvas(height=60, width=100, row=29.5, across=6, down=12, reference=12)
"""A dancer whose deviations are 6 and 12 pixels is as large on it as in the picture, and distances are in pixels."""


def ellipse(size=(60, 100), centre=(30, 50), radii=(24, 12), lean=0.0) -> np.ndarray:
    """One anti-aliased silhouette `(1, h, w)` of an ellipse, its rows shifted by `lean` columns a row."""
    rows, columns = (np.arange(4 * side) / 4 - 0.375 for side in size)
    y, x = (rows - centre[0])[:, None], (columns - centre[1])[None]
    inside = (y / radii[0]) ** 2 + ((x - lean * y) / radii[1]) ** 2 <= 1
    share = inside.reshape(size[0], 4, size[1], 4).mean(axis=(1, 3))
    return np.rint(255 * (1 - share)).astype(np.uint8)[None]


def fit(frames: np.ndarray) -> Canvas:
    """A canvas on which the first dancer is as large as in the picture."""
    across, down = np.exp(measure_placements(frames)[0, 3:]).tolist()
    return Canvas(height=60, width=100, row=29.5, across=across, down=down, reference=down)


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
    assert compute_fields(empty, measure_placements(empty), CANVAS, 8.0).max() == pytest.approx(-8)


def test_a_field_is_the_same_wherever_the_dancer_stands_however_large_and_leaning():
    here, there = ellipse(), ellipse(centre=(26, 38), radii=(18, 9), lean=0.25)
    fields = [compute_fields(frames, measure_placements(frames), CANVAS, 8.0) > 0 for frames in (here, there)]
    assert iou(*(np.where(field, 0, 255) for field in fields)) > 0.96


@pytest.mark.parametrize("frames", [ellipse(), ellipse(centre=(26, 38), radii=(18, 9), lean=0.25)])
def test_there_and_back(frames):
    placement = measure_placements(frames)
    back = draw_silhouettes(compute_fields(frames, placement, CANVAS, 8.0), placement, CANVAS, frames.shape[1:])
    assert iou(frames, back) > 0.98
    assert count_grey(back) < 1.4 * count_grey(frames)


def test_distances_are_pixels_positive_inside():
    frames = np.full((1, 60, 100), 255, np.uint8)
    frames[:, 20:40, 40:60] = 0
    field = compute_fields(frames, measure_placements(frames), fit(frames), 8.0)[0]
    assert field[30, 50] == pytest.approx(8)
    assert field[30, 42] == pytest.approx(42 - 39.5, abs=0.6)
    assert field[30, 37] == pytest.approx(37 - 39.5, abs=0.6)
    assert field[0, 0] == -8


def test_a_mix_of_two_fields_is_a_body_between_them():
    low, high = ellipse(radii=(20, 10)), ellipse(radii=(28, 14))
    placement = measure_placements(ellipse(radii=(24, 12)))
    mixed = sum(compute_fields(frames, placement, CANVAS, 8.0) for frames in (low, high)) / 2
    middle = draw_silhouettes(mixed, placement, CANVAS, (60, 100))
    assert iou(middle, ellipse(radii=(24, 12))) > 0.93


def test_a_blurred_field_still_has_a_sharp_outline():
    frames = ellipse()
    placement = measure_placements(frames)
    fields = compute_fields(frames, placement, CANVAS, 8.0)
    assert count_grey(draw_silhouettes(0.5 * fields, placement, CANVAS, (60, 100))) < 1.4 * count_grey(frames)


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
    placement, canvas = measure_placements(frames), fit(frames)
    fields = compute_fields(frames, placement, canvas, 8.0)
    back = draw_silhouettes(fields, placement, canvas, (60, 100), smallest=smallest)
    assert (back[:, :, 72:] < 255).any() == hand
    assert (back[:, :, :65] < 128).sum() > 700


def enlarge(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    placement = measure_placements(frames)
    return draw_silhouettes(
        compute_fields(frames, placement, CANVAS, 8.0), placement, CANVAS, frames.shape[1:], at=size
    )


@pytest.mark.parametrize("times", [2, 3, 5, 9])
def test_an_outline_is_as_sharp_at_any_size(times):
    size = (60 * times, 100 * times)
    drawn = enlarge(ellipse(), size)
    truth = ellipse(size, (30 * times + (times - 1) / 2, 50 * times + (times - 1) / 2), (24 * times, 12 * times))
    assert iou(drawn, truth) > 0.985
    assert count_grey(drawn) < 1.5 * count_grey(truth)


def test_a_canvas_goes_through_a_file_as_numbers():
    assert Canvas.from_array(CANVAS.to_array()) == CANVAS


def test_the_canvas_of_a_video_shows_its_median_dancer_at_half_the_size():
    canvas = Canvas.of_video((60, 100), measure_placements(np.concatenate([ellipse()] * 3)))
    assert canvas.shape == (30, 50)
    assert (canvas.across, canvas.down) == pytest.approx((3, 6), rel=0.03)


def test_what_is_small_and_far_does_not_move_the_dancer():
    frames = ellipse(centre=(28, 41), lean=0.3)
    littered, joined = frames.copy(), frames.copy()
    littered[:, 2:12, 94:97] = 0
    joined[:, 10:50, 75:95] = 0
    alone, beside, two = (measure_placements(each)[0] for each in (frames, littered, joined))
    assert beside == pytest.approx(alone, abs=1e-4)
    assert two[0] > alone[0] + 5
