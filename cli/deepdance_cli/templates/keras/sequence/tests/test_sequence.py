"""The contract of a sequence model, and what this one promises besides."""

import numpy as np
from deepdance.interfaces import Training
from deepdance.testing import parametrize_with_checks

from my_sequence import COMPONENTS
from my_sequence.sequence import MySequence
from my_sequence.sequence_options import MySequenceOptions


@parametrize_with_checks(COMPONENTS[0], options={"steps": 20})
def test_contract(check):
    check()


def test_it_goes_on_along_a_circle():
    angle = np.linspace(0, 20 * np.pi, 400, dtype=np.float32)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    model = MySequence(MySequenceOptions(units=64, noise=0.1, steps=200, learning_rate=5e-3))
    model.fit([circle], [], Training())
    assert np.allclose(model.generate(circle[None, :8], 20)[0], circle[8:28], atol=0.15)
