"""What videos really hold: crop boxes, gaps, thumbnails, transparency, fields, and files of every kind."""

import itertools
import logging
import struct
import subprocess
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from videos import BOX, constant, numbers, read, source, write_numbered

from deepdance.errors import InputError
from deepdance_plugins.sources.ffmpeg import source as ffmpeg_source
from deepdance_plugins.sources.ffmpeg.formats import FORMATS, SUFFIXES
from deepdance_plugins.sources.ffmpeg.source import FfmpegOptions, FfmpegSource

SHARED = Path(__file__).parents[2].parent / "shared/data"
INPUTS = SHARED / "inputs"
needs_inputs = pytest.mark.skipif(not INPUTS.is_dir(), reason="needs shared/data/inputs")


@pytest.fixture(autouse=True)
def _warnings(caplog):
    caplog.set_level(logging.WARNING, "deepdance")


def ffmpeg(*arguments: str | Path, content: bytes = b"") -> None:
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, input=content, check=True)


def write_frames(path: Path, frames: np.ndarray, *writing: str, fps: int = 30, reading: Sequence[str] = ()) -> Path:
    """RGB or RGBA frames `(n, h, w, c)` in the way that ffmpeg is told to."""
    _, height, width, channels = frames.shape
    raw = ["-f", "rawvideo", "-pix_fmt", "rgba" if channels == 4 else "rgb24", "-s", f"{width}x{height}"]
    ffmpeg(*raw, "-r", str(fps), *reading, "-i", "pipe:0", *writing, f"file:{path}", content=frames.tobytes())
    return path


