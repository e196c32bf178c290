"""What can be a dancer and what cannot: drawn cases, and the samples where they are."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import SHARED, demo_frames, needs_shared
from dancers import draw_dancer

from deepdance.frames import Clip, Silhouettes
from deepdance.inputs import choose_size, open_source
from deepdance.plausibility import (
    PAIRS,
    Figures,
    _count_pieces,
    _exceed_chance,
    _find_reason,
    _invert,
    _measure_overlap,
    _take_border,
    find_doubt,
    measure_figures,
)
from deepdance.plugins import discover
from deepdance.recipe import Recipe
from deepdance.remover_selection import REMOVAL_SCALE

DANCER = draw_dancer(60, 0)
RNG = np.random.default_rng(0)


def doubt(frames, **more):
    """Why these frames `(n, h, w)` are no dancer's, or nothing."""
    found = find_doubt(Silhouettes.of(frames, **more))
    return found and found.reason


def zoom(frames, times):
    """A close-up: the middle of the picture, enlarged."""
    down, across = (round(side * (1 - 1 / times) / 2) for side in frames.shape[1:])
    middle = frames[:, down : frames.shape[1] - down, across : frames.shape[2] - across]
    return middle.repeat(times, axis=1).repeat(times, axis=2)


def noise(share):
    return np.where(RNG.random((30, 60, 100)) < share, 0, 255).astype(np.uint8)


DANCERS = {
    "a dancer": DANCER,
    "a second": DANCER[:10],
    "one frame": DANCER[:1],
    "a close-up": zoom(DANCER, 2),
    "a slow one": DANCER[:8].repeat(4, axis=0),
    "a fast one": DANCER[::5],
    "a portrait": DANCER[:, :, 33:67],
    "far away": np.pad(DANCER, ((0, 0), (90, 90), (150, 150)), constant_values=255),
    "three": np.concatenate([draw_dancer(60, seed)[:, :, 25:75] for seed in range(3)], axis=2),
    "a still moment": np.concatenate([DANCER, DANCER[-1:].repeat(20, axis=0)]),
}
OTHERS = {
    "white": (np.full_like(DANCER, 255), "a shape on 0.0% of the picture (at least 0.3%)"),
    "black": (np.zeros_like(DANCER), "a shape on 100.0% of the picture (at most 70%)"),
    "a poster": (DANCER[:1].repeat(30, axis=0), "a still picture, 100% the same (at most 90%)"),
    "little noise": (noise(0.02), "pieces (at most 6)"),
    "much noise": (noise(0.5), "an outline of "),
    "a wall": (np.where(np.arange(100) < 30, np.uint8(0), DANCER), "a shape that never leaves 37% of the picture's"),
    "flicker": (np.where(np.arange(60)[:, None, None] % 2, np.uint8(255), DANCER), "flicker, frames 0% like the next"),
    "inverted": (255 - DANCER, "a dancer's in the rest: it looks inverted"),
}


@pytest.mark.parametrize("frames", DANCERS.values(), ids=DANCERS)
def test_a_dancer_is_one(frames):
    assert doubt(frames) is None


