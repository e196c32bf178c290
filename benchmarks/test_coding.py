"""Encoding and decoding beside Keras' `predict`, and beside the matrix products that have to be done in any case."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from deepdance.frames import Silhouettes
from deepdance.interfaces import Training
from deepdance_plugins.codecs.conv_ae.model import ConvAE, ConvAEOptions, build_decoder, build_encoder
from deepdance_plugins.codecs.pca import PCA, PCAOptions

SIZE, LATENTS = (120, 200), 128
FRAMES = np.random.default_rng(0).integers(0, 256, (2 * LATENTS, *SIZE), dtype=np.uint8)


@cache
def build_conv_ae() -> ConvAE:
    codec = ConvAE(ConvAEOptions())
    codec._take(build_encoder(SIZE, LATENTS), build_decoder(SIZE, LATENTS))
    return codec


@cache
def fit_pca() -> PCA:
    codec = PCA(PCAOptions())
    frames = Silhouettes.of(FRAMES)
    codec.fit(frames, frames.between(0, 0), Training())
    return codec


@pytest.mark.short
def test_one_frame_there_and_back(compare) -> None:
    codec, frame = build_conv_ae(), FRAMES[:1]
    grey = frame[..., None] / np.float32(255)

    def predict() -> None:
        codec._decoder.predict(codec._encoder.predict(grey, verbose=0), verbose=0)

    for work in (predict, lambda: codec.decode(codec.encode(frame))):
        work()
    compare("conv-ae, one frame there and back ÷ predict", lambda: codec.decode(codec.encode(frame)), predict)


@pytest.mark.short
@pytest.mark.parametrize("frames", [1, 64])
def test_pca_costs_little_more_than_its_products(compare, frames: int) -> None:
    codec, pictures = fit_pca(), FRAMES[:frames]
    rows = pictures.reshape(frames, -1).astype(np.float32)
    latents = codec.encode(pictures)

    def multiply() -> None:
        for _ in range(5):
            rows @ codec._components.T
            latents @ codec._components

    def code() -> None:
        for _ in range(5):
            codec.encode(pictures)
            codec.decode(latents)

    compare(f"pca, {frames} there and back ÷ matrix products alone", code, multiply)
