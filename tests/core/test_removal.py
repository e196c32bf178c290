"""Which remover suits an input: drawn figures, people, and the samples where they are."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from conftest import SHARED, needs_shared
from dancers import draw_dancer
from people import draw_scene

from deepdance.interfaces import SourceInfo
from deepdance.removal import (
    SAMPLED,
    _choose_white,
    _find_figure,
    _find_ground,
    _measure_agreement,
    _measure_ground,
    _take_edge,
    choose_remover,
    find_figures,
)
from deepdance.remover_selection import REMOVAL_SCALE
from deepdance_plugins.removers.threshold import Threshold, ThresholdOptions

BOX = (480, 800)
PAPER = ("threshold", {})
OTSU = ("threshold", {"level": "auto"})
BODIES = draw_dancer(40, 0)[:SAMPLED] < 128


def colour(figure, ground, bodies=BODIES):
    """Frames `(n, h, w, 3)` of bodies of one colour before another."""
    return np.where(bodies[..., None], np.uint8(figure), np.uint8(ground))


def nobody(frames):
    return np.full(frames.shape[:3], 255, np.uint8)


def never(frames):
    raise AssertionError("no network is needed to see that")


def see(share):
    """A network that finds a person in a share of the frames."""

    def find(frames):
        out = nobody(frames)
        out[: round(share * len(frames)), 0, 0] = 0
        return out

    return find


def decide(frames, find_people=never, alpha=False):
    """The choice for frames, and how often they were asked for."""
    info = SourceInfo(*frames.shape[1:3], alpha=alpha)
    source = SimpleNamespace(info=lambda: info, sample=lambda count, box: frames)
    return choose_remover(source, BOX, find_people)


def choose(frames, find_people=never):
    decision = decide(frames, find_people)
    return decision.name, decision.options


def measure_choice(frames, bodies=BODIES):
    """The worst IoU of what the chosen threshold makes of frames."""
    decision = decide(frames)
    figures = Threshold(ThresholdOptions(**decision.options)).remove(frames) == 0
    return min((figures & bodies).sum(axis=(1, 2)) / (figures | bodies).sum(axis=(1, 2)))


@pytest.mark.parametrize(
    ("figure", "ground", "expected"),
    [
        ((0, 0, 0), (255, 255, 255), PAPER),
        ((60, 60, 60), (240, 200, 220), PAPER),
        ((0, 0, 0), (79, 79, 79), PAPER),
        ((70, 70, 70), (80, 80, 110), PAPER),  # 210 and 270
        ((255, 255, 255), (0, 0, 0), ("threshold", {"invert": True})),
        ((120, 100, 90), (10, 20, 30), ("threshold", {"invert": True})),
    ],
)
def test_the_papers_level_is_taken_where_it_will_do(figure, ground, expected):
    frames = colour(figure, ground)
    assert choose(frames) == expected
    assert measure_choice(frames) == 1


@pytest.mark.parametrize(
    ("figure", "ground", "inverted"),
    [
        ((150, 30, 90), (210, 200, 220), False),
        ((120, 120, 120), (200, 200, 200), False),
        ((0, 0, 10), (20, 20, 60), False),
        ((255, 255, 255), (90, 140, 90), True),
        ((200, 0, 0), (40, 40, 40), True),
        ((255, 255, 0), (0, 0, 255), True),
    ],
)
def test_a_figure_of_any_colour_before_another_has_a_level_between(figure, ground, inverted):
    frames = colour(figure, ground)
    name, options = choose(frames)
    assert name == "threshold"
    assert min(sum(figure), sum(ground)) <= options.get("level", 230) < max(sum(figure), sum(ground))
    assert options.get("invert", False) == inverted
    assert measure_choice(frames) == 1


def test_the_reason_says_which_is_dark():
    assert decide(colour((0, 0, 0), (255,) * 3)).reason == "a dark figure before a plain bright ground"
    assert decide(colour((255,) * 3, (0, 0, 0))).reason == "a bright figure before a plain dark ground"


def grain(frames, amount):
    return np.clip(frames + np.random.default_rng(0).normal(0, amount, frames.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("amount", [2, 8])
def test_noise_is_no_hindrance(amount):
    assert choose(grain(colour((20, 20, 20), (235, 235, 235)), amount)) == PAPER


def test_a_logo_and_a_counter_are_no_hindrance():
    frames = colour((0, 0, 0), (255, 255, 255))
    for number, frame in enumerate(frames):
        frame[2:6, 90:96] = 30, 90, 200
        frame[2:4, 2 : 4 + number] = 0
    assert choose(frames) == PAPER


@pytest.mark.parametrize("scale", [1, 2, 5])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_soft_outline_is_no_reason_for_another_level(scale, inverted):
    drawn = draw_dancer(40, 0)[:SAMPLED]
    grown = np.stack([cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) for frame in drawn])
    frames = (255 - grown if inverted else grown)[..., None].repeat(3, axis=3)
    assert choose(frames) == ("threshold", {"invert": True} if inverted else {})


def test_a_grey_shirt_is_the_dancers_beside_black_trousers():
    frames = colour((0, 0, 0), (255, 255, 255))
    frames[:, :32][BODIES[:, :32]] = 170
    assert choose(frames)[1]["level"] >= 510
    assert measure_choice(frames) > 0.95


def test_a_ground_whose_light_changes_from_frame_to_frame_is_plain():
    light = np.linspace(0.6, 1, SAMPLED)[:, None, None, None]
    assert choose((colour((5, 5, 5), (250, 240, 230)) * light).astype(np.uint8)) == PAPER


def test_a_figure_at_the_edge_leaves_the_ground_plain():
    below = np.zeros_like(BODIES)
    below[:, 10:, 40:60] = True  # stands on the picture's edge
    assert choose(colour((0, 0, 0), (255, 255, 255), below)) == PAPER


def test_a_figure_as_bright_as_the_ground_is_left_to_the_networks():
    """Red on green of one sum: no level parts them."""
    frames = colour((180, 60, 60), (60, 180, 60))
    assert find_figures(frames) is not None
    assert choose(frames, see(1)) == ("person", {})


def put_before(scene, count=SAMPLED):
    frames = np.stack([scene] * count)
    frames[:, 20:50, 40:60] = 200, 150, 120
    return frames


@pytest.mark.parametrize(("share", "expected"), [(1, ("person", {})), (0.25, ("person", {})), (0.2, OTSU), (0, OTSU)])
def test_before_any_other_ground_a_person_must_be_seen(share, expected):
    assert choose(put_before(draw_scene((60, 100))), see(share)) == expected


@pytest.mark.parametrize(
    "frames",
    [
        np.random.default_rng(0).integers(0, 256, (SAMPLED, 60, 100, 3), np.uint8),
        np.stack([draw_scene((60, 100), seed) for seed in range(SAMPLED)]),
        np.broadcast_to(np.linspace(0, 255, 100).astype(np.uint8)[None, None, :, None], (SAMPLED, 60, 100, 3)),
    ],
    ids=["noise", "pictures", "gradient"],
)
def test_a_ground_that_is_not_plain_has_no_figures(frames):
    assert find_figures(frames) is None
    assert choose(frames, nobody) == OTSU
    assert "a person is seen in 0% of the frames" in decide(frames, nobody).reason


def test_most_frames_decide():
    frames = colour((0, 0, 0), (255, 255, 255))
    frames[:4] = np.random.default_rng(0).integers(0, 256, frames[:4].shape, np.uint8)
    assert choose(frames) == PAPER
    frames[:8] = np.random.default_rng(0).integers(0, 256, frames[:8].shape, np.uint8)
    assert choose(frames, see(1)) == ("person", {})


def test_figures_are_what_is_not_of_the_grounds_colour():
    assert np.array_equal(find_figures(colour((30, 30, 200), (90, 90, 200))), BODIES)
    assert not find_figures(colour((30, 30, 200), (54, 54, 200))).any()


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_plain_frames_are_no_hindrance(grey):
    decision = decide(np.full((3, 20, 30, 3), grey, np.uint8), nobody)
    assert decision.name == "threshold"
    assert decide(np.full((1, 1, 1, 3), grey, np.uint8), nobody).name == "threshold"


def test_what_is_transparent_is_background():
    frames = colour((90, 200, 250), (255, 255, 255))
    decision = decide(frames, alpha=True)
    assert (decision.name, decision.options) == ("threshold", {"level": 700})
    assert np.array_equal(Threshold(ThresholdOptions(**decision.options)).remove(frames) == 0, BODIES)


def test_white_clothes_on_transparency_are_the_dancers():
    frames = colour((250, 250, 250), (255, 255, 255))
    decision = decide(frames, alpha=True)
    assert np.array_equal(Threshold(ThresholdOptions(**decision.options)).remove(frames) == 0, BODIES)


def test_an_error_of_the_networks_is_not_hidden():
    with pytest.raises(AssertionError, match="no network is needed"):
        choose(draw_scene((60, 100))[None])


@pytest.mark.parametrize(("light", "level"), [(5, 700), (9, 700), (11, 760), (50, 760)])
def test_a_tenth_of_light_clothes_are_no_specks(light, level):
    frame = np.full((1, 10, 40, 3), 255, np.uint8)
    figure = frame[0, :5, :20].reshape(-1, 3)
    figure[:] = 40
    figure[:light] = 245  # R+G+B is 735
    frame[0, :5, :20] = figure.reshape(5, 20, 3)
    assert _choose_white(frame) == level


def test_the_edge_is_a_fortieth_wide_and_its_median_is_the_ground():
    frame = np.zeros((80, 120, 3), np.uint8)
    frame[2:-2, 2:-2] = 200
    frame[:, :3] = 9, 8, 7  # less than half of the edge
    assert _take_edge(frame).shape == (80 * 120 - 76 * 116, 3)
    assert len(_take_edge(frame[:20, :30])) == 2 * 30 + 2 * 18  # and a pixel at least
    assert _find_ground(frame).tolist() == [0, 0, 0]


def test_how_much_of_the_edge_and_of_the_picture_is_of_the_grounds_colour():
    frame = np.zeros((80, 120, 3), np.uint8)
    frame[:, :30] = 0, 0, 24  # still alike
    frame[:, 60:, 1] = 25  # no more
    edge, picture = _measure_ground(frame, np.zeros(3, np.int64))
    assert (edge, picture) == (0.5, 0.5)


@pytest.mark.parametrize(("rows", "plain"), [(59, True), (60, False)])
def test_a_ground_is_nine_twentieths_of_the_picture(rows, plain):
    frames = np.zeros((1, 104, 104, 3), np.uint8)
    frames[:, 2 : 2 + rows, 2:102] = 255  # 5900 or 6000 of 10816 pixels, and none of the edge
    assert (find_figures(frames) is not None) == plain


@pytest.mark.parametrize(("columns", "plain"), [(37, True), (38, False)])
def test_a_ground_is_four_fifths_of_the_edge(columns, plain):
    frames = np.zeros((1, 100, 100, 3), np.uint8)
    frames[:, :4, :columns] = frames[:, -4:, :columns] = 255  # 4 · columns + 8 of the 784 pixels of the edge
    assert (find_figures(frames) is not None) == plain


def test_the_outer_half_of_a_soft_outline_is_ground_and_what_stands_alone_is_not():
    frame = np.zeros((60, 90, 3), np.uint8)
    frame[10:50, 20:40] = 200
    frame[10:50, 40] = 101  # more than half of what is beside it
    frame[10:50, 19] = 99
    frame[10:50, 60:70] = 25  # a faint figure, but nothing brighter is near
    frame[10:50, 80:85] = 24
    figure = _find_figure(frame, np.zeros(3, np.int64))
    assert np.flatnonzero(figure[30]).tolist() == [*range(20, 41), *range(60, 70)]


def test_the_outline_of_a_larger_picture_may_be_softer():
    frame = np.zeros((240, 300, 3), np.uint8)
    frame[:, 20:40] = 200
    frame[:, 40:46] = 99
    assert np.flatnonzero(_find_figure(frame, np.zeros(3, np.int64))[120]).tolist() == [*range(20, 40), 44, 45]


def test_agreement_is_the_median_and_empty_frames_agree():
    box, other = np.zeros((2, 1, 4, 4), bool)
    box[:, :2], other[:, 1:3] = True, True
    nothing = np.zeros_like(box)
    assert _measure_agreement(box, other) == pytest.approx(1 / 3)
    masks, figures = np.concatenate([box, box, nothing]), np.concatenate([other, box, nothing])
    assert _measure_agreement(masks, figures) == 1
    assert _measure_agreement(masks[[0, 0, 1]], figures[[0, 0, 1]]) == pytest.approx(1 / 3)
    assert _measure_agreement(box, nothing) == 0
    assert _measure_agreement(nothing, nothing) == 1


DRAWN = {"magicanimate": {"invert": True}, "animateanyone": {"invert": True}}
"""People's videos that show no picture of a person, by the beginning of their names."""


