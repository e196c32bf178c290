"""Every built-in component holds the contract of its kind, with as few numbers and steps as will do."""

import os
from contextlib import contextmanager, nullcontext
from pkgutil import resolve_name

import pytest
from pydantic import ValidationError

from deepdance.testing import make_checks
from deepdance_plugins.catalog import COMPONENTS

RECURRENT = {"layers": 1, "units": 16, "epochs": 3, "batch_size": 128, "context": 5, "learning_rate": 0.01}
OPTIONS = {
    "demo": {"seconds": 13},
    "array": {"fps": 20},
    "pca": {"latent_dim": 12},
    "sdf-ae": {"prior": "none", "steps": 6, "batch_size": 32, "latent_dim": 12, "coefficients": 40, "units": 32},
    "conv-ae": {"epochs": 2, "batch_size": 16, "latent_dim": 12},
    "flow": {"context": 5, "units": 16, "width": 16, "blocks": 1, "steps": 12, "batch_size": 128},
    "lstm4": RECURRENT,
    "gru": RECURRENT,
    "mdn": {"context": 5, "units": 16, "mixtures": 2, "span": 4, "epochs": 3, "batch_size": 4},
}
"""The others are small as they are."""
NOT_COMPILED = ("sdf-ae", "conv-ae", "lstm4", "gru")
"""Compiling them takes longer than so little training. The fresh process compiles, and must give the same numbers."""
CHECKS = [(spec.name, check) for spec in COMPONENTS for check in make_checks(spec, options=OPTIONS.get(spec.name))]


@pytest.mark.parametrize(("name", "check"), CHECKS, ids=[f"{name}-{check.name}" for name, check in CHECKS])
def test_a_component_holds_its_contract(name, check, request):
    if name == "person":
        request.getfixturevalue("person_weights")
    eager = name in NOT_COMPILED and os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow"
    with run_eagerly() if eager else nullcontext():
        check()


@pytest.mark.parametrize("check", [pytest.param(check, id=name) for name, check in CHECKS if check.name == "learns"])
def test_the_papers_table_finds_its_figures(check):
    (subject,) = check.run.args  # fitted already by the checks before
    assert {"loss", "acc", "val_loss", "val_acc"} <= set(subject.fitted.history[-1])


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        *(("demo", "seconds", 0), ("demo", "seconds", float("inf")), ("demo", "seed", -1)),
        *(("ffmpeg", "crop", "24,8,40"), ("ffmpeg", "crop", "all"), ("ffmpeg", "crop", "1.5,0,8,8")),
        *(("threshold", "level", -1), ("threshold", "level", 765), ("threshold", "level", "otsu")),
        *(("conv-ae", "epochs", 0), ("conv-ae", "latent_dim", 0), ("conv-ae", "learning_rate", -1)),
    ],
)
def test_options_out_of_range_are_refused(name, option, value):
    (options,) = [resolve_name(spec.options) for spec in COMPONENTS if spec.name == name]
    with pytest.raises(ValidationError, match=option):
        options(**{option: value})


@contextmanager
def run_eagerly():
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
