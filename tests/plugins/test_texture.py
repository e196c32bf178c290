from itertools import pairwise

import numpy as np
import pytest

from deepdance.interfaces import Training
from deepdance_plugins.sequences.texture.jumps import (
    add_future,
    calibrate_sigma,
    compute_probabilities,
    count_remaining,
    draw_path,
    find_ends,
    list_transitions,
    minimize_over_playing_on,
)
from deepdance_plugins.sequences.texture.model import (
    STILLNESS,
    TAPS,
    Texture,
    TextureOptions,
    _fade,
    _measure_motion,
    _stack_windows,
    _Walk,
)
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
    told = []
    similar, cost = NearestNeighbours(rows, allowed).find_similar(6, 10, lambda *progress: told.append(progress))
    assert told[-1] == (333, 333)
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


def test_where_a_latent_may_go_and_at_what_cost():
    ends = find_ends([np.zeros((3, 1)), np.zeros((2, 1))])
    assert ends.tolist() == [False, False, True, False, True]
    assert count_remaining(ends).tolist() == [2, 1, 0, 1, 0]
    similar = np.array([[3], [3], [0], [1], [0]], np.int32)
    targets, costs = list_transitions(ends, similar, np.arange(5, dtype=np.float32)[:, None] + 1)
    assert targets.tolist() == [[1, 4], [2, 4], [3, 1], [4, 2], [4, 1]]  # a jump shows what follows the similar one
    assert costs.tolist() == [[0, 1], [0, 2], [np.inf, 3], [0, 4], [np.inf, 5]]


def test_what_all_that_follows_costs_solves_the_papers_equation(model):
    targets, costs = list_transitions(model._ends, model._similar, model._cost)
    total = add_future(targets, costs, model._future)
    assert total == pytest.approx(costs + 0.97 * model._future[targets])
    assert total.min(axis=1) == pytest.approx(model._future, rel=1e-3)
    assert model._future.min() > 0


def test_a_cheaper_way_is_likelier_by_the_exponential_of_what_it_saves():
    costs = np.array([[1.0, 3.0, np.inf], [7.0, 7.0, 7.0]])
    assert compute_probabilities(costs, 2) == pytest.approx(
        np.array([[1 / (1 + np.exp(-1)), np.exp(-1) / (1 + np.exp(-1)), 0], [1 / 3] * 3])
    )
    assert compute_probabilities(costs, 0)[0].tolist() == [1, 0, 0]


def test_after_a_jump_a_path_plays_on_for_as_long_as_it_holds():
    numbers = np.arange(100)
    targets = np.column_stack([numbers + 1, (numbers + 50) % 100])
    cumulative = np.tile([0.5, 1.0], (100, 1))
    always, never = np.full(9, 0.9), np.full(9, 0.4)
    assert draw_path(0, targets, cumulative, never, 3)[0].tolist() == list(range(1, 10))
    assert draw_path(0, targets, cumulative, always, 3)[0].tolist() == [50, 51, 52, 53, 3, 4, 5, 6, 56]
    assert draw_path(0, targets, cumulative, always, 0)[0][:3].tolist() == [50, 0, 50]
    assert draw_path(0, targets, cumulative / 4, always, 0)[0][:3].tolist() == [50, 0, 50]  # rows need not add up to 1


@pytest.mark.parametrize("every", [5, 20, 60])
def test_a_sigma_is_found_at_which_a_dance_jumps_as_often_as_asked(every):
    numbers = np.arange(1000)
    targets = np.column_stack([(numbers + 1) % 1000, (numbers + 500) % 1000])
    costs = np.column_stack([np.zeros(1000), np.full(1000, 0.3)])
    # Two ways that differ by 0.3 are taken as 1 to exp(-0.3 / sigma), and the share of jumps is 1 in `every`.
    assert calibrate_sigma(targets, costs, every, 0) == pytest.approx(0.3 / np.log(every - 1), rel=0.03)
    rare = calibrate_sigma(targets, costs * 1000, every, 0)
    assert rare == pytest.approx(1000 * calibrate_sigma(targets, costs, every, 0), rel=0.01)


def test_rows_are_as_far_apart_as_the_weighted_latents_around_them_and_a_clip_stands_still_beyond_its_ends():
    clips = [wandering(9, 4, dim=2), wandering(7, 5, dim=2)]
    rows = _stack_windows(clips, TAPS, 1)

    def around(clip, place):
        return [clip[min(max(place + step, 0), len(clip) - 1)] for step in (-1, 0, 1, 2)]

    for one, other in [(0, 0), (4, 3), (8, 6)]:
        squares = np.square(np.subtract(around(clips[0], one), around(clips[1], other))).sum(axis=1)
        assert np.square(rows[one] - rows[9 + other]).sum() == pytest.approx(squares @ [1 / 8, 3 / 8, 3 / 8, 1 / 8])


