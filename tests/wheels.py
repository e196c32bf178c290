"""Packages that are not part of deepdance, made as any build tool would make them and really installed."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

SPECS = """
from deepdance.plugins import ComponentSpec, hookimpl

@hookimpl
def deepdance_components():
    where = "{module}.codec"
    return [ComponentSpec("codec", "{name}", f"{where}:Rows", f"{where}:RowsOptions", "dark pixels of each row")]
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


def codec_package(module: str, name: str, *, specs: str = "", codec: str = CODEC) -> dict[str, str]:
    """The files of a package with one codec, and its catalogue in `specs` or as it should be."""
    files = {f"{module}/__init__.py": specs or SPECS, f"{module}/codec.py": codec}
    return {path: text.replace("{module}", module).replace("{name}", name) for path, text in files.items()}


def wheel(folder: Path, distribution: str, version: str, files: Mapping[str, str]) -> Path:
    """A wheel of these files. Its entry point is called as the distribution without `dance-`."""
    module = distribution.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    point = distribution.removeprefix("dance-")
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[deepdance]\n{point} = {module}\n",
    }
    contents[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*contents, f"{info}/RECORD"))
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    return path


def install(wheels: Iterable[Path], site: Path) -> None:
    """Install wheels into a folder for PYTHONPATH."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site]
    subprocess.run([*command, *wheels], check=True, capture_output=True)


def install_many(folder: Path, count: int) -> None:
    """Install plugins `dance-rows0`, `dance-rows1` … with a codec each into `folder/site`, as pip leaves them."""
    for number in range(count):
        module = f"dance_rows{number}"
        files = codec_package(module, f"rows{number}")
        with zipfile.ZipFile(wheel(folder, f"dance-rows{number}", "1.5", files)) as archive:
            archive.extractall(folder / "site")
    compileall.compile_dir(folder / "site", quiet=1)


def with_site(site: Path | str, **more: str) -> dict[str, str]:
    """The environment of a process that finds what is installed in `site`."""
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **more}
