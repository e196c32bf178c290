import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
from dancers import draw_dancer
from pydantic import TypeAdapter

from deepdance.evaluation.long_dances import choose_starts, measure_long_dances, measure_videos
from deepdance.evaluation.streams import ignore_progress
from deepdance.frames import Clip, Silhouettes
from deepdance.interfaces import SequenceModel
from deepdance.packing import PackedModel
from deepdance.recipe import Recipe

EVALUATED_FROM = 300


class Numbers:
    """A codec whose latent is the frame's number; a model that counts on, up or not at all."""

    context = 4

    def __init__(self, frames: np.ndarray, step: int = 1) -> None:
        self.frames, self.step = frames, step
        self.asked = []

    def decode(self, latents):
        return self.frames[latents[:, 0].astype(int) % len(self.frames)]

    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        self.asked.append((seed, steps, temperature, rng))
        return seed[:, -1:] + self.step * np.arange(1, steps + 1, dtype=np.float32)[:, None]

    generate_shots = SequenceModel.generate_shots


@pytest.fixture(scope="module")
def real() -> Silhouettes:
    clips = [Clip(0, 200, "a", 10.0), Clip(200, 350, "a", 10.0), Clip(350, 400, "b", 10.0)]
    return Silhouettes([np.concatenate([draw_dancer(200, 0), draw_dancer(150, 1), draw_dancer(50, 2)])], clips)


def measure(real, step=1, on_progress=ignore_progress):
    model = Numbers(real[:], step)
    latents = np.arange(400, dtype=np.float32)[:, None]
    recipe = Recipe(codec="numbers", sequence="numbers", temperature=0.5, seed=7)
    run = SimpleNamespace(
        recipe=recipe,
        model=model,
        packed_codec=PackedModel(recipe, "codec", SimpleNamespace(key="numbers"), model),
        frames=real,
        latents=latents,
        evaluated_from=EVALUATED_FROM,
    )
    return measure_long_dances(run, on_progress, length=120, seeds=3), model


def value(table, role, key):
    figure = table.figure(role, key)
    return figure and figure.value


def test_dances_start_from_real_contexts_held_out_and_not(real):
    starts = choose_starts(real.clips, EVALUATED_FROM, 4, 5).tolist()
    assert [start >= EVALUATED_FROM for start in starts] == [True, True, True, False, False]
    assert len(set(starts)) == 5
    for start in choose_starts(real.clips, EVALUATED_FROM, 40, 9):
        assert any(clip.start <= start and start + 40 <= clip.stop for clip in real.clips)
        assert not start < EVALUATED_FROM < start + 40
    assert (choose_starts(real.clips, 0, 4, 3) >= 0).sum() == 3
    assert (choose_starts(real.clips, 395, 40, 3) < 355).all()


def test_a_context_may_take_the_whole_of_a_clip_and_its_last_frames():
    clips = [Clip(0, 5, "a", 10.0), Clip(5, 9, "a", 10.0), Clip(9, 20, "b", 10.0), Clip(20, 25, "b", 10.0)]
    assert choose_starts(clips, 20, 5, 1).tolist() == [20]
    assert choose_starts(clips, 20, 5, 3).tolist() == [20, 20, 12]  # held out 20 alone, before it 0 and 9 to 15
    assert choose_starts(clips, 9, 5, 2).tolist() == [13, 0]  # held out 9 to 15 and 20, before it 0 alone
    assert choose_starts(clips, 9, 4, 4).tolist() == [12, 15, 1, 1]  # 9 to 16, 20 and 21; 0, 1 and 5