def test_a_jump_costs_the_distance_beside_how_much_both_places_move(model):
    numbers = np.arange(len(model._ends))[:, None]
    rows, motion = _stack_windows(CLIPS, TAPS, 1), _measure_motion(CLIPS)
    squares = np.square(rows[numbers] - rows[model._similar]).sum(axis=2)
    expected = squares / np.sqrt(motion[numbers] * motion[model._similar])
    possible = np.isfinite(model._cost)
    assert model._cost[possible] == pytest.approx(expected[possible], rel=1e-3)
    assert possible.mean() > 0.9


def test_motion_is_told_in_shares_of_the_mean_and_what_stands_still_moves_a_little():
    steady = np.arange(60, dtype=np.float32)[:, None]
    still = np.zeros((60, 1), np.float32)
    motion = _measure_motion([steady, still, still[:4]])
    lively = motion[10:50]
    assert np.ptp(lively) == pytest.approx(0, abs=1e-5)
    assert motion[60:] == pytest.approx(STILLNESS)
    assert (motion - STILLNESS).mean() == pytest.approx(1)
    assert lively[0] - STILLNESS == pytest.approx(124 / 59, rel=0.05)  # 59 of 124 latents move
    # Around the end half of what is averaged stands still.
    assert motion[59] - STILLNESS == pytest.approx((lively[0] - STILLNESS) * 4 / 9)
    assert _measure_motion([still]) == pytest.approx(STILLNESS)


def test_what_differs_at_a_jump_fades_evenly():
    texture = fitted(blend=3, jumps=8)
    latents = np.concatenate(CLIPS)
    path = np.array([50, 51, 200, 201, 202, 203, 400])

    def blend(last, path):
        return _Walk(texture._latents, last, 49, _fade(3)[:, None], np.random.default_rng())._blend(path)

    dance = blend(latents[49], path)
    broken = latents[51] - latents[199]
    expected = latents[path] + np.outer([0, 0, 0.75, 0.5, 0.25, 0, 0], broken)
    expected[6] += 0.75 * (latents[203] - latents[399])
    assert dance == pytest.approx(expected, abs=1e-6)
    assert blend(latents[49] + 1, path[:2]) == pytest.approx(latents[path[:2]] + [[0.75], [0.5]], abs=1e-6)


def test_a_window_is_found_where_it_was_taken_from_but_never_at_a_clips_end(model):
    latents = np.concatenate(CLIPS)
    for place in (3, 300, 398, 403, 650):
        assert model._locate(latents[None, place - 3 : place + 1]).tolist() == [place]
    assert model._locate(latents[None, 396:400])[0] not in ENDS
    # Before a clip's beginning its first latent stands still.
    assert model._locate(latents[None, [400] * 4]).tolist() == [400]


def test_figures_are_of_what_follows_the_most_similar_latent():
    texture = Texture(TextureOptions(blend=3, jumps=8))
    told = []
    held_out = [CLIPS[1][50:90] + np.float32(0.01), CLIPS[1][:4]]
    (metrics,) = texture.fit(CLIPS, held_out, Training(on_epoch=lambda *all: told.append(all)))
    # 0.01 beside the real frames, of which three quarters are kept.
    assert metrics["val_loss"] == pytest.approx(0.0025**2, rel=0.01)
    assert metrics["val_acc"] == 1
    assert 0 < metrics["loss"] < 0.1
    assert told == [(1, 1, metrics)]
    assert texture._measure_held_out([CLIPS[1][:4]]) == {}


def test_a_short_video_holds_and_skips_less():
    texture = fitted([wandering(20, 0), wandering(12, 1)], hold=8, apart=20, jumps=3)
    assert texture._hold == 5
    # A jump leads to where so much is left, and skips a quarter of the video.
    numbers = np.arange(32)[:, None]
    possible = np.isfinite(texture._cost)
    assert possible.any()
    assert (np.abs(texture._similar - numbers)[possible] >= 8).all()
    assert set(texture._similar[possible]) <= {*range(14), *range(20, 26)}
    assert fitted([wandering(200, 0)], hold=8)._hold == 8


def test_a_kept_texture_dances_on_alike_at_temperature_1_and_by_the_first_draw(model, tmp_path):
    model.save(tmp_path)
    seed = np.repeat(CLIPS[0][None, 40:44], 2, axis=0)
    dances = model.generate(seed, 200)
    assert np.array_equal(Texture.load(tmp_path, model.options).generate(seed, 200), dances)
    assert np.array_equal(model.generate(seed, 200, temperature=1, rng=0), dances)
    assert not np.array_equal(*dances)


def test_by_default_two_seconds_at_ten_a_second_lie_between_jumps_and_are_skipped():
    options = TextureOptions()
    assert options.every == options.apart == 2 * 10
