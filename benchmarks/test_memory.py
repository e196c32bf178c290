"""Reading an 80-minute video takes no more memory than reading a short one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import pytest

SHARED = Path(__file__).parents[2] / "shared/data"
CLIP = SHARED / "shadowdance/train_00.mp4"
CLIP_SAMPLES, REPEATS = 414, 35
MOST_MB = 400

READ = """
import json, re, resource, sys
from pathlib import Path
from deepdance.frames import SilhouetteWriter, shrink
from deepdance_plugins.removers.threshold import Threshold, ThresholdOptions
from deepdance_plugins.sources.ffmpeg.source import FfmpegOptions, FfmpegSource

remover = Threshold(ThresholdOptions())
with SilhouetteWriter(Path(sys.argv[2]), (120, 200)) as writer:
    for frames in FfmpegSource(sys.argv[1], FfmpegOptions()).frames(3, (480, 800)):
        writer.write(shrink(remover.remove(frames), (120, 200)))
    writer.finish(source="long", fps=3)
# ru_maxrss of this process would begin at what the process that started it had.
python = int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
ffmpeg = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"frames": writer.count, "python": python >> 10, "ffmpeg": ffmpeg >> 10}))
"""


@pytest.mark.timeout(1200)
@pytest.mark.skipif(
    not CLIP.is_file() or sys.platform != "linux", reason="needs shared/data, and Linux's units of memory"
)
def test_memory_is_bounded_however_long_the_video(tmp_path: Path) -> None:
    long = tmp_path / "long.mp4"
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    repeat = ["-stream_loop", str(REPEATS - 1), "-i", str(CLIP), "-c", "copy", str(long)]
    subprocess.run([ffmpeg, "-v", "error", "-nostdin", *repeat], check=True)
    done = subprocess.run([sys.executable, "-c", READ, str(long), str(tmp_path)], check=True, stdout=subprocess.PIPE)
    result = json.loads(done.stdout)
    print(f"\n{result['frames']} frames; peak RSS: Python {result['python']} MB, ffmpeg {result['ffmpeg']} MB")
    assert abs(result["frames"] - REPEATS * CLIP_SAMPLES) <= 1
    assert result["python"] <= MOST_MB
