"""Reading a clip into silhouettes and finding its cuts costs hardly more than decoding it, the least there is."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest

from deepdance.frames import SilhouetteWriter, shrink
from deepdance_plugins.removers.threshold import Threshold, ThresholdOptions
from deepdance_plugins.sources.ffmpeg import source as ffmpeg_source
from deepdance_plugins.sources.ffmpeg.source import FfmpegOptions, FfmpegSource

SHARED = Path(__file__).parents[2] / "shared/data"
CLIP = SHARED / "shadowdance/train_00.mp4"
FRAME, SILHOUETTE, FPS = (480, 800), (120, 200), 3
REMEMBERED = (ffmpeg_source._probe_video, ffmpeg_source._probe_picture, ffmpeg_source._hash)
ROUNDS = 7
MOST = 1.15


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


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall time, and CPU time of this process and the children it has reaped, which a busy machine disturbs less."""
    wall, before = time.perf_counter(), os.times()
    work()
    return time.perf_counter() - wall, sum(os.times()[:4]) - sum(before[:4])


@pytest.mark.skipif(not CLIP.is_file(), reason="needs shared/data")
def test_reading_costs_little_more_than_decoding(tmp_path: Path) -> None:
    assert read(tmp_path) == (414, 11)
    decode()
    rounds = [(*seconds(lambda: read(tmp_path)), *seconds(decode)) for _ in range(ROUNDS)]
    ours, our_cpu, bare, bare_cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(row[0] / row[2] for row in rounds)
    print(f"\nread {ours:.2f} s (CPU {our_cpu:.2f} s), decode {bare:.2f} s (CPU {bare_cpu:.2f} s)")
    print(f"median ratio {ratio:.3f} of", " ".join(f"{row[0] / row[2]:.3f}" for row in rounds))
    print(f"median CPU ratio {statistics.median(row[1] / row[3] for row in rounds):.3f}")
    assert ratio <= MOST
