"""Who is followed: with networks that see people by their colour."""

import numpy as np
import pytest
from people import DANCER, OTHER, SIZE, STATUE, ColourDetector, ColourLandmarker, draw_scene, find_body, paint, surround

from deepdance_plugins.removers.person.backdrop import Difference
from deepdance_plugins.removers.person.networks import Look, Sighting, Square
from deepdance_plugins.removers.person.tracker import (
    MEMORY,
    RARELY,
    Tracker,
    _holds_still,
    _lay_windows,
    _weigh,
    drop_twins,
)

EMPTY = draw_scene()


def show(*people):
    """A frame with people, each a colour and where."""
    frame = EMPTY
    for colour, *place in people:
        frame = paint(frame, find_body(*place), colour)
    return frame


def track(frames, detector=None, **options):
    """What a tracker sees in each frame."""
    tracker, seen = Tracker(detector or ColourDetector(), ColourLandmarker(), **options), []
    for frame in frames:
        seen.append(tracker.find(frame))
        tracker.keep(seen[-1])
    return seen


def xs(looks):
    return sorted(round(look.wanted.x) for look in looks)


def test_a_dancer_who_was_found_is_followed_without_another_search():
    detector = ColourDetector()
    seen = track([show((DANCER, 100 + 10 * k, 120, 150)) for k in range(20)], detector)
    assert [xs(looks) for looks in seen] == [[100 + 10 * k] for k in range(20)]
    assert detector.asked == [None]


def test_the_dancer_is_followed_past_somebody_larger():
    frames = [show((OTHER, 330, 120, 200), (DANCER, 60 + 10 * k, 120, 100)) for k in range(10)]
    frames[0] = show((DANCER, 60, 120, 100))
    assert [xs(looks) for looks in track(frames)] == [[60 + 10 * k] for k in range(10)]


def test_the_largest_is_taken_where_nothing_is_known_of_movement():
    (looks,) = track([show((DANCER, 80, 120, 100), (OTHER, 300, 120, 180))])
    assert xs(looks) == [300]


