"""Generating over sliding windows at once beats the paper's loop of `model.predict` a step, with the same numbers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest

from deepdance.interfaces import Training
from deepdance_plugins.sequences.lstm4.model import LSTM4
from deepdance_plugins.sequences.lstm4.options import LSTM4Options

CONTEXT, LATENTS = 10, 128
PLAIN_STEPS, STEPS, ROUNDS = 30, 1280, 5
LEAST = 40


@pytest.fixture(scope="module")
def model() -> LSTM4:
    """The paper's network after one step of training: speed does not depend on what was learned."""
    lstm = LSTM4(LSTM4Options(epochs=1))
    clip = np.random.default_rng(0).random((40, LATENTS), dtype=np.float32)
    lstm.fit([clip], [], Training())
    return lstm


def plain_loop(model: LSTM4, seed: np.ndarray, steps: int) -> np.ndarray:
    """What the published code does: append the output, drop the first, predict again."""
    window, generated = seed.copy(), []
    for _ in range(steps):
        generated.append(model._model.predict(window, verbose=0))
        window = np.concatenate([window[:, 1:], generated[-1][:, None]], axis=1)
    return np.stack(generated, axis=1)


def frames_per_second(work: Callable[[], object], steps: int) -> float:
    start = time.perf_counter()
    work()
    return steps / (time.perf_counter() - start)


def test_generating_is_at_least_forty_times_the_papers_loop(model: LSTM4) -> None:
    seed = np.random.default_rng(1).random((1, CONTEXT, LATENTS), dtype=np.float32)
    assert np.abs(model.generate(seed, PLAIN_STEPS) - plain_loop(model, seed, PLAIN_STEPS)).max() < 1e-5
    ratios, speeds = [], []
    for _ in range(ROUNDS):
        plain = frames_per_second(lambda: plain_loop(model, seed, PLAIN_STEPS), PLAIN_STEPS)
        fast = frames_per_second(lambda: model.generate(seed, STEPS), STEPS)
        ratios.append(fast / plain)
        speeds.append((plain, fast))
    print(
        "\nframes a second, plain and at once:",
        " ".join(f"{plain:.0f}/{fast:.0f}" for plain, fast in speeds),
    )
    print(f"median ratio {statistics.median(ratios):.0f}")
    assert statistics.median(ratios) >= LEAST


def test_generating(model: LSTM4, benchmark) -> None:
    seed = np.random.default_rng(1).random((1, CONTEXT, LATENTS), dtype=np.float32)
    model.generate(seed, STEPS)
    benchmark(model.generate, seed, STEPS)
