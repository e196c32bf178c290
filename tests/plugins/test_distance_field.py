import numpy as np
import pytest

from deepdance_plugins.codecs.sdf_ae.distance_field import (
    Canvas,
    _build_maps,
    _enlarge_outline,
    _measure_distance,
    _measure_steepness,
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


def half(column: float) -> np.ndarray:
    """A dancer left of a column, `(1, 40, 60)`; of the pixel that it cuts a share is covered."""
    covered = np.clip(column - np.arange(60), 0, 1)
    return np.rint(255 * (1 - covered)).astype(np.uint8)[None, None].repeat(40, axis=1)


@pytest.mark.parametrize("column", [20, 20.25, 20.75])
def test_a_distance_is_told_to_a_share_of_a_pixel(column):
    distance = _measure_distance(half(column)[0], 6)
    exact = np.clip(column - np.arange(60) - 0.5, -6, 6)
    assert distance[20] == pytest.approx(exact, abs=0.5 if column % 1 else 1e-5)
    assert distance[20, 20] == pytest.approx(column - 20.5, abs=0.01)
    assert (distance[20, 30:] == -6).all()


def test_a_distance_is_the_same_however_far_the_picture_goes_on():
    small = ellipse()[0]
    large = np.pad(small, 30, constant_values=255)
    assert np.array_equal(_measure_distance(large, 5)[30:-30, 30:-30], _measure_distance(small, 5))
    assert np.array_equal(_measure_distance(np.full((9, 9), 255, np.uint8), 5), np.full((9, 9), -5))
    assert _measure_distance(large, 5).max() == 5


def test_a_map_leads_from_the_dancer_on_the_canvas_to_the_dancer_in_the_picture():
    placement = np.array([[41, 28, 0.3, np.log(9), np.log(18)]], np.float32)
    (matrix,) = _build_maps(placement, CANVAS)

    def place(across: float, down: float) -> list[float]:
        """Where a point lies that is so many deviations from the dancer's middle."""
        return (matrix @ [49.5 + 6 * across, 29.5 + 12 * down, 1]).tolist()

    assert place(0, 0) == pytest.approx([41, 28], abs=1e-4)
    assert place(1, 0) == pytest.approx([41 + 9, 28], abs=1e-4)
    assert place(0, 1) == pytest.approx([41 + 0.3 * 18, 28 + 18], abs=1e-4)


def test_a_ramp_is_as_steep_as_it_is_and_a_flat_one_counts_as_half_as_steep_as_a_distance():
    x = np.arange(30, dtype=np.float32)

    def steepness(slope: float, axis: int) -> float:
        ramp = slope * np.broadcast_to(x, (30, 30))
        return float(_measure_steepness(np.ascontiguousarray(np.moveaxis(ramp, axis, 0)))[15, 15])

    assert [steepness(slope, axis) for slope in (0.8, 2) for axis in (0, 1)] == pytest.approx([0.8, 0.8, 2, 2])
    assert steepness(0.1, 0) == 0.5


def test_an_outline_is_one_pixel_of_grey_wide_at_any_size():
    ramp = np.tile(np.clip(np.arange(20, dtype=np.float32) - 9.75, -2, 2), (20, 1))
    grey = _enlarge_outline(ramp, 1)[10]
    assert grey[8:12].tolist() == [255, 255, 64, 0]  # a quarter of a pixel inside, three quarters are covered
    assert _enlarge_outline(np.zeros((2, 2), np.float32), 1).tolist() == [[128, 128]] * 2
    large = _enlarge_outline(ramp, 4)
    assert large.shape == (80, 80)
    assert ((large[40] > 0) & (large[40] < 255)).sum() <= 2
    assert (large[40] > 127).sum() == 9.75 * 4 + 2  # the first pixel's middle is half a pixel from the edge


@pytest.mark.parametrize("size", [(61, 101), (77, 130), (200, 333), (500, 835)])
def test_sizes_that_are_no_multiple_show_all_of_the_dancer_where_it_stands(size):
    drawn = enlarge(ellipse(), size)
    assert drawn.shape == (1, *size)
    across, down = size[1] / 100, size[0] / 60
    truth = ellipse(size, (30.5 * down - 0.5, 50.5 * across - 0.5), (24 * down, 12 * across))
    assert iou(drawn, truth) > 0.985
    assert count_grey(drawn) < 1.5 * count_grey(truth)


def test_a_lone_pixel_is_half_a_pixel_large():
    lone = np.full((1, 60, 100), 255, np.uint8)
    lone[0, 20, 30] = 0
    assert measure_placements(lone)[0] == pytest.approx([30, 20, 0, np.log(0.5), np.log(0.5)], abs=1e-3)


@pytest.mark.parametrize(("radius", "counts"), [(9, True), (6, True), (5, False), (2, False)])
def test_a_second_piece_says_where_the_dancer_is_from_a_tenth_of_its_size_on(radius, counts):
    alone, beside = (measure_placements(frames)[0, 0] for frames in (ellipse(), with_a_hand(radius)))
    assert (beside - alone > 1) == counts


@pytest.mark.parametrize(("frames", "seen"), [(1, False), (2, True), (50, True)])
def test_a_second_piece_in_a_hundredth_of_the_frames_is_chance(frames, seen):
    film = np.concatenate([with_a_hand(6)] * frames + [ellipse()] * (100 - frames))
    assert measure_smallest_piece(film) == (pytest.approx(0.125, rel=0.1) if seen else 1.0)


def test_a_speck_is_no_piece_and_of_many_pieces_nearly_the_smallest_counts():
    assert measure_smallest_piece(np.concatenate([with_a_hand(1)] * 20)) == 1.0
    varied = np.concatenate([with_a_hand(radius) for radius in (3, *[8] * 99)])
    assert measure_smallest_piece(varied) == pytest.approx(64 / (24 * 12), rel=0.1)


def test_the_dancer_begins_below_128():
    grey = with_a_hand(9)
    grey[:, :, 68:][grey[:, :, 68:] < 128] = 128
    assert measure_smallest_piece(np.concatenate([grey] * 20)) == 1.0
    grey[grey == 128] = 127
    assert measure_smallest_piece(np.concatenate([grey] * 20)) < 0.5
