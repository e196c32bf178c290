import itertools
import json

import numpy as np
import pytest
from conftest import SHARED, needs_shared

from deepdance.frames import Silhouettes
from deepdance.interfaces import Training
from deepdance_plugins.codecs.pca import PCA, PCAOptions
from deepdance_plugins.sequences.motion_field import coverage
from deepdance_plugins.sequences.motion_field.framings import find_framings
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
