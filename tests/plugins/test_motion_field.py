import itertools
import json

import numpy as np
import pytest
from conftest import SHARED, needs_shared

from deepdance.frames import Silhouettes
from deepdance.interfaces import Training
from deepdance_plugins.codecs.pca import PCA, PCAOptions
from deepdance_plugins.sequences.motion_field import coverage
from deepdance_plugins.sequences.motion_field import model as model_module
from deepdance_plugins.sequences.motion_field.framings import find_framings
from deepdance_plugins.sequences.motion_field.model import MotionField, MotionFieldOptions, _draw_neighbour


def walks(count: int = 6, length: int = 120, seed: int = 0) -> list[np.ndarray]:
    """Clips that circle at their own speeds and radii, with a third number that says which clip it is."""
    rng = np.random.default_rng(seed)
    time = np.arange(length)
    clips = []
    for number in range(count):
        angle = (0.15 + 0.02 * number) * time + rng.uniform(0, 6)
        radius = 1 + 0.05 * number
        clips.append(np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * time + 0.02 * number], axis=1))
    return [clip.astype(np.float32) for clip in clips]


def fitted(clips: list[np.ndarray] | None = None, **options) -> MotionField:
    model = MotionField(MotionFieldOptions(**options))
    model.fit(clips or walks(), [], Training())
    return model


def danced(steps: int, **options) -> np.ndarray:
    model = fitted(**options)
    return model.generate(walks()[0][None, 10 : 10 + model.context], steps)[0]


def longest_replay(dance: np.ndarray) -> int:
    """The longest run of frames that are real frames, one after the other."""
    material = np.concatenate(walks())
    distances = np.linalg.norm(dance[:, None] - material[None], axis=-1)
    nearest, exact = distances.argmin(axis=1), distances.min(axis=1) < 1e-6
    longest = run = 0
    for number in range(1, len(dance)):
        run = run + 1 if exact[number] and nearest[number] == nearest[number - 1] + 1 else 0
        longest = max(longest, run)
    return longest


def test_the_dance_moves_as_much_as_the_real_one_for_ever():
    speed = np.linalg.norm(np.diff(danced(3000), axis=0), axis=1)
    real = np.concatenate([np.linalg.norm(np.diff(clip, axis=0), axis=1) for clip in walks()])
    for part in np.array_split(speed, 3):
        assert 0.8 < part.mean() / real.mean() < 1.25
    assert speed.min() > 0.3 * real.min()


def test_it_stays_where_real_latents_are():
    radius = np.linalg.norm(danced(3000)[:, :2], axis=1)
    assert radius.min() > 0.7
    assert radius.max() < 1.6


def test_it_joins_its_seed_without_a_jump():
    last = walks()[0][10 + MotionFieldOptions().context - 1]
    assert np.linalg.norm(danced(20)[0] - last) < 0.5


def test_it_passes_beside_the_real_frames_unless_told_to_copy():
    assert longest_replay(danced(400, persistence=0.9)) <= 2
    assert longest_replay(danced(400, persistence=0.0)) >= 5


def test_variety_visits_what_would_be_left_out():
    def unevenness(variety: float) -> float:
        model = fitted(variety=variety, persistence=0.0)
        dances = model.generate(np.repeat(walks()[0][None, : model.context], 6, axis=0), 3000)
        clip_of = np.rint(dances[:, :, 2] / 0.02).astype(int)
        shares = np.stack([np.bincount(one, minlength=6) / len(one) for one in clip_of])
        return float(np.abs(shares - 1 / 6).mean())

    assert unevenness(1.0) < 0.7 * unevenness(0.0)


def test_nothing_slides_while_the_followed_dancer_holds_still():
    still = np.repeat(np.array([[1.0, 0.0, 0.0]], np.float32), 40, axis=0)
    model = fitted([still, walks()[0] + 5])
    seed = np.repeat(np.array([[[1.2, 0.1, 0.0]]], np.float32), model.context, axis=1)
    assert np.allclose(model.generate(seed, 6), seed[:, -1:], atol=1e-6)