@pytest.mark.parametrize(("still", "expected"), [(OTHER, 80), (DANCER, 300)])
def test_who_moves_is_taken_before_the_larger_one(still, expected):
    apart = np.full((SIZE[0] // 2, SIZE[1] // 2), 9, np.float32)
    half = slice(100, None) if still == OTHER else slice(0, 100)
    apart[:, half] = 0
    frame = show((DANCER, 80, 120, 100), (OTHER, 300, 120, 180))
    looks = Tracker(ColourDetector(), ColourLandmarker()).find(frame, Difference(apart, np.zeros_like(apart)))
    assert xs(looks) == [expected]


def test_a_place_without_a_backdrop_counts_as_moving():
    apart = np.zeros((SIZE[0] // 2, SIZE[1] // 2), np.float32)
    apart[:, :100] = np.nan
    frame = show((DANCER, 80, 120, 100), (OTHER, 300, 120, 180))
    looks = Tracker(ColourDetector(), ColourLandmarker()).find(frame, Difference(apart, np.zeros_like(apart)))
    assert xs(looks) == [80]


def test_nobody_is_seen_in_an_empty_frame():
    detector = ColourDetector()
    assert track([EMPTY] * 2, detector) == [[], []]


def test_a_dancer_who_was_lost_is_sought_nearby_first():
    away = [EMPTY] * 2
    near, far = (DANCER, 120, 120, 100), (OTHER, 330, 120, 110)
    seen = track([show(near), *away, show(near, far)])
    assert [xs(looks) for looks in seen] == [[120], [], [], [120]]


def test_somebody_elsewhere_is_the_dancer_only_after_a_while():
    seen = track([show((DANCER, 50, 120, 60)), *[show((OTHER, 350, 120, 60))] * (MEMORY + 2)])
    counts = [len(looks) for looks in seen]
    assert counts[:2] == [1, 0]
    assert counts[-1] == 1
    assert counts == sorted(counts[:1]) + sorted(counts[1:])  # once found, kept
    assert 3 < counts.index(1, 1) <= MEMORY + 1


def test_a_lost_dancer_may_come_back_at_another_size():
    seen = track([show((DANCER, 100, 120, 100)), EMPTY, show((DANCER, 120, 120, 130))])
    assert xs(seen[2]) == [120]


def test_people_too_small_in_the_whole_frame_are_found_in_windows():
    detector = ColourDetector(least=0.3)
    (looks,) = track([show((DANCER, 350, 180, 80))], detector)  # .2 of the whole, .33 of its height
    assert xs(looks) == [350]
    assert detector.asked[0] is None
    assert {window.side for window in detector.asked[1:]} == {SIZE[0]}


def test_the_smallest_windows_are_searched_rarely():
    detector = ColourDetector()
    track([EMPTY] * (RARELY + 1), detector)
    searched, smallest = [], min(window.side for window in detector.asked if window)
    for window in detector.asked:
        if window is None:
            searched.append(False)
        elif window.side == smallest:
            searched[-1] = True
    assert searched == [True, *[False] * (RARELY - 1), True]


@pytest.mark.parametrize(("size", "share"), [((240, 400), 1.0), ((240, 400), 0.55), ((400, 100), 1.0), ((50, 50), 1.0)])
def test_windows_cover_the_frame_and_overlap_by_half(size, share):
    windows, side = _lay_windows(*size, share), share * min(size)
    assert {window.side for window in windows} == {side}
    for axis, length in (("x", size[1]), ("y", size[0])):
        centres = sorted({getattr(window, axis) for window in windows})
        assert centres[0] == pytest.approx(side / 2)
        assert centres[-1] == pytest.approx(length - side / 2)
        assert all(step <= side / 2 + 1e-6 for step in np.diff(centres))
    assert len(_lay_windows(50, 50, 1.0)) == 1


def test_everybody_is_followed_each_once():
    def frame(k):
        return show((DANCER, 80 + 5 * k, 120, 100), (OTHER, 300, 120 + k, 180))

    frames = [show((DANCER, 80, 120, 100)), *[frame(k) for k in range(1, 5)]]
    seen = track(frames, everybody=True)
    assert [xs(looks) for looks in seen] == [[80], *[[80 + 5 * k, 300] for k in range(1, 5)]]


def test_of_a_group_one_alone_is_followed():
    assert [len(looks) for looks in track([show((DANCER, 80, 120, 100), (OTHER, 300, 120, 180))] * 3)] == [1] * 3


def test_a_look_is_repeated_where_the_body_really_is():
    """The detector's square is rough; of two looks the second one is that which counts."""
    frame = show((DANCER, 200, 120, 150))

    class Rough(ColourDetector):
        def detect(self, frame, window=None):
            return [each._replace(square=each.square._replace(x=each.square.x + 40)) for each in super().detect(frame)]

    landmarker = ColourLandmarker()
    (look,) = Tracker(Rough(), landmarker).find(frame)
    assert look.square == surround(find_body(200, 120, 150))
    assert len(landmarker.looked) == 2
    (look,) = Tracker(ColourDetector(), landmarker).find(frame)
    assert len(landmarker.looked) == 3  # which holds still


def test_a_sighting_that_a_look_denies_is_nobody():
    class Haunted(ColourDetector):
        def detect(self, frame, window=None):
            ghost = [each._replace(square=Square(60, 60, 300)) for each in super().detect(frame)]
            return [*ghost, *super().detect(frame)]

    (looks,) = track([show((DANCER, 320, 120, 100))], Haunted())
    assert xs(looks) == [320]


@pytest.mark.parametrize("side", [0.5, 8, 5000])
def test_a_square_without_bounds_is_not_looked_at(side):
    landmarker = ColourLandmarker()
    tracker = Tracker(ColourDetector(colours=()), landmarker)
    wild = Look(0.9, np.zeros((256, 256), np.float32), Square(0, 0, side), Square(0, 0, side))
    tracker.keep([wild])
    assert tracker.find(EMPTY) == []
    assert tracker.look_at(EMPTY, [wild.square]) == []
    assert landmarker.looked == []


def test_somebody_is_seen_where_they_are_in_the_next_frame():
    tracker = Tracker(ColourDetector(colours=()), ColourLandmarker())
    later = ColourLandmarker().look(show((STATUE, 120, 120, 100)), Square(120, 120, 130))
    assert xs(tracker.look_at(show((STATUE, 110, 120, 100)), [later.square])) == [110]
    assert tracker.look_at(EMPTY, [later.square]) == []


@pytest.mark.parametrize(
    ("wanted", "still"),
    [
        (Square(103, 100, 100), True),
        (Square(105, 100, 100), False),
        (Square(100, 100, 107), True),
        (Square(100, 100, 109), False),
        (Square(100, 100, 100, 6.2), True),
        (Square(100, 100, 100, -0.2), False),
    ],
)
def test_a_square_holds_still_that_hardly_moves_grows_or_turns(wanted, still):
    assert _holds_still(Square(100, 100, 100), wanted) == still
    assert _holds_still(Square(100, 100, 100, 3), wanted._replace(angle=wanted.angle + 3)) == still


def test_the_middle_of_a_square_tells_whether_it_moves():
    apart = np.zeros((120, 200), np.float32)
    apart[50:71, 40:61] = 9  # 21 of the frame's 41 pixels, halved
    difference = Difference(apart, np.zeros_like(apart))
    assert _weigh(Square(100, 120, 80), difference) == pytest.approx(1.25)
    assert _weigh(Square(100, 120, 160), difference) == pytest.approx(0.25 + (21 / 41) ** 2)
    assert _weigh(Square(300, 120, 80), difference) == pytest.approx(0.25)
    assert _weigh(Square(900, 120, 80), difference) == 1
    assert _weigh(Square(100, 120, 80), None) == 1


def imagine(*squares):
    """Looks that want these squares."""
    return [Look(0.9, np.zeros((256, 256), np.float32), square, square) for square in squares]


def test_two_looks_are_at_one_body_unless_they_are_a_third_of_a_square_apart():
    here = Square(100, 100, 100)
    for other, count in ((here._replace(x=134), 1), (here._replace(x=136), 2), (here._replace(side=150), 2)):
        assert len(drop_twins(imagine(here, other))) == count
    row = imagine(here, here._replace(x=130), here._replace(x=160))
    assert [look.wanted.x for look in drop_twins(row)] == [100, 160]  # the second is a twin of the first alone


@pytest.mark.parametrize(("side", "is_looked_at"), [(9, True), (3.9 * SIZE[1], True), (4 * SIZE[1], False)])
def test_a_square_may_be_nearly_four_times_the_frame(side, is_looked_at):
    landmarker = ColourLandmarker()
    Tracker(ColourDetector(), landmarker).look_at(EMPTY, [Square(200, 120, side)])
    assert bool(landmarker.looked) == is_looked_at


def test_the_longer_a_dancer_is_lost_the_farther_away_they_are_sought():
    """A square and a fifth at first, and a fifth more with each frame."""
    for lost, reach in ((0, 1.2), (1, 1.4), (5, 2.2)):
        tracker = Tracker(ColourDetector(), ColourLandmarker())
        for looks in (imagine(Square(0, 0, 100)), *[[]] * lost):
            tracker.keep(looks)
        sightings = [Sighting(0.9, Square(100 * (reach + more), 0, 100)) for more in (0.01, -0.01, -0.1)]
        assert tracker._rank(sightings, None) == [sightings[2], sightings[1]]


def test_the_surest_of_two_alike_is_taken():
    one, other = Sighting(0.5, Square(50, 50, 60)), Sighting(0.9, Square(200, 50, 60))
    assert Tracker(ColourDetector(), ColourLandmarker())._rank([one, other], None) == [other, one]


@pytest.mark.parametrize("presence", [0.49, 0.5])
def test_a_look_shows_somebody_who_is_as_likely_there_as_not(presence):
    class Unsure(ColourLandmarker):
        def look(self, frame, square):
            return super().look(frame, square)._replace(presence=presence)

    tracker = Tracker(ColourDetector(), Unsure())
    assert bool(tracker.find(show((DANCER, 200, 120, 150)))) == (presence >= 0.5)


def test_three_people_are_looked_at_and_no_more():
    class Blind(ColourLandmarker):
        def look(self, frame, square):
            return super().look(frame, square)._replace(presence=0.0)

    class Crowd(ColourDetector):
        def detect(self, frame, window=None):
            return [Sighting(0.9, Square(40 * n, 100, 60)) for n in range(1, 7)]

    landmarker = Blind()
    assert Tracker(Crowd(), landmarker).find(EMPTY) == []
    assert len(landmarker.looked) == 3


def test_at_a_corner_the_part_of_the_middle_that_is_in_the_frame_counts():
    apart = np.zeros((120, 200), np.float32)
    apart[0, :11] = apart[:11, 0] = 9
    weight = _weigh(Square(0, 0, 80), Difference(apart, np.zeros_like(apart)))
    assert weight == pytest.approx(0.25 + 21 / 121)