def four_colours(height: int, width: int, count: int = 3) -> np.ndarray:
    """Every corner is of another grey."""
    picture = np.full((height, width), 20, np.uint8)
    picture[: height // 2, width // 2 :] = 90
    picture[height // 2 :, : width // 2] = 160
    picture[height // 2 :, width // 2 :] = 230
    return np.broadcast_to(picture[None, :, :, None], (count, height, width, 3))


LOSSLESS = ("-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv444p")


def assert_shows(path: Path, expected: np.ndarray) -> None:
    """The file is told to have the size of a picture, gives it, and samples it."""
    info = source(path).info()
    assert (info.height, info.width) == expected.shape[:2]
    for shown in (read(path, 30)[0], source(path).sample(1, BOX)[0]):
        assert shown.shape == expected.shape
        assert np.abs(shown.astype(int) - expected).mean() < 4


TURNS = {"rotation 90": (1, None), "rotation 180": (2, None), "hflip": (0, 1), "vflip": (0, 0)}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("aspect", ["1", "2"])
def test_turns_flips_and_wide_pixels_are_shown_as_by_a_player(tmp_path, turn, aspect):
    plain = write_frames(tmp_path / "plain.mp4", four_colours(120, 200), *LOSSLESS, "-vf", f"setsar={aspect}")
    ffmpeg(*f"-display_{turn}".split(), "-i", plain, "-c", "copy", tmp_path / "turned.mp4")
    quarters, axis = TURNS[turn]
    expected = np.rot90(read(plain, 30)[0], quarters)
    expected = expected if axis is None else np.flip(expected, axis)
    shape = source(tmp_path / "turned.mp4").info()
    assert shape.width / shape.height == pytest.approx(expected.shape[1] / expected.shape[0])
    smaller = read(tmp_path / "turned.mp4", 30, (50, 50))[0]
    assert smaller.shape == read(plain, 30, (50, 50))[0].swapaxes(0, quarters % 2).shape
    middle = [[smaller[y * 3 // 4 :][0, x * 3 // 4, 0] for x in (9, smaller.shape[1])] for y in (9, smaller.shape[0])]
    assert np.argmax(middle) == np.argmax(expected[:: expected.shape[0] - 1, :: expected.shape[1] - 1, 0])


def add_clap(data: bytes, width: int, height: int) -> bytes:
    """An MP4 whose `moov` is last, with a box that shows only the middle of its pictures."""
    box = struct.pack(">I4s8I", 40, b"clap", width, 1, height, 1, 0, 1, 0, 1)
    out, start, stop = bytearray(data), 0, len(data)
    for name, header in (("moov", 8), ("trak", 8), ("mdia", 8), ("minf", 8), ("stbl", 8), ("stsd", 16), ("avc1", 86)):
        while out[start + 4 : start + 8] != name.encode():
            start += struct.unpack_from(">I", out, start)[0]
        size = struct.unpack_from(">I", out, start)[0]
        struct.pack_into(">I", out, start, size + len(box))
        start, stop = start + header, start + size
    out[stop:stop] = box
    return bytes(out)


def test_only_what_a_crop_box_shows_is_read(tmp_path):
    picture = four_colours(400, 400)
    whole = write_frames(tmp_path / "whole.mp4", picture, *LOSSLESS)
    (tmp_path / "clap.mp4").write_bytes(add_clap(whole.read_bytes(), 400, 240))
    ffmpeg("-i", tmp_path / "clap.mp4", "-c", "copy", tmp_path / "clap.mkv")
    crop = "h264_metadata=crop_top=80:crop_bottom=80"
    ffmpeg("-i", whole, "-c", "copy", "-bsf:v", crop, tmp_path / "sps.mp4")
    for name in ("clap.mp4", "clap.mkv", "sps.mp4"):
        assert_shows(tmp_path / name, picture[0, 80:320])


def test_pixels_of_an_absurd_shape_are_square(tmp_path):
    write_frames(tmp_path / "wide.mp4", four_colours(120, 200), *LOSSLESS, "-vf", "setsar=600")
    assert_shows(tmp_path / "wide.mp4", four_colours(120, 200)[0])


@pytest.mark.parametrize("side", [2, 4, 6, 8, 14, 16])
def test_the_smallest_pictures_are_read(tmp_path, side):
    path = write_frames(tmp_path / "small.mp4", four_colours(side, side), "-c:v", "libx264", "-pix_fmt", "yuv420p")
    assert read(path, 30).shape == (3, side, side, 3)


def hole(length: float) -> list[Fraction]:
    """Two seconds, nothing for a time, two seconds."""
    return constant(30, 60) + constant(30, 60, 2 + Fraction(length))


def without_cuts(path: Path) -> FfmpegSource:
    return FfmpegSource(str(path), FfmpegOptions(cuts=False))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mov"])
def test_a_hole_is_told_and_not_filled(tmp_path, caplog, suffix):
    path = write_numbered(tmp_path / f"hole{suffix}", hole(1800))
    holed = without_cuts(path)
    assert holed.info().fps == pytest.approx(30)
    assert numbers(np.concatenate(list(holed.frames(10, BOX)))) == list(range(0, 120, 3))
    assert holed.shot_starts() == [20]
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: its clock jumps by +1800 s after 2.0 s; that time is left out, and no move is learnt across it"
    ]
    assert len(source(path).sample(12, BOX)) == 12


def test_shots_start_after_holes_and_at_cuts(tmp_path):
    times = [seconds + 20 * (number // 40) for number, seconds in enumerate(constant(30, 120))]
    path = write_numbered(tmp_path / "holes.mp4", times)
    holed = without_cuts(path)
    assert len(np.concatenate(list(holed.frames(10, BOX)))) == 40
    assert holed.shot_starts() == [14, 27]
    with_cuts = source(path)
    assert sum(map(len, with_cuts.frames(10, BOX))) == 40
    assert {14, 27} < set(with_cuts.shot_starts())  # numbers are no dancer, and look cut


def test_a_frame_that_comes_hours_late_costs_nothing(tmp_path, caplog):
    path = write_numbered(tmp_path / "late.mkv", [*constant(30, 239), Fraction(36_000)])
    begin = time.monotonic()
    assert numbers(read(path, 10)) == list(range(0, 240, 3))
    assert time.monotonic() - begin < 20
    assert "jumps by +35992 s" in caplog.text
    assert "cut short" not in caplog.text


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_still_moment_of_seconds_is_held(tmp_path, caplog, suffix):
    still = write_numbered(tmp_path / f"still{suffix}", hole(8))
    assert numbers(read(still, 10)) == [*range(0, 60, 3), *[60] * 80, *range(60, 120, 3)]
    screen = write_numbered(tmp_path / f"screen{suffix}", constant(Fraction(3, 2), 12))
    assert source(screen).info().fps == pytest.approx(1.5, rel=0.01)
    assert len(read(screen, 10)) == 74
    assert not caplog.records


def test_frames_that_are_shown_for_hours_cost_neither_memory_nor_time(tmp_path, caplog):
    path = write_numbered(tmp_path / "huge.mkv", [Fraction(20_000 * k) for k in range(60)])
    assert path.stat().st_size < 20_000
    begin = time.monotonic()
    assert source(path).info().fps == pytest.approx(0.1)
    frames = read(path, 10)
    assert len(frames) == 1 + 59 * 100
    assert time.monotonic() - begin < 30
    assert "jumps 59 times" in caplog.text


def test_a_clock_that_starts_anew_is_followed(tmp_path, caplog):
    halves = [write_numbered(tmp_path / f"{n}.ts", constant(30, 60), first=60 * n).read_bytes() for n in range(2)]
    (tmp_path / "both.ts").write_bytes(b"".join(halves))
    both = without_cuts(tmp_path / "both.ts")
    assert numbers(np.concatenate(list(both.frames(10, BOX)))) == list(range(0, 120, 3))
    assert both.shot_starts() == [20]
    assert "jumps by -2 s after 2.0 s" in caplog.text


STAMPS = {
    "negative": "PTS-8/TB",
    "a frame of the future": "PTS+if(eq(N,60),5e6/TB,0)",
    "the first of the future": "PTS+if(N,0,5e4/TB)",
    "a little early": "PTS-if(mod(N,7),0,3/30/TB)",
}


@pytest.mark.parametrize("stamps", STAMPS)
def test_whatever_stamps_say_there_is_a_sample_for_each_tenth_of_a_second(tmp_path, stamps):
    frames = four_colours(24, 40, 120)
    write_frames(tmp_path / "plain.mkv", frames, "-c:v", "mpeg4")
    expression = STAMPS[stamps].replace(",", r"\,").replace("/TB", "*1000")
    shifted = f"setts=pts={expression}:dts=DTS-20000"
    ffmpeg("-i", tmp_path / "plain.mkv", "-c", "copy", "-bsf:v", shifted, tmp_path / "stamps.mkv")
    assert 39 <= len(read(tmp_path / "stamps.mkv", 10)) <= 42


def add_thumbnail(video: Path, path: Path, thumbnail_first: bool, *flags: str) -> Path:
    """A picture of another size in a stream of its own."""
    picture = write_frames(path.with_name("picture.mkv"), four_colours(90, 160, 1), "-c:v", "mjpeg")
    maps = ["-map", "1", "-map", "0"] if thumbnail_first else ["-map", "0", "-map", "1"]
    ffmpeg("-i", video, "-i", picture, *maps, "-c", "copy", *flags, path)
    return path


FLAGS = {
    "the video is the default": ("-disposition:v:0", "0", "-disposition:v:1", "default"),
    "nothing is": ("-disposition:v:0", "0", "-disposition:v:1", "0"),
    "the thumbnail is": ("-disposition:v:0", "default", "-disposition:v:1", "0"),
    "it is attached": ("-disposition:v:0", "attached_pic"),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("flags", FLAGS)
def test_a_thumbnail_is_not_the_video(tmp_path, flags, suffix):
    video = write_numbered(tmp_path / "video.mp4", constant(30, 60))
    path = add_thumbnail(video, tmp_path / f"thumb{suffix}", True, *FLAGS[flags])
    assert numbers(read(path, 10)) == list(range(0, 60, 3))
    assert len(source(path).sample(5, BOX)) == 5


@pytest.mark.parametrize(("default", "expected"), [(0, (16, 80)), (1, (32, 160)), (None, (32, 160))])
def test_of_two_videos_the_default_is_read_or_else_the_larger(tmp_path, default, expected):
    small = write_numbered(tmp_path / "small.mp4", constant(30, 30))
    large = write_numbered(tmp_path / "large.mp4", constant(30, 30), size=(32, 160))
    flags = [word for n in range(2) for word in (f"-disposition:v:{n}", "default" if n == default else "0")]
    ffmpeg("-i", small, "-i", large, "-map", "0", "-map", "1", "-c", "copy", *flags, tmp_path / "two.mkv")
    info = source(tmp_path / "two.mkv").info()
    assert (info.height, info.width) == expected


@pytest.mark.parametrize(
    ("suffix", "offset"), [*itertools.product([".mp4", ".mkv", ".ts", ".mov"], ["0", "3"]), (".avi", "0")]
)
def test_sound_that_goes_on_for_longer_is_no_damage(tmp_path, caplog, suffix, offset):
    video = write_numbered(tmp_path / "video.mp4", constant(30, 60))
    sound = ["-f", "lavfi", "-i", "sine=d=9"]
    path = tmp_path / f"long{suffix}"
    ffmpeg("-itsoffset", offset, "-i", video, *sound, "-map", "0", "-map", "1", "-c:v", "mpeg4", "-q:v", "2", path)
    assert (
        len(read(path, 10)) in (20, 21) or suffix == ".avi"
    )  # AVI has no stamps: what comes late is held from the start
    assert source(path).info().seconds == pytest.approx(2, abs=0.1) or suffix == ".avi"
    assert not caplog.records


def test_a_length_that_only_the_container_tells_is_no_promise(tmp_path, caplog):
    video = write_numbered(tmp_path / "video.mkv", constant(30, 60))
    sound = ["-f", "lavfi", "-i", "sine=d=9", "-map", "0", "-map", "1", "-c:v", "copy"]
    ffmpeg("-i", video, *sound, tmp_path / "long.mkv")
    data = (tmp_path / "long.mkv").read_bytes()
    (tmp_path / "tagless.mkv").write_bytes(data.replace(b"DURATION", b"XURATION"))
    assert len(read(tmp_path / "tagless.mkv", 10)) == 20
    assert not caplog.records


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
def test_what_is_cut_short_is_told(tmp_path, caplog, suffix):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (60, 48, 80, 3), np.uint8)
    codec = ("-c:v", "libvpx", "-g", "10") if suffix == ".webm" else ("-c:v", "libx264", "-movflags", "+faststart")
    whole = write_frames(tmp_path / f"whole{suffix}", frames, *codec).read_bytes()
    (tmp_path / f"half{suffix}").write_bytes(whole[: len(whole) // 2])
    assert len(read(tmp_path / f"half{suffix}", 10)) < 15
    assert "of about 20 frames could be read; the file is damaged or cut short" in caplog.text


def figure(count: int = 6) -> np.ndarray:
    """RGBA: a dark figure, a half transparent one, and black of no opacity."""
    frames = np.zeros((count, 48, 80, 4), np.uint8)
    frames[:, 8:40, 16:32] = (30, 30, 30, 255)
    frames[:, 8:40, 48:64] = (30, 30, 30, 128)
    return frames


ALPHA = {
    "qtrle.mov": ("-c:v", "qtrle", "-pix_fmt", "argb"),
    "png.mov": ("-c:v", "png"),
    "prores.mov": ("-c:v", "prores_ks", "-pix_fmt", "yuva444p10le", "-qscale:v", "1"),
    "hap.mov": ("-c:v", "hap", "-format", "hap_alpha"),
    "moving.apng": (),
    "ffv1.mkv": ("-c:v", "ffv1", "-pix_fmt", "bgra"),
    "planes.mkv": ("-c:v", "ffv1", "-pix_fmt", "yuva420p"),
    "deep.mkv": ("-c:v", "ffv1", "-pix_fmt", "gbrap16le"),
    "vp8.webm": ("-c:v", "libvpx", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0", "-crf", "4", "-b:v", "2M"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-lossless", "1"),
    "vp9.mkv": ("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-lossless", "1"),
    "utvideo.avi": ("-c:v", "utvideo", "-pix_fmt", "gbrap"),
}


@pytest.mark.parametrize("name", ALPHA)
def test_what_is_transparent_is_white(tmp_path, caplog, name):
    path = write_frames(tmp_path / name, figure(), *ALPHA[name])
    assert source(path).info().alpha
    for frames in (read(path, 30), source(path).sample(3, BOX)):
        assert (frames[:, :4] == 255).all()
        assert (frames[:, :, 36:44] == 255).all()
        assert np.abs(frames[:, 12:36, 20:28].astype(int) - 30).max() <= 3
        assert np.abs(frames[:, 12:36, 52:60].astype(int) - 142).max() <= 6
    small = read(path, 30, (24, 40))
    assert small.min() >= 27  # no black from under the transparency comes in
    assert not caplog.records


def test_a_gif_is_laid_on_white(tmp_path):
    opaque_or_not = figure()
    opaque_or_not[..., 3] = np.where(opaque_or_not[..., 3] < 200, 0, 255)
    palettes = "split[a][b];[a]palettegen[p];[b][p]paletteuse"
    path = write_frames(tmp_path / "figure.gif", opaque_or_not, "-filter_complex", palettes, fps=10)
    frames = read(path, 10)
    assert source(path).info().alpha
    assert (frames[:, :, 36:] == 255).all()
    assert (frames[:, 12:36, 20:28] < 40).all()


def test_what_is_opaque_stays_as_it_is(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (5, 48, 80, 3), np.uint8)
    for form in ("bgr0", "bgra", "gbrp", "gbrap"):
        path = write_frames(tmp_path / f"{form}.mkv", frames, "-c:v", "ffv1", "-pix_fmt", form, fps=25)
        assert not source(path).info().alpha
        np.testing.assert_array_equal(read(path, 25), frames)


def moving_bar(count: int = 40) -> np.ndarray:
    frames = np.full((count, 120, 200, 3), 255, np.uint8)
    for number, frame in enumerate(frames):
        frame[:, 4 * number : 4 * number + 24] = 0
    return frames


INTERLACED = {
    "mpeg2.mpg": ("-c:v", "mpeg2video", "-q:v", "2"),
    "mbaff.mts": ("-c:v", "libx264", "-crf", "8", "-x264opts", "tff=1", "-f", "mpegts"),
    "mbaff.mp4": ("-c:v", "libx264", "-crf", "8", "-x264opts", "tff=1"),
    "prores.mov": ("-c:v", "prores_ks", "-qscale:v", "2"),
    "lossless.mkv": ("-c:v", "ffv1"),
}


def comb(frames: np.ndarray) -> float:
    """How much more neighbouring rows differ than rows of one field, in grey levels."""
    rows = frames[..., 1].astype(float)
    one, two = (np.abs(rows[:, step:] - rows[:, :-step]).mean() for step in (1, 2))
    return float(one - two)


@pytest.mark.parametrize("name", INTERLACED)
def test_fields_are_made_frames(tmp_path, caplog, name):
    pixels = "yuv422p" if name == "prores.mov" else "yuv420p"
    fields = ("-vf", f"tinterlace=interleave_top,setfield=tff,format={pixels}", "-flags", "+ildct+ilme")
    path = write_frames(tmp_path / name, moving_bar(), *fields, *INTERLACED[name])
    woven = moving_bar()[::2].copy()
    woven[:, 1::2] = moving_bar()[1::2, 1::2]
    frames = read(path, 15)
    assert len(frames) == 20
    assert comb(woven) > 8
    assert comb(frames[1:-1]) < 0.2 * comb(woven)
    assert comb(source(path).sample(5, BOX)) < 0.3 * comb(woven)
    assert not caplog.records


def test_what_is_progressive_is_bit_for_bit_what_ffmpeg_decodes(tmp_path):
    path = write_frames(tmp_path / "plain.mp4", moving_bar(), "-c:v", "libx264", "-pix_fmt", "yuv420p")
    ffmpeg("-i", path, "-vf", "scale=200:120:flags=area,format=rgb24", "-f", "rawvideo", tmp_path / "raw")
    decoded = np.fromfile(tmp_path / "raw", np.uint8).reshape(40, 120, 200, 3)
    np.testing.assert_array_equal(read(path, 30), decoded)


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le"])
def test_colours_that_are_scaled_are_those_of_exact_arithmetic(tmp_path, pixels):
    blocks = np.random.default_rng(0).integers(0, 256, (6, 18, 32, 3), np.uint8)
    path = write_frames(
        tmp_path / "colours.mp4", np.kron(blocks, np.ones((1, 20, 20, 1), np.uint8)), "-pix_fmt", pixels
    )
    exact = "scale=160:90:flags=area+accurate_rnd+full_chroma_int+full_chroma_inp,format=gbrp16le"
    ffmpeg("-i", path, "-vf", exact, "-f", "rawvideo", tmp_path / "raw")
    planes = np.fromfile(tmp_path / "raw", "<u2").reshape(6, 3, 90, 160) / 257
    assert np.abs(read(path, 30, (90, 160)) - planes[:, [2, 0, 1]].transpose(0, 2, 3, 1)).mean() < 0.6


KINDS: dict[str, Sequence[str]] = {
    **dict.fromkeys(["a.m2v", "a.m1v", "a.mpg", "a.vob", "a.mjpeg", "a.avi", "a.mov", "a.mkv", "a.webm", "a.ogv"], ()),
    **dict.fromkeys(["a.wmv", "a.flv", "a.nut", "a.wtv", "a.apng", "a.gif"], ()),
    **dict.fromkeys(["a.h264", "a.mts", "a.m2ts", "a.f4v", "a.ts", "a.m4v", "a.qt"], ("-c:v", "libx264")),
    **dict.fromkeys(["a.mxf", "a.gxf", "a.m2t"], ("-c:v", "mpeg2video")),
    **dict.fromkeys(["a.3gp", "a.3g2"], ("-c:v", "h263")),
    "a.y4m": ("-pix_fmt", "yuv420p"),
    "a.dv": ("-pix_fmt", "yuv420p"),
    "a.rm": ("-c:v", "rv20"),
    "a.h265": ("-c:v", "libx265", "-x265-params", "log-level=error"),
    "a.ivf": ("-c:v", "libvpx", "-deadline", "realtime"),
}
MUXERS = {".qt": "mov", ".m2t": "mpegts", ".f4v": "mp4"}


@pytest.mark.parametrize("name", KINDS)
def test_files_of_every_kind_are_read(tmp_path, name):
    path = tmp_path / name
    assert path.suffix in SUFFIXES
    size = (288, 352) if path.suffix in (".rm", ".3gp", ".3g2") else (576, 720)
    muxer = ("-f", MUXERS[path.suffix]) if path.suffix in MUXERS else ()
    write_frames(path, four_colours(*size, 25), *KINDS[name], *muxer, fps=25)
    frames = read(path, 5)
    assert 4 <= len(frames) <= 6
    rows, columns = (frames.shape[1] // 4, 3 * frames.shape[1] // 4), (frames.shape[2] // 4, 3 * frames.shape[2] // 4)
    shown = [int(frames[-1, y, x, 1]) for y, x in itertools.product(rows, columns)]
    assert np.abs(np.subtract(shown, [20, 90, 160, 230])).max() < 12


def test_the_endings_are_each_of_one_format():
    assert len(set(SUFFIXES)) == len(SUFFIXES)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)


OPENS_OTHERS = {"concat", "hls", "dash", "imf", "image2", "sdp", "rtsp", "rtp", "lavfi", "avisynth", "vapoursynth"}


def test_no_format_is_read_that_opens_other_files():
    assert not OPENS_OTHERS & set(FORMATS)


SCRIPTS = {
    "concat": "ffconcat version 1.0\nfile 'video.mp4'\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nvideo.mp4\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
    'bandwidth="1"><BaseURL>video.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>\n',
    "avisynth": 'FFVideoSource("video.mp4")\n',
    "vapoursynth": 'import vapoursynth as vs\nvs.core.ffms2.Source("video.mp4").set_output()\n',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "smil": '<smil><body><video src="video.mp4"/></body></smil>\n',
    "asx": '<asx version="3.0"><entry><ref href="video.mp4"/></entry></asx>\n',
    "reference": "[Reference]\nRef1=video.mp4\n",
    "real": "rtsp://127.0.0.1/video.mp4\nvideo.mp4\n",
    "imf": '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"/>\n',
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".rm", ".asf", ".avs", ".m3u8", ".mpd", ".sdp", ".vpy", ".mxf"])
def test_a_script_opens_no_neighbour_whatever_it_is_called(tmp_path, script, suffix):
    write_numbered(tmp_path / "video.mp4", constant(30, 3))
    (tmp_path / f"script{suffix}").write_text(SCRIPTS[script])
    with pytest.raises(InputError, match="cannot open"):
        source(tmp_path / f"script{suffix}").info()


@pytest.mark.parametrize("jumps", [True, False])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_a_look_is_spread_over_the_whole(tmp_path, monkeypatch, jumps, suffix):
    monkeypatch.setattr(ffmpeg_source, "QUICK_PIXELS", 0 if jumps else 1e12)
    plain = write_numbered(tmp_path / "plain.mkv", constant(30, 900))
    ffmpeg("-i", plain, "-c:v", "mpeg4", "-q:v", "1", "-g", "15", tmp_path / f"look{suffix}")
    looked = numbers(source(tmp_path / f"look{suffix}").sample(12, BOX))
    assert 7 <= len(looked) <= 12
    assert looked == sorted(looked)
    assert np.diff([0, *looked, 900]).max() <= 180


def test_a_file_that_cannot_be_jumped_in_is_read_through(tmp_path, monkeypatch):
    monkeypatch.setattr(ffmpeg_source, "QUICK_PIXELS", 0)
    one_keyframe = write_numbered(tmp_path / "one.mp4", constant(30, 200))
    looked = numbers(source(one_keyframe).sample(10, BOX))
    assert len(looked) == 10
    assert np.diff([0, *looked, 200]).max() <= 50


def test_a_look_is_cropped_and_never_enlarged(tmp_path):
    path = write_frames(tmp_path / "video.mp4", four_colours(120, 200, 30), *LOSSLESS)
    part = FfmpegSource(str(path), FfmpegOptions(crop="100,60,100,60"))
    assert part.sample(4, BOX).shape == (4, 60, 100, 3)
    assert np.abs(part.sample(4, (30, 50)).astype(int) - 230).max() < 4


def test_what_has_no_frames_cannot_be_looked_at(tmp_path):
    (tmp_path / "text.mp4").write_text("words " * 100)
    with pytest.raises(InputError, match="expected a video"):
        source(tmp_path / "text.mp4").sample(5, BOX)


RIGHT = {
    "clap.mp4": 80,
    "gap30min.mp4": 80,
    "lateframe.mkv": 80,
    "longaudio.mkv": 80,
    "off3.mkv": 80,
    "thumbfirst.mp4": 80,
    "half.mkv": 41,
    "alpha_prores.mov": 10,
    "alpha_vp9.webm": 30,
    "interlaced.mpg": 20,
    "tape.dv": 1,
}
TOLD = {"gap30min.mp4": "jumps by +1796 s", "lateframe.mkv": "jumps by +35992 s", "half.mkv": "41 of about 80"}


@needs_inputs
@pytest.mark.parametrize("name", RIGHT)
def test_inputs_that_once_went_wrong(name, caplog):
    opened = source(INPUTS / name)
    frames = np.concatenate(list(opened.frames(10, (240, 400))))
    assert len(frames) == RIGHT[name]
    assert [TOLD[name] in r.getMessage() for r in caplog.records] == [True] * (name in TOLD)
    assert opened.info().alpha == name.startswith("alpha")
    assert (frames[:, 0, 0] >= 250).all()
    assert 0.01 < (frames.max(axis=-1) < 60).mean() < 0.2
    assert frames.shape[2] / frames.shape[1] == pytest.approx(4 / 3 if name == "tape.dv" else 5 / 3)
    if name.startswith("gap"):
        assert opened.shot_starts() == [40]
