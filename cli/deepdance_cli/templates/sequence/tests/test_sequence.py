"""The contract of a sequence model, and what this one promises besides."""

import numpy as np
import pytest
from deepdance.interfaces import Training
from deepdance.testing import parametrize_with_checks

from my_sequence import COMPONENTS
from my_sequence.sequence import MySequence, MySequenceOptions


@parametrize_with_checks(COMPONENTS[0])
def test_contract(check):
    check()


def dance(*clips, seed, steps, temperature=0, rng=0, **options):
    """What follows two numbers, where clips of numbers were learned."""
    model = MySequence(MySequenceOptions(**options))
    model.fit([np.array(clip, np.float32)[:, None] for clip in clips], [], Training())
    latents = np.array(seed, np.float32)[None, :, None]
    return model.generate(latents, steps, temperature=temperature, rng=rng)[0, :, 0].tolist()


def test_it_goes_on_as_the_most_similar_latents_did():
    assert dance(range(10), range(100, 200, 10), seed=[2, 3], steps=3) == [4, 5, 6]
    assert dance(range(10), range(100, 200, 10), seed=[110, 120], steps=3) == [130, 140, 150]


def test_the_movement_tells_latents_of_one_pose_apart():
    assert dance([0, 1, 2, 9, 2, 1, 0], seed=[9, 2], steps=2, movement=5) == [1, 0]
    assert dance([0, 1, 2, 9, 2, 1, 0], seed=[1, 2], steps=2, movement=5) == [9, 2]


def test_the_difference_to_the_latent_found_fades():
    assert dance(range(10), seed=[0.25, 1.25], steps=2, fade=0.5) == pytest.approx([2.125, 3.0625])
    assert dance(range(10), seed=[0.25, 1.25], steps=2, fade=0) == [2, 3]


def test_the_temperature_says_how_many_there_are_to_choose_from():
    calm, lively = (
        {tuple(dance(range(50), seed=[9, 10], steps=5, temperature=temperature, rng=rng)) for rng in range(9)}
        for temperature in (0, 1)
    )
    assert len(calm) == 1 < len(lively)
