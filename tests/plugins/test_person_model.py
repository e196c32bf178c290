"""What `person` keeps: with networks that see people by their colour, and with the real ones."""

import cv2
import numpy as np
import pytest
from people import (
    DANCER,
    OTHER,
    SIZE,
    STATUE,
    SURE,
    ColourDetector,
    ColourLandmarker,
    add_noise,
    draw_scene,
    find_body,
    measure_iou,
    paint,
    use_colours,
)

from deepdance.frames import spread_evenly
from deepdance_plugins.removers.person import model
from deepdance_plugins.removers.person.model import Person
from deepdance_plugins.removers.person.options import PersonOptions

COUNT = 16
SCENE = draw_scene()
VASE = find_body(60, 120, 200)


@pytest.fixture
def make(monkeypatch, tmp_path):
    """`person` with networks that see colours; a network of one's own may be given."""

    def make(detector=None, landmarker=None, **options):
        use_colours(monkeypatch, tmp_path, detector, landmarker)
        return Person(PersonOptions(**options))

    return make


def wander(count=COUNT):
    return [find_body(120 + 220 * number / count, 120, 130) for number in range(count)]


def film(bodies, scene=SCENE, colour=DANCER):
    return add_noise(paint(scene, body, colour) for body in bodies)


def survey(person, frames):
    person.survey(lambda count: np.stack(spread_evenly(iter(frames), count)))
    return person


def measure(silhouettes, bodies):
    """The IoU of each frame."""
    return [measure_iou(shown == 0, body) for shown, body in zip(silhouettes, bodies, strict=True)]


def test_silhouettes_have_the_frames_size_and_two_tones(make):
    for size in (SIZE, (241, 399), (5, 7), (1, 1), (1, 60)):
        frames = np.random.default_rng(0).integers(0, 256, (3, *size, 3), np.uint8)
        out = survey(make(), frames).remove(frames)
        assert (out.shape, out.dtype) == ((3, *size), np.uint8)
        assert set(np.unique(out)) <= {0, 255}


@pytest.mark.parametrize("surveyed", [False, True])
def test_a_dancer_is_kept(make, surveyed):
    frames = film(wander())
    person = survey(make(), frames) if surveyed else make()
    assert min(measure(person.remove(frames), wander())) > 0.85


def test_a_frame_without_anybody_is_background(make):
    bodies = wander()
    bodies[10] = bodies[11] = bodies[15] = np.zeros(SIZE, bool)
    frames = film(bodies)
    for person in (make(), survey(make(), frames)):
        out = person.remove(frames)
        assert (out[[10, 11, 15]] == 255).all()
        assert min(measure(out, bodies)) > 0.85


def test_the_largest_statue_is_no_dancer_where_the_camera_stands_still(make):
    frames = film(wander(), paint(SCENE, VASE, STATUE))
    assert measure_iou(make().remove(frames[:1])[0] == 0, VASE) > 0.85  # nothing tells that it is one
    for people in ("one", "all"):
        out = survey(make(people=people), frames).remove(frames)
        assert min(measure(out, wander())) > 0.8
        assert (out[:, VASE & ~np.any(wander(), axis=0)] == 255).mean() > 0.98


def test_feet_that_stay_where_they_are_are_kept(make):
    foot = find_body(200, 190, 24)
    bodies = [find_body(200 + 60 * np.sin(number), 110, 150) | foot for number in range(COUNT)]
    frames = film(bodies)
    out = survey(make(), frames).remove(frames)
    joined = [number for number in range(COUNT) if (find_body(200 + 60 * np.sin(number), 110, 150) & foot).any()]
    assert joined
    assert (out[joined][:, foot] == 0).mean() > 0.8


