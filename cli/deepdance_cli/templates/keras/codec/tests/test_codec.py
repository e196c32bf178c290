"""The contract of a codec, and what this one promises besides."""

import numpy as np
from deepdance.frames import Silhouettes
from deepdance.interfaces import Training
from deepdance.testing import parametrize_with_checks

from my_codec import COMPONENTS
from my_codec.codec import MyCodec
from my_codec.codec_options import MyCodecOptions


@parametrize_with_checks(COMPONENTS[0], options={"steps": 20})
def test_contract(check):
    check()


def test_it_draws_what_it_has_learned_at_any_size():
    frames = np.full((16, 21, 30), 255, np.uint8)
    for number, frame in enumerate(frames):
        frame[5:15, number : number + 10] = 0
    codec = MyCodec(MyCodecOptions(steps=100, learning_rate=5e-3))
    codec.fit(Silhouettes.of(frames), Silhouettes.of(frames[:0]), Training())
    drawn = codec.decode(codec.encode(frames))
    assert drawn.shape == frames.shape
    assert np.mean((drawn < 128) == (frames < 128)) > 0.97