def list_samples():
    """Each sample with the remover that it needs, and the options that matter."""
    samples = []
    for path in sorted(path for name in ("dressed", "people", "shadowdance") for path in (SHARED / name).glob("*.mp4")):
        drawn = DRAWN.get(path.name.partition("_")[0])
        samples.append(pytest.param(path, *(("threshold", drawn) if drawn else ("person", {})), id=path.stem))
    for path in sorted((SHARED / "seed").glob("*.mp4")):
        samples.append(pytest.param(path, "threshold", {}, id=path.stem))
    return samples


@pytest.fixture(scope="module")
def find_people(person_weights):
    from deepdance_plugins.removers.person.model import Person
    from deepdance_plugins.removers.person.options import PersonOptions

    return lambda frames: Person(PersonOptions()).remove(frames)


@needs_shared
@pytest.mark.parametrize(("path", "name", "options"), list_samples())
def test_the_samples_have_the_remover_they_need(path, name, options, find_people):
    from deepdance.inputs import choose_size, open_source
    from deepdance.plugins import discover
    from deepdance.recipe import Recipe

    _, source = open_source(Recipe(), discover(), str(path))
    height, width = choose_size(source.info())
    decision = choose_remover(source, (REMOVAL_SCALE * height, REMOVAL_SCALE * width), find_people)
    assert decision.name == name
    assert {key: decision.options.get(key) for key in options} == options
    if not options:
        assert decision.options == {}


