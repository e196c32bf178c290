"""Every built-in network holds the contract of its kind, with as few units and epochs as will do."""

import os

import pytest

from deepdance.testing import parametrize_with_checks
from deepdance_plugins.catalog import COMPONENTS

SPECS = {spec.name: spec for spec in COMPONENTS}
RECURRENT = {"layers": 1, "units": 16, "epochs": 3, "batch_size": 128, "context": 5, "learning_rate": 0.01}


@pytest.fixture
def without_compiling():
    """Compiling takes longer than so little training. The fresh process compiles, and must give the same numbers."""
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("without_compiling")
@parametrize_with_checks(
    SPECS["sdf-ae"], options={"steps": 6, "batch_size": 32, "latent_dim": 12, "coefficients": 40, "units": 32}
)
def test_sdf_ae(check):
    check()


@pytest.mark.usefixtures("without_compiling")
@parametrize_with_checks(SPECS["conv-ae"], options={"epochs": 2, "batch_size": 16, "latent_dim": 12})
def test_conv_ae(check):
    check()


@parametrize_with_checks(
    SPECS["flow"], options={"context": 5, "units": 16, "width": 16, "blocks": 1, "steps": 12, "batch_size": 128}
)
def test_flow(check):
    check()


@pytest.mark.usefixtures("without_compiling")
@parametrize_with_checks(SPECS["lstm4"], options=RECURRENT)
def test_lstm4(check):
    check()


@pytest.mark.usefixtures("without_compiling")
@parametrize_with_checks(SPECS["gru"], options=RECURRENT)
def test_gru(check):
    check()


@parametrize_with_checks(
    SPECS["mdn"], options={"context": 5, "units": 16, "mixtures": 2, "span": 4, "epochs": 3, "batch_size": 4}
)
def test_mdn(check):
    check()
