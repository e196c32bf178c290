import numpy as np
import pytest

from deepdance.metrics.shapes import (
    boundary_iou,
    count_grey_pixels,
    count_limb_pixels,
    iou,
    measure_frames,
    measure_perimeters,
)


def frame(*boxes, size=(60, 80)):
    """White, with the dancer in boxes `(top, left, height, width)`; `(1, h, w)`."""
    picture = np.full((1, *size), 255, np.uint8)
    for top, left, height, width in boxes:
        picture[0, top : top + height, left : left + width] = 0
    return picture


def disc(radius, centre, size=(60, 80)):
    y, x = np.ogrid[: size[0], : size[1]]
    inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2
    return np.where(inside, 0, 255).astype(np.uint8)[None]


def test_iou_is_intersection_over_union():
    a, b = frame((10, 10, 10, 10)), frame((10, 15, 10, 10))
    assert iou(a, b) == pytest.approx(50 / 150)
    assert iou(a, a) == 1
    assert iou(a, frame((40, 40, 5, 5))) == 0
    assert iou(frame(), frame()) == 1
    assert iou(frame(), a) == 0


def test_the_dancer_begins_below_128():
    a, b = frame((10, 10, 10, 10)), frame((10, 10, 10, 10))
    b[0, 10] = np.where(b[0, 10] == 0, 128, b[0, 10])
    assert iou(a, b) == pytest.approx(90 / 100)
    b[b == 128] = 127
    assert iou(a, b) == 1


def test_boundary_iou_looks_at_two_pixels_along_the_outline():
    whole, hollow = frame((10, 10, 20, 20)), frame((10, 10, 20, 20))
    hollow[0, 12:28, 12:28] = 255
    assert boundary_iou(whole, hollow) == 1  # the bands are the same: 20² − 16²
    smaller = frame((12, 12, 16, 16))
    assert boundary_iou(whole, smaller) == 0  # its band begins where the other's ends
    shifted = frame((10, 11, 20, 20))
    band = 20 * 20 - 16 * 16
    shared = 2 * 2 * 19 + 16 + 16  # rows at the top and bottom, a column on the left, one on the right
    assert boundary_iou(whole, shifted) == pytest.approx(shared / (2 * band - shared))


def test_the_frames_edge_is_an_outline_for_boundary_iou():
    cut, inner = frame((20, 0, 20, 20)), frame((20, 0, 20, 20))
    inner[0, 22:38, :18] = 255
    assert boundary_iou(cut, inner) == pytest.approx(112 / 144)  # 1 if it were not


def test_an_arm_is_a_limb_and_a_trunk_is_none():
    trunk = disc(12, (30, 30))
    hits, limbs = count_limb_pixels(trunk, trunk)
    assert hits == limbs
    assert limbs[0] < 20  # nothing but corners of the drawn circle
    bar = frame((10, 10, 3, 30))
    half = frame((10, 10, 3, 15))
    assert [int(count[0]) for count in count_limb_pixels(bar, half)] == [45, 90]
    assert [int(count[0]) for count in count_limb_pixels(half, bar)] == [45, 45]


def test_limbs_reach_up_to_what_a_disc_of_radius_four_fits_into():
    assert count_limb_pixels(frame((10, 0, 9, 80)), frame())[1] == 0
    assert count_limb_pixels(frame((10, 0, 8, 80)), frame())[1] == 8 * 80
    four = disc(4, (30, 30))
    assert np.sum(four == 0) == 49
    assert count_limb_pixels(four, four)[1] == 0


def test_a_body_that_the_frame_cuts_is_no_limb():
    assert count_limb_pixels(frame((20, 0, 20, 80)), frame())[1] == 0
    whole = frame((0, 0, 60, 80))
    assert count_limb_pixels(whole, whole)[1] == 0


def test_grey_is_from_10_to_90_percent():
    picture = frame()
    picture[0, 0, :6] = (25, 26, 128, 229, 230, 0)
    assert count_grey_pixels(picture) == 3


