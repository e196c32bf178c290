"""What stands still is found, under whoever dances before it and a camera that shakes."""

import cv2
import numpy as np
import pytest
from people import OTHER, SIZE, STATUE, add_noise, draw_scene, find_body, measure_iou, paint

from deepdance_plugins.removers.person.backdrop import DIFFERENT, Backdrop, align, stands_still

COUNT = 16
SCENE = draw_scene((SIZE[0] + 40, SIZE[1] + 40))
VASE = find_body(60, 150, 90)


def shake(scene, x, y, turn=0.0):
    """What a camera sees of a scene after a shift by pixels, and a turn by degrees."""
    height, width = scene.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1)
    matrix[:, 2] += x, y
    return cv2.warpAffine(scene, matrix, (width, height))[20:-20, 20:-20]


def film(shifts, bodies, scene=SCENE):
    frames = [
        paint(paint(shake(scene, *shift), VASE, STATUE), body) for shift, body in zip(shifts, bodies, strict=True)
    ]
    return list(add_noise(frames))


def wander(count=COUNT):
    return [find_body(100 + 15 * number, 120, 150) for number in range(count)]


@pytest.fixture(scope="module")
def shaken():
    """A dancer who crosses the picture, before a camera that shakes by a few pixels."""
    rng = np.random.default_rng(1)
    shifts = [(*rng.uniform(-4, 4, 2), rng.uniform(-0.5, 0.5)) for _ in range(COUNT)]
    return film(shifts, wander())


def build(frames, bodies, claims=None):
    placed = align(frames)
    assert all(matrix is not None for matrix in placed)
    return Backdrop.build(frames, placed, bodies, bodies if claims is None else claims)


def find_moving(difference):
    return difference.apart > DIFFERENT


def test_frames_are_laid_over_the_middle_one():
    shifts = [(2.5 * number - 10, 5 - number) for number in range(9)]
    placed = align([shake(SCENE, *shift) for shift in shifts])
    for (x, y), matrix in zip(shifts, placed, strict=True):
        assert np.allclose(matrix[:, :2], np.eye(2), atol=0.01)
        middle = matrix @ [SIZE[1] / 2, SIZE[0] / 2, 1]
        assert middle == pytest.approx([SIZE[1] / 2 - x, SIZE[0] / 2 + 1 - y], abs=0.7)


def test_a_frame_of_another_scene_is_not_laid_over():
    frames = [shake(SCENE, 0, 0)] * 5
    frames[1] = shake(draw_scene((280, 440), seed=7), 0, 0)
    frames[3] = np.zeros_like(frames[3])
    assert [matrix is not None for matrix in align(frames)] == [True, False, True, False, True]


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (62, 400), (64, 64)])
def test_pictures_of_any_size_are_no_error(size):
    noise = np.random.default_rng(0).integers(0, 256, (4, *size, 3), np.uint8)
    assert align(list(noise)) == [None] * 4


def test_a_camera_that_shakes_stands_still_and_one_that_shows_other_things_does_not(shaken):
    assert stands_still(shaken, align(shaken))
    changing = [shake(draw_scene((280, 440), seed), 0, 0) for seed in range(COUNT)]
    still = [np.float32([[1, 0, 0], [0, 1, 0]])] * COUNT
    assert not stands_still(changing, still)
    panning = [shake(draw_scene((280, 1240)), -50 * number, 0)[:, : SIZE[1]] for number in range(COUNT)]
    seen = [(frame, matrix) for frame, matrix in zip(panning, align(panning), strict=True) if matrix is not None]
    assert len(seen) < COUNT / 2 or not stands_still(*map(list, zip(*seen, strict=True)))


