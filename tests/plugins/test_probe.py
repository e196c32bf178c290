"""What is known of a video before it is read: its rate, its length and its first picture, from what headers say."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from deepdance.errors import InputError
from deepdance_plugins.sources.ffmpeg.probe import (
    Video,
    _choose_decoder,
    _choose_stream,
    _explain,
    _may_be_interlaced,
    _measure_rate,
    _parse_duration,
    _parse_picture,
    _read_seconds,
    check_memory,
    refuse_long,
)


def stream(**values):
    usual = {"average_rate": None, "base_rate": None, "time_base": Fraction(1, 1000), "duration": None}
    return SimpleNamespace(**(usual | {"start_time": None, "metadata": {}} | values))


def video(fps, seconds):
    return Video(0, fps, seconds, None, False, 100)


@pytest.mark.parametrize(
    ("own", "seconds", "fps", "count"),
    [
        (10, 1.0, 10, 10),  # the last frame comes at .9 s
        (10, 1.0, 3, 3),  # samples at 0, 1/3 and 2/3
        (30, 2.0, 3, 6),
        (10, 0.1, 10, 1),
        (10, 0.0, 10, 1),
        (None, 1.0, 10, 11),
        (10, None, 10, None),
    ],
)
def test_samples_are_promised_up_to_the_last_frame(own, seconds, fps, count):
    assert video(own, seconds).count_samples(fps) == count


def test_the_rate_is_that_of_the_usual_spacing_whatever_gaps_there_are():
    stamps = [0, 40, 80, 120, 9000, 9040, 9080]
    assert _measure_rate(stream(), stamps) == pytest.approx(25)
    assert _measure_rate(stream(time_base=Fraction(1, 90000)), [90 * stamp for stamp in stamps]) == pytest.approx(25)


@pytest.mark.parametrize(
    ("average", "base", "stamps", "rate"),
    [
        (Fraction(30000, 1001), None, [0, 33, 66, 100], 30000 / 1001),  # stamps in ms are not exact
        (Fraction(10), Fraction(30000, 1001), [0, 33, 66, 100], 30000 / 1001),
        (Fraction(10), None, [0, 33, 66, 99], 1000 / 33),  # a mean rate that one late frame has spoiled
        (Fraction(24), None, [0, 40, 80], 24),  # within a twentieth
        (Fraction(2375, 100), None, [0, 40, 80], 25),  # which this is not
        (Fraction(25), None, [7], 25),
        (None, Fraction(25), [], 25),
        (None, None, [7], None),
        (Fraction(0), Fraction(1001), [], None),  # no video has such rates
        (Fraction(1000), None, [], 1000),
        (None, None, [0, 20000, 40000], 0.1),  # a picture is held for 10 s at most
    ],
)
def test_a_declared_rate_is_taken_where_the_stamps_agree(average, base, stamps, rate):
    assert _measure_rate(stream(average_rate=average, base_rate=base), stamps) == (
        rate if rate is None else pytest.approx(rate)
    )


def test_the_rate_has_a_bound():
    assert _measure_rate(stream(time_base=Fraction(1, 10_000)), [0, 1, 2]) == 1000


@pytest.mark.parametrize(
    ("metadata", "seconds"),
    [
        ({"DURATION": "00:00:08.500000000"}, 8.5),
        ({"DURATION-eng": "01:02:03.5"}, 3723.5),
        ({"language": "eng", "DURATION": "00:01:00"}, 60),
        ({"DURATION": "soon"}, None),
        ({"DURATION": "1:2"}, None),
        ({"DURATIONS": "00:01:00"}, None),
        ({}, None),
    ],
)
def test_matroskas_lengths_are_read(metadata, seconds):
    assert _parse_duration(metadata) == seconds


@pytest.mark.parametrize(
    ("values", "whole", "seconds"),
    [
        ({"duration": 8500}, 9_000_000, 8.5),
        ({"metadata": {"DURATION": "00:00:08"}, "start_time": 500}, 9_000_000, 7.5),
        ({"start_time": 500}, 9_000_000, 8.5),
        ({"start_time": -500}, 9_000_000, 9),
        ({"start_time": 9000}, 9_000_000, None),
        ({}, None, None),
        ({"start_time": 500, "time_base": None}, 9_000_000, 9),
    ],
)
def test_the_length_is_from_the_first_frame_to_the_end(values, whole, seconds):
    assert _read_seconds(SimpleNamespace(duration=whole), stream(**values)) == seconds


def write_pam(pixels, height=2, width=3):
    depth = pixels.shape[-1]
    header = f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n".encode()
    return np.frombuffer(header + pixels.astype(np.uint8).tobytes(), np.uint8)


def test_the_first_picture_is_measured_and_looked_through():
    assert _parse_picture(write_pam(np.zeros((2, 3, 3)))) == (2, 3, False, False)
    pixels = np.full((2, 3, 4), 255)
    pixels[..., :3] = 7
    assert _parse_picture(write_pam(pixels)) == (2, 3, True, False)
    for place in ((0, 0, 3), (1, 2, 3)):
        clear = pixels.copy()
        clear[place] = 254
        assert _parse_picture(write_pam(clear)) == (2, 3, True, True)
    assert _parse_picture(np.zeros(0, np.uint8)) is None


@pytest.mark.parametrize(
    ("pix_fmt", "width", "height", "may_be"),
    [
        ("yuv420p", 16, 16, True),
        ("yuv420p", 15, 100, False),
        ("yuv420p", 100, 15, False),
        ("yuyv422", 100, 100, False),
        ("gbrp", 100, 100, False),
        ("rgb24", 100, 100, False),
        (None, 100, 100, False),
    ],
)
def test_only_planes_of_luma_and_chroma_are_deinterlaced(pix_fmt, width, height, may_be):
    codec = SimpleNamespace(pix_fmt=pix_fmt)
    assert _may_be_interlaced(stream(codec_context=codec, width=width, height=height)) == may_be


def test_the_stream_that_moves_is_taken_then_the_default_then_the_largest_then_the_first():
    from av.stream import Disposition

    def of(index, frames=9, default=False, side=10):
        disposition = Disposition.default if default else Disposition(0)
        return stream(index=index, frames=frames, disposition=disposition, width=side, height=side)

    ranked = [of(3, default=True), of(1, side=20), of(0), of(2), of(4, frames=1, default=True, side=90)]
    for first in range(len(ranked)):
        stamps = {each.index: [0] for each in ranked}
        assert _choose_stream(ranked[first:][::-1], stamps) is ranked[first]
    moving = {each.index: [0] for each in ranked} | {4: [0, 1]}
    assert _choose_stream(ranked, moving) is ranked[4]


def test_no_video_is_longer_than_a_day():
    with pytest.raises(InputError, match="a video of at most 24 hours, got more"):
        refuse_long("a.mp4")


def test_ffmpegs_words_are_told_without_its_numbers():
    assert _explain(OSError(2, "No such file")) == "No such file"
    assert _explain(ValueError("no such option")) == "no such option"


def test_how_much_memory_ffmpeg_may_have_is_told_where_it_lacked_any():
    short = SimpleNamespace(memory=512 << 20, messages=["[h264] get_buffer() failed"])
    with pytest.raises(InputError, match="reads with at most 512 MB, got one that takes more"):
        check_memory("a.mp4", short)
    check_memory("a.mp4", SimpleNamespace(memory=512 << 20, messages=["broken"]))
    check_memory("a.mp4", SimpleNamespace(memory=0, messages=short.messages))


@pytest.mark.parametrize(
    ("codec", "metadata", "decoder"),
    [
        ("vp9", {"ALPHA_MODE": "1"}, "libvpx-vp9"),
        ("vp8", {"language": "eng", "alpha_mode": "1"}, "libvpx"),
        ("vp9", {"alpha_mode": "0"}, None),
        ("vp9", {"language": "1"}, None),
        ("h264", {"alpha_mode": "1"}, None),
    ],
)
def test_transparency_has_a_decoder_of_its_own(codec, metadata, decoder):
    assert _choose_decoder(stream(codec_context=SimpleNamespace(name=codec), metadata=metadata)) == decoder
