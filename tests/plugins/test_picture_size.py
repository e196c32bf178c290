"""What a picture takes in memory, told by its header alone."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from deepdance_plugins.sources.picture_size import PictureSize, measure_picture

TALL, WIDE = 6, 11


def encode(suffix: str, channels: int = 3, dtype: type = np.uint8) -> bytes:
    done, data = cv2.imencode(suffix, np.zeros((TALL, WIDE, channels), dtype))
    assert done
    return data.tobytes()


def animate(suffix: str) -> bytes:
    file, pictures = io.BytesIO(), [Image.new("RGB", (WIDE, TALL), (level, 0, 0)) for level in (0, 200)]
    pictures[0].save(file, suffix, save_all=True, append_images=pictures[1:])
    return file.getvalue()


def write_tiff(*tags: tuple[int, int], order: str = "<", following: int = 0) -> bytes:
    """A TIFF of these tags, each one LONG, and nothing else."""
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags)
    start = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return start + struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", following)


@pytest.mark.parametrize(
    ("suffix", "channels", "dtype", "pixel_bytes"),
    [
        *((suffix, 3, np.uint8, 4) for suffix in (".png", ".jpg", ".webp", ".bmp", ".tif")),
        (".png", 1, np.uint8, 4),
        (".png", 1, np.uint16, 8),
        (".png", 4, np.uint16, 8),
        (".tif", 1, np.uint8, 4),
        (".tif", 3, np.uint16, 8),
        (".tif", 1, np.float32, 16),
        (".tif", 4, np.float32, 16),
        (".tif", 4, np.float64, 32),
    ],
)
def test_no_picture_takes_more_than_is_told(suffix, channels, dtype, pixel_bytes):
    data = encode(suffix, channels, dtype)
    told = measure_picture(data)
    assert told == PictureSize(WIDE, TALL, pixel_bytes)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.nbytes <= told.nbytes == WIDE * TALL * pixel_bytes


@pytest.mark.parametrize("suffix", ["GIF", "WEBP", "TIFF", "PNG"])
def test_that_more_pictures_follow_is_told(suffix):
    assert measure_picture(animate(suffix)).several


def test_a_photograph_with_a_preview_is_one_picture():
    assert not measure_picture(animate("MPO")).several


@pytest.mark.parametrize("order", "<>")
def test_a_tiff_in_either_order_of_bytes_is_measured(order):
    size = PictureSize(WIDE, TALL, 4, several=True)
    assert measure_picture(write_tiff((256, WIDE), (257, TALL), order=order, following=99)) == size


def test_a_tiff_whose_places_take_eight_bytes_is_measured():
    entries = b"".join(struct.pack("<HHQQ", tag, 16, 1, value) for tag, value in ((256, WIDE), (257, TALL)))
    data = b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, 2) + entries + struct.pack("<Q", 0)
    assert measure_picture(data) == PictureSize(WIDE, TALL, 4)


@pytest.mark.parametrize(
    ("bits", "samples", "pixel_bytes"), [(1, 1, 4), (8, 4, 4), (8, 5, 5), (16, 1, 8), (32, 1, 16), (64, 9, 72)]
)
def test_a_tiff_takes_all_its_samples_at_the_depth_of_the_deepest(bits, samples, pixel_bytes):
    data = write_tiff((256, WIDE), (257, TALL), (258, bits), (277, samples))
    assert measure_picture(data) == PictureSize(WIDE, TALL, pixel_bytes)


@pytest.mark.parametrize(("wide", "tall", "is_allocated"), [(1024, 1025, False), (1_049_601, 1, True)])
def test_a_tile_is_allocated_whole_and_told_where_it_is_far_larger_than_its_picture(wide, tall, is_allocated):
    """By more than four times the picture and a million pixels: the tiles at the edges are always somewhat larger."""
    told = measure_picture(write_tiff((256, 16), (257, 16), (322, wide), (323, tall)))
    assert told.pixels == (wide * tall if is_allocated else 16 * 16)


@pytest.mark.parametrize("count", [0, 1, 20, 40])
def test_a_png_that_is_cut_is_none(count):
    data = encode(".png")
    assert measure_picture(data)
    assert measure_picture(data + b"more") == measure_picture(data)
    assert measure_picture(data[:count]) is None
    assert measure_picture(data[:-1]) is None
    assert measure_picture(data[:-12]) is None  # all but its last chunk


def test_a_png_with_a_chunk_that_promises_more_than_there_is_is_none():
    data = encode(".png")
    assert measure_picture(data[:33] + struct.pack(">I", 1 << 31) + b"eXIf" + data[33:]) is None


@pytest.mark.parametrize("data", [b"", b"dance", b"II*\0", b"MM\0*\0\0\0\x08", b"\xff\xd8\xff"])
def test_what_is_no_picture_is_none(data):
    assert measure_picture(data) is None