def test_a_perimeter_goes_through_the_outermost_pixels_and_round_holes():
    assert measure_perimeters(frame((10, 10, 10, 10))) == 36
    assert measure_perimeters(frame()) == 0
    two = frame((10, 10, 10, 10), (40, 40, 5, 5))
    assert measure_perimeters(two) == 36 + 16
    holed = frame((10, 10, 20, 20))
    holed[0, 15:20, 15:20] = 255
    assert measure_perimeters(holed) == pytest.approx(4 * 19 + 4 * 4 + 4 * np.sqrt(2))  # the hole's corners are cut


def test_frames_are_measured_one_by_one_and_none_is_fine():
    a, b = frame((10, 10, 10, 10)), frame((10, 15, 10, 10))
    many, others = np.concatenate([a, b, a]), np.concatenate([a, a, b])
    assert iou(many, others) == pytest.approx([1, 1 / 3, 1 / 3])
    assert boundary_iou(many, others)[0] == 1
    for measure in (iou, boundary_iou):
        assert measure(many[:0], others[:0]).shape == (0,)
    assert count_limb_pixels(many[:0], others[:0])[1].shape == (0,)
    assert measure_perimeters(many[:0]).shape == (0,)


def test_a_frame_is_measured():
    frames = np.full((4, 120, 200), 255, np.uint8)
    frames[1, 10:30, 10:40] = 0
    frames[2, 10:30, 10:40] = 0
    frames[2, 50:53, 50:53] = 0
    frames[2, 10:30, 40] = 128
    frames[3, 10:30, 10:40] = 0
    frames[3, 30:34, 40:44] = 0
    frames[3, 60:70, 60:70] = 0
    figures = measure_frames(frames)
    assert figures["area"] * 24000 == pytest.approx([0, 600, 609, 716])
    assert figures["bodies"].tolist() == [0, 1, 1, 2]
    assert figures["grey"].tolist() == [0, 0, 20, 0]
    assert figures["perimeter"][:3] == pytest.approx([0, 2 * (19 + 29), 2 * (19 + 29) + 8])


def test_the_smallest_body_grows_with_the_frame():
    frames = frame(size=(240, 400))
    frames[0, 10:15, 10:15] = 0
    assert measure_frames(frames)["bodies"] == 0
    frames[0, 10:20, 10:15] = 0
    assert measure_frames(frames)["bodies"] == 1


def test_where_a_dancer_stands_is_in_frame_heights():
    figures = measure_frames(np.concatenate([frame((10, 20, 12, 30)), frame()]))
    expected = {"x": 34.5, "y": 15.5, "bottom": 22, "width": 30, "height": 12}
    for name, pixels in expected.items():
        assert figures[name] == pytest.approx([pixels / 60, 0])


def test_holes_specks_and_levels_are_counted():
    picture = frame((10, 10, 30, 30))
    picture[0, 20:25, 20:25] = 255
    picture[0, 2, 2] = 0
    picture[0, 0, :5] = (0, 1, 25, 230, 254)
    figures = {name: values[0] for name, values in measure_frames(picture).items()}
    assert figures["holes"] == 1
    assert 25 <= figures["hole_area"] * 60 * 80 <= 40
    assert (figures["bodies"], figures["specks"]) == (2, 1)
    assert (figures["dark"], figures["faint"], figures["grey"]) == (2, 2, 0)


def test_thin_bodies_have_limbs_and_thick_ones_none():
    figures = measure_frames(np.concatenate([frame((10, 10, 4, 60)), frame((10, 10, 40, 60)), frame()]))
    assert figures["limbs"][0] == 1
    assert figures["limbs"][1] < 0.02  # its corners
    assert figures["thickness"][0] < 3 < figures["thickness"][1]
    assert figures["limbs"][2] == figures["thickness"][2] == 0
