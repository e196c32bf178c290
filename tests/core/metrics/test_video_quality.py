import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepdance.metrics import video_quality

PLANTED = ("ffmpeg", "ffprobe", "avconv", "avprobe", "mediainfo")


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    truth = np.full((4, 120, 200), 255, np.uint8)
    truth[:, 40:80, 60:100] = 0
    noisy = np.clip(truth.astype(int) + rng.integers(-30, 31, truth.shape), 0, 255).astype(np.uint8)
    return truth, noisy


def test_psnr_is_that_of_the_mean_squared_error(pair):
    truth, noisy = pair
    error = np.mean((truth.astype(float) - noisy) ** 2, axis=(1, 2))
    assert video_quality.psnr(truth, noisy) == pytest.approx(10 * np.log10(255**2 / error))
    assert np.isinf(video_quality.psnr(truth, truth)).all()


def test_ssim_of_flat_pictures_compares_their_means(pair):
    truth, noisy = pair
    dark, light = np.full((2, 60, 80), 100, np.uint8), np.full((2, 60, 80), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert video_quality.ssim(dark, light) == pytest.approx([expected, expected], abs=1e-3)
    assert video_quality.ssim(truth, truth) == pytest.approx(np.ones(4))
    assert (video_quality.ssim(truth, noisy) < 0.9).all()


def test_strred_is_nought_for_the_same_and_grows_with_noise(pair):
    truth, noisy = pair
    mild = ((truth.astype(int) * 3 + noisy) // 4).astype(np.uint8)
    moving = np.stack([np.roll(frame, 4 * k, axis=1) for k, frame in enumerate(truth)])
    assert np.all(np.array(video_quality.strred(moving, moving)) == 0)
    spatial = [video_quality.strred(truth, other)[0].mean() for other in (mild, noisy)]
    assert 0 < spatial[0] < spatial[1]
    assert video_quality.strred(truth[:3], noisy[:3])[0].shape == (1,)


def test_frames_too_small_for_a_measure_give_nan():
    small = np.zeros((2, 24, 40), np.uint8)
    assert np.isnan(video_quality.strred(small, small)).all()
    assert np.isnan(video_quality.ssim(small[:, :10], small[:, :10])).all()


def test_numpy_is_not_touched(pair):
    video_quality.psnr(*pair)
    assert not hasattr(np, "float")
    assert not hasattr(np, "int")
    assert not hasattr(np, "product")


def python(code, folder):
    """Run `code` in `folder`, which comes first on no path but is where scikit-video looks first."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    result = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.skipif(os.name != "posix", reason="plants shell scripts")
def test_programs_in_the_working_folder_are_not_run(tmp_path: Path):
    for name in PLANTED:
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran-{name}'\n")
        (tmp_path / name).chmod(0o755)
    python("import skvideo", tmp_path)
    ran = sorted(path.name for path in tmp_path.glob("ran-*"))
    assert "ran-ffmpeg" in ran  # so the trap works
    for path in tmp_path.glob("ran-*"):
        path.unlink()
    python(
        "import numpy as np\n"
        "from deepdance.metrics import video_quality as adapter\n"
        "frames = np.zeros((2, 120, 200), np.uint8)\n"
        "for measure in (adapter.psnr, adapter.ssim, adapter.strred): measure(frames, frames)\n",
        tmp_path,
    )
    assert not list(tmp_path.glob("ran-*"))


def test_nobody_elses_import_of_scikit_video_changes(tmp_path: Path):
    printed = python(
        "import numpy as np, sys\n"
        "from deepdance.metrics import video_quality as adapter\n"
        "adapter.psnr(np.zeros((1, 9, 9), np.uint8), np.zeros((1, 9, 9), np.uint8))\n"
        "print('skvideo' in sys.modules)\n"
        "import skvideo.measure.psnr\n"
        "print(sys.modules['skvideo.measure.psnr'].np is np)\n",
        tmp_path,
    )
    assert printed.split() == ["False", "True"]