def test_every_region_has_as_many_calm_as_lively_moments():
    rng = np.random.default_rng(0)
    poses = np.repeat(rng.normal(scale=100, size=(20, 3)), 30, axis=0) + rng.normal(size=(600, 3))
    liveliness = rng.exponential(size=600).astype(np.float32)
    classes = coverage.assign_regions(lambda numbers: poses[numbers].astype(np.float32), liveliness, seed=0)
    for region in np.unique(classes // coverage.PACES):
        inside = classes // coverage.PACES == region
        paces = [liveliness[inside & (classes % coverage.PACES == pace)] for pace in range(coverage.PACES)]
        if inside.sum() >= coverage.PACES:
            assert max(map(len, paces)) - min(map(len, paces)) <= 1
            assert all(calm.max() < lively.min() for calm, lively in itertools.pairwise(paces))


def test_at_temperature_0_every_rng_dances_alike_but_for_the_lengths():
    model = fitted(shortest=8, longest=8)
    seed = walks()[0][None, : model.context]
    first, second = (model.generate(seed, 100, temperature=0, rng=rng) for rng in (0, 1))
    wild = model.generate(seed, 100, temperature=1, rng=1)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, wild)


def framed(sizes: list[float], length: int = 90) -> list[np.ndarray]:
    """Shots of one dancer who circles, nearer or farther: a third number, the size, differs from shot to shot."""
    rng = np.random.default_rng(4)
    shots = []
    for number, size in enumerate(sizes):
        angle = 0.4 * np.arange(length) + rng.uniform(0, 6)
        sway = 0.1 * np.sin(0.3 * np.arange(length) + number)
        shots.append(np.stack([np.cos(angle), np.sin(angle), size + sway], axis=1).astype(np.float32))
    return shots


SIZES = [0.0, 0.9, 0.02, 0.91, 1.8, 0.05, 0.88, 1.82]


@pytest.mark.parametrize(("scale", "length"), [(1, 90), (100, 90), (1, 24)])
def test_shots_of_one_size_are_of_one_framing(scale, length):
    framings = find_framings([scale * shot for shot in framed(SIZES, length)], 15)
    groups = {tuple(np.flatnonzero(framings == number)) for number in range(framings.max() + 1)}
    assert groups == {(0, 2, 5), (1, 3, 6), (4, 7)}


@pytest.mark.parametrize("clips", [framed([0.0]), framed([0.0, 0.01]), [np.zeros((90, 3), np.float32)] * 3])
def test_what_cannot_be_told_apart_is_of_one_framing(clips):
    assert set(find_framings(clips, 15)) == {0}


def test_two_shots_are_told_apart_too():
    assert len(set(find_framings(framed([0.0, 5.0]), 15))) == 2


