"""The contract of a source, and what this one promises besides."""

from zipfile import ZipFile

import cv2
import numpy as np
import pytest
from deepdance.errors import InputError
from deepdance.testing import parametrize_with_checks

from my_source import COMPONENTS
from my_source.source import CHUNK, MySource, MySourceOptions


@parametrize_with_checks(COMPONENTS[0])
def test_contract(check):
    check()


def book(path, pages, **options):
    """A source of pictures of one grey level each, or of other files."""
    with ZipFile(path, "w") as file:
        for name, page in pages.items():
            picture = np.full((20, 30, 3), page, np.uint8) if isinstance(page, int) else None
            file.writestr(name, page if picture is None else cv2.imencode(".png", picture)[1].tobytes())
    return MySource(str(path), MySourceOptions(**options))


def greys(source, fps):
    return np.concatenate(list(source.frames(fps, (480, 800))))[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    ("fps", "shown"), [(10, [0, 1, 2, 3, 4, 5]), (5, [0, 2, 4]), (3, [0, 4]), (20, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])]
)
def test_a_sample_is_the_first_frame_that_has_come(tmp_path, fps, shown):
    pages = {f"{number}.png": number for number in (5, 3, 0, 1, 4, 2)}
    assert greys(book(tmp_path / "a.cbz", pages, fps=10), fps) == shown


def test_what_is_no_picture_is_left_out(tmp_path):
    source = book(tmp_path / "a.cbz", {"pages/1.PNG": 7, "ComicInfo.xml": b"<ComicInfo/>"}, fps=5)
    assert greys(source, 5) == [7]
    assert (source.info().height, source.info().width, source.info().seconds) == (20, 30, 0.2)


def test_colours_are_red_green_blue(tmp_path):
    red = cv2.imencode(".png", np.full((2, 2, 3), (0, 0, 255), np.uint8))[1].tobytes()
    (chunk,) = book(tmp_path / "a.cbz", {"1.png": red}).frames(10, (2, 2))
    assert chunk[0, 0, 0].tolist() == [255, 0, 0]


def test_a_long_book_comes_in_chunks(tmp_path):
    source = book(tmp_path / "a.cbz", {f"{number:03}.png": 0 for number in range(2 * CHUNK + 1)})
    assert [len(chunk) for chunk in source.frames(10, (8, 8))] == [CHUNK, CHUNK, 1]


@pytest.mark.parametrize(
    ("pages", "message"), [({"notes.txt": b"none"}, "got none"), ({"1.png": b"no picture"}, "got 1.png")]
)
def test_what_holds_no_pictures_is_told(tmp_path, pages, message):
    with pytest.raises(InputError, match=message):
        book(tmp_path / "a.cbz", pages).info()
