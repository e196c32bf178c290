from types import SimpleNamespace

import numpy as np
import pytest

from deepdance.evaluation.next_frame import (
    choose_windows,
    energy_score,
    estimate_skill,
    measure_next_frame,
    sample_predictions,
)
from deepdance.frames import Clip, Silhouettes
from deepdance.packing import PackedModel
from deepdance.recipe import Recipe

SIZE = (60, 160)


class Box:
    """A codec of one number: where a box of 20 × 20 stands."""

    def decode(self, latents):
        frames = np.full((len(latents), *SIZE), 255, np.uint8)
        for frame, latent in zip(frames, latents, strict=True):
            left = round(float(latent[0]))
            frame[20:40, left : left + 20] = 0
        return frames


class Straight:
    """Goes on with the last step, with a random error of the given spread."""

    context = 3

    def __init__(self, spread=0.0, gain=1.0):
        self.spread = spread
        self.gain = gain

    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        step = self.gain * (seed[:, -1:] - seed[:, -2:-1])
        noise = np.random.default_rng(rng).normal(0, self.spread, (len(seed), steps, 1)) if self.spread else 0
        return (seed[:, -1:] + step * np.arange(1, steps + 1)[:, None] + noise).astype(np.float32)


def walk(clips):
    """Latents and frames of a box that goes on by two pixels a frame in each clip."""
    latents = np.concatenate([2 * np.arange(len(clip), dtype=np.float32) for clip in clips])[:, None]
    return latents, Silhouettes([Box().decode(latents)], clips)


CLIPS = [Clip(0, 40, "a", 10), Clip(40, 75, "b", 10), Clip(75, 110, "c", 10)]


def opened(model, clips, evaluated_from):
    """A run of the walk."""
    latents, frames = walk(clips)
    recipe = Recipe(sequence="straight")
    held_out = frames.between(evaluated_from, len(frames))
    return SimpleNamespace(
        recipe=recipe,
        model=model,
        packed_codec=PackedModel(recipe, "codec", SimpleNamespace(key="box"), Box()),
        frames=frames,
        latents=latents,
        evaluated_from=evaluated_from,
        held_out=held_out,
    )


def table_of(model, evaluated_from=75):
    return measure_next_frame(opened(model, CLIPS, evaluated_from))


def value(table, role, key, horizon):
    return table.figure(role, key, horizon).value


def test_windows_stay_in_their_clip_and_predict_held_out_frames_only():
    windows = choose_windows(CLIPS, 60, context=3)
    assert windows.horizons == (1, 2, 5, 10)
    for start in windows.starts:
        clip = next(clip for clip in CLIPS if clip.start <= start < clip.stop)
        assert start + 3 + 10 <= clip.stop
        assert start + 3 >= 60
    assert windows.starts[0] == 57
    assert windows.starts[-1] == 110 - 13
    assert {75 - 13, 75} <= set(windows.starts)
    assert windows.targets(1)[0] == 60


def test_windows_are_evenly_chosen_if_there_are_many():
    starts = choose_windows([Clip(0, 2000, "a", 10)], 1000, context=10, at_most=200).starts
    assert len(starts) == 200
    assert set(np.diff(starts)) <= {4, 5}


def test_far_horizons_are_left_out_where_clips_are_short():
    assert choose_windows([Clip(0, 8, "a", 10)], 5, context=3).horizons == (1, 2)
    assert choose_windows([Clip(0, 5, "a", 10)], 0, context=5).horizons == ()
    assert measure_next_frame(opened(Straight(), [Clip(0, 5, "a", 10)], 5)).rows == []


def test_a_perfect_model_has_skill_one_and_copying_none():
    table = table_of(Straight())
    for horizon in (1, 2, 5, 10):
        for key in ("skill", "energy_skill", "iou_skill"):
            assert value(table, "model", key, horizon) == 1
            assert value(table, "copy", key, horizon) == 0
        assert value(table, "copy", "mse", horizon) == pytest.approx((2 * horizon) ** 2)
        assert value(table, "copy", "energy", horizon) == pytest.approx(2 * horizon)
        overlap = max(20 - 2 * horizon, 0)
        assert value(table, "copy", "iou", horizon) == pytest.approx(overlap / (40 - overlap))
        assert value(table, "ceiling", "iou", horizon) == 1
        assert table.figure("ceiling", "skill", horizon) is None


def test_half_the_step_is_a_quarter_of_the_squared_error():
    table = table_of(Straight(gain=0.5))
    assert value(table, "model", "skill", 5) == pytest.approx(0.75)
    assert value(table, "model", "energy_skill", 5) == pytest.approx(0.5)
    backwards = table_of(Straight(gain=-1))
    assert value(backwards, "model", "skill", 1) == pytest.approx(-3)


def test_a_model_with_randomness_is_judged_by_the_mean_of_eight():
    seeds = np.zeros((5, 3, 1), np.float32)
    assert sample_predictions(Straight(), seeds, 4).shape == (1, 5, 4, 1)
    samples = sample_predictions(Straight(spread=1), seeds, 4)
    assert samples.shape == (8, 5, 4, 1)
    assert len(np.unique(samples[:, 0, 0, 0])) == 8
    noisy = table_of(Straight(spread=3))
    assert value(noisy, "model", "mse", 1) == pytest.approx(9 / 8, rel=0.5)


def test_the_energy_score_is_the_papers():
    truth = np.zeros((1, 2), np.float32)
    one = np.array([[[3, 4]]], np.float32)
    assert energy_score(one, truth) == pytest.approx([5])
    two = np.array([[[1, 0]], [[-1, 0]]], np.float32)
    assert energy_score(two, truth) == pytest.approx([1 - 0.5 * 2])


def test_the_energy_score_of_the_true_distribution_is_the_least():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1, (4000, 3))
    scores = {s: energy_score(rng.normal(0, s, (8, 4000, 3)), truth).mean() for s in (0.3, 1.0, 2.5)}
    assert scores[1.0] < min(scores[0.3], scores[2.5])
    # in expectation it is E|X−y| − ½E|X−X'| = ½ E|X−X'| = ½ · √2 · E‖N(0, 1)³‖ for any number of samples
    assert scores[1.0] == pytest.approx(0.5 * np.sqrt(2) * np.sqrt(8 / np.pi), rel=0.03)


def test_skill_is_pooled_over_windows():
    figure = estimate_skill(np.array([1.0, 0]), np.array([2.0, 2]), np.array([0, 1]))
    assert figure.value == 0.75
    assert figure.low == 0.5
    assert figure.high == 1


def test_progress_counts_windows_predicted_and_drawn():
    told = []
    measure_next_frame(opened(Straight(), CLIPS, 75), lambda *progress: told.append(progress))
    assert told[0] == (23, 46)
    assert told[-1] == (46, 46)
    assert told == sorted(told)