@pytest.mark.parametrize(("frames", "reason"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_dancer_is_told(frames, reason):
    assert reason in doubt(frames)


def test_an_inverted_picture_between_bands_looks_inverted():
    banded = np.pad(255 - DANCER, ((0, 0), (0, 0), (40, 40)), constant_values=255)
    assert find_doubt(Silhouettes.of(banded)).inverted
    assert not find_doubt(Silhouettes.of(np.zeros_like(DANCER))).inverted


def test_no_frame_is_compared_across_a_cut():
    bar = np.where(np.arange(60)[:, None] > 55, np.uint8(0), np.full((40, 60, 100), 255, np.uint8))
    scenes = np.stack([DANCER[:40], bar], axis=1).reshape(80, 60, 100)
    assert "flicker" in doubt(scenes)
    assert find_doubt(Silhouettes([scenes], [Clip(k, k + 1, "a", 10) for k in range(80)])) is None


def test_a_frame_is_compared_with_the_one_that_follows_it_in_its_shot():
    bar = np.where(np.arange(60)[:, None] > 55, np.uint8(0), np.full((60, 60, 100), 255, np.uint8))
    turns = np.arange(60) // 2 % 2 == 0
    scenes = np.where(turns[:, None, None], DANCER, bar)
    shots = [Clip(start, start + 2, "a", 10) for start in range(0, 60, 2)]
    assert find_doubt(Silhouettes([scenes], shots)) is None


def test_a_long_input_is_looked_at_no_longer():
    read = []

    class Counting(Silhouettes):
        def __getitem__(self, index):
            read.append(len(np.arange(len(self))[index]))
            return super().__getitem__(index)

    assert find_doubt(Counting.of(DANCER.repeat(50, axis=0))) is None
    assert sum(read) == 2 * PAIRS


def test_the_demo_is_a_dancer():
    frames = demo_frames(20, 10, (120, 200)).max(axis=3)
    assert doubt(np.where(frames > 76, np.uint8(255), np.uint8(0))) is None


def masks_of(*boxes, size=(20, 30)):
    """A mask `(1, h, w)` with these boxes (top, bottom, left, right) as dancer."""
    mask = np.zeros((1, *size), np.uint8)
    for top, bottom, left, right in boxes:
        mask[0, top:bottom, left:right] = 1
    return mask


def test_figures_are_shares_and_lengths_of_the_picture_s_own():
    # A box of 10 by 15 on 20 by 30, at the left edge, in nine of ten frames moved away by five.
    frames = np.concatenate([masks_of((5, 15, 0, 15)), *[masks_of((5, 15, 5, 20))] * 9])
    figures = measure_figures(frames, frames)
    assert figures.share == 0.25
    assert figures.pieces == 1
    assert figures.outline == pytest.approx(2 * (9 + 14) / 100)  # from the middle of a pixel to that of the next
    assert figures.border == 0
    assert figures.still == pytest.approx(10 / 20)  # what is nearly always there: the columns of both places
    assert figures.overlap == 1
    assert measure_figures(frames[1:5], frames[1:5]).still == 0  # too short a time to say
    at_the_edge = np.repeat(masks_of((5, 15, 0, 15)), 9, axis=0)
    assert measure_figures(at_the_edge, at_the_edge).border == pytest.approx(10 / 96)
    assert measure_figures(at_the_edge, at_the_edge).still == 1


def test_a_negative_is_of_the_picture_between_its_bands():
    white = np.zeros((2, 20, 30), np.uint8)
    white[:, 3:17, 5:25] = 1
    white[:, 8:12, 10:15] = 0
    for negative in _invert(white, white):
        assert negative.shape == (2, 14, 20)
        assert negative[:, 5:9, 5:10].all()
        assert negative.sum() == 2 * 20


def test_the_border_is_every_outermost_pixel_once():
    picture = np.arange(20).reshape(4, 5)
    assert sorted(_take_border(picture)) == [0, 1, 2, 3, 4, 5, 9, 10, 14, 15, 16, 17, 18, 19]


def test_pieces_are_counted_until_nine_tenths_are_there():
    big, next_to, crumb = (0, 10, 0, 6), (0, 10, 10, 13), (15, 17, 20, 25)  # 60, 30 and 10 pixels
    assert _count_pieces(masks_of(big, next_to, crumb)[0]) == 2
    assert _count_pieces(masks_of(big, next_to, crumb, (18, 19, 0, 2))[0]) == 3
    assert _count_pieces(masks_of(big, (10, 15, 6, 10))[0]) == 1  # corner to corner is one
    assert _count_pieces(masks_of()[0]) == 0


def test_overlap_is_none_by_chance_and_one_of_the_same_shape_in_another_place():
    rng = np.random.default_rng(0)
    one, other = ((rng.random((400, 400)) < share).astype(np.uint8) for share in (0.3, 0.6))
    assert _exceed_chance(one, other) == pytest.approx(0, abs=0.01)
    assert _exceed_chance(one, one) == 1
    nothing, box = masks_of()[0], masks_of((2, 8, 2, 10))[0]
    assert _exceed_chance(nothing, nothing) == 1
    assert _exceed_chance(box, nothing) == 0
    assert _exceed_chance(np.ones_like(box), np.ones_like(box)) == 0  # as alike as chance has it
    # A twelfth of the picture each, half in common: chance has (1/144) / (1/6 - 1/144).
    shifted = masks_of((2, 8, 6, 14))[0]
    a = 48 / 600
    chance = a**2 / (2 * a - a**2)
    assert _exceed_chance(box, shifted) == pytest.approx((1 / 3 - chance) / (1 - chance))
    assert _measure_overlap(box, masks_of((12, 18, 15, 23))[0]) == 1


FINE = Figures(share=0.1, pieces=1, outline=1, border=0, still=0.5, overlap=0.5)


@pytest.mark.parametrize(
    ("name", "limit", "beyond", "told"),
    [
        ("share", 0.003, 0.0029, "a shape on 0.3% of the picture (at least 0.3%)"),
        ("share", 0.7, 0.71, "a shape on 71.0% of the picture (at most 70%)"),
        ("pieces", 6, 7, "a shape in 7 pieces (at most 6)"),
        ("outline", 2.3, 2.4, "an outline of 2.4 times the picture's border (at most 2.3)"),
        ("border", 0.3, 0.31, "a shape that never leaves 31% of the picture's border (at most 30%)"),
        ("still", 0.9, 0.91, "a still picture, 91% the same (at most 90%)"),
        ("overlap", 0.05, -0.02, "flicker, frames 0% like the next (at least 5%)"),
    ],
)
def test_each_limit_is_told_where_it_is_passed(name, limit, beyond, told):
    assert _find_reason(FINE) is None
    assert _find_reason(replace(FINE, **{name: limit})) is None
    assert _find_reason(replace(FINE, **{name: beyond})) == told


@pytest.mark.parametrize(("count", "still"), [(9, False), (10, True)])
def test_ten_frames_are_needed_to_call_a_picture_still(count, still):
    assert (doubt(DANCER[:1].repeat(count, axis=0)) is not None) == still


def remove_background(path, seconds=10.0):
    """Its first silhouettes, as a run with `--remover threshold` would have them."""
    from deepdance.frames import shrink

    registry = discover()
    _, source = open_source(Recipe(), registry, str(path))
    size = choose_size(source.info())
    remover = registry.component("remover", "threshold")(registry.options("remover", "threshold", "standard", {}))
    chunks, count = [], 0
    for chunk in source.frames(10, (size[0] * REMOVAL_SCALE, size[1] * REMOVAL_SCALE)):
        chunks.append(shrink(remover.remove(chunk), size))
        count += len(chunk)
        if count >= seconds * 10:
            break
    return np.concatenate(chunks)


@needs_shared
@pytest.mark.parametrize("path", sorted((SHARED / "people").glob("*.mp4")), ids=lambda path: path.stem)
def test_a_threshold_finds_no_dancer_in_a_room(path):
    found = find_doubt(Silhouettes.of(remove_background(path)))
    assert found is not None
    assert found.inverted == path.stem.startswith(("magicanimate", "animateanyone"))


@needs_shared
@pytest.mark.parametrize("path", sorted((SHARED / "seed").glob("*.mp4"))[:2], ids=lambda path: path.stem)
def test_the_published_dances_are_dancers(path):
    assert doubt(remove_background(path)) is None


@needs_shared
@pytest.mark.parametrize("path", sorted((SHARED / "shadowdance").glob("*_masks.npz")), ids=lambda path: path.stem)
@pytest.mark.parametrize("fps", [3, 10])
def test_true_masks_are_dancers_whole_and_in_three_seconds(path, fps):
    with np.load(path) as archive:
        masks = np.unpackbits(archive[f"masks_{fps}fps"], axis=1).reshape(-1, 120, 200)
    frames = np.where(masks == 1, np.uint8(0), np.uint8(255))
    assert doubt(frames) is None
    pieces = [frames[start : start + 3 * fps] for start in range(0, len(frames) - 3 * fps, 15 * fps)]
    assert [doubt(piece) for piece in pieces] == [None] * len(pieces)