@pytest.mark.parametrize(("light", "level"), [(0, 700), (9, 700), (10, 760), (100, 760)])
def test_light_clothes_are_kept_where_they_are_a_tenth_of_the_figure(light, level):
    """R+G+B from 701 to 760; what was transparent is white, and brighter than both."""
    frame = np.full((20, 20, 3), 255, np.uint8)
    figure = frame[5:15, 5:15].reshape(100, 3).copy()
    figure[:] = (40, 50, 60)
    figure[:light] = (234, 234, 233)
    figure[: light // 2] = (254, 253, 253)
    frame[5:15, 5:15] = figure.reshape(10, 10, 3)
    frame[0, :10] = (254, 254, 253)  # compressed, and no figure
    assert _choose_white(frame[None]) == level


def test_masks_agree_by_the_median_of_their_overlap_and_two_empty_ones_do():
    masks = np.zeros((3, 4, 4), bool)
    others = masks.copy()
    assert _measure_agreement(masks, others) == 1
    masks[:2, :2] = others[:2, :3] = True
    assert _measure_agreement(masks, others) == pytest.approx(2 / 3)
    others[2, 0, 0] = True
    assert _measure_agreement(masks, others) == pytest.approx(2 / 3)
    others[1] = ~masks[1]
    assert _measure_agreement(masks, others) == 0


def test_the_edge_of_a_picture_is_a_fortieth_of_it_and_at_least_a_pixel():
    for size, width in (((80, 200), 2), ((20, 30), 1), ((119, 119), 2), ((120, 200), 3)):
        inner = (size[0] - 2 * width) * (size[1] - 2 * width)
        assert len(_take_edge(np.zeros((*size, 3), np.uint8))) == size[0] * size[1] - inner
