"""The ffmpeg source: which frames it picks, how it shows them, and what it says about files that are no videos."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import psutil
import pytest
from videos import BOX, TICKS, constant, numbers, read, source, write_numbered

from deepdance.errors import InputError
from deepdance.interfaces import SourceInfo
from deepdance_plugins._ffmpeg import process as ffmpeg_process
from deepdance_plugins.sources.ffmpeg.source import FfmpegOptions, FfmpegSource

SHARED = Path(__file__).parents[2].parent / "shared/data"
ODD = SHARED / "odd"
needs_shared = pytest.mark.skipif(not ODD.is_dir(), reason="needs shared/data")


def expected_numbers(path: Path, fps: float) -> list[int]:
    """The contract, from PyAV's timestamps in exact arithmetic."""
    import av

    with av.open(str(path)) as container:
        times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    rate, picked = Fraction(str(fps)), []
    for number, seconds in enumerate(times):
        while (seconds - times[0]) * rate >= len(picked):
            picked.append(number)
    return picked


def irregular(count: int) -> list[Fraction]:
    gaps = np.random.default_rng(0).choice([300, 1500, 3000, 9000, 90_000], count)
    return [Fraction(int(tick), TICKS) for tick in np.cumsum(gaps)]


TIMINGS = {
    "30": constant(30, 100),
    "29.97": constant(Fraction(30_000, 1001), 100),
    "25": constant(25, 60),
    "1": constant(1, 8),
    "a fifth": constant(Fraction(1, 5), 4),
    "late start": constant(30, 60, Fraction(7, 3)),
    "variable": irregular(60),
    "one frame": constant(30, 1),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("timing", TIMINGS)
def test_sample_k_is_the_first_frame_that_has_reached_k(tmp_path, timing, suffix):
    path = tmp_path / f"video{suffix}"
    write_numbered(path, TIMINGS[timing])
    for fps in (3, 10, 29.97, 30, 0.5):
        assert numbers(read(path, fps)) == expected_numbers(path, fps), fps


def write_two_sizes(folder: Path, second: tuple[int, int]) -> Path:
    """A second of frames of 16×80 pixels and a second of another size."""
    first_half = write_numbered(folder / "a.ts", constant(30, 30)).read_bytes()
    second_half = write_numbered(folder / "b.ts", constant(30, 30, 1), size=second, first=30).read_bytes()
    (folder / "both.ts").write_bytes(first_half + second_half)
    return folder / "both.ts"


def test_a_size_that_changes_midway_disturbs_nothing(tmp_path):
    both = write_two_sizes(tmp_path, (48, 240))
    frames = read(both, 3)
    assert frames.shape[1:3] == (16, 80)
    assert numbers(frames) == expected_numbers(both, 3)
    assert len(frames) == 6


def test_frames_fit_the_box_and_are_never_enlarged(tmp_path):
    write_numbered(tmp_path / "video.mp4", constant(30, 2), size=(200, 600))
    assert read(tmp_path / "video.mp4", 30).shape[1:3] == (200, 600)
    assert read(tmp_path / "video.mp4", 30, (120, 200)).shape[1:3] == (67, 200)


def test_a_crop_is_all_that_is_read_even_if_the_size_changes(tmp_path):
    both = write_two_sizes(tmp_path, (8, 40))
    part = FfmpegSource(str(both), FfmpegOptions(crop="24,3,40,9"))
    assert (part.info().height, part.info().width) == (9, 40)
    whole, cropped = read(both, 3), np.concatenate(list(part.frames(3, BOX)))
    assert cropped.shape == (6, 9, 40, 3)
    assert np.abs(cropped.astype(int) - whole[:, 3:12, 24:64]).max() < 12


def test_a_crop_that_does_not_fit_is_told(tmp_path):
    write_numbered(tmp_path / "video.mp4", constant(30, 2))
    for wrong in ("24,8,40,9", "41,0,40,16", "0,0,40,0", "-1,0,40,9"):
        with pytest.raises(InputError, match=f"within its 80×16 pixels.*{wrong}"):
            FfmpegSource(str(tmp_path / "video.mp4"), FfmpegOptions(crop=wrong)).info()


def test_info_and_fingerprint(tmp_path):
    path = tmp_path / "video.mp4"
    write_numbered(path, constant(30, 60))
    assert source(path).info() == SourceInfo(16, 80, 30, pytest.approx(2, abs=0.04))
    assert source(path).fingerprint().startswith(f"{path.stat().st_size}-")


@pytest.mark.parametrize("name", ["-y.mp4", "50%.mp4", "a b'c.mp4", "двор:1.mp4", "line\nbreak.mp4", "http:x.mp4"])
def test_odd_names_are_plain_names(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_numbered(tmp_path / "plain.mp4", constant(30, 20))
    (tmp_path / "plain.mp4").rename(tmp_path / name)
    assert numbers(read(Path(name), 3)) == [0, 10]


def test_an_ffmpeg_that_lies_in_the_working_folder_is_not_run(tmp_path, monkeypatch):
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'run'}\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ".", prepend=os.pathsep)
    assert numbers(read(write_numbered(tmp_path / "video.mp4", constant(30, 20)), 3)) == [0, 10]
    assert not (tmp_path / "run").exists()


