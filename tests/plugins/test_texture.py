from itertools import pairwise

import numpy as np
import pytest

from deepdance.interfaces import Training
from deepdance_plugins.sequences.texture.jumps import count_remaining, minimize_over_playing_on
from deepdance_plugins.sequences.texture.model import Texture, TextureOptions
from deepdance_plugins.sequences.texture.neighbours import BLOCK, NearestNeighbours


def wandering(count, seed, dim=5):
    """A smooth random walk in a box: it comes by the same places now and then."""
    steps = np.random.default_rng(seed).normal(size=(count, dim)).cumsum(axis=0) * 0.15
    return (np.sin(steps) + np.arange(dim)).astype(np.float32)


CLIPS = [wandering(400, 1), wandering(300, 2), wandering(200, 3)]
ENDS = {399, 699, 899}


def fitted(clips=CLIPS, **options):
    texture = Texture(TextureOptions(**options))
    texture.fit(clips, [], Training())
    return texture


@pytest.fixture(scope="module")
def model():
    return fitted(blend=0, jumps=8)


def visited(model, temperature=1.0, rng=0, steps=3000):
    """The numbers of the training latents that a dance without blending shows."""
    dance = model.generate(CLIPS[0][None, 40:44], steps, temperature=temperature, rng=rng)[0]
    distances = ((dance[:, None] - np.concatenate(CLIPS)[None]) ** 2).sum(axis=2)
    assert distances.min(axis=1).max() < 1e-9
    return distances.argmin(axis=1)


def jumps_of(path):
    return np.flatnonzero(np.diff(path) != 1)


def test_it_goes_on_from_the_moment_it_is_given(model):
    path = visited(model, temperature=0, steps=3)
    assert path[0] == 44 or abs(path[0] - 44) >= 20


def test_every_latent_is_real_and_jumps_come_as_often_as_asked(model):
    every = np.mean([3000 / len(jumps_of(visited(model, rng=rng))) for rng in range(3)])
    assert 10 < every < 40


def test_jumps_skip_some_time_then_play_on_and_clips_do_not_run_into_each_other(model):
    path = visited(model)
    jumps = jumps_of(path)
    away = np.abs(path[jumps + 1] - 1 - path[jumps])
    assert away.min() >= model.options.apart
    assert np.diff(jumps).min() > model.options.hold
    assert not [here for here, there in pairwise(path) if here in ENDS and there == here + 1]


def test_a_jump_is_no_larger_than_a_few_steps(model):
    path = visited(model)
    latents = np.concatenate(CLIPS)
    steps = np.linalg.norm(np.diff(latents[path], axis=0), axis=1)
    jumping = np.diff(path) != 1
    assert np.median(steps[jumping]) < 3 * np.median(steps[~jumping])


def test_temperature_makes_jumps_and_chance_decides(model):
    calm, wild = (len(jumps_of(visited(model, temperature=t))) for t in (0.3, 5))
    assert calm < wild
    assert not np.array_equal(visited(model, rng=1), visited(model, rng=2))
    assert np.array_equal(visited(model, 0, rng=1), visited(model, 0, rng=2))


def test_it_leaves_before_a_clip_ends(model):
    assert np.isin(visited(model, temperature=0.5), list(ENDS)).sum() <= 3


def test_a_jump_is_blended(model):
    blended, hard = (one.generate(CLIPS[0][None, 40:44], 2000)[0] for one in (fitted(blend=5, jumps=8), model))
    jumps = jumps_of(visited(model, steps=2000))
    at_jumps = [np.linalg.norm(np.diff(dance, axis=0), axis=1)[jumps].mean() for dance in (blended, hard)]
    assert at_jumps[0] < 0.8 * at_jumps[1]


def test_the_first_latent_joins_the_one_before():
    shifted = CLIPS[1][100:104] + 0.05
    first = fitted(blend=4, jumps=8).generate(shifted[None], 8, temperature=0)[0]
    assert first[0] - shifted[-1] == pytest.approx(CLIPS[1][104] - CLIPS[1][103] - 0.01, abs=1e-5)


def test_the_most_similar_rows_are_found_as_by_looking_at_all():
    rows = np.random.default_rng(0).random((333, 12), dtype=np.float32)
    allowed = np.arange(333) % 5 > 0
    similar, cost = NearestNeighbours(rows, allowed).find_similar(6, 10, lambda done, total: None)
    distances = ((rows[:, None] - rows[None]) ** 2).sum(axis=2)
    distances[:, ~allowed] = np.inf
    numbers = np.arange(333)
    distances[np.abs(numbers[:, None] - numbers) < 10] = np.inf
    padded = np.pad(distances, ((0, 0), (0, -333 % BLOCK)), constant_values=np.inf)
    nearest = np.sort(padded.reshape(333, -1, BLOCK).min(axis=2), axis=1)[:, :6]
    assert cost == pytest.approx(nearest, abs=1e-5)
    assert distances[numbers[:, None], similar] == pytest.approx(cost, abs=1e-5)


def test_playing_on_to_a_later_jump_costs_what_the_definition_says():
    ends = np.zeros(30, bool)
    ends[[11, 29]] = True
    cost = np.random.default_rng(1).random(30) * np.geomspace(3, 1, 30)
    stops = np.where(np.arange(30) < 12, 12, 30)
    plain = [min(0.97 ** (k - i) * cost[k] for k in range(i, stops[i])) for i in range(30)]
    assert minimize_over_playing_on(cost, count_remaining(ends)) == pytest.approx(plain)


def test_a_handful_of_latents_is_enough():
    texture = fitted([wandering(6, 0)], context=4)
    assert texture.generate(wandering(6, 0)[None, :4], 50).shape == (1, 50, 5)
