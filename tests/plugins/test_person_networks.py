"""Where the networks look, and where what they see lies in the frame."""

import math

import cv2
import numpy as np
import pytest
from conftest import SHARED, needs_shared
from videos import source

from deepdance_plugins.removers.person import networks, weights
from deepdance_plugins.removers.person.networks import (
    DETECTOR_SIDE,
    KEYPOINTS,
    LOOK_SIDE,
    MARGIN,
    PoseDetector,
    PoseLandmarker,
    Square,
)

ANCHORS = networks._build_anchors()


def apply(matrix, points):
    return np.asarray(points) @ matrix[:, :2].T + matrix[:, 2]


def test_a_square_is_laid_onto_the_look():
    square = Square(100, 60, 40)
    assert np.allclose(square.corners(), [[80, 40], [120, 40], [120, 80], [80, 80]])
    assert np.allclose(square.corners(2), [[60, 20], [140, 20], [140, 100], [60, 100]])
    assert np.allclose(
        apply(square.matrix(), [[100, 60], [80, 40], [120, 80]]), [[128, 128], [0, 0], [256, 256]], atol=1e-3
    )


@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 2, -2.5])
def test_a_turned_square_is_laid_upright_onto_the_look(angle):
    square = Square(50, 70, 30, angle)
    corners = [[0, 0], [LOOK_SIDE, 0], [LOOK_SIDE, LOOK_SIDE], [0, LOOK_SIDE]]
    assert np.allclose(apply(square.matrix(), square.corners()), corners, atol=1e-3)
    head = square.x + 15 * math.sin(angle), square.y - 15 * math.cos(angle)  # clockwise on the screen
    assert np.allclose(apply(square.matrix(), head), [LOOK_SIDE / 2, 0], atol=1e-3)


def test_squares_are_apart_by_their_shift_and_their_growth():
    square = Square(10, 10, 20)
    assert square.distance(square) == 0
    assert square.distance(Square(13, 14, 20, 1.0)) == pytest.approx(0.25)
    assert square.distance(Square(13, 14, 10)) == pytest.approx(0.5 + math.log(2))
    assert Square(13, 14, 10).distance(square) == pytest.approx(0.25 + math.log(2))