@contextmanager
def refused_in_one_line(word: str) -> Iterator[None]:
    with pytest.raises(InputError) as error:
        yield
    message = str(error.value)
    assert "\n" not in message
    assert all(part in message for part in ("expected", ";", word)), message


NOT_VIDEOS = {
    "empty.mp4": (b"", "empty file"),
    "text.mp4": (b"I am a text file. " * 200, "cannot open"),
    "zeros.mp4": (bytes(5000), "cannot open"),
    "playlist.mp4": (b"ffconcat version 1.0\nfile 'video.mp4'\n", "cannot open"),
    "list.m3u8": (b"#EXTM3U\n#EXTINF:1,\nvideo.mp4\n", "cannot open"),
    "line\nbreak.mp4": (b"text", "line\\nbreak.mp4"),
}


@pytest.mark.parametrize("name", NOT_VIDEOS)
def test_what_is_no_video_is_told_in_one_line(tmp_path, name):
    write_numbered(tmp_path / "video.mp4", constant(30, 3))
    content, word = NOT_VIDEOS[name]
    (tmp_path / name).write_bytes(content)
    with refused_in_one_line(word):
        source(tmp_path / name).info()


@pytest.mark.parametrize("location", ["nowhere.mp4", ".", "http://example.org/a.mp4", "concat:a.mp4|b.mp4", "a\0b.mp4"])
def test_what_is_no_file_is_told_in_one_line(tmp_path, monkeypatch, location):
    monkeypatch.chdir(tmp_path)
    for use in (FfmpegSource.info, FfmpegSource.fingerprint, lambda s: next(s.frames(3, BOX))):
        with refused_in_one_line("got a folder" if location == "." else "found nothing"):
            use(source(location))


def test_sound_alone_is_told(tmp_path):
    import av

    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44_100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44_100, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(InputError, match="without a video stream"):
        source(tmp_path / "sound.mp4").info()


def test_a_picture_that_would_fill_the_memory_is_refused_before_it_is_decoded(tmp_path):
    side = (15_000).to_bytes(2, "little")
    screen = b"GIF89a" + 2 * side + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    (tmp_path / "huge.gif").write_bytes(screen + b"\x2c" + bytes(4) + 2 * side + b"\0\x02\x02\x44\x01\0\x3b")
    before = psutil.Process().memory_info().rss
    with pytest.raises(InputError, match="67108864"):
        source(tmp_path / "huge.gif").info()
    assert psutil.Process().memory_info().rss - before < 200 << 20


