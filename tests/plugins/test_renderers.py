"""The renderers that write files: what is in them, and what is said when they cannot be written."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from deepdance.errors import RenderError
from deepdance.guards import guard
from deepdance.interfaces import UInt8
from deepdance_plugins.renderers.gif import Gif, GifOptions, compute_delay
from deepdance_plugins.renderers.mp4 import Mp4, Mp4Options
from deepdance_plugins.renderers.sheet import Sheet, SheetOptions, pick_evenly

RENDERERS = {"mp4": guard(Mp4)(Mp4Options()), "gif": guard(Gif)(GifOptions()), "png": guard(Sheet)(SheetOptions())}
each = pytest.mark.parametrize("suffix", RENDERERS)


def dance(count: int = 12, height: int = 120, width: int = 200) -> UInt8:
    """A black square that walks to the right, grey at its edge."""
    frames = np.full((count, height, width), 255, np.uint8)
    for number, frame in enumerate(frames):
        left = number * (width - 30) // max(1, count - 1)
        frame[height // 3 : height // 2, left : left + 30] = 0
        frame[height // 2, left : left + 30] = 128
    return frames


def decoded(path: Path) -> tuple[list[UInt8], list[Fraction], float, tuple[str, str]]:
    """Frames as grey, their times in seconds, frames a second, and the codec."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        shown = [frame.to_ndarray(format="rgb24")[..., 1] for frame in frames]
        times = [frame.pts * frame.time_base for frame in frames]
        return shown, times, float(stream.average_rate or 0), (stream.codec_context.name, stream.codec_context.pix_fmt)


@pytest.mark.parametrize("fps", [3, 30, 29.97, 12.5])
def test_mp4_is_h264_at_the_rate_and_four_times_the_size(tmp_path, fps):
    frames = dance()
    Mp4(Mp4Options()).render(iter(np.array_split(frames, 5)), fps, tmp_path / "a.tmp.mp4")
    shown, _, rate, codec = decoded(tmp_path / "a.tmp.mp4")
    assert codec == ("h264", "yuv420p")
    assert rate == pytest.approx(fps, rel=1e-3)
    assert [frame.shape for frame in shown] == [(480, 800)] * 12
    for frame, original in zip(shown, frames, strict=True):
        small = cv2.resize(frame, (200, 120), interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - original).mean() < 2
    data = (tmp_path / "a.tmp.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_mp4_pads_odd_sizes_with_white(tmp_path):
    Mp4(Mp4Options(scale=1, crf=1)).render([np.zeros((3, 5, 7), np.uint8)], 2.5, tmp_path / "a.mp4")
    frame = decoded(tmp_path / "a.mp4")[0][1]
    assert frame.shape == (6, 8)
    assert frame[:5, :7].max() < 16
    assert min(frame[5].min(), frame[:, 7].min()) > 235


@pytest.mark.parametrize(("fps", "hundredths"), [(3, 33), (10, 10), (25, 4), (30, 3), (60, 2), (0.5, 200)])
def test_gif_counts_in_hundredths(tmp_path, fps, hundredths):
    frames = dance(6)
    assert compute_delay(fps) == hundredths
    Gif(GifOptions(scale=1)).render([frames], fps, tmp_path / "a.gif")
    assert b"NETSCAPE2.0\x03\x01\x00\x00" in (tmp_path / "a.gif").read_bytes()
    shown, times, _, _ = decoded(tmp_path / "a.gif")
    assert [100 * seconds for seconds in times] == [k * hundredths for k in range(6)]
    assert np.abs(np.array(shown, int) - frames).max() <= 9


def test_gif_is_enlarged(tmp_path):
    Gif(GifOptions()).render([dance(3)], 10, tmp_path / "a.gif")
    assert [frame.shape for frame in decoded(tmp_path / "a.gif")[0]] == [(240, 400)] * 3


def test_sheet_shows_first_and_last_in_a_grid(tmp_path):
    frames = dance(100, 10, 40)
    Sheet(SheetOptions(columns=4, rows=2)).render(iter(np.array_split(frames, 7)), 10, tmp_path / "a.png")
    sheet = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert sheet.shape == (2 * 11 + 1, 4 * 41 + 1)
    assert np.array_equal(sheet[1:11, 1:41], frames[0])
    assert np.array_equal(sheet[12:22, 124:164], frames[-1])


def test_sheet_of_a_short_dance_is_small(tmp_path):
    Sheet(SheetOptions(columns=3, rows=9)).render([dance(4, 10, 40)], 10, tmp_path / "a.png")
    sheet = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert sheet.shape == (2 * 11 + 1, 3 * 41 + 1)
    assert (sheet[12:22, 42:82] == 255).all()


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 40, 41, 160, 1000, 12_345])
def test_frames_of_the_sheet_are_evenly_spaced(count):
    def chunks() -> Iterator[UInt8]:
        for start in range(0, count, 7):
            numbers = np.arange(start, min(count, start + 7))
            yield np.stack([numbers % 256, numbers // 256], axis=1).astype(np.uint8)[:, None]

    shown = [int(frame[0, 0]) + 256 * int(frame[0, 1]) for frame in pick_evenly(chunks(), 10)]
    assert len(shown) == min(10, count)
    assert (shown[0], shown[-1]) == (0, count - 1)
    even = np.linspace(0, count - 1, len(shown))
    assert np.abs(np.array(shown) - even).max() <= max(0.5, count / 20)


@each
@pytest.mark.parametrize("place", ["no/such/folder/a", "."])
def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path, suffix, place):
    path = tmp_path if place == "." else tmp_path / f"{place}.{suffix}"
    with pytest.raises(RenderError, match="expected to write") as error:
        RENDERERS[suffix].render([dance(3)] * 50, 10, path)
    assert "\n" not in str(error.value)
    assert not psutil.Process().children()


@each
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_is_told(suffix):
    with pytest.raises(RenderError, match="No space left"):
        RENDERERS[suffix].render([dance(40)], 10, Path("/dev/full"))


@each
def test_one_frame_and_odd_names_are_fine(tmp_path, suffix, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (f"-y {{%d}}.{suffix}", f"50%:двор'.{suffix}"):
        RENDERERS[suffix].render([dance(1)], 10, Path(name))
        assert (tmp_path / name).stat().st_size > 100


@each
def test_an_error_of_the_frames_passes_and_leaves_no_child(tmp_path, suffix):
    def chunks() -> Iterator[UInt8]:
        yield dance(3)
        raise KeyError("the decoder broke")

    with pytest.raises(KeyError, match="the decoder broke"):
        RENDERERS[suffix].render(chunks(), 10, tmp_path / f"a.{suffix}")
    assert not psutil.Process().children()