def size_steps(dance: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    return np.abs(np.diff(dance[:, 2]))[~cuts[1:]]


def generate_framed(**options) -> tuple[np.ndarray, np.ndarray]:
    shots = framed(SIZES)
    latents, cuts = fitted(shots, **options).generate_shots(shots[0][None, 20:26], 3000)
    return latents[0], cuts[0]


def test_a_dance_keeps_its_framing_and_cuts_as_often_as_the_video():
    dance, cuts = generate_framed()
    assert 0.7 < cuts.mean() / ((len(SIZES) - 1) / (90 * len(SIZES))) < 1.4
    assert not cuts[:60].any()
    shots = np.split(dance[:, 2], np.flatnonzero(cuts))
    assert max(np.ptp(shot) for shot in shots) < 0.5
    assert size_steps(dance, cuts).max() < 2 * max(np.abs(np.diff(shot[:, 2])).max() for shot in framed(SIZES))
    shares = [np.mean(np.abs(dance[:, 2] - size) < 0.3) for size in (0, 0.9, 1.8)]
    assert shares == pytest.approx([3 / 8, 3 / 8, 2 / 8], abs=0.12)


def test_a_dance_without_cuts_stays_in_the_framing_that_it_begins_in():
    dance, cuts = generate_framed(cuts="none")
    assert not cuts.any()
    assert np.ptp(dance[:, 2]) < 0.5


def test_a_shot_is_no_copy_of_the_one_that_it_cuts_to():
    assert longest_replay(danced(1000)) <= 2


def test_one_shot_is_never_cut():
    shot = framed([0.0], 300)
    assert not fitted(shot).generate_shots(shot[0][None, :6], 2000)[1].any()


def test_framings_are_kept(tmp_path):
    shots = framed(SIZES)
    model = fitted(shots)
    model.save(tmp_path)
    seed = shots[0][None, 20:26]
    for kept, made in zip(MotionField.load(tmp_path, model.options).generate_shots(seed, 500),
                          model.generate_shots(seed, 500), strict=True):  # fmt: skip
        assert np.array_equal(kept, made)


def line(length: int, step: float = 1.0, place: float = 0.0) -> np.ndarray:
    """A clip `(length, 1)` that goes straight on, `step` a frame."""
    return (place + step * np.arange(length, dtype=np.float32))[:, None]


def test_a_movement_is_followed_from_where_its_past_and_its_next_frames_are_known():
    model = fitted([line(30), line(20), line(6)], context=6, shortest=6)
    assert model._starts.tolist() == [*range(5, 24), *range(30 + 5, 30 + 14)]
    short = fitted([line(7), line(8)], context=6, shortest=6)
    assert short._starts.tolist() == [7 + 5]  # two frames follow, the most that there are


def test_of_very_many_movements_evenly_spaced_ones_are_compared(monkeypatch):
    monkeypatch.setattr(model_module, "MOST_STARTS", 10)
    starts = fitted([line(50)], context=6, shortest=6)._starts
    assert len(starts) == 10  # 39 without the limit
    assert set(np.diff(starts)) == {4}


def test_a_state_is_the_pose_and_its_change_over_a_frame_and_over_the_context():
    model = fitted([line(20, 3), line(20, 3, 900)], context=5, movement=0.5)
    # Over 4 frames the dance moves 4 steps, in units of √4; at a clip's beginning it stood still before.
    assert model._compute_states(np.array([19, 20, 21, 22])) == pytest.approx(
        np.array([[57, 0.5 * 3, 0.5 * 12 / 2], [900, 0, 0], [903, 0.5 * 3, 0.5 * 3 / 2], [906, 0.5 * 3, 0.5 * 6 / 2]])
    )


def test_distances_are_those_of_the_states():
    model = fitted()
    window = walks(seed=1)[2][30 : 30 + model.context]
    state = model._join_state(window[-1], window[-2], window[0])
    exact = np.square(model._states - state).sum(axis=1)
    assert model._measure_distances(window) == pytest.approx(exact, abs=1e-5)
    assert model._measure_distances(walks()[0][: model.context])[0] == pytest.approx(0, abs=1e-5)
    assert model._measure_distances(walks()[0][: model.context]).min() >= 0


def test_the_way_is_counted_in_mean_steps_and_none_leads_from_clip_to_clip():
    moving = np.array([0, 1, 4, 4, 6, 8, 10], np.float32)[:, None]
    model = fitted([moving, moving + 100], context=2, shortest=2, longest=3)
    assert model._stride == pytest.approx(10 / 6)
    way = np.array([0, 1, 4, 4, 6, 8, 10]) / model._stride
    assert model._travelled == pytest.approx(np.concatenate([way, way[-1] + way]))


def test_liveliness_is_the_speed_of_what_follows_beside_the_mean_and_never_none():
    half_still = np.concatenate([np.zeros((20, 1), np.float32), line(21, 2)])
    liveliness = fitted([half_still], context=2, shortest=4)._liveliness
    assert liveliness[:17] == pytest.approx(model_module.LEAST_LIVELINESS)
    assert np.ptp(liveliness[20:40]) == pytest.approx(0, abs=1e-5)  # fewer than four frames are left of the last
    # Two frames before it moves, half of the next four are lively.
    assert liveliness[18] == pytest.approx(liveliness[25] / 2)
    speeds = np.array([0] * 17 + [0.25, 0.5, 0.75] + [1] * 20 + [0])
    assert liveliness[25] == pytest.approx(1 / speeds.mean())


@pytest.mark.parametrize(("steps", "hurry"), [(0.3, 1), (1, 1), (1.5, 1.5), (2, 2), (7, 2)])
def test_what_is_left_of_a_distance_fades_with_the_way_travelled_and_a_large_one_twice_as_fast(steps, hurry):
    model = fitted([line(40, 3)], persistence=0.8)
    beside = np.float32(3 * steps)
    followed = model._follow(10, 15, model._latents[10] + beside)
    assert followed[:, 0] - 3 * np.arange(11, 15) == pytest.approx(beside * 0.8 ** (hurry * np.arange(1, 5)), rel=1e-3)


def test_the_prediction_is_measured_beside_the_nearest_movement(monkeypatch):
    model = MotionField(MotionFieldOptions(persistence=0.5))
    learned, beside = walks()[0], walks()[0][:-10] + np.float32([0, 0, 0.01])
    told = []
    (metrics,) = model.fit(
        [learned], [beside, beside[: model.context]], Training(on_epoch=lambda *all: told.append(all))
    )
    assert metrics["loss"] == pytest.approx(0, abs=1e-5)
    assert metrics["acc"] == 1
    # The distance of 0.01, in one of three numbers, is halved where none should be lost.
    assert metrics["val_loss"] == pytest.approx(0.005**2 / 3, rel=0.05)
    assert told == [(1, 1, metrics)]
    monkeypatch.setattr(model_module, "MEASURED", 10)
    assert model._measure([beside])["loss"] == pytest.approx(0.005**2 / 3, rel=0.05)
    assert model._measure([beside[: model.context]]) == {}


def test_the_nearer_of_two_neighbours_is_drawn_more_often_by_their_distance_and_the_temperature():
    rng = np.random.default_rng(0)

    def share(temperature: float) -> float:
        drawn = [_draw_neighbour(np.array([9, 100, 1, 50], np.float32), 2, temperature, rng) for _ in range(2000)]
        assert set(drawn) <= {0, 2}
        return float(np.mean(np.equal(drawn, 2)))

    # Distances 1 and 3: two apart, which is once their mean.
    for temperature in (0.5, 1, 3):
        assert share(temperature) == pytest.approx(1 / (1 + np.exp(-1 / temperature)), abs=0.04)
    assert share(0) == 1
    assert _draw_neighbour(np.zeros(3, np.float32), 8, 1.0, rng) in range(3)


def test_left_to_itself_a_dance_has_temperature_1_and_the_first_draw_and_dances_of_a_batch_differ():
    model = fitted()
    seed = np.repeat(walks()[0][None, : model.context], 2, axis=0)
    dances = model.generate(seed, 60)
    assert np.array_equal(dances, model.generate(seed, 60, temperature=1, rng=0))
    assert np.array_equal(dances, model.generate_shots(seed, 60)[0])
    assert not np.array_equal(*dances)


def single_movements() -> list[np.ndarray]:
    """Shots too short for more than one movement, each of its own framing."""
    return [line(12, 0.01, place) for place in (0, 100, 200)]


def test_after_a_cut_a_shot_is_shown_from_where_its_movement_begins():
    shots = single_movements()
    model = fitted(shots, context=6, shortest=6, longest=6)
    assert len(model._starts) == 3
    latents, cuts = model.generate_shots(shots[0][None, :6], 600, rng=3)
    begins = np.flatnonzero(cuts[0])
    # A shot is shown for as long as it lasts in the video, and another one follows.
    assert set(np.diff(begins, prepend=0)) == {12}
    places = []
    for begin in begins[:-1]:
        shot = np.rint(latents[0, begin, 0] / 100).astype(int)
        places.append(shot)
        assert latents[0, begin : begin + 6] == pytest.approx(shots[shot][6:], abs=1e-4)
    assert all(one != other for one, other in itertools.pairwise([0, *places]))
    assert set(places) == {0, 1, 2}


def test_where_a_dance_stands_is_told_from_its_last_latents_after_a_cut_too(monkeypatch):
    lengths, measure = [], MotionField._measure_distances
    monkeypatch.setattr(
        MotionField, "_measure_distances", lambda self, window: lengths.append(len(window)) or measure(self, window)
    )
    _, cuts = generate_framed(context=5)
    assert cuts.any()
    assert set(lengths) == {5}


def test_a_shot_is_as_likely_as_any_other_however_long_it_is():
    shots = [line(12, 0.01, 0), line(200, 0.01, 100), line(40, 0.01, 200)]
    model = fitted(shots, context=6, shortest=6, longest=6, variety=0)
    unshown = coverage.Coverage(
        model._starts, model._regions, model._framings, np.ones(len(model._latents), np.float32), 1, model.options
    )
    rng = np.random.default_rng(0)
    chosen = [model._choose_shot(5, unshown, 0, rng) for _ in range(2000)]
    numbers = np.searchsorted([12, 212], chosen, side="right")
    assert np.bincount(numbers, minlength=3) / 2000 == pytest.approx([0, 0.5, 0.5], abs=0.05)


def fresh_coverage(liveliness: np.ndarray | None = None, temperature: float = 1, **options) -> coverage.Coverage:
    """Of 400 latents in a row, half of region 0 and half of region 1, and one movement from each."""
    numbers = np.arange(400)
    lively = np.ones(400, np.float32) if liveliness is None else liveliness
    return coverage.Coverage(
        numbers, numbers // 200, 0 * numbers, lively, temperature, MotionFieldOptions(longest=10, **options)
    )


def stretched(seen: coverage.Coverage, now: int) -> np.ndarray:
    distances = np.full(400, 7, np.float32)
    seen.stretch(distances, now)
    return distances / 7


def test_a_region_shown_too_often_seems_farther_away_in_proportion():
    seen = fresh_coverage(variety=1)
    assert stretched(seen, 0) == pytest.approx(1)
    seen.add(99, 131, 0)  # the 31 latents after the first
    # 32 of 16.5 and 1 of 16.5, with one more of each; squared, as the distances are.
    now = 1000
    assert stretched(seen, now)[:200] == pytest.approx((32 / 16.5) ** 2)
    assert stretched(seen, now)[200:] == pytest.approx((1 / 16.5) ** 2)
    indifferent = fresh_coverage(variety=0)
    indifferent.add(99, 131, 0)
    assert stretched(indifferent, now) == pytest.approx(1)


def test_what_was_followed_rests_with_what_lies_around_it_for_a_while():
    seen = fresh_coverage(variety=0)
    seen.add(100, 109, 50)
    rest = coverage.REST * 10
    for now, resting in [(50, True), (49 + rest, True), (50 + rest, False)]:
        far = np.flatnonzero(stretched(seen, now) > 1)
        # Two movements of the longest before it and behind its last but one: the last is where the next begins.
        assert far.tolist() == (list(range(80, 128)) if resting else [])
    assert stretched(seen, 50).max() == pytest.approx(coverage.FAR)
    seen.add(5, 9, 50)
    assert stretched(seen, 50)[0] > 1


def test_in_a_short_video_less_rests_and_for_a_shorter_time():
    numbers = np.arange(80)
    options = MotionFieldOptions(longest=15, variety=0)
    seen = coverage.Coverage(numbers, 0 * numbers, 0 * numbers, np.ones(80, np.float32), 1, options)
    seen.add(40, 45, 0)
    for now, count in [(19, 2 * 10 + 4), (20, 0)]:  # an eighth of the video on both sides, for a quarter of it
        distances = np.ones(80, np.float32)
        seen.stretch(distances, now)
        assert (distances > 1).sum() == count


def test_a_latent_that_rests_is_far_however_near_it_is():
    seen = fresh_coverage(variety=0)
    seen.add(100, 109, 0)
    distances = np.full(400, 8, np.float32)
    distances[100] = 0
    seen.stretch(distances, 0)
    assert distances[100] == pytest.approx(coverage.FAR * 8 / 1000, rel=0.01)


def test_temperature_draws_lively_movements_nearer_or_calm_ones_and_not_without_end():
    lively = np.repeat(np.array([1, 2], np.float32), 200)

    def nearness_of_lively(temperature: float) -> float:
        distances = stretched(fresh_coverage(lively, temperature, variety=0), 0)
        return float(distances[0] / distances[-1])

    assert nearness_of_lively(1) == pytest.approx(1)
    assert 1 < nearness_of_lively(2) < 2
    # How often they are wanted grows alike, and distances are squared.
    assert nearness_of_lively(2) == pytest.approx((2**coverage.LEANING) ** 2)
    assert nearness_of_lively(0.5) == pytest.approx(1 / nearness_of_lively(2))
    assert nearness_of_lively(4) == pytest.approx(nearness_of_lively(2) ** 2)
    assert nearness_of_lively(400) == pytest.approx(nearness_of_lively(4))
    assert nearness_of_lively(0) == pytest.approx(nearness_of_lively(0.25)) == pytest.approx(1 / nearness_of_lively(4))


def test_a_lively_region_is_due_more_often_in_a_lively_dance():
    lively = np.repeat(np.array([1, 2], np.float32), 200)
    seen = fresh_coverage(lively, 4, variety=1)
    seen.add(0, 101, 0)
    seen.add(300, 401, 0)
    distances = stretched(seen, 1000)
    before = stretched(fresh_coverage(lively, 4, variety=1), 0)
    # Both were shown alike: too often for the calm one, too seldom for the lively one.
    assert distances[0] / before[0] > 1 > distances[-1] / before[-1]


def test_regions_of_very_many_latents_are_found_from_some_and_told_for_all(monkeypatch):
    monkeypatch.setattr(coverage, "CLUSTERED", 50)
    asked = []

    def compute_states(numbers: np.ndarray) -> np.ndarray:
        asked.append(len(numbers))
        return (numbers[:, None] // 100 * 1000).astype(np.float32)

    monkeypatch.setattr(coverage, "REGIONS", 3)
    regions = coverage.assign_regions(compute_states, np.ones(300, np.float32), seed=0) // coverage.PACES
    assert max(asked) == 50
    assert len(regions) == 300
    assert all(len(set(part)) == 1 for part in np.split(regions, 3))


@needs_shared
@pytest.mark.parametrize("number", [0, 4])
def test_a_real_video_s_framings_are_found_and_kept_in_latents_of_any_codec(number):
    shots = json.loads((SHARED / f"shadowdance/train_0{number}.json").read_text())["shots"]
    with np.load(SHARED / f"shadowdance/train_0{number}_masks.npz") as archive:
        masks = np.unpackbits(archive["masks_10fps"], axis=1).reshape(-1, 120, 200)[:, ::3, ::3]
    frames = (1 - masks) * np.uint8(255)
    codec = PCA(PCAOptions(latent_dim=64))
    codec.fit(Silhouettes.of(frames), Silhouettes.of(frames[:0]), Training())
    clips = np.split(codec.encode(frames), [-(-shot["start"] // 3) for shot in shots[1:]])

    framings = find_framings(clips, 15)
    of = {kind: {framings[n] for n, shot in enumerate(shots) if shot["framing"] == kind} for kind in ("full", "hip")}
    assert not of["full"] & of["hip"]
    assert len(set(framings)) < len(shots)

    model = fitted(clips)
    _, cuts = model.generate_shots(np.stack([clip[10:16] for clip in clips[:5]]), 1000)
    assert 0.5 < cuts.mean() / ((len(clips) - 1) / len(frames)) < 1.5