def test_the_scene_is_found_without_the_dancer(shaken):
    backdrop = build(shaken, wander())
    clear = paint(shake(SCENE, 0, 0), VASE, STATUE)
    matrix = align([clear, shaken[COUNT // 2]])[0]  # over the last: of two, the one in the middle
    expected = cv2.warpAffine(clear, matrix, SIZE[::-1])[30:-30, 30:-30]
    apart = abs(backdrop.picture[30:-30, 30:-30].astype(int) - expected).max(axis=2)
    assert np.quantile(apart, 0.95) < 25
    assert np.median(apart) < 8


def test_who_moves_differs_and_what_stands_still_does_not(shaken):
    backdrop = build(shaken, wander())
    for frame, body in list(zip(shaken, wander(), strict=True))[2:-2]:
        difference = backdrop.compare(frame)
        moving = find_moving(difference)
        assert measure_iou(moving, body) > 0.85
        assert moving[VASE & ~body].mean() < 0.1
        assert np.isnan(difference.apart).mean() < 0.1


def test_where_the_dancer_stood_long_only_who_is_seen_is_kept_out_of_it():
    """Eleven of sixteen frames at one place: the most frequent colour there is the dancer's."""
    bodies = [find_body(280 if number % 3 else 150, 120, 150) for number in range(COUNT)]
    frames = film([(0, 0)] * COUNT, bodies)
    backdrop = build(frames, bodies)
    assert measure_iou(find_moving(backdrop.compare(frames[1])), bodies[1]) > 0.85
    unseen = build(frames, [np.zeros(SIZE, bool)] * COUNT)
    assert find_moving(unseen.compare(frames[1]))[bodies[1]].mean() < 0.2


def test_what_is_claimed_is_the_share_of_the_frames():
    bodies = [find_body(280 if number % 4 else 150, 120, 150) for number in range(COUNT)]
    difference = build(film([(0, 0)] * COUNT, bodies), bodies).compare(shake(SCENE, 0, 0))
    assert difference.claimed[120, 280] == pytest.approx(0.75, abs=0.01)
    assert difference.claimed[120, 150] == pytest.approx(0.25, abs=0.01)
    assert difference.claimed[20, 20] == 0


def test_what_is_always_behind_a_body_is_not_known():
    body = find_body(200, 120, 150)
    frames = film([(0, 0)] * COUNT, [body] * COUNT)
    flickering = [np.where(body[..., None], np.uint8(16 * number), frame) for number, frame in enumerate(frames)]
    difference = build(flickering, [body] * COUNT).compare(flickering[3])
    assert np.isnan(difference.apart[body]).mean() > 0.9
    assert np.isnan(difference.apart[~body]).mean() < 0.1


@pytest.mark.parametrize(("light", "moves"), [(0.6, False), (0.9, False), (0.2, True)])
def test_a_shadow_has_not_moved(shaken, light, moves):
    backdrop, shadow = build(shaken, wander()), find_body(300, 200, 60)
    frame = paint(shake(SCENE, 0, 0), VASE, STATUE)
    frame[shadow] = frame[shadow] * light
    assert (find_moving(backdrop.compare(frame))[shadow].mean() > 0.5) == moves


def test_what_is_brighter_than_before_has_moved(shaken):
    backdrop, lit = build(shaken, wander()), find_body(300, 120, 60)
    frame = paint(shake(SCENE, 0, 0), VASE, STATUE)
    frame[lit] = np.minimum(frame[lit] * 1.5, 255)
    assert find_moving(backdrop.compare(frame))[lit].mean() > 0.5


def test_a_frame_of_another_scene_has_no_backdrop(shaken):
    backdrop = build(shaken, wander())
    assert backdrop.compare(shake(draw_scene((280, 440), seed=9), 0, 0)) is None
    assert backdrop.compare(np.zeros_like(shaken[0])) is None


def test_a_shifted_frame_is_compared_in_its_own_place(shaken):
    backdrop, body = build(shaken, wander()), find_body(260, 120, 150)
    for shift in ((8, -5), (-7, 6), (0, 0, 1.5)):
        frame = paint(shake(paint(SCENE, np.pad(VASE, 20), STATUE), *shift), body, OTHER)
        assert measure_iou(find_moving(backdrop.compare(frame)), body) > 0.85


def test_a_plain_picture_has_no_backdrop():
    plain = [np.full((*SIZE, 3), 90, np.uint8)] * 6
    nobody = [np.zeros(SIZE, bool)] * 6
    assert Backdrop.build(plain, [np.float32([[1, 0, 0], [0, 1, 0]])] * 6, nobody, nobody) is None


def test_no_frame_is_changed(shaken):
    before = [frame.copy() for frame in shaken]
    build(shaken, wander()).compare(shaken[0])
    assert all(np.array_equal(one, other) for one, other in zip(before, shaken, strict=True))


def test_a_moving_camera_of_noise_is_no_hindrance():
    noise = list(np.random.default_rng(0).integers(0, 256, (6, *SIZE, 3), np.uint8))
    assert [matrix is None for matrix in align(noise)].count(True) >= 4
