"""What ffmpeg's filters do to time stamps, shapes and transparency: each on pictures that ffmpeg itself makes."""

import re
import subprocess
from datetime import timedelta

import imageio_ffmpeg
import numpy as np
import pytest

from deepdance_plugins.sources.ffmpeg.command import MOST_SECONDS, SHOW, close_gaps, lay_on_white, sample_at


def run(source: str, graph: str, *output: str) -> subprocess.CompletedProcess[bytes]:
    words = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-f", "lavfi", "-i", f"{source},{graph}", *output, "-"]
    return subprocess.run(words, capture_output=True, check=True)


def stamp(times: list[float], graph: str) -> list[float]:
    """The times of frames that come at `times`, behind the filters."""
    later = "+".join(f"eq(N,{number})*{time}" for number, time in enumerate(times))
    source = f"color=size=2x2:rate=1000,trim=end_frame={len(times)},settb=1/1000,setpts='({later})/TB'"
    told = run(source, f"{graph},showinfo=checksum=0", "-fps_mode", "passthrough", "-f", "null").stderr.decode()
    return [float(time) for time in re.findall(r"pts_time:(\S+)", told)]


def shape(source: str, graph: str) -> tuple[int, int]:
    """Height and width of the frame behind the filters."""
    pam = run(source, graph, "-frames:v", "1", "-c:v", "pam", "-f", "image2pipe").stdout
    width, height = (int(number) for number in re.findall(rb"(?:WIDTH|HEIGHT) (\d+)", pam))
    return height, width


@pytest.mark.parametrize("start", [0, 7.5])
def test_the_first_frame_is_at_0_and_the_others_stay_as_far_from_it(start):
    times = [0, 0.1, 0.2, 4, 4.1]
    assert stamp([start + time for time in times], close_gaps(10)) == pytest.approx(times, abs=0.0011)


@pytest.mark.parametrize(("fps", "step"), [(10, 0.1), (25, 0.04), (None, 1 / 30)])
def test_more_than_ten_seconds_are_a_hole_and_become_one_frame(fps, step):
    assert stamp([0, 1, 11, 12], close_gaps(fps)) == pytest.approx([0, 1, 11, 12])
    closed = [0, 1, 1 + step, 2 + step, 2 + 2 * step]
    assert stamp([0, 1, 11.1, 12.1, 40], close_gaps(fps)) == pytest.approx(closed, abs=0.001)


def test_a_clock_that_is_set_back_by_more_than_half_a_second_goes_on():
    assert stamp([0, 1, 0.5, 1.1], close_gaps(10)) == pytest.approx([0, 1, 1, 1.1])  # a frame that came late
    assert stamp([0, 1, 0.4, 0.6], close_gaps(10)) == pytest.approx([0, 1, 1.1, 1.3])


def test_each_hole_is_printed_with_the_time_before_it():
    times = "if(eq(N,0),0,if(eq(N,1),2,if(eq(N,2),22,52)))"
    source = f"color=size=2x2:rate=1000,trim=end_frame=4,settb=1/1000,setpts='{times}/TB'"
    told = run(source, close_gaps(10), "-f", "null").stderr.decode()
    printed = [float(line.rpartition(" ")[2]) for line in told.splitlines() if re.search(r"(^|\] )-?\d+\.\d+$", line)]
    assert printed == pytest.approx([2, 20, 2.1, 30])


@pytest.mark.parametrize("fps", [3, 10])
def test_sample_k_is_the_first_frame_that_has_reached_k(fps):
    """Told by the brightness of each frame, which is its number."""
    times = [0, 0.05, 0.1, 0.32, 0.34, 0.9, 1.0, 1.7]
    later = "+".join(f"eq(N,{number})*{time}" for number, time in enumerate(times))
    source = f"nullsrc=size=2x2:rate=1000,trim=end_frame={len(times)},settb=1/1000,setpts='({later})/TB'"
    graph = f"geq=lum='20*N':cb=128:cr=128,{sample_at(fps, 'null')}"
    raw = run(source, graph, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray").stdout
    shown = np.frombuffer(raw, np.uint8).reshape(-1, 4)[:, 0]
    expected = [next(n for n, time in enumerate(times) if time * fps >= k - 1e-6) for k in range(int(1.7 * fps) + 1)]
    steps = np.unique(shown)
    assert [int(np.searchsorted(steps, level)) for level in shown] == list(
        np.searchsorted(np.unique(expected), expected)
    )


@pytest.mark.parametrize(
    ("aspect", "width"), [("1", 40), ("2", 80), ("1/2", 20), ("4", 160), ("1/4", 10), ("5", 40), ("1/5", 40), ("0", 40)]
)
def test_pixels_are_made_square_unless_their_shape_is_absurd(aspect, width):
    assert shape(f"color=size=40x30,setsar={aspect}", SHOW) == (30, width)


def test_a_picture_that_would_be_too_large_keeps_its_pixels():
    assert shape("color=size=16000x10000,setsar=4", SHOW) == (10000, 16000)


@pytest.mark.parametrize(("alpha", "level"), [(0, 255), (255, 100), (51, 224)])
def test_transparent_frames_are_blended_with_white(alpha, level):
    source = f"color=color=0x646464@{alpha / 255}:size=8x8,format=rgba"
    raw = run(source, f"{lay_on_white('w')}format=rgb24", "-frames:v", "1", "-f", "rawvideo").stdout
    shown = np.frombuffer(raw, np.uint8).astype(int)
    assert np.abs(shown - level).max() <= (0 if alpha in (0, 255) else 2)


def test_a_video_may_take_a_day():
    assert timedelta(seconds=MOST_SECONDS) == timedelta(days=1)
