"""What is broken: small files made here, and those of shared/data where they are."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

FRAMES, HEIGHT, WIDTH = 12, 48, 80
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
ARRAYS = (".npy", ".npz")
MOST_BYTES = 1 << 20
"""Larger files are not broken: it would take long, and their numbers are no more."""


@dataclass(frozen=True)
class Material:
    """A whole file."""

    name: str
    data: bytes

    @property
    def suffix(self) -> str:
        """The ending, in small letters."""
        return Path(self.name).suffix.lower()

    @property
    def kind(self) -> str:
        """`picture`, `array` or `video`: by what is read of it."""
        return "picture" if self.suffix in PICTURES else "array" if self.suffix in ARRAYS else "video"

    def lay(self, folder: Path, data: bytes) -> Path:
        """Write the file with other content, as somebody names it; a picture lies in a folder behind a whole one."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.kind != "picture":
            path = folder / f"mutated{self.suffix}"
            path.write_bytes(data)
            return path
        (folder / "1.png").write_bytes(encode(".png", draw()[0]))
        (folder / f"2{self.suffix}").write_bytes(data)
        return folder


def draw() -> np.ndarray:
    """A block that wanders over white, `(n, h, w, 3)`."""
    frames = np.full((FRAMES, HEIGHT, WIDTH, 3), 255, np.uint8)
    for number, frame in enumerate(frames):
        frame[10:40, 10 + 4 * number : 22 + 4 * number] = 20
    return frames


def encode(suffix: str, picture: np.ndarray) -> bytes:
    """A picture, its channels in OpenCV's order, as a file's content."""
    return bytes(cv2.imencode(suffix, picture)[1])


def make_material() -> list[Material]:
    """A small file of each kind."""
    frames = draw()
    alpha = np.dstack([frames[3], np.full((HEIGHT, WIDTH), 200, np.uint8)])
    made = [
        Material(f"made{suffix}", encode(suffix, frames[3])) for suffix in PICTURES if suffix not in (".jpeg", ".tiff")
    ]
    made += [
        Material("alpha.png", encode(".png", alpha)),
        Material("deep.png", encode(".png", alpha.astype(np.uint16) * 257)),
        Material("deep.tif", encode(".tif", alpha.astype(np.uint16) * 257)),
        Material("float.tif", encode(".tif", frames[3].astype(np.float32) / 255)),
        Material("colour.npy", _save(frames)),
        Material("mask.npy", _save(frames[..., 0] < 128)),
        Material("fortran.npy", _save(np.asfortranarray(frames[..., 0]))),
        Material("plain.npz", _save_archive(frames, np.savez)),
        Material("packed.npz", _save_archive(np.asfortranarray(frames[..., 0]), np.savez_compressed)),
    ]
    return made + [Material(f"made{suffix}", _write_video(suffix, codec)) for suffix, codec in VIDEOS.items()]


VIDEOS = {".mp4": "libx264", ".mov": "png", ".mkv": "mpeg4", ".avi": "mjpeg", ".webm": "libvpx", ".gif": "gif"}


def _save(frames: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, frames)
    return file.getvalue()


def _save_archive(frames: np.ndarray, save) -> bytes:  # type: ignore[no-untyped-def]
    file = io.BytesIO()
    save(file, frames=frames, fps=np.array(10.0), shot_starts=np.array([0, 6]))
    return file.getvalue()


def _write_video(suffix: str, codec: str) -> bytes:
    import subprocess
    import tempfile

    import imageio_ffmpeg

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"made{suffix}"
        reading = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", "10", "-i", "pipe:0"]
        writing = ["-c:v", codec, "-threads", "1", "-fflags", "+bitexact", "-flags", "+bitexact", str(path)]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *reading, *writing]
        subprocess.run(command, input=draw().tobytes(), check=True)
        return path.read_bytes()


def list_material(shared: Path | None) -> list[Material]:
    """What is made here and, where there is such a folder, the small files of `odd` and `inputs`."""
    paths = (
        sorted(path for part in ("odd", "inputs") for path in (shared / part).rglob("*") if path.is_file())
        if shared
        else []
    )
    taken = [path for path in paths if path.suffix != ".md" and 0 < path.stat().st_size <= MOST_BYTES]
    return [*make_material(), *(Material(path.name, path.read_bytes()) for path in taken)]
