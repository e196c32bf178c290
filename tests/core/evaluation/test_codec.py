from types import SimpleNamespace

import numpy as np
import pytest

from deepdance.evaluation.codec import COLUMNS, _convert_to_decibels, _multiply_means, measure_codec
from deepdance.evaluation.streams import ignore_progress
from deepdance.frames import Clip, Silhouettes
from deepdance.packing import PackedModel
from deepdance.recipe import Recipe


class Passing:
    """A codec that changes frames as asked, and counts how many it saw at once."""

    def __init__(self, change=lambda frames: frames):
        self.change = change
        self.most = 0

    def encode(self, frames):
        self.most = max(self.most, len(frames))
        return frames.reshape(len(frames), -1).astype(np.float32)

    def decode(self, latents):
        return self.change(latents.astype(np.uint8).reshape(-1, 60, 80))


def measure(codec, frames, on_progress=ignore_progress):
    return measure_codec(
        PackedModel(Recipe(), "codec", SimpleNamespace(key="passing"), codec), "passing", frames, on_progress
    )


def box(left, top=10):
    picture = np.full((60, 80), 255, np.uint8)
    picture[top : top + 20, left : left + 20] = 0
    return picture


def walk(steps=12):
    """A box that walks two pixels a frame to the right, in two clips; the second begins elsewhere."""
    frames = np.stack([box(2 * k) for k in range(steps)] + [box(2 * k, top=35) for k in range(steps)])
    return Silhouettes([frames], [Clip(0, steps, "a", 3), Clip(steps, 2 * steps, "b", 3)])


def values(table, role):
    row = next(row for row in table.rows if row.role == role)
    return {key: None if figure is None else figure.value for key, figure in row.figures.items()}


def test_a_codec_that_loses_nothing_is_perfect():
    table = measure(Passing(), walk())
    figures = values(table, "model")
    expected = {"iou": 1, "boundary_iou": 1, "ssim": 1, "accuracy": 1, "strred": 0, "grey_per_perimeter": 0}
    assert {key: figures[key] for key in expected} == pytest.approx(expected)
    assert figures["psnr"] is None  # infinite
    assert table.rows[0].name == "passing"
    assert set(values(table, "real")) == {column.key for column in COLUMNS}


def test_copying_shows_the_frame_before_and_never_one_of_another_clip():
    figures = values(measure(Passing(), walk()), "copy")
    assert figures["iou"] == pytest.approx((20 * 18) / (20 * 22))
    wrong = 2 * 2 * 20 / (60 * 80)
    assert figures["accuracy"] == pytest.approx(1 - wrong)
    assert figures["psnr"] == pytest.approx(-10 * np.log10(wrong))
    assert figures["strred"] > 0


def test_what_a_codec_loses_is_counted():
    def lose_half(frames):
        return np.concatenate([frames[:, :20], np.full_like(frames[:, 20:], 255)], axis=1)

    upper = Silhouettes.of(np.stack([box(2 * k) for k in range(12)]))
    figures = values(measure(Passing(lose_half), upper), "model")
    assert figures["iou"] == 0.5
    assert figures["limb_recall"] == pytest.approx(0.5)  # the upper two of four rounded corners


def test_limb_recall_is_pooled_over_frames():
    frames = np.full((2, 60, 80), 255, np.uint8)
    frames[0, 10:12, 10:60] = 0  # a limb of 100 pixels, lost
    frames[1, 10:12, 10:20] = 0  # one of 20, kept

    def lose_the_first(pictures):
        return np.concatenate([np.full_like(pictures[:1], 255), pictures[1:]])

    figures = values(measure(Passing(lose_the_first), Silhouettes.of(frames)), "model")
    assert figures["limb_recall"] == pytest.approx(20 / 120)
    assert figures["iou"] == 0.5


def test_grey_and_the_ceiling_of_accuracy_stand_in_the_real_row():
    frames = np.stack([box(2 * k) for k in range(12)])
    frames[:, 9, :20] = 128
    blurred = Passing(lambda pictures: np.where(pictures == 0, 100, pictures).astype(np.uint8))
    table = measure(blurred, Silhouettes.of(frames))
    assert values(table, "real")["grey_per_perimeter"] == pytest.approx(20 / (4 * 19))
    assert values(table, "model")["grey_per_perimeter"] == pytest.approx((20 + 400) / (4 * 19))
    assert values(table, "real")["accuracy"] == values(table, "model")["accuracy"] == pytest.approx(1 - 20 / 4800)


def test_frames_are_read_in_chunks_and_progress_is_told():
    codec, steps = Passing(), []
    long = Silhouettes.of(np.repeat(box(10)[None], 70, axis=0))
    measure(codec, long, lambda done, total: steps.append((done, total)))
    assert codec.most <= 64
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1][0] == steps[-1][1]


def test_one_frame_alone_has_no_copy():
    table = measure(Passing(), Silhouettes.of(box(10)[None]))
    assert values(table, "model")["iou"] == 1
    assert all(value is None for value in values(table, "copy").values())


def test_pooled_figures_are_of_means_and_not_means_of_figures():
    """A PSNR of squared errors, an ST-RRED of both its terms, from their sums over frames."""
    assert _convert_to_decibels(np.array([[0.02, 2], [0.4, 4]])) == pytest.approx(np.array([20, 10]))
    assert _multiply_means(np.array([[6.0, 8, 2], [1, 1, 1]])) == pytest.approx(np.array([12, 1]))
