"""Every built-in component holds the contract of its kind."""

from deepdance.testing import parametrize_with_checks
from deepdance_plugins.catalog import COMPONENTS

SPECS = {spec.name: spec for spec in COMPONENTS}
RECURRENT = {"layers": 1, "units": 16, "epochs": 3, "batch_size": 128, "context": 5, "learning_rate": 0.01}


@parametrize_with_checks(SPECS["demo"], options={"seconds": 13})
def test_demo(check):
    check()


@parametrize_with_checks(SPECS["ffmpeg"])
def test_ffmpeg(check):
    check()


@parametrize_with_checks(SPECS["images"])
def test_images(check):
    check()


@parametrize_with_checks(SPECS["array"], options={"fps": 20})
def test_array(check):
    check()


@parametrize_with_checks(SPECS["threshold"])
def test_threshold(check):
    check()


@parametrize_with_checks(SPECS["luma"])
def test_luma(check):
    check()


@parametrize_with_checks(
    SPECS["sdf-ae"], options={"steps": 6, "batch_size": 32, "latent_dim": 12, "coefficients": 40, "units": 32}
)
def test_sdf_ae(check):
    check()


@parametrize_with_checks(SPECS["conv-ae"], options={"epochs": 2, "batch_size": 16, "latent_dim": 12})
def test_conv_ae(check):
    check()


@parametrize_with_checks(SPECS["pca"], options={"latent_dim": 12})
def test_pca(check):
    check()


@parametrize_with_checks(SPECS["motion-field"])
def test_motion_field(check):
    check()


@parametrize_with_checks(
    SPECS["flow"], options={"context": 5, "units": 16, "width": 16, "blocks": 1, "steps": 12, "batch_size": 128}
)
def test_flow(check):
    check()


@parametrize_with_checks(SPECS["lstm4"], options=RECURRENT)
def test_lstm4(check):
    check()


@parametrize_with_checks(SPECS["gru"], options=RECURRENT)
def test_gru(check):
    check()


@parametrize_with_checks(
    SPECS["mdn"], options={"context": 5, "units": 16, "mixtures": 2, "span": 4, "epochs": 3, "batch_size": 4}
)
def test_mdn(check):
    check()


@parametrize_with_checks(SPECS["texture"])
def test_texture(check):
    check()


@parametrize_with_checks(SPECS["ridge"])
def test_ridge(check):
    check()


@parametrize_with_checks(SPECS["mp4"], options={"scale": 1})
def test_mp4(check):
    check()


@parametrize_with_checks(SPECS["gif"], options={"scale": 1})
def test_gif(check):
    check()


@parametrize_with_checks(SPECS["sheet"])
def test_sheet(check):
    check()


def test_no_built_in_is_left_out():
    assert {f"test_{name.replace('-', '_')}" for name in SPECS} <= set(globals())
