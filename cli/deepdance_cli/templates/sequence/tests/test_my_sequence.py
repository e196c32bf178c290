"""The contract of a sequence model, and what this one promises besides."""

import numpy as np
from deepdance.interfaces import Training
from deepdance.testing import parametrize_with_checks

from my_sequence import COMPONENTS
from my_sequence.sequence import MySequence, MySequenceOptions


@parametrize_with_checks(COMPONENTS[0])
def test_contract(check):
    check()


def fitted(*clips, **options):
    model = MySequence(MySequenceOptions(**options))
    model.fit([np.array(clip, np.float32)[:, None] for clip in clips], [], Training())
    return model


def test_it_goes_to_and_fro_and_never_into_another_clip():
    model = fitted([0, 1, 2, 3], [100, 110, 120])
    seeds = np.array([[[0], [1]], [[100], [110]]], np.float32)
    dances = model.generate(seeds, 7)[..., 0]
    assert dances.tolist() == [[2, 3, 2, 1, 0, 1, 2], [120, 110, 100, 110, 120, 110, 100]]


def test_the_movement_tells_moments_of_one_pose_apart():
    model = fitted([0, 1, 2, 9, 2, 1, 0], movement=5)
    assert model.generate(np.array([[[9], [2]]], np.float32), 2)[0, :, 0].tolist() == [1, 0]
    assert model.generate(np.array([[[1], [2]]], np.float32), 2)[0, :, 0].tolist() == [9, 2]


def test_the_difference_to_the_moment_found_fades():
    seed = np.array([[[0.5], [1.5]]], np.float32)
    assert fitted(range(10), blend=1).generate(seed, 3)[0, :, 0].tolist() == [2.25, 3, 4]
    assert fitted(range(10), blend=0).generate(seed, 3)[0, :, 0].tolist() == [2, 3, 4]
