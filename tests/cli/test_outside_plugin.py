"""A package that is not part of deepdance adds a codec, and the command line uses it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import FAST

INIT = """
from deepdance.plugins import ComponentSpec, hookimpl

@hookimpl
def deepdance_components():
    where = "dance_rows.codec"
    return [ComponentSpec("codec", "rows", f"{where}:Rows", f"{where}:RowsOptions", "dark pixels of each row")]
"""
CODEC = '''
import numpy as np
from pydantic import Field
from deepdance.interfaces import FrameCodec, Options

class RowsOptions(Options):
    scale: float = Field(1.0, gt=0, description="latents are multiplied by this")

class Rows(FrameCodec[RowsOptions]):
    """Each row is a centred bar as long as the row has dark pixels."""

    size = (0, 0)

    @property
    def latent_dim(self):
        return self.size[0]

    def fit(self, train, validation, training):
        self.size = train.size
        return [{"loss": 0.0, "acc": 1.0}]

    def encode(self, frames):
        return ((frames < 128).mean(axis=2) * self.options.scale).astype(np.float32)

    def decode(self, latents):
        half = latents[:, :, None] / self.options.scale / 2
        column = (np.arange(self.size[1]) + 0.5) / self.size[1] - 0.5
        return np.where(np.abs(column) < half, 0, 255).astype(np.uint8)

    def save(self, folder):
        np.save(folder / "size.npy", self.size)

    @classmethod
    def load(cls, folder, options):
        codec = cls(options)
        codec.size = tuple(int(side) for side in np.load(folder / "size.npy"))
        return codec
'''


def wheel(folder: Path) -> Path:
    """A wheel of the package, as any build tool would make it."""
    info = "dance_rows-1.5.dist-info"
    files = {
        "dance_rows/__init__.py": INIT,
        "dance_rows/codec.py": CODEC,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: dance-rows\nVersion: 1.5\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[deepdance]\nrows = dance_rows\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    path = folder / "dance_rows-1.5-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """Run `deepdance` with the package installed beside it."""
    folder = tmp_path_factory.mktemp("outside")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, folder / "site", wheel(folder)], check=True, capture_output=True)
    env = {**os.environ, "PYTHONPATH": str(folder / "site"), "DEEPDANCE_WORKSPACE": str(folder / "workspace")}

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [Path(sys.executable).with_name("deepdance"), *map(str, arguments)]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=200)

    return call


def test_it_is_listed_with_its_distribution(outside):
    listed = json.loads(outside("plugins", "list", "--json").stdout)
    (row,) = [component for component in listed["components"] if component["name"] == "rows"]
    assert (row["kind"], row["distribution"], row["version"]) == ("codec", "dance-rows", "1.5")
    assert "conv-ae" in [component["name"] for component in listed["components"]]


def test_it_is_shown_with_its_options(outside):
    assert "codec.scale" in outside("plugins", "show", "rows").stdout


def test_it_is_used(outside, video):
    result = outside("run", video, "--codec", "rows", "--seq", "gru", *FAST, "--set", "codec.scale=2", "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["paper_table"][0]["component"] == "rows"
    assert Path(report["video"]).stat().st_size > 1000


def test_its_options_are_checked(outside, video):
    result = outside("run", video, "--codec", "rows", "--set", "codec.scal=2")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "codec.scal: rows has no such option; did you mean 'scale'?" in result.stderr
