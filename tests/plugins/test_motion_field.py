import itertools

import numpy as np

from deepdance.interfaces import Training
from deepdance_plugins.sequences.motion_field import coverage
from deepdance_plugins.sequences.motion_field.model import MotionField, MotionFieldOptions


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