def test_a_body_in_the_backdrops_colour_is_whole_between_what_moves(make):
    """Nothing tells a shirt in the wall's colour from the wall but the networks, and where head and legs are."""

    class Whole(ColourLandmarker):
        def look(self, frame, square):
            look = super().look(frame, square)
            shown = cv2.findNonZero((look.logits > 0).astype(np.uint8))
            body = np.zeros(look.logits.shape, np.uint8)
            if shown is not None:
                cv2.fillConvexPoly(body, cv2.convexHull(shown), 1)
            return look._replace(logits=np.where(body, SURE, -SURE))

    wall, bodies = SCENE.copy(), wander()
    wall[95:145] = 90, 100, 110
    frames = film(bodies, wall)
    frames[:, 110:130] = film([np.zeros(SIZE, bool)], wall)[0, 110:130]
    out = survey(make(landmarker=Whole()), frames).remove(frames)
    assert np.mean(measure(out, bodies)) > 0.9
    shirts = np.array(bodies) & (np.arange(SIZE[0])[:, None] // 10 == 11)
    assert (out[shirts] == 0).mean() > 0.8


def test_who_is_found_later_is_kept_in_the_frames_before(make):
    class Late(ColourDetector):
        def detect(self, frame, window=None):
            return super().detect(frame, window) if len(self.asked) > 20 else (self.asked.append(window) or [])

    bodies = wander(60)[:12]
    assert min(measure(make(Late()).remove(film(bodies)), bodies)) > 0.85
    bodies[1] = np.zeros(SIZE, bool)
    assert measure(make(Late()).remove(film(bodies)), bodies)[1] == 1


def test_who_moves_as_before_is_kept_where_the_networks_are_blind(make):
    class Blind(ColourLandmarker):
        blind = False

        def look(self, frame, square):
            look = super().look(frame, square)
            return look._replace(presence=0.0) if self.blind else look

    frames, landmarker = film(wander()), Blind()
    person = survey(make(landmarker=landmarker), frames)
    person.remove(frames[:8])
    landmarker.blind = True
    assert min(measure(person.remove(frames[8:]), wander()[8:])) > 0.7
    crumb = [find_body(200, 120, 30)]
    assert (person.remove(film(crumb)) == 255).all()
    unseen = survey(make(landmarker=landmarker), frames)
    assert (unseen.remove(frames) == 255).all()


@pytest.mark.parametrize("surveyed", [False, True])
def test_all_are_kept_if_asked_for(make, surveyed):
    others = [find_body(300 - 10 * number, 130, 90) for number in range(10)]
    dancers = [find_body(100 + 5 * number, 120, 150) for number in range(10)]
    frames = add_noise(paint(paint(SCENE, other, OTHER), dancer) for other, dancer in zip(others, dancers, strict=True))

    def removed(**options):
        person = make(**options)
        return (survey(person, frames) if surveyed else person).remove(frames)

    both = [one | other for one, other in zip(dancers, others, strict=True)]
    assert np.mean(measure(removed(people="all"), both)) > 0.85
    if not surveyed:
        apart = [not (dancer & other).any() for dancer, other in zip(dancers, others, strict=True)]
        alone = measure(removed(), dancers)
        assert min(iou for iou, far in zip(alone, apart, strict=True) if far) > 0.85


def test_a_moving_camera_has_no_backdrop_and_is_no_hindrance(make):
    wide = draw_scene((SIZE[0], 1400))
    bodies = wander()
    frames = add_noise(
        paint(np.ascontiguousarray(wide[:, 40 * k : 40 * k + SIZE[1]]), body) for k, body in enumerate(bodies)
    )
    person = survey(make(), frames)
    assert person._backdrop is None
    assert min(measure(person.remove(frames), bodies)) > 0.85


def test_a_scene_that_changes_after_the_survey_is_no_hindrance(make):
    person = survey(make(), film(wander()))
    frames = film(wander(), draw_scene(seed=5))
    assert min(measure(person.remove(frames), wander())) > 0.85


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_short_look_is_none(make, count):
    frames = film(wander())
    person = survey(make(), frames[:count])
    assert person._backdrop is None
    assert min(measure(person.remove(frames), wander())) > 0.85


def test_nothing_is_written_into_the_frames(make):
    frames = film(wander())
    before = frames.copy()
    survey(make(), frames).remove(frames)
    assert np.array_equal(frames, before)


def test_what_is_fetched_is_told(monkeypatch):
    told = []
    monkeypatch.setattr(model.weights, "fetch_weights", lambda tell: tell("weights", 1, 2))
    Person.fetch(lambda *progress: told.append(progress))
    assert told == [("weights", 1, 2)]


@pytest.mark.parametrize(("size", "half"), [((240, 400), (120, 200)), ((241, 401), (120, 200)), ((1, 5), (1, 2))])
def test_half_of_a_frame_is_at_least_a_pixel(size, half):
    assert model.halve(np.zeros((*size, 3), np.uint8)).shape == (*half, 3)


def test_where_nobody_is_seen_and_nothing_can_move_there_is_nobody():
    sketch = model._sketch(np.zeros((120, 200, 3), np.uint8), [], None)
    assert sketch.probability.shape == sketch.mask.shape == (120, 200)
    assert not sketch.probability.any()
    assert not sketch.mask.any()
    assert not sketch.seen


def test_what_moves_where_nobody_is_seen_must_be_about_as_large_as_the_dancer_was(make):
    """From a quarter to four times, of a size that follows the dancer's slowly."""
    person = make()
    assert not person._is_likely(100, seen=False)  # nobody was
    assert person._is_likely(100, seen=True)
    assert [person._is_likely(area, seen=False) for area in (24, 26, 399, 401)] == [False, True, True, False]
    assert person._is_likely(200, seen=True)  # 120 from now on
    assert [person._is_likely(area, seen=False) for area in (29, 31, 479, 481)] == [False, True, True, False]