def test_every_guess_has_the_middle_of_its_cell():
    assert ANCHORS.shape == (2254, 2)
    assert ANCHORS.dtype == np.float32
    grids = {8: ANCHORS[:1568], 16: ANCHORS[1568:1960], 32: ANCHORS[1960:]}
    for stride, grid in grids.items():
        first, last = np.array([stride / 2] * 2), np.array([224 - stride / 2] * 2)
        assert np.allclose(grid[[0, 1, -1]] * 224, [first, first, last])
        assert len(np.unique(grid, axis=0)) == (224 // stride) ** 2
    assert np.allclose(grids[8][2] * 224, [12, 4])  # along the row first
    assert np.allclose(grids[32][6] * 224, [48, 16])


def cut(frame, x, y, side, to):
    scale = to / side
    return networks._cut_out(frame, np.array([[scale, 0, -x * scale], [0, scale, -y * scale]]), to)[0]


def test_what_is_cut_out_lies_where_it_should_and_black_is_beyond_the_frame():
    frame = np.zeros((60, 80, 3), np.uint8)
    frame[20:30, 40:50] = 1, 2, 3
    assert np.array_equal(cut(frame, 40, 20, 10, 10), frame[20:30, 40:50])
    assert np.array_equal(cut(frame + 9, -10, -10, 20, 20)[:10], np.zeros((10, 20, 3)))
    assert cut(frame + 9, -10, -10, 20, 20)[15, 15].tolist() == [9, 9, 9]


@pytest.mark.parametrize("shrink", [2, 4, 7])
def test_what_shrinks_is_averaged(shrink):
    stripes = np.zeros((112, 112, 3), np.uint8)
    stripes[:, ::2] = 200
    small = cut(stripes, 0, 0, 112, 112 // shrink)
    assert small.shape == (112 // shrink, 112 // shrink, 3)
    assert abs(small[1:-1, 1:-1].astype(int) - 100).max() < (40 if shrink % 2 else 2)


def test_what_shrinks_stays_in_its_place():
    frame = np.zeros((123, 211, 3), np.uint8)
    frame[40:80, 100:140] = 255
    small = cut(frame, 0, 0, 210, 70)[..., 0] > 127
    rows, columns = np.nonzero(small)
    assert np.allclose([columns.mean() * 3 + 1, rows.mean() * 3 + 1], [119.5, 59.5], atol=1.5)


def sighted(monkeypatch, guesses, frame=None, window=None):
    """What a detector tells whose network says this: scores, and the hips and the circle's top in pixels of 224."""
    points, scores = np.zeros((1, 2254, 2 * KEYPOINTS), np.float32), np.full((1, 2254, 1), -50, np.float32)
    for number, (score, hips, top) in guesses.items():
        scores[0, number] = math.log(score / (1 - score))
        points[0, number].reshape(KEYPOINTS, 2)[2:4] = np.array([hips, top]) - ANCHORS[number] * DETECTOR_SIDE
    seen = []

    def run(picture, *outputs):
        seen.append(picture)
        return [{"Identity": points, "Identity_1": scores}[name] for name in outputs]

    monkeypatch.setattr(networks, "load_network", lambda path: run)
    frame = np.full((224, 448, 3), 255, np.uint8) if frame is None else frame
    return PoseDetector(None).detect(frame, window), seen[0]


def test_the_surest_of_each_person_is_sighted(monkeypatch):
    found, picture = sighted(
        monkeypatch,
        {
            3: (0.6, (50, 100), (50, 60)),
            900: (0.8, (54, 100), (54, 60)),  # the same person
            2000: (0.7, (150, 100), (150, 70)),
            1: (0.31, (100, 150), (100, 140)),
            2: (0.29, (20, 20), (20, 10)),
        },
    )
    assert [round(score, 2) for score, _ in found] == [0.8, 0.7, 0.31]
    # the frame is twice as wide as tall, so it lies in the middle of the network's picture, halved
    assert found[0].square == pytest.approx(Square(108, 88, 160 * MARGIN, 0), abs=1e-3)
    assert found[1].square == pytest.approx(Square(300, 88, 120 * MARGIN, 0), abs=1e-3)
    assert picture.shape == (1, 224, 224, 3)
    assert picture.dtype == np.float32
    assert (picture[0, :55] == -1).all() and (picture[0, 60:160, 2:-2] == 1).all() and (picture[0, 170:] == -1).all()


def test_people_in_a_window_are_told_in_the_frames_pixels(monkeypatch):
    frame = np.full((224, 448, 3), 255, np.uint8)
    frame[30:34, 110:114] = 0
    found, picture = sighted(monkeypatch, {7: (0.9, (112, 112), (140, 112))}, frame, Square(100, 50, 56))
    assert found[0].square == pytest.approx(Square(100, 50, 14 * MARGIN, math.pi / 2), abs=1e-3)
    rows, columns = np.nonzero(picture[0, ..., 0] < 0)
    assert (rows.mean() / 4 + 22, columns.mean() / 4 + 72) == pytest.approx((31.5, 111.5), abs=0.3)


def test_a_guess_of_any_certainty_is_no_overflow(monkeypatch):
    with np.errstate(all="raise"):
        assert sighted(monkeypatch, {0: (1 - 1e-16, (9, 9), (9, 1))})[0][0].score == pytest.approx(1)


@pytest.mark.parametrize(
    ("top", "angle"), [((0, -1), 0), ((1, 0), math.pi / 2), ((0, 1), math.pi), ((-1, 0), -math.pi / 2)]
)
def test_a_look_wants_the_square_around_the_body_it_saw(monkeypatch, top, angle):
    """The landmarks are those of the look; a head to the right of the hips is somebody turned by a quarter."""
    square = Square(300, 200, 128, angle)
    points = np.zeros((1, 195), np.float32)
    points.reshape(39, 5)[33, :2] = apply(square.matrix(), (310, 190))
    points.reshape(39, 5)[34, :2] = apply(square.matrix(), (310 + 40 * top[0], 190 + 40 * top[1]))
    logits = np.arange(LOOK_SIDE**2, dtype=np.float32)
    seen = []

    def run(picture, *outputs):
        seen.append(picture)
        found = {"Identity": points, "Identity_1": np.float32([[0.75]]), "Identity_2": logits.reshape(1, 256, 256, 1)}
        return [found[name] for name in outputs]

    monkeypatch.setattr(networks, "load_network", lambda path: run)
    look = PoseLandmarker(None).look(np.full((400, 600, 3), 255, np.uint8), square)
    assert look.presence == 0.75
    assert np.array_equal(look.logits.ravel(), logits)
    assert look.square == square
    turned = (look.wanted.angle - angle + math.pi) % (2 * math.pi) - math.pi
    assert turned == pytest.approx(0, abs=1e-4)
    assert look.wanted[:3] == pytest.approx((310, 190, 80 * MARGIN), abs=1e-2)
    assert seen[0].shape == (1, 256, 256, 3)
    assert (seen[0] == 1).all()


@pytest.fixture(scope="module")
def detector(person_weights):
    return PoseDetector(person_weights / weights.DETECTOR)


@pytest.fixture(scope="module")
def landmarker(person_weights):
    return PoseLandmarker(person_weights / weights.LANDMARKER)


def test_nobody_is_seen_where_nobody_is(detector, landmarker):
    noise = np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)
    for frame in (np.zeros_like(noise), noise, noise[:1, :1], noise[:2]):
        assert detector.detect(frame) == []
        assert landmarker.look(frame, Square(50, 50, 90)).presence < 0.5


@needs_shared
def test_a_person_is_seen_however_they_are_turned(detector, landmarker):
    frame = source(SHARED / "people/mmhuman3d_single.mp4").sample(1, (480, 800))[0]
    square = detector.detect(frame)[0].square
    look = landmarker.look(frame, square)
    assert look.presence > 0.9
    assert 0.05 < (look.logits > 0).mean() < 0.5
    assert abs(look.wanted.angle) < 0.5
    turned = cv2.rotate(frame, cv2.ROTATE_90_CLOCKWISE)
    beside = Square(frame.shape[0] - square.y, square.x, square.side, square.angle + math.pi / 2)
    again = landmarker.look(turned, beside)
    assert again.presence > 0.9
    assert ((again.logits > 0) == (look.logits > 0)).mean() > 0.97
