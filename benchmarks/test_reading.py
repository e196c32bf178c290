"""Reading a clip into silhouettes and finding its cuts costs hardly more than decoding it, the least there is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from deepdance.frames import SilhouetteWriter, shrink
from deepdance_plugins import _files
from deepdance_plugins.removers.threshold import Threshold, ThresholdOptions
from deepdance_plugins.sources.ffmpeg import source as ffmpeg_source
from deepdance_plugins.sources.ffmpeg.source import FfmpegOptions, FfmpegSource

SHARED = Path(__file__).parents[2] / "shared/data"
CLIP = SHARED / "shadowdance/train_00.mp4"
FRAME, SILHOUETTE, FPS = (480, 800), (120, 200), 3
REMEMBERED = (ffmpeg_source._probe_video, ffmpeg_source._probe_picture, _files._hash)


def read(folder: Path) -> tuple[int, int]:
    """The first stage of a run: every sample of the clip, as the silhouettes that are learnt from, and its cuts.

    Nothing is known of the file before.
    """
    for remembered in REMEMBERED:
        remembered.cache_clear()
    source, remover = FfmpegSource(str(CLIP), FfmpegOptions(cuts=True)), Threshold(ThresholdOptions())
    with SilhouetteWriter(folder, SILHOUETTE) as writer:
        for frames in source.frames(FPS, FRAME):
            writer.write(shrink(remover.remove(frames), SILHOUETTE))
        writer.finish(source=CLIP.name, fps=FPS, shot_starts=source.shot_starts())
    return writer.count, len(source.shot_starts())


def decode() -> None:
    """What ffmpeg alone takes to decode the clip."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([ffmpeg, "-v", "error", "-nostdin", "-i", str(CLIP), "-f", "null", "-"], check=True)


@pytest.mark.skipif(not CLIP.is_file(), reason="needs shared/data")
def test_reading_costs_little_more_than_decoding(compare, tmp_path: Path) -> None:
    assert read(tmp_path) == (414, 11)
    decode()
    compare("reading and cuts ÷ decoding alone", lambda: read(tmp_path), decode, rounds=7)
