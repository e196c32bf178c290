"""The way up of a picture: read from the bytes of PNG and WebP files, and what each way does."""

import struct

import numpy as np
import pytest

from deepdance_plugins.sources.exif import find_orientation, turn_upright

PICTURE = np.arange(24).reshape(2, 4, 3)
UPRIGHT = {
    1: PICTURE,
    2: np.fliplr(PICTURE),
    3: np.rot90(PICTURE, 2),
    4: np.flipud(PICTURE),
    5: PICTURE.transpose(1, 0, 2),
    6: np.rot90(PICTURE, -1),
    7: np.rot90(PICTURE, 2).transpose(1, 0, 2),
    8: np.rot90(PICTURE),
}
"""As EXIF has it: 6 is a camera that was turned to the left, so its picture is turned to the right."""


def write_exif(orientation: int, order: str = "<", before: int = 0) -> bytes:
    """A TIFF file of tags, the orientation after `before` others, its directory not right behind the header."""
    tags = [(271 + number, 3, 1, 7) for number in range(before)] + [(274, 3, 1, orientation)]
    entries = b"".join(struct.pack(f"{order}HHIHxx", *tag) for tag in tags)
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(f"{order}HI", 42, 10) + b"??" + struct.pack(f"{order}H", len(tags)) + entries


def write_png(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + b"\6crc" for name, content in chunks
    )


def write_webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2) for name, content in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_each_way_up_is_turned_upright(orientation):
    turned = turn_upright(PICTURE, orientation)
    assert np.array_equal(turned, UPRIGHT[orientation])
    assert turned.flags.c_contiguous


@pytest.mark.parametrize(("noted", "found"), [*((n, n) for n in range(1, 9)), (0, 1), (9, 1), (65535, 1)])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("before", [0, 2])
def test_the_orientation_that_is_noted_is_found(noted, found, order, before):
    exif = write_exif(noted, order, before)
    assert find_orientation(write_png((b"IHDR", bytes(13)), (b"eXIf", exif), (b"IEND", b""))) == found
    assert find_orientation(write_webp((b"VP8X", bytes(10)), (b"EXIF", exif))) == found
    assert find_orientation(write_webp((b"EXIF", b"Exif\0\0" + exif))) == found


@pytest.mark.parametrize("length", [0, 1, 7, 8])
def test_chunks_of_any_length_are_passed_over(length):
    assert find_orientation(write_png((b"tEXt", bytes(length)), (b"eXIf", write_exif(6)))) == 6
    assert find_orientation(write_webp((b"ICCP", bytes(length)), (b"EXIF", write_exif(6)))) == 6


NONE = {
    "nothing": b"",
    "no picture": b"dance" * 20,
    "no EXIF": write_png((b"IHDR", bytes(13)), (b"IEND", b"")),
    "other RIFF": write_webp((b"EXIF", write_exif(6))).replace(b"WEBP", b"WAVE"),
    "no TIFF": write_png((b"eXIf", b"??" + write_exif(6)[2:])),
    "no orientation": write_png((b"eXIf", write_exif(6).replace(struct.pack("<H", 274), struct.pack("<H", 275)))),
    "behind the last entry": write_png((b"eXIf", write_exif(6, before=1).replace(b"\2\0", b"\1\0", 1))),
    "its second byte is no part of it": write_png((b"eXIf", write_exif(0x0600, ">")[:-3])),
    "its first byte is no part of it": write_png((b"eXIf", write_exif(6, "<")[:-4])),
}


@pytest.mark.parametrize("data", NONE.values(), ids=NONE.keys())
def test_a_file_that_notes_none_is_upright(data):
    assert find_orientation(data) == 1


def test_a_file_that_is_cut_anywhere_is_upright_or_as_it_notes():
    for whole in (write_png((b"eXIf", write_exif(6))), write_webp((b"EXIF", write_exif(6)))):
        assert {find_orientation(whole[:count]) for count in range(len(whole) + 1)} == {1, 6}
