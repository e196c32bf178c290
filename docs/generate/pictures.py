"""Makes the pictures of the site with `dd`: `python docs/generate/pictures.py [WORKSPACE [CLIPS]]`.

Those of the demo dancer take three small runs, minutes on two cores, and seconds when the workspace has them
already. With CLIPS, a folder with the files of `PEOPLE`, those of real people are made too, of silhouettes alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np

from deepdance.frames import Silhouettes
from deepdance.interfaces import UInt8
from deepdance_plugins.renderers.sheet import tile_frames
from deepdance_plugins.sources.demo.source import DemoOptions, DemoSource

PICTURES = Path(__file__).parents[1] / "pictures"
SECONDS, FPS = 4, 10
VIDEO_FPS = 30
COLUMNS = 6
DANCE_SECONDS, PANEL = 6, (192, 320)
SEED = 12
CODECS = {"demo": "sdf-ae", "demo-pca": "pca"}
PEOPLE = {"juggle.png": "05_default_juggle.mp4", "squats.png": "pose_squats.mp4"}
"""From the repositories facebookresearch/sam2 and tensorflow/tfjs-models, both Apache-2.0."""


def main(workspace: Path, clips: Path | None = None) -> None:
    """All pictures, anew; those of people, if their clips are given."""
    for run, codec in CODECS.items():
        sequence = "motion-field" if codec == "sdf-ae" else "ridge"
        dd(workspace, "run", "--preset", "quick", "--codec", codec, "--seq", sequence, "--name", run)
    dances(workspace)
    start(workspace)
    silhouettes(workspace)
    codecs(workspace)
    if clips:
        people(workspace, clips)


def dd(workspace: Path, *arguments: object) -> str:
    """Call the command, and give what it prints."""
    command = [Path(sys.executable).with_name("deepdance"), *map(str, arguments), "--workspace", workspace]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def dances(workspace: Path) -> None:
    """`dances.gif`: what `make run` makes, the paper's models on the left and the default ones on the right."""
    videos = []
    for models in (("--codec", "conv-ae", "--seq", "lstm4"), ()):
        finished = json.loads(dd(workspace, "run", *models, "--json"))
        videos.append(read_grey(Path(finished["video"]), PANEL)[: DANCE_SECONDS * VIDEO_FPS : VIDEO_FPS // FPS])
    write_gif(lay_side_by_side([as_rgb(video) for video in videos]), PICTURES / "dances.gif")


def start(workspace: Path) -> None:
    """`start.gif`: the video, its silhouettes, and a dance in which all bodies are whole."""
    dance = workspace / "start.mp4"
    chosen = ["--from", 20, "--seed", SEED, "--temperature", 0.7, "--fps", FPS, "--frames", SECONDS * FPS]
    dd(workspace, "generate", "demo", *chosen, "--out", dance)
    video = np.concatenate(list(DemoSource("demo", DemoOptions(seconds=SECONDS)).frames(FPS, (120, 200))))
    learned = kept(workspace, "demo")[: SECONDS * FPS]
    write_gif(lay_side_by_side([video, as_rgb(learned), as_rgb(read_grey(dance))]), PICTURES / "start.gif")


def silhouettes(workspace: Path) -> None:
    """`silhouettes.png`: what `dd prepare` shows, in two rows."""
    frames = kept(workspace, "demo")
    picks = np.linspace(0, len(frames) - 1, 2 * COLUMNS).astype(int)
    write_png(tile_frames(list(frames[picks]), COLUMNS), PICTURES / "silhouettes.png")


def codecs(workspace: Path) -> None:
    """`codecs.png`: held-out frames above what each codec makes of them."""
    from deepdance import opened_runs
    from deepdance.plugins import discover
    from deepdance.session import Session
    from deepdance.workspace import Workspace

    session = Session(Workspace(workspace), discover())
    frames = kept(workspace, "demo")
    picks = np.linspace(int(0.91 * len(frames)), len(frames) - 1, COLUMNS).astype(int)
    rows = [frames[picks]]
    for run in CODECS:
        record, recipe = session.workspace.open_run(run)
        codec = opened_runs.open_run(session, recipe, record).codec
        rows.append(codec.decode(codec.encode(frames[picks])))
    labels = [labelled(text) for text in ("real", *CODECS.values())]
    sheets = [tile_frames(list(row), COLUMNS) for row in rows]
    whole = [np.concatenate([label[: len(sheet)], sheet], axis=1) for label, sheet in zip(labels, sheets, strict=True)]
    write_png(np.concatenate(whole), PICTURES / "codecs.png")


def people(workspace: Path, clips: Path) -> None:
    """Consecutive silhouettes of real people, in two rows."""
    for picture, clip in PEOPLE.items():
        (prepared,) = json.loads(dd(workspace, "prepare", clips / clip, "--remover", "person", "--json"))
        frames = Silhouettes.load([Path(prepared["folder"])])[: 2 * COLUMNS]
        write_png(tile_frames(list(frames), COLUMNS), PICTURES / picture)


def kept(workspace: Path, run: str) -> Silhouettes:
    """The silhouettes that a run has learned from."""
    record = json.loads((workspace / "runs" / run / "run.json").read_text())
    return Silhouettes.load([workspace / "artifacts" / name for name in record["artifacts"]["silhouettes"]])


def labelled(text: str) -> UInt8:
    """A white field with a word in it."""
    field = np.full((124, 90), 255, np.uint8)
    cv2.putText(field, text, (6, 64), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 60, 1, cv2.LINE_AA)
    return field


def as_rgb(grey: UInt8) -> UInt8:
    """Grey frames `(n, height, width)` with a last axis of three."""
    return np.repeat(grey[..., None], 3, axis=3)


def lay_side_by_side(videos: list[UInt8]) -> UInt8:
    """RGB videos of one size and length in a row, with a grey line between two."""
    line = np.full((*videos[0].shape[:2], 4, 3), 160, np.uint8)
    return np.concatenate([part for video in videos for part in (line, video)][1:], axis=2)


def read_grey(path: Path, size: tuple[int, int] = (120, 200)) -> UInt8:
    """The frames of a video, scaled to `(n, *size)`."""
    film = cv2.VideoCapture(str(path))
    frames = []
    while True:
        there, frame = film.read()
        if not there:
            return np.stack(frames)
        frames.append(cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), size[::-1], interpolation=cv2.INTER_AREA))


def write_png(picture: UInt8, path: Path) -> None:
    """A small PNG: 16 greys are enough for an outline."""
    cv2.imwrite(str(path), np.rint(picture / 17).astype(np.uint8) * 17, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def write_gif(frames: UInt8, path: Path) -> None:
    """RGB frames as an endless GIF of few colours."""
    size = f"{frames.shape[2]}x{frames.shape[1]}"
    reading = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(FPS), "-i", "pipe:0"]
    few = "split[a][b];[a]palettegen=max_colors=24[p];[b][p]paletteuse=dither=none:diff_mode=rectangle"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *reading, "-vf", few, "-loop", "0", str(path)]
    subprocess.run(command, input=frames.tobytes(), check=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:] or ["workspace"]))
