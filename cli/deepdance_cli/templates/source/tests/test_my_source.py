"""The contract of a source, and what this one promises besides."""

from pathlib import Path

import numpy as np
import pytest
from deepdance.errors import InputError
from deepdance.testing import parametrize_with_checks

from my_source import COMPONENTS
from my_source.source import CHUNK, MySource, MySourceOptions

JUMPS = Path(__file__).with_name("jumps.flip")


@parametrize_with_checks(COMPONENTS[0], location=str(JUMPS))
def test_contract(check):
    check()


def flip_book(path, text, **options):
    path.write_text(text)
    return MySource(str(path), MySourceOptions(**options))


def read(source, fps, size=(480, 800)):
    return np.concatenate(list(source.frames(fps, size)))[..., 0]


def test_characters_are_pixels(tmp_path):
    source = flip_book(tmp_path / "a.flip", "\n@..\n.@@\n\n\n...\n...", ink="@", fps=5)
    assert read(source, 5).tolist() == [[[0, 255, 255], [255, 0, 0]], [[255] * 3] * 2]
    assert (source.info().height, source.info().width, source.info().fps) == (2, 3, 5)
    assert source.info().silhouettes


@pytest.mark.parametrize(
    ("fps", "shown"), [(10, [0, 1, 2, 3, 4, 5]), (5, [0, 2, 4]), (3, [0, 4]), (20, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])]
)
def test_a_sample_is_the_first_frame_that_has_come(tmp_path, fps, shown):
    text = "\n\n".join("." * number + "#" + "." * (5 - number) for number in range(6))
    frames = read(flip_book(tmp_path / "a.flip", text, fps=10), fps)
    assert frames[:, 0].argmin(axis=1).tolist() == shown


def test_a_long_book_comes_in_chunks(tmp_path):
    source = flip_book(tmp_path / "a.flip", "#.\n\n" * (2 * CHUNK + 1))
    assert [len(chunk) for chunk in source.frames(10, (8, 8))] == [CHUNK, CHUNK, 1]


def test_frames_come_before_the_rest_is_read(tmp_path):
    chunks = flip_book(tmp_path / "a.flip", "#.\n\n" * 2 * CHUNK + "broken").frames(10, (8, 8))
    assert len(next(chunks)) == CHUNK
    with pytest.raises(InputError, match="others before line"):
        list(chunks)


def test_the_fingerprint_is_of_the_content(tmp_path):
    one, same, other = (
        flip_book(tmp_path / name, text).fingerprint() for name, text in (("1", "#."), ("2", "#."), ("3", ".#"))
    )
    assert one == same != other


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected frames, got none"),
        ("only words\n", "expected lines of one length, of # and ., got others before line 2"),
        ("#.\n#..\n", "expected lines of one length, of # and ., got others before line 3"),
        ("#.\n\n#.\n#.\n", r"expected frames of \(1, 2\), got one of \(2, 2\) that ends at line 5"),
    ],
)
def test_what_is_no_flip_book_is_told(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(flip_book(tmp_path / "a.flip", text), 10)


@pytest.mark.parametrize("name", ["missing.flip", ""])
def test_what_cannot_be_read_is_told(tmp_path, name):
    source = MySource(str(tmp_path / name), MySourceOptions())
    for read_something in (source.info, source.fingerprint, lambda: read(source, 10)):
        with pytest.raises(InputError, match="expected a text file"):
            read_something()