def test_a_cut_is_no_motion_neither_in_a_dance_nor_in_a_video(real, monkeypatch):
    shots = np.concatenate([np.arange(60), np.arange(250, 310)])
    cuts = np.arange(120) == 60

    def measure_told(told):
        latents = shots[None, :, None].astype(np.float32).repeat(3, axis=0)
        monkeypatch.setattr(Numbers, "generate_shots", lambda *given, **asked: (latents, told[None].repeat(3, axis=0)))
        return value(measure(real)[0], "model", "motion")

    def measure_clips(*starts):
        clips = [Clip(start, stop, "v", 10.0) for start, stop in itertools.pairwise([*starts, 120])]
        return value(measure_videos("v", [Silhouettes([real[shots]], clips)], real, EVALUATED_FROM), "model", "motion")

    with_cut, without = measure_clips(0, 60), measure_clips(0)
    assert with_cut < 0.999 * without
    assert measure_told(cuts) == pytest.approx(with_cut)
    assert measure_told(np.zeros(120, bool)) == pytest.approx(without)


def test_a_model_that_replays_its_training_is_measured_as_one(real):
    steps = []
    table, model = measure(real, on_progress=lambda done, total: steps.append((done, total)))
    (seeds, length, temperature, rng), *more = model.asked
    assert (seeds.shape, length, temperature, rng, more) == ((3, 4, 1), 120, 0.5, 7, [])
    assert [row.role for row in table.rows] == ["model", "real", "copy", "ceiling"]
    assert value(table, "model", "replay_seconds") > 5
    assert value(table, "model", "nearest_ratio") == pytest.approx(0, abs=0.05)
    assert value(table, "model", "motion_ratio") == pytest.approx(1, abs=0.2)
    assert value(table, "model", "first.grey_ratio") == pytest.approx(1, abs=0.2)
    assert value(table, "real", "frechet_frames") == 1
    assert value(table, "real", "freeze_seconds") <= 2 < value(table, "copy", "freeze_seconds") == 11.9
    judged = 7 * 32  # every other block: the third of the 15 that are shorter fall on the even ones
    assert steps[-1] == (400 + 3 * 120 + judged, 400 + 3 * 120 + judged)
    assert len(table.curves["numbers × numbers"]["area"]) == 3
    assert "3 dances, 360 frames in all, 10 a second" in table.legend
    assert 0.2 < value(table, "real", "told") < 0.7
    assert value(table, "ceiling", "told") == value(table, "real", "told")  # this codec changes nothing
    assert "is told from real frames" in table.legend
    assert all(line.endswith(".") for line in table.legend.splitlines())


def test_a_model_that_stands_still_is_told_from_one_that_moves(real):
    table, _ = measure(real, step=0)
    assert value(table, "model", "motion_ratio") == 0
    assert value(table, "model", "freeze_seconds") == 11.9


def test_slopes_come_with_their_interval(real, monkeypatch):
    monkeypatch.setattr("deepdance.metrics.trends.BLOCK", 30)
    table, _ = measure(real, step=0)
    for figure in (table.figure("model", "slope.area"), table.figure("model", "slope.motion")):
        assert figure.low <= figure.value <= figure.high
    assert table.figure("copy", "slope.area").value == pytest.approx(0)


def test_a_table_goes_to_json_and_back(real):
    table, _ = measure(real)
    written = json.dumps(table.as_json(), allow_nan=False)
    again = TypeAdapter(type(table)).validate_python(json.loads(written))
    assert json.dumps(again.as_json()) == written
    assert again.upright
    assert again.rows == table.rows
    assert again.figure("model", "coverage") == table.figure("model", "coverage")
    assert again.figure("ceiling", "coverage") is None


def test_videos_are_dances_of_their_own(real):
    videos = [Silhouettes.of(draw_dancer(60, seed)) for seed in (5, 6)]
    steps = []
    table = measure_videos("two", videos, real, EVALUATED_FROM, lambda done, total: steps.append((done, total)))
    assert table.rows[0].name == "two"
    assert "2 dances, 120 frames" in table.legend
    assert value(table, "model", "nearest_ratio") > 0.3
    assert steps[-1] == (520, 520)


def test_where_nothing_is_held_out_all_frames_are_the_real_ones(real):
    table = measure_videos("one", [Silhouettes.of(draw_dancer(60, 5))], real, 0)
    assert value(table, "model", "motion_ratio") == pytest.approx(1, abs=0.5)
    assert value(table, "real", "motion_ratio") == pytest.approx(1)
    assert table.figure("model", "nearest_ratio") is None
