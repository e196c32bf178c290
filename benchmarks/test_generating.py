"""Generating over sliding windows beside the paper's loop of `model.predict` a step; tests hold the numbers equal."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from deepdance_plugins.sequences.gru import GRU
from deepdance_plugins.sequences.lstm4.model import LSTM4
from deepdance_plugins.sequences.lstm4.options import LSTM4Options

CONTEXT, LATENTS = 10, 128
PLAIN_STEPS = 10


@cache
def build(kind: type[LSTM4]) -> LSTM4:
    """The paper's network as it is before training: speed does not depend on what was learned."""
    model = kind(LSTM4Options())
    model._model = model._build(LATENTS, "relu")
    return model


def draw_seeds(count: int) -> np.ndarray:
    return np.random.default_rng(1).random((count, CONTEXT, LATENTS), dtype=np.float32)


def dance_plainly(model: LSTM4) -> None:
    """What the published code does with one dance: append the output, drop the first, predict again."""
    window = draw_seeds(1)
    for _ in range(PLAIN_STEPS):
        following = model._model.predict(window, verbose=0)
        window = np.concatenate([window[:, 1:], following[:, None]], axis=1)


@pytest.mark.parametrize(
    ("kind", "dances", "steps"),
    [
        pytest.param(LSTM4, 1, 300, marks=pytest.mark.short),
        pytest.param(LSTM4, 64, 20, marks=pytest.mark.short),
        (GRU, 1, 300),
        (GRU, 64, 20),
    ],
)
def test_generating(compare, kind: type[LSTM4], dances: int, steps: int) -> None:
    model, seeds = build(kind), draw_seeds(dances)
    dance_plainly(model)
    model.generate(seeds, 1)
    compare(
        f"generate, {kind.__name__.lower()}, {dances} at once ÷ loop of predict",
        lambda: model.generate(seeds, steps),
        lambda: dance_plainly(model),
        work=dances * steps / PLAIN_STEPS,
    )
