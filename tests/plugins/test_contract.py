"""Every built-in component holds the contract of its kind; the networks are next door, so that both run at once."""

from deepdance.testing import parametrize_with_checks
from deepdance_plugins.catalog import COMPONENTS

SPECS = {spec.name: spec for spec in COMPONENTS}


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


@parametrize_with_checks(SPECS["pca"], options={"latent_dim": 12})
def test_pca(check):
    check()


@parametrize_with_checks(SPECS["motion-field"])
def test_motion_field(check):
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