def test_half_a_file_is_used_with_a_warning_that_counts_and_a_whole_one_without(tmp_path, caplog):
    caplog.set_level(logging.WARNING, "deepdance")
    data = write_numbered(tmp_path / "whole.mkv", constant(30, 600)).read_bytes()
    (tmp_path / "half.mkv").write_bytes(data[: len(data) // 2])
    whole = numbers(read(tmp_path / "whole.mkv", 3))
    assert whole == expected_numbers(tmp_path / "whole.mkv", 3)
    assert not caplog.records
    read_numbers = numbers(read(tmp_path / "half.mkv", 3))
    assert 10 < len(read_numbers) < 50
    assert read_numbers == whole[: len(read_numbers)]
    assert f"half.mkv: {len(read_numbers)} of about 60 frames could be read" in caplog.text


@pytest.fixture
def hanging_ffmpeg(tmp_path, monkeypatch):
    program = tmp_path / "hanging"
    program.write_text("#!/bin/sh\nexec sleep 100\n")
    program.chmod(0o755)
    monkeypatch.setattr(ffmpeg_process, "_find_executable", lambda: str(program))
    monkeypatch.setattr(ffmpeg_process, "STALL_SECONDS", 0.2)
    return program


def test_an_ffmpeg_that_hangs_is_killed(tmp_path, hanging_ffmpeg, children):
    write_numbered(tmp_path / "video.mp4", constant(30, 3))
    with pytest.raises(InputError, match="delivered none for"):
        read(tmp_path / "video.mp4", 3)
    assert not children()


def test_closing_the_generator_ends_ffmpeg(tmp_path, monkeypatch, children):
    write_numbered(tmp_path / "video.mp4", constant(30, 150), size=(240, 400))
    monkeypatch.setattr(ffmpeg_process, "CHUNK_BYTES", 1 << 20)
    chunks = source(tmp_path / "video.mp4").frames(30, BOX)
    next(chunks)
    assert children()
    chunks.close()
    assert not children()


INTERRUPTED = """
import sys
from deepdance_plugins._ffmpeg import process as ffmpeg_process
from deepdance_plugins.sources.ffmpeg.source import FfmpegOptions, FfmpegSource
ffmpeg_process._find_executable = lambda: sys.argv[2]
chunks = FfmpegSource(sys.argv[1], FfmpegOptions()).frames(3, (480, 800))
try:
    next(chunks)
except KeyboardInterrupt:
    sys.exit(7)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_python_and_ffmpeg(tmp_path, hanging_ffmpeg):
    write_numbered(tmp_path / "video.mp4", constant(30, 3))
    python = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(tmp_path / "video.mp4"), str(hanging_ffmpeg)])
    parent = psutil.Process(python.pid)
    deadline = time.monotonic() + 30
    while not (children := parent.children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    python.send_signal(signal.SIGINT)
    assert python.wait(timeout=10) == 7
    assert not any(child.is_running() for child in children)


REFUSED = {
    "moviepy/result.webm": "empty file",
    "mp4parse-rust/bipbop_nonfragment_header.mp4": "no frame",
    "mp4parse-rust/chunk_out_of_range.mp4": "cannot open",
    "mp4parse-rust/invalid_userdata.mp4": "no frame",
    "mp4parse-rust/opus_audioinit.mp4": "without a video stream",
    "mp4parse-rust/short-cenc.mp4": "encrypted",
    "mp4parse-rust/sine-3s-xhe-aac-44khz-mono.mp4": "without a video stream",
    "mp4parse-rust/test_case_1185230.mp4": "no frame",
    "mp4parse-rust/zero_empty_stsc.mp4": "no frame",
}
DAMAGED = {"decord/corrupted.mp4": 15, "mp4parse-rust/no_timescale.mp4": 19}


@needs_shared
@pytest.mark.parametrize("name", sorted(str(p.relative_to(ODD)) for p in ODD.glob("*/*")))
def test_odd_files_are_read_or_refused_in_one_line(name, caplog):
    begin = time.monotonic()
    if name in REFUSED:
        with refused_in_one_line(REFUSED[name]):
            read(ODD / name, 3)
    else:
        frames = read(ODD / name, 3)
        assert len(frames) == (DAMAGED.get(name) or len(expected_numbers(ODD / name, 3)))
        assert frames.shape[1] <= BOX[0]
        assert frames.shape[2] <= BOX[1]
    assert bool(caplog.records) == (name in DAMAGED)
    assert time.monotonic() - begin < 30


@needs_shared
@pytest.mark.parametrize(
    ("degrees", "shape"), [(0, (320, 568)), (90, (480, 270)), (180, (320, 568)), (270, (480, 270))]
)
def test_rotation_is_applied(degrees, shape):
    import av
    import cv2

    path = ODD / f"decord/video_{degrees}.mov"
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        upright = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
    shown = read(path, 3)[0]
    assert shown.shape[:2] == shape
    info, upright_info = source(path).info(), upright.shape[:2]
    assert (info.height, info.width) == upright_info
    small = cv2.resize(np.ascontiguousarray(upright), shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - shown).mean() < 3


@needs_shared
def test_sample_aspect_ratio_is_applied():
    path = ODD / "mp4parse-rust/h264_white_frame_sar_16_9.mp4"
    info = source(path).info()
    assert (info.height, info.width) == (480, 1138)
    assert read(path, 3).shape == (1, 337, 800, 3)


@needs_shared
def test_a_shadowdance_video_gives_every_tenth_frame():
    import av

    path = SHARED / "shadowdance/train_00.mp4"
    chunks = source(path).frames(3, BOX)
    first = next(chunks)
    assert first.shape[1:] == (480, 800, 3)
    assert first.nbytes <= 16 << 20
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 10 == 0:
                assert np.abs(first[number // 10].astype(int) - frame.to_ndarray(format="rgb24")).mean() < 2
            if number == 50:
                break
    assert len(first) + sum(len(chunk) for chunk in chunks) == 414


def test_a_file_is_probed_once_until_it_changes(tmp_path, monkeypatch):
    starts = []
    start = ffmpeg_process.FfmpegProcess.__init__
    monkeypatch.setattr(
        ffmpeg_process.FfmpegProcess, "__init__", lambda self, *a, **k: starts.append(a) or start(self, *a, **k)
    )
    path = write_numbered(tmp_path / "video.mp4", constant(30, 30))
    first, again = [(each.info(), each.fingerprint()) for each in (source(path), source(path))]
    assert first == again
    assert len(starts) == 1
    write_numbered(path, constant(15, 30), size=(32, 80))
    changed = source(path)
    assert (changed.info().height, changed.info().seconds) == (32, pytest.approx(2, abs=0.1))
    assert changed.fingerprint() != first[1]
